"""Says what each figure of a series was to be, from the figures before it alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

import numpy as np

from kobe_platform.vocabulary.months import first_day, last_day

YEAR = 12
SEASON, CHANGE = "season", "change"
METHODS = (SEASON, CHANGE)
FEWEST_MONTHS = {SEASON: 2 * YEAR, CHANGE: YEAR + 1}
"""Months before the first figure of which anything is expected."""


def expected(values: np.ndarray, months: Sequence[str], method: str, years: int, *, working_days: bool) -> np.ndarray:
    """Logarithms of what figures were to be, each from the months before it.

    ``season``: the mean logarithm of the twelve months before, and how far the same calendar month lay from such a mean
    (the median of up to ``years`` years before). ``change``: the figure of the month before, and how it changed in the
    same calendar month (the median likewise). By the median, one year out of the ordinary leaves no echo in the next.

    Args:
        values: months × series; NaN where a figure is hidden or absent.
        months: of the rows, ``YYYY-MM``, without a gap.
        working_days: whether figures count what happens on working days, of which months have more or fewer.

    Returns:
        Months × series; NaN where the months before do not suffice.
    """
    logs = np.log(np.where(values > 0, values, np.nan))
    weight = np.log([working_days_of(month) for month in months])[:, None] if working_days else 0.0
    logs = logs - weight
    level = _mean_before(logs) if method == SEASON else _lagged(logs, 1)
    apart = logs - level
    former = np.stack([_lagged(apart, YEAR * back) for back in range(1, years + 1)])
    return level + _median(former) + weight


def working_days_of(month: str) -> int:
    """Mondays to Fridays of a month without 29 December to 3 January, when the city's offices are closed.

    National holidays are left in: most of them fall into the same month of every year.
    """
    return _working_days(month)


@lru_cache(maxsize=2048)
def _working_days(month: str) -> int:
    first = first_day(month)
    days = [first + timedelta(number) for number in range(last_day(month).day)]
    closed = {(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}
    return sum(one.weekday() < 5 and (one.month, one.day) not in closed for one in days)


def _lagged(values: np.ndarray, back: int) -> np.ndarray:
    moved = np.full(values.shape, np.nan)
    moved[back:] = values[: max(0, values.shape[0] - back)]
    return moved


def _mean_before(values: np.ndarray) -> np.ndarray:
    """Mean of the twelve rows before each row; NaN where one of them lacks."""
    means = np.full(values.shape, np.nan)
    for row in range(YEAR, values.shape[0]):
        means[row] = values[row - YEAR : row].mean(axis=0)
    return means


def _median(values: np.ndarray) -> np.ndarray:
    """Median along the first axis of what is there; NaN where nothing is."""
    ordered, number = np.sort(values, axis=0), (~np.isnan(values)).sum(axis=0)
    middle = [
        np.take_along_axis(ordered, np.clip(one, 0, len(ordered) - 1)[None], axis=0)[0]
        for one in ((number - 1) // 2, number // 2)
    ]
    return np.where(number > 0, sum(middle) / 2, np.nan)
