"""Loads every published table of an installation: the statistics, and what is made from their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kobe_platform.contracts import Contract
from kobe_platform.forecasts.loading import load_forecasts
from kobe_platform.statistics import Statistic, load_statistics
from kobe_platform.trials import Trials
from kobe_platform.unusual.loading import load_watches


def load_published(
    statistics: Path,
    forecasts: Path | None = None,
    contracts: Mapping[str, Contract] | None = None,
    trials: Trials | None = None,
    *,
    unusual: Path | None = None,
) -> dict[str, Statistic]:
    """Every published table by name: statistics, the tables of forecasts with their scoreboard, usual ranges.

    Args:
        forecasts, unusual: folders of what is made from the tables; beside the statistics by default.

    Raises:
        ConfigurationError: as the three loaders.
    """
    counted = load_statistics(statistics, contracts, trials)
    return {**counted, **made_from_tables(statistics, counted, forecasts, unusual, trials)}


def made_from_tables(
    statistics: Path,
    counted: Mapping[str, Statistic],
    forecasts: Path | None = None,
    unusual: Path | None = None,
    trials: Trials | None = None,
) -> dict[str, Statistic]:
    """The tables that are made from published tables, by name."""
    ahead = load_forecasts(forecasts or statistics.parent / "forecasts", counted, trials)
    return {**ahead, **load_watches(unusual or statistics.parent / "unusual", counted)}
