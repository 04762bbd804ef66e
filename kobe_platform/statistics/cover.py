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
from kobe_platform.vocabulary import UNKNOWN

_COUNT = re.compile(r"count\(\*\)\s+AS\s+\w+", re.IGNORECASE)
_GROUP = re.compile(r"\s*GROUP BY ALL\s*$", re.IGNORECASE)
ROW = "row_number_in_source"
ORDER = ("event_id", "person_id")
_ENDING = f"-{UNKNOWN}"

Counter = Callable[[object, Statistic], pl.DataFrame]


def cover_districts(
    statistics: Iterable[Statistic], frames: Mapping[str, pl.DataFrame], *, counted: Counter
) -> tuple[dict[str, pl.DataFrame], int]:
    """Give the unknown of every line their cover.

    Args:
        statistics: all tables of a group; those by district with counts take part.
        frames: source → prepared rows (numbered in ``row_number_in_source``, unknown districts as ``WARD-unknown``).
        counted: counts a statistic on a connection that holds the frames.

    Returns:
        The frames with the cover in place, and the number of rows that were given an unknown district.
    """
    result = dict(frames)
    total = 0
    by_column: dict[tuple[str, str], list[Statistic]] = {}
    for statistic in statistics:
        if statistic.by_district and statistic.kind == "frequency":
            by_column.setdefault((statistic.sources[0], statistic.district_column), []).append(statistic)
    for (source, column), tables in sorted(by_column.items()):
        result[source], rows = _cover(result[source], source, column, tables, counted)
        total += rows
    return result, total


def _cover(
    frame: pl.DataFrame, source: str, column: str, tables: list[Statistic], counted: Counter
) -> tuple[pl.DataFrame, int]:
    """Repeat over the tables until every line of each has its cover."""
    from kobe_platform.statistics.compute import engine

    covered = 0
    open_tables = True
    while open_tables:
        open_tables = False
        for statistic in tables:
            with engine({source: frame}) as connection:
                lines = _lines_without_cover(counted(connection, statistic), statistic)
                if not lines.height:
                    continue
                rows = _chosen_rows(connection, statistic, lines, frame.columns)
            if not rows.len():
                continue
            open_tables = True
            covered += rows.len()
            ward = pl.col(column.replace("district", "ward"))
            mask = pl.lit(pl.Series(frame[ROW].is_in(rows.implode())))
            hidden = pl.concat_str(ward, pl.lit(_ENDING))
            frame = frame.with_columns(pl.when(mask).then(hidden).otherwise(pl.col(column)).alias(column))
    return frame, covered


def _lines_without_cover(cells: pl.DataFrame, statistic: Statistic) -> pl.DataFrame:
    """Lines (``area_unknown``, other dimensions) whose unknown are 1 … k−1, and how many more each needs."""
    area = statistic.area_column
    others = [column for column in statistic.dimensions if column != area]
    k = statistic.minimum_frequency
    unknown = cells.filter(pl.col(area).str.ends_with(_ENDING), pl.col(statistic.measure) < k)
    lines = _with_margins(unknown, cells, statistic, others)
    return lines.rename({area: "area_unknown"})


def _with_margins(unknown: pl.DataFrame, cells: pl.DataFrame, statistic: Statistic, others: list[str]) -> pl.DataFrame:
    """Finest lines only: a margin is a sum of finest lines, each 0 or at least k, so it is 0 or at least k itself."""
    return unknown.filter(pl.col(statistic.measure) > 0).select(
        statistic.area_column,
        *others,
        (statistic.minimum_frequency - pl.col(statistic.measure)).alias("needed"),
    )


def _chosen_rows(connection, statistic: Statistic, lines: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Row numbers of those who join the unknown: in each line the lowest pseudonyms of known district."""
    order = next(name for name in ORDER if name in columns)
    area = statistic.area_column
    column = statistic.district_column
    ward = column.replace("district", "ward")
    rows = _GROUP.sub("", _COUNT.sub(f"{ROW}, {order} AS row_order, {ward} AS row_ward", statistic.sql))
    others = [name for name in statistic.dimensions if name != area]
    same = "".join(f' AND r."{name}" = l."{name}"' for name in others)
    connection.register("lines_without_cover", lines.to_arrow())
    chosen = connection.execute(
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
        """
    ).pl()
    connection.unregister("lines_without_cover")
    return chosen[ROW]
