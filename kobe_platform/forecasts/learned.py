"""Forecasts from fitted models: exponential smoothing (extra ``ets``) and gradient boosting (extra ``ml``).

Both libraries are heavy and optional, and are imported when a method is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.cohorts import Cube, same_cohort, stepped, whole_years
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import YEAR, seasonal_naive
from kobe_platform.vocabulary.months import shifted

FEWEST_MONTHS = 3 * YEAR
"""Months without a gap that exponential smoothing needs: two seasons to begin with and one to learn from."""
FEW_LESSONS: Mapping[str, Any] = {"loss": "absolute_error", "learning_rate": 0.05, "max_leaf_nodes": 15}
"""Settings for monthly series, of which there are few and with extraordinary months: smaller trees, the median."""
MOST_NOMINAL = 255
"""Codes of a dimension that gradient boosting can take as nominal; it puts a feature's values into so many bins."""


def ets(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """Exponential smoothing of logarithms, by cell: additive errors and a season of twelve months, no trend.

    It is ETS(A,N,A) of Hyndman, Koehler, Ord and Snyder (2008), whose start and weights are fitted by likelihood. It
    reads the months without a gap up to the origin; a cell with fewer than ``FEWEST_MONTHS``, or with a zero among
    them, has no forecast.
    """
    smoothing = _library("statsmodels.tsa.exponential_smoothing.ets", "ets").ETSModel
    last = max(horizons)
    ahead = np.full((len(horizons), known.keys.height), np.nan)
    months = [shifted(known.origin, -back) for back in range(_span(known) - 1, -1, -1)]
    for cell, series in enumerate(known.over(months).T):
        whole = series[_after_last_gap(series) :]
        if len(whole) >= FEWEST_MONTHS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of convergence: the back-test judges the fit
                fitted = smoothing(np.log(whole), error="add", seasonal="add", seasonal_periods=YEAR).fit(disp=False)
                ahead[:, cell] = np.exp(fitted.forecast(last))[[horizon - 1 for horizon in horizons]]
    return ahead


def _span(known: Panel) -> int:
    """Months from the first to the origin, both included."""
    first, last = ((int(month[:4]) * 12 + int(month[5:])) for month in (known.months[0], known.origin))
    return last - first + 1


def _after_last_gap(series: np.ndarray) -> int:
    """Where the months begin that are known and above zero without interruption up to the last."""
    gaps = np.flatnonzero(np.isnan(series) | (series <= 0))
    return int(gaps[-1]) + 1 if gaps.size else 0


def gradient_boosting(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """One model over all cells: how the figure will differ from a plain forecast, as a logarithm.

    Where there are ages, the plain forecast is ``same_cohort``; the model learns by which ratio a cohort changes in a
    year, and each year ahead changes it again. Else it is ``seasonal_naive``, with a model for each horizon, which is
    told how large it is and the last known differences from it as well. Other features are the cell's codes and the
    calendar month of the target. Codes other than ages have no order, and the model is told so: else it could put only
    neighbours in the alphabet together. A lesson weighs as many persons or events as it is of, as its error does in
    WAPE. A cell with a gap in what the plain forecast needs has none.
    """
    if options.age in known.keys.columns:
        return _by_cohorts(known, horizons, options)
    ahead = []
    for horizon in horizons:
        lessons = _Lessons(known, horizon, seasonal_naive, options, history=True)
        ahead.append(lessons.base[known.origin] * _learned_ratios(lessons, known.origin, options, FEW_LESSONS))
    return np.stack(ahead)


def _by_cohorts(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    cube = Cube.of(known, options)
    # No lags: what a cell changed by last year is mostly chance, and its usual change is learned from its codes.
    ratios = _learned_ratios(_Lessons(known, YEAR, same_cohort, options, history=False), known.origin, options, {})
    by_area = ratios[cube.order].reshape(cube.origin.shape)
    ahead = stepped(
        cube.origin,
        whole_years(horizons),
        lambda persons: persons * by_area[:, 1:],
        options,
        newborns=lambda before, older: before[:, 0] * by_area[:, 0],
    )
    return cube.flat(ahead)


def _learned_ratios(lessons: _Lessons, origin: str, options: MethodOptions, settings: Mapping[str, Any]) -> np.ndarray:
    """Figure ÷ plain forecast that is to be expected from an origin, one a cell; NaN where there was no lesson."""
    asked, (told, wanted, weight) = lessons.features(origin), lessons.known()
    telling = [column for column in range(told.shape[1]) if _tells(told[:, column])]
    if not telling:
        return np.full(len(asked), np.nan)
    model = _library("sklearn.ensemble", "ml").HistGradientBoostingRegressor(
        categorical_features=[telling.index(column) for column in lessons.nominal if column in telling],
        early_stopping=False,
        random_state=options.seed,
        **settings,
    )
    model.fit(told[:, telling], wanted, sample_weight=weight)
    return np.exp(model.predict(asked[:, telling]))


class _Lessons:
    """What a panel tells of a plain forecast: by origin what it said, by target how the figure differed.

    Args:
        history: whether the plain forecast, and the last known differences from it, are features.
    """

    def __init__(self, known: Panel, horizon: int, plain: Method, options: MethodOptions, *, history: bool) -> None:
        self._horizon, self._history = horizon, history
        self.base = {month: plain(known.until(month), [horizon], options)[0] for month in known.months}
        self._difference = {
            shifted(origin, horizon): _logarithm(known.at(shifted(origin, horizon)), base)
            for origin, base in self.base.items()
            if shifted(origin, horizon) in self.base
        }
        self._codes = [known.keys[name].rank("dense").to_numpy().astype(float) - 1 for name in known.keys.columns]
        self.nominal = [
            column
            for column, (name, codes) in enumerate(zip(known.keys.columns, self._codes, strict=True))
            if name != options.age and codes.max() < MOST_NOMINAL
        ]
        """Features that are codes without an order."""

    def known(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All lessons: features, differences, and the figures that the plain forecast said, which they weigh by."""
        before = {target: shifted(target, -self._horizon) for target in self._difference}
        told = [self.features(origin) for origin in before.values()]
        if not told:
            return np.empty((0, 0)), np.empty(0), np.empty(0)
        wanted = np.concatenate(list(self._difference.values()))
        weight = np.concatenate([self.base[origin] for origin in before.values()])
        kept = np.isfinite(wanted)
        return np.concatenate(told)[kept], wanted[kept], weight[kept]

    def features(self, origin: str) -> np.ndarray:
        """Cells × features of one origin; NaN where a feature is not known."""
        base = self.base[origin]
        told = [*self._codes, np.full(base.shape, float(shifted(origin, self._horizon)[5:]))]
        if self._history:
            unknown = np.full(base.shape, np.nan)
            told.append(_logarithm(base, np.ones_like(base)))
            told += [self._difference.get(shifted(origin, -back), unknown) for back in (0, YEAR)]
        return np.stack(told, axis=1)


def _tells(feature: np.ndarray) -> bool:
    """Whether a feature differs between rows; the library refuses one without two values."""
    return len(np.unique(feature[np.isfinite(feature)])) > 1


def _logarithm(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Logarithm of a ratio of positive figures; NaN where one is not positive or not known."""
    fit = (above > 0) & (below > 0)
    return np.log(
        np.divide(above, below, out=np.ones_like(above), where=fit), out=np.full(fit.shape, np.nan), where=fit
    )


def _library(module: str, extra: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError:
        raise ConfigurationError(
            "a method of forecasting needs a library that is not installed",
            code="forecast.library",
            at={"library": module.split(".")[0], "extra": extra},
            remedy=f"Install the extra `{extra}`, or choose another method.",
        ) from None
