"""The project's own forecasts."""

import pytest

from kobe_platform.published import load_published
from kobe_platform.settings import Settings


@pytest.fixture(scope="session")
def tables():
    """Every published table by name."""
    return load_published(Settings().statistics, Settings().forecast_files)
