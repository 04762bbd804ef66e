"""Builds the hierarchies that follow from forecasts themselves: months, months ahead, names of forecasts."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kobe_platform.forecasts.tables import AHEAD, MONTHS, ForecastTable
from kobe_platform.statistics import Statistic
from kobe_platform.vocabulary.codes import Code, Hierarchy

ROOT = Code("none", "", None)


def unlisted(name: str, tables: Mapping[str, pl.DataFrame], statistics: Mapping[str, Statistic]) -> Hierarchy:
    """One of the hierarchies that no file lists, with the codes that some tables have.

    Args:
        name: of :data:`kobe_platform.forecasts.tables.UNLISTED`.
    """
    columns = [
        tables[table].get_column(column)
        for table, statistic in statistics.items()
        for column, hierarchy in statistic.dimensions.items()
        if hierarchy == name and table in tables
    ]
    used = sorted({code for column in columns for code in column.unique()}, key=lambda code: (len(code), code))
    if name == MONTHS:
        labels, title = {code: f"{code[:4]}年{int(code[5:])}月" for code in used}, "対象の年月"
    elif name == AHEAD:
        labels, title = {code: _ahead(int(code)) for code in used}, "何か月先か"
    else:
        titles = {table: one.title for table, one in statistics.items() if isinstance(one, ForecastTable)}
        labels, title = {code: titles.get(code, code) for code in used}, "見込み"
    return Hierarchy(name, title, (ROOT, *(Code(code, label, ROOT.code) for code, label in labels.items())), "")


def _ahead(months: int) -> str:
    return f"{months // 12}年先" if months % 12 == 0 else f"{months}か月先"
