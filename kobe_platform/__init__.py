"""The engine of the city data platform: everything between a delivery and a released dashboard, without Dagster."""

__version__ = "0.1.0"
