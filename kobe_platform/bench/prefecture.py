"""Times the totals over municipalities on made-up counts: seconds and memory by the number of municipalities."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import polars as pl

from kobe_platform.disclosure import Dimension, Inclusion, Spec, Table, protect
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import COUNT, Handed
from kobe_platform.prefecture.joint import Summed
from kobe_platform.prefecture.totals import protect_totals

AGES = ("0-14", "15-64", "65-74", "75-84", "85-94", "95+")
SHARES = (0.11, 0.57, 0.14, 0.12, 0.055, 0.005)
NATIONS = ("vietnam", "korea", "china", "nepal", "other")
SUMMED = tuple(Summed(name, "area", f"prefecture_{name}") for name in ("residents", "foreigners"))
USUAL = (1, 5, 10, 20, 41)
"""Numbers of municipalities that are measured unless others are asked for."""
RESIDENTS_OF_A_DISTRICT = 3000


@dataclass(frozen=True)
class Measured:
    """One prefecture of made-up municipalities.

    Attributes:
        seconds: of processor time, those of worker processes included. peak_mb: most memory of this process so far.
        shown, hidden: totals with and without a figure.
    """

    municipalities: int
    circles: int
    seconds: float
    wall: float
    peak_mb: float
    shown: int
    hidden: int


def made_up(code: str, residents: int, rng: np.random.Generator) -> Handed:
    """A municipality of made-up counts by age and sex, by district, and of foreigners by nationality; protected."""
    districts = [f"{code}-{number}" for number in range(1, max(1, residents // RESIDENTS_OF_A_DISTRICT) + 1)]
    spec = _spec(code, districts)
    for _ in range(20):
        people, foreign = _people(districts, residents, rng)
        by_area = {
            "residents": _summed(people, ["age", "sex"]).select(pl.lit(code).alias("area"), pl.all()),
            "foreigners": _summed(foreign, ["nation"]).select(pl.lit(code).alias("area"), pl.all()),
        }
        cells = {
            "residents_district": _summed(people, ["area", "age"]),
            "foreigners_district": _summed(foreign, ["area"]),
        }
        try:
            published = protect(spec, {**cells, **by_area}).tables
        except DisclosureError:
            continue
        whole = {name: table.drop("area") for name, table in by_area.items()}
        return Handed(code, "2025-06", "stocks/month", "", "synthetic", spec, published, (), whole)
    raise ValueError(f"no counts of {residents} residents could be protected")


def _spec(code: str, districts: Sequence[str]) -> Spec:
    below = dict.fromkeys(districts, code)
    tree: dict[str, Dimension] = {
        "district": Dimension(hierarchy={code: None, **below}),
        "ward": Dimension(hierarchy={code: None}, of="district"),
        "age": Dimension(hierarchy={"total": None, **dict.fromkeys(AGES, "total")}),
        "sex": Dimension(hierarchy={"total": None, "male": "total", "female": "total"}),
        "nation": Dimension(hierarchy={"total": None, **dict.fromkeys(NATIONS, "total")}),
    }
    tables = [
        ("residents", {"area": "ward", "age": "age", "sex": "sex"}, "residents"),
        ("residents_district", {"area": "district", "age": "age"}, "residents"),
        ("foreigners", {"area": "ward", "nation": "nation"}, "foreigners"),
        ("foreigners_district", {"area": "district"}, "foreigners"),
    ]
    return Spec(
        dimensions=tree,
        tables=tuple(Table(name=n, dimensions=d, measure=COUNT, population=p) for n, d, p in tables),
        includes=(Inclusion(part="foreigners", whole="residents"),),
    )


def _people(districts: Sequence[str], residents: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Counts of residents by district, age and sex, and of foreigners by district and nationality."""
    share = rng.dirichlet([20.0] * len(districts))
    ages = np.array(SHARES) / sum(SHARES)
    count = rng.multinomial(residents, np.outer(share, np.outer(ages, (0.48, 0.52))).ravel())
    foreign = rng.multinomial(max(residents // 50, 12), np.outer(share, (0.4, 0.25, 0.2, 0.1, 0.05)).ravel())
    full = [(d, a, s) for d in districts for a in AGES for s in ("male", "female")]
    other = [(d, n) for d in districts for n in NATIONS]
    return (
        pl.DataFrame(full, schema=["area", "age", "sex"], orient="row").with_columns(pl.Series(COUNT, count)),
        pl.DataFrame(other, schema=["area", "nation"], orient="row").with_columns(pl.Series(COUNT, foreign)),
    )


def _summed(cells: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return cells.group_by(columns, maintain_order=True).agg(pl.col(COUNT).sum())


def prefecture(number: int, seed: int = 0) -> list[Handed]:
    """So many made-up municipalities, of 3,000 to 60,000 residents."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(log(3000), log(60_000), number)).astype(int)
    return [made_up(f"{at:05d}", int(size), rng) for at, size in enumerate(sizes, start=1)]


def measure(handed: Sequence[Handed], workers: int = 1) -> Measured:
    """Totals over municipalities, timed."""
    wall, began = time.perf_counter(), _processor()
    made = protect_totals(handed, SUMMED, workers=workers)
    seconds, wall = _processor() - began, time.perf_counter() - wall
    totals = pl.concat([t.filter(pl.col("area") == "all").select("value", "status") for t in made.tables.values()])
    away = int((totals["status"] == "suppressed").sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(
        len(handed), made.circles, round(seconds, 2), round(wall, 2), round(peak, 1), totals.height - away, away
    )


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def exponent(measured: Sequence[Measured]) -> float:
    """By what power of the number of municipalities seconds grow: the slope of logarithms, least squares."""
    if len(measured) < 2:
        return 0.0
    numbers = [log(one.municipalities) for one in measured]
    seconds = [log(max(one.seconds, 1e-3)) for one in measured]
    return round(float(np.polyfit(numbers, seconds, 1)[0]), 2)
