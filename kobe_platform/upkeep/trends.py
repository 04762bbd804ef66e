"""Follows the quality of published figures from month to month: shares, ratios, and each ward's change against history.

Reads the release in force alone, so it tells nothing that a dashboard could not; a hidden cell hides its figure.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from kobe_platform.lounge.tables import PUBLISHED
from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.months import month_before

FILE = PROJECT / "assets" / "vocabulary" / "trends.toml"
CITY_LEVEL, WARD_LEVEL = 0, 1
STOCK = {"table": "population_ward", "age": "total", "sex": "total"}
"""The cells whose change by ward is followed."""
LEAST_SEASONS, LEAST_MONTHS = 3, 6
"""Earlier changes that a usual range is made of: of the same month of the year, else of any month."""


class Trend(BaseModel):
    """One figure that is followed.

    Attributes:
        title: in Japanese, with its unit.
        of, over: ``table`` and the codes of its dimensions, the area left out.
        times: what the quotient is multiplied by.
        decimals: places that are shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    of: dict[str, str]
    over: dict[str, str]
    times: int
    decimals: int = 2


@dataclass(frozen=True)
class WardChange:
    """A ward's last change, in percent, and the range of the earlier ones; None where there are too few, or hidden."""

    ward: str
    change: float | None
    usual: tuple[float, float] | None

    @property
    def outside(self) -> bool:
        """Whether the change lies outside of the usual range."""
        return bool(self.change is not None and self.usual and not self.usual[0] <= self.change <= self.usual[1])


def trends(tables: Path, months: int) -> tuple[list[str], list[tuple[Trend, list[float | None]]]]:
    """The newest months, ascending, and each trend with its figures in them.

    Args:
        tables: folder of published tables.
        months: how many.
    """
    listed = [Trend(**one) for one in tomllib.loads(FILE.read_text(encoding="utf-8")).values()]
    series = [(one, _cells(tables, one.of, CITY_LEVEL), _cells(tables, one.over, CITY_LEVEL)) for one in listed]
    known = sorted({month for _, of, _ in series for month, _ in of})[-months:]
    city = next(iter({area for _, of, _ in series for _, area in of}), "")
    return known, [(one, [_quotient(one, of, over, (month, city)) for month in known]) for one, of, over in series]


def ward_changes(tables: Path) -> tuple[str, list[WardChange]]:
    """The newest month, and by ward (of a municipality without wards, in all) how its population changed in it."""
    cells = _cells(tables, STOCK, WARD_LEVEL if _areas(tables, WARD_LEVEL) else CITY_LEVEL)
    names = _labels(tables)
    newest = max((month for month, _ in cells), default="")
    return newest, [
        _changed(
            names.get(ward, ward), {month: value for (month, area), value in cells.items() if area == ward}, newest
        )
        for ward in sorted({area for _, area in cells})
    ]


def _changed(ward: str, series: Mapping[str, int | None], newest: str) -> WardChange:
    changes = {month: _change(series, month) for month in sorted(series)}
    earlier = {month: one for month, one in changes.items() if month < newest and one is not None}
    return WardChange(ward, changes.get(newest), _usual(earlier, newest))


def _usual(earlier: Mapping[str, float], newest: str) -> tuple[float, float] | None:
    season = [change for month, change in earlier.items() if month[5:] == newest[5:]]
    every = list(earlier.values())
    for changes, least in ((season, LEAST_SEASONS), (every, LEAST_MONTHS)):
        if len(changes) >= least:
            return min(changes), max(changes)
    return None


def _change(series: Mapping[str, int | None], month: str) -> float | None:
    """Percent from the month before; None where either is missing or hidden, so a gap is never bridged."""
    now, before = series.get(month), series.get(month_before(month))
    return None if now is None or not before else 100 * (now - before) / before


def _quotient(one: Trend, of: Mapping, over: Mapping, place: tuple[str, str]) -> float | None:
    above, below = of.get(place), over.get(place)
    return None if above is None or not below else round(one.times * above / below, one.decimals)


def _cells(tables: Path, named: Mapping[str, str], level: int) -> dict[tuple[str, str], int | None]:
    """(month, area) → count, None where it is hidden; empty without the table."""
    path, areas = tables / f"{named['table']}.parquet", _areas(tables, level)
    if not path.exists():
        return {}
    codes = [pl.col(name) == code for name, code in named.items() if name != "table"]
    shown = pl.when(pl.col("status") == PUBLISHED).then(pl.col("value"))
    frame = pl.scan_parquet(path).filter(*codes, pl.col("area").is_in(areas)).select("period", "area", shown.alias("v"))
    return {(month, area): value for month, area, value in frame.collect().iter_rows()}


def _areas(tables: Path, level: int) -> Sequence[str]:
    return _wards(tables).filter(pl.col("level") == level)["code"].to_list()


def _labels(tables: Path) -> dict[str, str]:
    return dict(_wards(tables).select("code", "label").iter_rows())


def _wards(tables: Path) -> pl.DataFrame:
    path = tables / "dim_ward.parquet"
    empty = {"code": pl.String, "label": pl.String, "level": pl.Int8}
    return pl.read_parquet(path, columns=list(empty)) if path.exists() else pl.DataFrame(schema=empty)
