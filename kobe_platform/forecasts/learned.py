"""Forecasts from fitted models: exponential smoothing (extra ``ets``) and gradient boosting (extra ``ml``).

Both libraries are heavy and optional, and are imported when a method is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.cohorts import same_cohort, whole_years
from kobe_platform.forecasts.options import Method, MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.forecasts.seasonal import YEAR, seasonal_naive
from kobe_platform.vocabulary.months import shifted

FEWEST_MONTHS = 3 * YEAR
"""Months without a gap that exponential smoothing needs: two seasons to begin with and one to learn from."""


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

    Where there are ages, the plain forecast is ``same_cohort``; the model learns the change of one year and is applied
    year by year. Else it is ``seasonal_naive``, with a model for each horizon. Features are the cell's codes, the
    calendar month of the target, the plain forecast and the last known differences from it. A cell with a gap in what
    the plain forecast needs has none.
    """
    if options.age in known.keys.columns:
        return _year_by_year(known, horizons, options)
    return np.stack([_Boosted(known, horizon, seasonal_naive, options).ahead(known) for horizon in horizons])


def _year_by_year(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    years = whole_years(horizons)
    model, reached, ahead = _Boosted(known, YEAR, same_cohort, options), known, {}
    for year in range(1, max(years) + 1):
        ahead[year] = model.ahead(reached)
        month = shifted(reached.origin, YEAR)
        reached = Panel((*reached.months, month), known.keys, np.vstack([reached.values, ahead[year]]))
    return np.stack([ahead[year] for year in years])


class _Boosted:
    """A fitted model of how figures differ from a plain forecast so many months ahead."""

    def __init__(self, known: Panel, horizon: int, plain: Method, options: MethodOptions) -> None:
        self._horizon, self._plain, self._options = horizon, plain, options
        lessons = _Lessons(known, horizon, plain, options)
        rows = [lessons.features(shifted(target, -horizon)) for target in lessons.difference]
        wanted = np.concatenate([*lessons.difference.values(), np.empty(0)])
        kept = np.isfinite(wanted)
        learned = np.concatenate([*rows, lessons.features(known.origin)[:0]])[kept]
        self._telling = [column for column in range(learned.shape[1]) if _tells(learned[:, column])]
        self._model = None
        if self._telling:
            self._model = _library("sklearn.ensemble", "ml").HistGradientBoostingRegressor(
                loss="absolute_error",
                max_iter=100,
                learning_rate=0.05,
                max_leaf_nodes=15,
                early_stopping=False,
                random_state=options.seed,
            )
            self._model.fit(learned[:, self._telling], wanted[kept])

    def ahead(self, known: Panel) -> np.ndarray:
        """Forecasts from the last month of a panel, one a cell; NaN where there was nothing to learn from."""
        lessons = _Lessons(known, self._horizon, self._plain, self._options)
        if self._model is None:
            return np.full(known.keys.height, np.nan)
        features = lessons.features(known.origin)[:, self._telling]
        return lessons.base[known.origin] * np.exp(self._model.predict(features))


class _Lessons:
    """What a panel tells of a plain forecast: by origin what it said, by target how the figure differed."""

    def __init__(self, known: Panel, horizon: int, plain: Method, options: MethodOptions) -> None:
        self.horizon = horizon
        self.base = {month: plain(known.until(month), [horizon], options)[0] for month in known.months}
        self.difference = {
            shifted(origin, horizon): _logarithm(known.at(shifted(origin, horizon)), base)
            for origin, base in self.base.items()
            if shifted(origin, horizon) in self.base
        }
        self.codes = [known.keys[name].rank("dense").to_numpy().astype(float) for name in known.keys.columns]

    def features(self, origin: str) -> np.ndarray:
        """Cells × features of one origin; NaN where a feature is not known."""
        base = self.base[origin]
        unknown = np.full(base.shape, np.nan)
        season = np.full(base.shape, float(shifted(origin, self.horizon)[5:]))
        lags = [self.difference.get(shifted(origin, -back), unknown) for back in (0, YEAR)]
        return np.stack([*self.codes, season, _logarithm(base, np.ones_like(base)), *lags], axis=1)


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
