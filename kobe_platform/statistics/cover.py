"""The cover: residents of unknown district are none or at least k in every line that can be found by subtraction.

Ward totals count everyone; districts leave out whoever's district is unknown, protected persons among them. So in
every line (ward × the table's other dimensions) an outsider learns the unknown by subtraction. Where they are 1 … k−1,
further residents of the line are given an unknown district, lowest keyed pseudonym first, until there are k: see
docs/decisions/0003. One choice of rows serves all tables over a source, so they stay consistent; it is found by
repeating until no line of any table lacks cover, which ends because rows are only ever added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.engine import fetched
from kobe_platform.vocabulary import UNKNOWN, hierarchies

_COUNT = re.compile(r"count\(\*\)\s+AS\s+\w+", re.IGNORECASE)
_GROUP = re.compile(r"\s*GROUP BY ALL\s*$", re.IGNORECASE)
ROW = "row_number_in_source"
"""Column that numbers a prepared source's rows."""
ORDER = ("event_id", "person_id")
_ENDING = f"-{UNKNOWN}"

Counter = Callable[[object, Statistic], pl.DataFrame]


def cover_districts(
    connection, statistics: Iterable[Statistic], columns: Mapping[str, list[str]], *, counted: Counter
) -> int:
    """Give the unknown of every line their cover, in the connection's own tables.

    Args:
        connection: holds the prepared sources (rows numbered, unknown districts as ``WARD-unknown``).
        statistics: all tables of a group; those by district with counts take part.
        columns: source → its columns.
        counted: counts a statistic on the connection.

    Returns:
        The number of rows that were given an unknown district.
    """
    by_column: dict[tuple[str, str], list[Statistic]] = {}
    for statistic in statistics:
        if statistic.by_district and statistic.kind == "frequency":
            by_column.setdefault((statistic.sources[0], statistic.district_column), []).append(statistic)
    return sum(
        _cover(connection, source, columns[source], column, tables, counted)
        for (source, column), tables in sorted(by_column.items())
    )


def _cover(connection, source: str, columns: list[str], column: str, tables: list[Statistic], counted: Counter) -> int:
    """Repeat over the tables until every line of each has its cover; the number of rows moved."""
    covered = 0
    for statistic in tables:
        rows = _rows_of_unknown(connection, statistic, columns)
        covered += _move(connection, source, column, rows)
    open_tables = list(tables)
    while open_tables:
        again = []
        for statistic in open_tables:
            lines = _lines_without_cover(counted(connection, statistic), statistic)
            moved = 0
            if lines.height:
                moved = _move(connection, source, column, _chosen_rows(connection, statistic, lines, columns))
            if moved:
                covered += moved
                again = tables
        open_tables = list(again)
    return covered


def _move(connection, source: str, column: str, rows: pl.Series) -> int:
    """Make the district of these rows unknown; their number."""
    if rows.len():
        ward = column.replace("district", "ward")
        connection.register("rows_to_move", rows.rename(ROW).to_frame().to_arrow())
        connection.execute(
            f"""UPDATE "{source}" SET {column} = {ward} || '{_ENDING}'
            WHERE {ROW} IN (SELECT {ROW} FROM rows_to_move)"""
        )
        connection.unregister("rows_to_move")
    return rows.len()


def _rows_of_unknown(connection, statistic: Statistic, columns: list[str]) -> pl.Series:
    """Row numbers of those with a known district and an unknown age, sex or other dimension.

    They would be the difference between a district's total and the sum of its ages; in the ward's they are many more.
    """
    area = statistic.area_column
    trees = hierarchies()
    unknown = [
        f'"{name}" IN ({", ".join(repr(code) for code in trees[hierarchy].residual)})'
        for name, hierarchy in statistic.dimensions.items()
        if name != area and trees[hierarchy].residual
    ]
    if not unknown:
        return pl.Series(dtype=pl.Int64)
    query = f"""
        SELECT {ROW} FROM ({_rows(statistic, columns)})
        WHERE ({" OR ".join(unknown)}) AND NOT ends_with("{area}", '{_ENDING}') ORDER BY {ROW}
        """
    return fetched(connection, query)[ROW]


def _rows(statistic: Statistic, columns: list[str]) -> str:
    """The statistic's SELECT, row by row instead of counted: its dimensions, the row's number, order and ward."""
    order = next(name for name in ORDER if name in columns)
    ward = statistic.district_column.replace("district", "ward")
    return _GROUP.sub("", _COUNT.sub(f"{ROW}, {order} AS row_order, {ward} AS row_ward", statistic.sql))


def _lines_without_cover(cells: pl.DataFrame, statistic: Statistic) -> pl.DataFrame:
    """Lines (``area_unknown``, other dimensions) whose unknown are 1 … k−1, and how many more each needs.

    Finest lines suffice: a margin sums finest lines of none or at least k each, so it is none or at least k itself.
    """
    area, k = statistic.area_column, statistic.minimum_frequency
    count = pl.col(statistic.measure)
    others = [column for column in statistic.dimensions if column != area]
    return cells.filter(pl.col(area).str.ends_with(_ENDING), count > 0, count < k).select(
        pl.col(area).alias("area_unknown"), *others, (k - count).alias("needed")
    )


def _chosen_rows(connection, statistic: Statistic, lines: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Row numbers of those who join the unknown: in each line the lowest pseudonyms of known district."""
    area = statistic.area_column
    rows = _rows(statistic, columns)
    others = [name for name in statistic.dimensions if name != area]
    same = "".join(f' AND r."{name}" = l."{name}"' for name in others)
    connection.register("lines_without_cover", lines.to_arrow())
    chosen = fetched(
        connection,
        f"""
        WITH r AS ({rows}),
        candidates AS (
            SELECT r.{ROW}, l.needed,
                   row_number() OVER (PARTITION BY {", ".join(["l.area_unknown", *(f'l."{n}"' for n in others)])}
                                      ORDER BY r.row_order, r.{ROW}) AS place
            FROM r JOIN lines_without_cover l ON r.row_ward || '{_ENDING}' = l.area_unknown{same}
            WHERE NOT ends_with(r."{area}", '{_ENDING}')
        )
        SELECT {ROW} FROM candidates WHERE place <= needed ORDER BY {ROW}
        """,
    )
    connection.unregister("lines_without_cover")
    return chosen[ROW]
