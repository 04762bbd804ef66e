"""Brings the unknown persons of every line of a table to none or at least k (the residual floor).

Totals count everyone; the rows of a table leave out people whose district, age or sex is unknown, protected persons
among them. So in every line (ward × the table's other dimensions) an outsider learns the unknown by subtraction. Where
they are 1 … k−1, further rows of the line become unknown, lowest keyed pseudonym first, until there are k (see
docs/decisions/0003-cover-for-the-unknown.md). One choice of rows serves all tables over a source, so they stay
consistent; it is found by repeating until every line of every table has enough unknown, which ends because rows only
ever become unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from kobe_platform.errors import StatisticsError
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.duckdb_engine import fetched
from kobe_platform.statistics.finest import FinestCells
from kobe_platform.vocabulary.codes import UNKNOWN, hierarchies

ROW = "row_number_in_source"
"""Column that numbers a prepared source's rows."""
_ENDING = f"-{UNKNOWN}"


@dataclass(frozen=True)
class Source:
    """A source in the connection: its table's name and columns, and the cells that were counted over it."""

    name: str
    columns: tuple[str, ...]
    finest: FinestCells


def apply_residual_floor(
    connection, statistics: Iterable[Statistic], columns: Mapping[str, Iterable[str]], *, finest: FinestCells
) -> dict[str, int]:
    """Fill the unknown of every line up to k, in the connection's own tables.

    Args:
        connection: holds the prepared sources (rows numbered, unknown districts as ``WARD-unknown``).
        statistics: all tables of a group; those of counts take part.
        columns: source → its columns.
        finest: the cells of tables over the connection; they are those of the changed rows afterwards.

    Returns:
        How many rows became unknown, by dimension's source column (``district``, ``age`` …).
    """
    covered: dict[str, int] = {}
    tables: dict[str, list[Statistic]] = {}
    for statistic in statistics:
        if statistic.kind == "frequency":
            tables.setdefault(statistic.sources[0], []).append(statistic)
    for name, members in sorted(tables.items()):
        source = Source(name, tuple(columns[name]), finest)
        members.sort(key=lambda statistic: (not statistic.by_district, statistic.name))
        while _round(connection, source, members, covered):
            pass
    return covered


def _round(connection, source: Source, tables: list[Statistic], covered: dict[str, int]) -> bool:
    """One pass over all tables; whether any row became unknown."""
    moved = False
    for statistic in tables:
        if statistic.by_district:
            rows = _unplaced(connection, source, statistic)
            moved |= _hide_district(connection, source, statistic, rows, covered)
        cells = source.finest.of(statistic)
        for column, hierarchy in statistic.dimensions.items():
            residual = _residual(statistic, column)
            if residual is None:  # every code of the hierarchy is known: nothing follows by subtraction
                continue
            lines = _lines_without_cover(cells, statistic, residual)
            if not lines.height:
                continue
            rows = _chosen(connection, source, statistic, column, lines)
            if hierarchy == "district":
                moved |= _hide_district(connection, source, statistic, rows, covered)
            else:
                moved |= _hide_value(connection, source, hierarchy, rows, covered)
    return moved


def _residual(statistic: Statistic, column: str) -> pl.Expr | None:
    """Whether a row's code in ``column`` is a residual one; None where the hierarchy has none."""
    hierarchy = statistic.dimensions[column]
    if hierarchy == "district":
        return pl.col(column).str.ends_with(_ENDING)
    codes = hierarchies()[hierarchy].residual
    return pl.col(column).is_in(codes) if codes else None


def _lines_without_cover(cells: pl.DataFrame, statistic: Statistic, residual: pl.Expr) -> pl.DataFrame:
    """The cells of an unknown code that count 1 … k−1, and how many more each needs.

    Finest lines suffice: a margin sums finest lines of none or at least k each, so it is none or at least k itself.
    """
    count, k = pl.col(statistic.measure), statistic.minimum_frequency
    return cells.filter(residual, count > 0, count < k).select(*statistic.dimensions, (k - count).alias("needed"))


def _unplaced(connection, source: Source, statistic: Statistic) -> pl.Series:
    """Row numbers of those with a known district and an unknown age, sex or other dimension.

    They would be the difference between a district's total and the sum of its ages; in the ward's they are many more.
    """
    area = statistic.area_column
    unknown = [
        f'"{column}" IN ({", ".join(repr(code) for code in hierarchies()[hierarchy].residual)})'
        for column, hierarchy in statistic.dimensions.items()
        if column != area and hierarchies()[hierarchy].residual
    ]
    if not unknown:
        return pl.Series(dtype=pl.Int64)
    query = f"""
        SELECT {ROW} FROM ({_rows(statistic, source)})
        WHERE ({" OR ".join(unknown)}) AND NOT ends_with("{area}", '{_ENDING}') ORDER BY {ROW}
        """
    return fetched(connection, query)[ROW]


def _rows(statistic: Statistic, source: Source) -> str:
    """The statistic's SELECT row by row instead of counted: its dimensions, the row's number, order and ward.

    The order is that of the source's pseudonyms, of the rows where it has none.
    """
    order = statistic.row_key if statistic.row_key in source.columns else ROW
    ward = _district_column(statistic).replace("district", "ward") if statistic.by_district else "NULL"
    return statistic.counts.row_by_row(f'{ROW}, "{order}" AS row_order, {ward} AS row_ward')


def _district_column(statistic: Statistic) -> str:
    """The source's column of a table by district.

    Raises:
        StatisticsError: the area is no plain column (``statistics.area``); a definition that was loaded has one.
    """
    column = statistic.district_column
    if column is None:
        raise StatisticsError(
            "a table by district does not take its area from one column: its unknown cannot be told apart",
            code="statistics.area",
            at={"statistic": statistic.name},
            remedy="select the column itself as the area: `district AS area`",
            ja="区・校区の列をそのまま選んでいない統計表には、不明の調整ができません",
        )
    return column


def _chosen(connection, source: Source, statistic: Statistic, column: str, lines: pl.DataFrame) -> pl.Series:
    """Row numbers of those who join the unknown of ``column``: in each line the lowest pseudonyms that are known."""
    others = [name for name in statistic.dimensions if name != column]
    same = [f'r."{name}" = l."{name}"' for name in others]
    if statistic.dimensions[column] == "district":
        same.append("r.row_ward = l.line_ward")
        lines = lines.with_columns(pl.col(column).str.strip_suffix(_ENDING).alias("line_ward"))
        known = f"NOT ends_with(r.\"{column}\", '{_ENDING}')"
    else:
        codes = ", ".join(repr(code) for code in hierarchies()[statistic.dimensions[column]].residual)
        known = f'r."{column}" NOT IN ({codes})'
    parts = ", ".join(f'l."{name}"' for name in statistic.dimensions)
    most = max(lines["needed"].to_list())
    connection.register("lines_without_cover", lines.to_arrow())
    chosen = fetched(
        connection,
        f"""
        WITH r AS ({_rows(statistic, source)}),
        lowest AS (
            SELECT any_value(l.needed) AS needed, min({{'place': r.row_order, 'row': r.{ROW}}}, {most}) AS persons
            FROM r JOIN lines_without_cover l ON {" AND ".join(same) or "true"}
            WHERE {known} GROUP BY {parts}
        ),
        chosen AS (SELECT unnest(persons[:needed]) AS person FROM lowest)
        SELECT person['row'] AS {ROW} FROM chosen ORDER BY {ROW}
        """,
    )
    connection.unregister("lines_without_cover")
    return chosen[ROW]


def _hide_district(connection, source: Source, statistic: Statistic, rows: pl.Series, covered: dict[str, int]) -> bool:
    column = _district_column(statistic)
    ward = column.replace("district", "ward")
    return _update(connection, source, {column: f"{ward} || '{_ENDING}'"}, column, rows, covered)


def _hide_value(connection, source: Source, hierarchy: str, rows: pl.Series, covered: dict[str, int]) -> bool:
    """Make a value unknown in every dimension that is derived from it."""
    origin = hierarchies()[hierarchy].source
    changes = {
        name: f"'{tree.unknown}'"
        for name, tree in hierarchies().items()
        if tree.source == origin and name in source.columns
    }
    if origin in source.columns and origin not in hierarchies():
        changes[origin] = "NULL"
    return _update(connection, source, changes, origin, rows, covered)


def _update(
    connection, source: Source, changes: Mapping[str, str], told: str, rows: pl.Series, covered: dict[str, int]
) -> bool:
    if not rows.len():
        return False
    settings = ", ".join(f'"{name}" = {value}' for name, value in changes.items())
    connection.register("rows_to_move", rows.rename(ROW).to_frame().to_arrow())
    connection.execute(f'UPDATE "{source.name}" SET {settings} WHERE {ROW} IN (SELECT {ROW} FROM rows_to_move)')
    connection.unregister("rows_to_move")
    source.finest.changed(source.name, changes.keys())
    covered[told] = covered.get(told, 0) + rows.len()
    return True
