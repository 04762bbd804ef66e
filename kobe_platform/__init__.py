"""The engine of the city data platform: everything between a delivery and a released dashboard, without Dagster."""

import os

__version__ = "0.1.0"

os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")  # read once, when Arrow is loaded (docs/decisions/0081)
