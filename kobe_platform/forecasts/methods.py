"""Names the methods of forecasting, and chooses among them by their back-test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.cohorts import cohort_change, same_cohort
from kobe_platform.forecasts.components import cohort_component
from kobe_platform.forecasts.learned import ets, gradient_boosting
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import drift, last_value, seasonal_index, seasonal_naive
from kobe_platform.vocabulary.months import shifted
from kobe_platform.vocabulary.nearest import did_you_mean

METHODS: Mapping[str, Method] = {
    "last_value": last_value,
    "drift": drift,
    "seasonal_naive": seasonal_naive,
    "seasonal_index": seasonal_index,
    "same_cohort": same_cohort,
    "cohort_change": cohort_change,
    "cohort_component": cohort_component,
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
    "cohort_component": lambda years: 24,
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
    raise ConfigurationError(
        "there is no such method of forecasting",
        code="forecast.method",
        at={"method": name},
        remedy=did_you_mean(name, METHODS),
    )


class Best:
    """A method that takes, at each horizon, whichever of some methods was least wrong from the given earlier origins.

    Only origins whose figures are known count, so that it can be back-tested like any other, and only cells that all
    of them forecast. Where nothing came yet, it is the first. A cell that the winner cannot forecast is forecast by the
    first that can. What each says from an origin is worked out once for as long as the figures are the same.

    Args:
        names: of the methods.
        origins: months from which they are compared.
    """

    def __init__(self, names: Sequence[str], origins: Sequence[str]) -> None:
        self.names, self._origins = tuple(names), tuple(origins)
        self._past: dict[tuple[str, tuple[int, ...], str], np.ndarray] = {}

    def __call__(self, known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
        """Forecasts of the winners, horizons × cells."""
        ahead = self._ahead(known, horizons, options)
        found = ahead[self._won(known, horizons, options), np.arange(len(horizons))]
        for other in ahead:
            found = np.where(np.isnan(found), other, found)
        return found

    def winners(self, known: Panel, horizons: Sequence[int], options: MethodOptions) -> list[str]:
        """Name of the method that is taken at each horizon."""
        return [self.names[at] for at in self._won(known, horizons, options)]

    def _won(self, known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
        wrong, size = np.zeros((len(self.names), len(horizons))), np.zeros(len(horizons))
        for origin in self._origins:
            if not any(shifted(origin, horizon) in known.months for horizon in horizons) or origin >= known.origin:
                continue
            tried = self._ahead(known.until(origin), horizons, options)
            actual = known.over([shifted(origin, horizon) for horizon in horizons])
            whole = ~np.isnan(actual) & ~np.isnan(tried).any(axis=0)
            size += np.where(whole, np.abs(actual), 0.0).sum(axis=1)
            wrong += np.where(whole, np.abs(tried - actual), 0.0).sum(axis=2)
        return np.where(size > 0, wrong.argmin(axis=0), 0)  # of equals, the first named

    def _ahead(self, known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
        """What each method says from the panel's origin, methods × horizons × cells."""
        place = (known.origin, tuple(horizons), _digest(known))
        if place not in self._past:
            self._past[place] = np.stack([METHODS[name](known, horizons, options) for name in self.names])
        return self._past[place]


def _digest(known: Panel) -> str:
    """Digest of all figures that a method may read: those of the series, and of its events with their years."""
    digest = hashlib.blake2b(known.values.tobytes(), digest_size=8)
    for event, flow in sorted(known.flows.items()):
        digest.update(f"{event} {flow.months} {flow.keys.columns} {flow.keys.rows()}".encode())
        digest.update(flow.values.tobytes())
    return digest.hexdigest()
