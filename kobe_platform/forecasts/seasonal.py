"""Forecasts from the series' own past: its last value, its last year, its season's share of a year."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.vocabulary.months import shifted

YEAR = 12


def last_value(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """The figure of the origin, at every horizon."""
    return np.repeat(known.at(known.origin)[None, :], len(horizons), axis=0)


def drift(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """The figure of the origin and, for each year ahead, its mean change over twelve months (random walk with drift).

    The mean is over all known pairs of months that lie twelve months apart; without a pair there is no forecast. A
    figure does not fall below zero.
    """
    pairs = [known.at(month) - known.at(shifted(month, -YEAR)) for month in known.months]
    changes = np.stack(pairs)
    counted = np.isfinite(changes).sum(axis=0)
    total = np.where(np.isfinite(changes), changes, 0).sum(axis=0)
    yearly = np.divide(total, counted, out=np.full(len(total), np.nan), where=counted > 0)
    ahead = [known.at(known.origin) + yearly * horizon / YEAR for horizon in horizons]
    return np.maximum(np.stack(ahead), 0)


def seasonal_naive(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """The figure of the same calendar month in the last known year."""
    return known.over([_same_month(known.origin, horizon, 1) for horizon in horizons])


def seasonal_index(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """The last twelve months' total × the calendar month's share of the last ``options.years`` years.

    A gap in those years leaves the cell without a forecast, as the share of a year cannot be told from a part of it.
    """
    years = options.years
    window = known.over([shifted(known.origin, -back) for back in range(years * YEAR - 1, -1, -1)])
    total, level = window.sum(axis=0), window[-YEAR:].sum(axis=0)
    months = np.stack(
        [
            known.over([_same_month(known.origin, horizon, year) for year in range(1, years + 1)]).sum(axis=0)
            for horizon in horizons
        ]
    )
    share = np.divide(months, total[None, :], out=np.zeros_like(months), where=total[None, :] != 0)
    return share * level[None, :]


def _same_month(origin: str, horizon: int, year: int) -> str:
    """The ``year``-th last known month of the calendar month that lies ``horizon`` months after the origin."""
    ahead = (horizon - 1) // YEAR + year
    return shifted(origin, horizon - YEAR * ahead)
