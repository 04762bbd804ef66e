"""Names the methods of forecasting, and chooses among them by their back-test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import polars as pl

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.backtest import comparable, past_forecasts, scores
from kobe_platform.forecasts.cohorts import cohort_change, same_cohort
from kobe_platform.forecasts.learned import ets, gradient_boosting
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import drift, last_value, seasonal_index, seasonal_naive

METHODS: Mapping[str, Method] = {
    "last_value": last_value,
    "drift": drift,
    "seasonal_naive": seasonal_naive,
    "seasonal_index": seasonal_index,
    "same_cohort": same_cohort,
    "cohort_change": cohort_change,
    "ets": ets,
    "gradient_boosting": gradient_boosting,
}
"""A new method is one function of this signature, a line here and in ``LEAST_HISTORY``, and its words in the lounge."""
BEST = "best"
"""The name by which a forecast's file asks for the winner among several methods."""
LEAST_HISTORY: Mapping[str, Callable[[int], int]] = {
    "last_value": lambda years: 1,
    "drift": lambda years: 13,
    "seasonal_naive": lambda years: 12,
    "seasonal_index": lambda years: 12 * years,
    "same_cohort": lambda years: 1,
    "cohort_change": lambda years: 13,
    "ets": lambda years: 36,
    "gradient_boosting": lambda years: 26,
    BEST: lambda years: 1,
}
"""Months without a gap, the origin's included, from which each method forecasts at all."""


def method_named(name: str) -> Method:
    """The method of a name.

    Raises:
        ConfigurationError: ``forecast.method``, with the nearest name.
    """
    if name in METHODS:
        return METHODS[name]
    near = get_close_matches(name, METHODS, n=1)
    raise ConfigurationError(
        "there is no such method of forecasting",
        code="forecast.method",
        at={"method": name},
        remedy=f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(METHODS)}.",
    )


def winners(tried: Mapping[str, pl.DataFrame]) -> dict[int, str]:
    """The method with the smallest WAPE by horizon, over the rows that all of them forecast; the first named of equals.

    Args:
        tried: by method, rows of ``past_forecasts`` over the same origins and horizons.
    """
    found: dict[int, tuple[float, str]] = {}
    for name, past in comparable(dict(tried)).items():
        for horizon, wape in scores(past).select("horizon", "wape").iter_rows():
            if wape is not None and (horizon not in found or wape < found[horizon][0]):
                found[horizon] = (wape, name)
    return {horizon: name for horizon, (_, name) in found.items()}


def best(names: Sequence[str], origins: Sequence[str]) -> Method:
    """A method that takes, at each horizon, whichever of ``names`` was least wrong from the given earlier origins.

    Only origins whose figures are known count, so that it can be back-tested like any other. Where nothing came yet,
    it is the first of ``names``.
    """

    def chosen(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
        earlier = [origin for origin in origins if origin < known.origin]
        tried = {name: past_forecasts(METHODS[name], known, horizons, options, earlier) for name in names}
        won = winners(tried)
        ahead = {name: METHODS[name](known, horizons, options) for name in {names[0], *won.values()}}
        return np.stack([ahead[won.get(horizon, names[0])][row] for row, horizon in enumerate(horizons)])

    return chosen
