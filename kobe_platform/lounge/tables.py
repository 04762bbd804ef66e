"""Writes and reads the published tables of a release, which are all that pages can read.

``NAME.parquet`` holds ``period``, the dimension columns, ``value`` and ``status``; ``dim_HIERARCHY.parquet`` the codes
of one hierarchy with Japanese labels; ``tables.json`` what each table is (title, unit, source, rule).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from kobe_platform.errors import LoungeError

PUBLISHED, SUPPRESSED_STATUS = "published", "suppressed"
INDEX = "tables.json"
DIMENSION_COLUMNS = ("code", "label", "parent", "level", "sort")
PROTECTION = ("rule", "method", "interval_width", "engine_version", "audit_safe")
"""What a release tells of a table's protection, beside its k and what anybody can count in its rows."""
AREAS_CHANGED = "areas_changed"
"""The fact of a table by school district that lists which became which: ``[month, words]``, by the public reference."""
BESIDE = (*PROTECTION, AREAS_CHANGED, "population", "forecast", "backtest", "watched", "watches", "least_history")
"""Further facts that a release tells of a table. Nothing that is not named here is told: a number that does not follow
from the published rows is one more equation for an outsider, which no audit knows."""


@dataclass(frozen=True)
class TableFacts:
    """What a published table is.

    Attributes:
        name: file name without suffix; queries use it.
        dimensions: dimension column → hierarchy (``dim_…``).
        minimum_frequency: k of privacy.md §3, None where no protection applies (public sources).
        periods: first and last period present, in a history of months those of its months; empty strings for a table
            without rows.
        rows, suppressed: counts of cells, taken from the table itself.
        months: year → the months (``YYYY-MM``) that a yearly table counts in it; a year that is not there is complete.
        more: facts of :data:`BESIDE`.
    """

    name: str
    dimensions: Mapping[str, str]
    title: str = ""
    description: str = ""
    unit: str = ""
    owner: str = ""
    period: str = ""
    kind: str = ""
    minimum_frequency: int | None = None
    periods: tuple[str, str] = ("", "")
    rows: int = 0
    suppressed: int = 0
    months: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, frame: pl.DataFrame, facts: Mapping[str, Any]) -> TableFacts:
        """Facts as the statistics tell them, as far as they may be told, with the counts of the table itself."""
        known = {key: facts[key] for key in _TOLD if facts.get(key) is not None}
        moments = _of_months(frame)
        periods = (str(moments.min()), str(moments.max())) if frame.height else ("", "")
        suppressed = int((frame["status"] == SUPPRESSED_STATUS).sum())
        more = {key: facts[key] for key in BESIDE if key in facts}
        months = {year: tuple(covered) for year, covered in sorted(facts.get("months", {}).items())}
        dimensions = dict(facts.get("dimensions", {}))
        return cls(
            name,
            dimensions,
            **known,
            periods=periods,
            rows=frame.height,
            suppressed=suppressed,
            months=months,
            more=more,
        )

    def as_facts(self) -> dict[str, Any]:
        """The facts that the table was published with."""
        told = {key: getattr(self, key) for key in _TOLD}
        return {**self.more, **told, "dimensions": dict(self.dimensions), "months": dict(self.months)}

    def as_record(self) -> dict[str, Any]:
        """JSON-ready form, as ``tables.json`` keeps it."""
        return {
            **self.__dict__,
            "dimensions": dict(self.dimensions),
            "periods": list(self.periods),
            "months": {year: list(covered) for year, covered in self.months.items()},
            "more": dict(self.more),
        }


_TOLD = ("title", "description", "unit", "owner", "period", "kind", "minimum_frequency")


def write_tables(
    directory: Path,
    tables: Mapping[str, pl.DataFrame],
    dims: Mapping[str, pl.DataFrame],
    facts: Mapping[str, Mapping[str, Any]],
) -> dict[str, TableFacts]:
    """Write published tables and hierarchies where pages can read them; same input, same bytes.

    Args:
        directory: created where absent.
        tables: columns ``period``, dimensions (text), ``value`` (number, null where suppressed), ``status``.
        dims: hierarchy name → ``code, label, parent, level, sort``.
        facts: table name → facts; ``dimensions`` names the hierarchy of each dimension column.

    Raises:
        LoungeError: a column is missing, a status is unknown, a suppressed cell carries a value, a published one none,
            or a code has no row in its hierarchy (coordinates: table, column, count).
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, frame in sorted(dims.items()):
        missing = [column for column in DIMENSION_COLUMNS if column not in frame.columns]
        if missing:
            raise _refused("a hierarchy lacks a column", "dim_columns", {"hierarchy": name, "column": missing[0]})
        frame.select(DIMENSION_COLUMNS).write_parquet(directory / f"dim_{name}.parquet")
    index = {}
    for name, frame in sorted(tables.items()):
        told = TableFacts.of(name, _checked(name, frame, dims, facts.get(name, {})), facts.get(name, {}))
        index[name] = told
        columns = ["period", *told.dimensions, "value", "status"]
        frame.select(columns).sort(columns[:-2]).write_parquet(directory / f"{name}.parquet")
    records = {name: told.as_record() for name, told in index.items()}
    text = json.dumps({"tables": records, "hierarchies": sorted(dims)}, ensure_ascii=False, indent=1)
    (directory / INDEX).write_text(text, encoding="utf-8")
    return index


def read_index(directory: Path) -> tuple[dict[str, TableFacts], tuple[str, ...]]:
    """Facts of every table, and the names of the hierarchies, of a directory made by :func:`write_tables`.

    Raises:
        LoungeError: the directory holds no ``tables.json``.
    """
    try:
        record = json.loads((directory / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LoungeError(
            "no published tables here", code="tables.absent", at={"file": INDEX}, remedy="run the statistics first"
        ) from None
    facts = {name: TableFacts(**{**told, "periods": tuple(told["periods"])}) for name, told in record["tables"].items()}
    return facts, tuple(record["hierarchies"])


def _checked(name: str, frame: pl.DataFrame, dims: Mapping[str, pl.DataFrame], facts: Mapping) -> pl.DataFrame:
    dimensions = facts.get("dimensions")
    if dimensions is None:
        raise _refused("a table does not name the hierarchies of its dimensions", "dimensions", {"table": name})
    for column in ("period", *dimensions, "value", "status"):
        if column not in frame.columns:
            raise _refused("a published table lacks a column", "columns", {"table": name, "column": column})
    hidden = pl.col("status") == SUPPRESSED_STATUS
    counts = frame.select(
        unknown=(~pl.col("status").is_in([PUBLISHED, SUPPRESSED_STATUS])).fill_null(True).sum(),
        leaked=(hidden & pl.col("value").is_not_null()).sum(),
        empty=(~hidden & pl.col("value").is_null()).sum(),
    ).row(0, named=True)
    for problem, count in counts.items():
        if count:
            raise _refused("cells contradict their status", f"status_{problem}", {"table": name, "cells": count})
    for column, hierarchy in dimensions.items():
        if hierarchy not in dims:
            raise _refused("a hierarchy is not published", "hierarchy", {"table": name, "hierarchy": hierarchy})
        strange = frame.select(column).unique().join(dims[hierarchy], left_on=column, right_on="code", how="anti")
        if strange.height:
            at = {"table": name, "column": column, "hierarchy": hierarchy, "codes": strange.height}
            raise _refused("codes have no row in their hierarchy", "codes", at)
    keys = ["period", *dimensions]
    if frame.select(keys).is_duplicated().any():
        raise _refused("a cell occurs twice", "duplicate", {"table": name})
    return frame


def _refused(message: str, code: str, at: Mapping[str, str | int]) -> LoungeError:
    return LoungeError(
        message,
        code=f"tables.{code}",
        at=at,
        remedy="nothing was published; mend the statistic",
        ja="公表表に不備があります",
    )


def _of_months(frame: pl.DataFrame) -> pl.Series:
    """The periods of a table's rows; a history that came in one delivery has its own month in each row."""
    if {"year", "month"} <= set(frame.columns):
        return frame.select(pl.format("{}-{}", "year", pl.col("month").cast(pl.String).str.zfill(2))).to_series()
    return frame["period"]
