"""The engine of the city data platform: it knows the domain, not the orchestrator."""

__version__ = "0.1.0"
