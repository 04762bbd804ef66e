"""Measures what the detector of unusual changes finds: shocks put into a city's real series, and lists without any.

The folder holds two CSV files of the City of Kobe's open data in long form (UTF-8, header row), found by the beginning
of their names: ``kobe_monthly_population_change`` (births, deaths, moves by month and ward) and
``kobe_estimated_population_monthly`` (residents and households by month and ward).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.bench.forecasts import MOVES, one_file
from kobe_platform.unusual.expecting import CHANGE, SEASON, expected
from kobe_platform.unusual.judging import Judged, judge, listed, spread_of
from kobe_platform.unusual.months import HISTORY
from kobe_platform.vocabulary.months import months_between

ESTIMATE = "kobe_estimated_population_monthly"
SHOCKS = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)
YEARS = 3
REBASES = ("2015-10", "2016-11")
"""Months in which the estimate was put on another base: its jump is no change of the population."""
CLASSES = {"flows below 100": (30, 100), "flows of 100 to 999": (100, 1000), "flows of 1,000 and more": (1000, np.inf)}
STOCKS = "stocks"
TITLES = {
    "shocks": "Share of shocks to one series that are listed, %",
    "lists": "What is listed in a month without any shock",
}


@dataclass(frozen=True)
class JudgedMonth:
    """One month of the real series: its figures, what was expected, and the verdict."""

    month: str
    figures: np.ndarray
    ahead: np.ndarray
    spread: np.ndarray
    number: np.ndarray
    flow: np.ndarray
    verdict: Judged

    def again(self, figures: np.ndarray) -> Judged:
        """The verdict had the figures been others."""
        return judge(figures, self.ahead, self.spread, self.number, self.flow)


def measure(folder: Path) -> dict[str, pl.DataFrame]:
    """Detection of shocks, and the lists without any.

    Returns:
        ``shocks``: ``series`` (size class), ``judged`` (month and series) and by shock the share that is listed, in
        percent. ``lists``: by kind of month, ``months``, ``judged`` and ``listed`` series a month, ``share`` of the
        judged that is listed (%), and ``empty``, the share of months without a line (%).

    Raises:
        ConfigurationError: ``forecast.data`` where a file is missing or there twice.
    """
    _names, months, values, flow = real_series(folder)
    judged = [one for one in judged_months(months, values, flow) if np.isfinite(one.verdict.probability).sum() >= 20]
    return {"shocks": _shocks(judged), "lists": _lists(judged)}


def real_series(folder: Path) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Names, months, months × series (NaN where there is no figure), and which of the series are flows."""
    flows = _latest(one_file(folder, MOVES), "month")
    flows = flows.with_columns(
        from_other_wards=pl.col("in_migrants") - pl.col("in_from_outside_city"),
        to_other_wards=pl.col("out_migrants") - pl.col("out_to_outside_city"),
    )
    told = ("births", "deaths", "in_from_outside_city", "out_to_outside_city", "from_other_wards", "to_other_wards")
    stocks = _latest(one_file(folder, ESTIMATE), "as_of").with_columns(month=pl.col("as_of").str.head(7))
    blocks = [(flows, told), (stocks, ("population", "households"))]
    long = pl.concat(
        rows.unpivot(list(columns), index=["month", "ward_code"], variable_name="what").with_columns(
            pl.col("value").cast(pl.Float64)
        )
        for rows, columns in blocks
    )
    wide = long.with_columns(name=pl.col("what") + " " + pl.col("ward_code").cast(pl.String)).pivot(
        on="name", index="month", values="value", sort_columns=True
    )
    months = months_between(wide["month"].min(), wide["month"].max())  # type: ignore[arg-type]
    whole = pl.DataFrame({"month": months}).join(wide, on="month", how="left").drop("month")
    flow = np.array([not name.startswith(("population", "households")) for name in whole.columns], dtype=bool)
    return whole.columns, months, whole.to_numpy(), flow


def judged_months(months: Sequence[str], values: np.ndarray, flow: np.ndarray) -> Iterator[JudgedMonth]:
    """Each month as the platform would have judged it from the months before."""
    for row, month in enumerate(months):
        first = max(0, row - HISTORY)
        known, window = values[first : row + 1], months[first : row + 1]
        ahead = np.full(known.shape, np.nan)
        for of, method in ((flow, SEASON), (~flow, CHANGE)):
            ahead[:, of] = expected(known[:, of], window, method, YEARS, working_days=method == SEASON)
        errors = np.log(known) - ahead
        spread, number = spread_of(errors[:-1], window[:-1], month)
        told = (known[-1], ahead[-1], spread, number, flow)
        yield JudgedMonth(month, *told, judge(*told))


def _shocks(judged: Sequence[JudgedMonth]) -> pl.DataFrame:
    found: dict[str, dict[float, list[bool]]] = {name: {shock: [] for shock in SHOCKS} for name in (*CLASSES, STOCKS)}
    for one in judged:
        for shock in SHOCKS:
            there = one.again(np.round(one.figures * (1 + shock))).probability
            for place in np.flatnonzero(~np.isnan(there) & ~np.isnan(one.verdict.probability)):
                changed = one.verdict.probability.copy()
                changed[place] = there[place]
                found[_class(one, int(place))][shock].append(place in listed(changed))
    rows = [
        {"series": name, "judged": len(by[SHOCKS[0]])}
        | {f"{shock:+.0%}": 100 * float(np.mean(hits)) if hits else None for shock, hits in by.items()}
        for name, by in found.items()
    ]
    return pl.DataFrame(rows)


def _class(one: JudgedMonth, place: int) -> str:
    usual = one.verdict.expected[place]
    return STOCKS if not one.flow[place] else next(n for n, (low, high) in CLASSES.items() if low <= usual < high)


def _lists(judged: Sequence[JudgedMonth]) -> pl.DataFrame:
    kinds: Mapping[str, list[JudgedMonth]] = {
        "rebases of the estimate": [one for one in judged if one.month in REBASES],
        "March and April": [one for one in judged if one.month[5:] in ("03", "04")],
        "other months": [one for one in judged if one.month[5:] not in ("03", "04") and one.month not in REBASES],
    }
    rows = []
    for kind, months in kinds.items():
        seen = [int(np.isfinite(one.verdict.probability).sum()) for one in months]
        lines = [len(one.verdict.listed) for one in months]
        rows.append({
            "kind": kind, "months": len(months), "judged": float(np.mean(seen)), "listed": float(np.mean(lines)),
            "share": 100 * sum(lines) / sum(seen), "empty": 100 * float(np.mean([not n for n in lines])),
        })  # fmt: skip
    return pl.DataFrame(rows)


def _latest(path: Path, period: str) -> pl.DataFrame:
    """One row a month and ward; revised figures count as revised."""
    read = pl.read_csv(path)
    return read.sort(period, "basis").unique([period, "ward_code"], keep="last", maintain_order=True)
