"""Builds the hierarchy of watched series, whose codes follow from their files and from the figures' own dimensions."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kobe_platform.statistics import Statistic
from kobe_platform.unusual.tables import APART, NAMES, SERIES, UsualRanges
from kobe_platform.vocabulary.codes import Code, Hierarchy

ROOT = Code("none", "", None)


def watched_series(tables: Mapping[str, pl.DataFrame], statistics: Mapping[str, Statistic]) -> Hierarchy:
    """The series that the table of usual ranges has, in the order of their files and codes."""
    table = next((one for one in statistics.values() if isinstance(one, UsualRanges)), None)
    if table is None or table.name not in tables:
        return Hierarchy(NAMES, "系列", (ROOT,), "")
    names = list(table.watches)
    place = {name: number for number, name in enumerate(names)}
    used = tables[table.name].get_column(SERIES).unique().to_list()
    used.sort(key=lambda code: (place.get(code.partition(APART)[0], len(names)), code))
    return Hierarchy(NAMES, "系列", (ROOT, *(Code(code, table.label(code), ROOT.code) for code in used)), "")
