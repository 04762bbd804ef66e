"""Counts the finest cells: SQL in DuckDB over frames in memory, with the vocabulary's dimensions as columns.

DuckDB sees the frames and nothing else: no spill, no file, no extension, no setting can be reached from a statistic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from kobe_platform.errors import StatisticsError
from kobe_platform.statistics.definition import MEAN, Statistic, derived_hierarchies
from kobe_platform.statistics.duckdb_engine import engine, fetched
from kobe_platform.statistics.enums import kinds_of
from kobe_platform.statistics.finest import FinestCells
from kobe_platform.statistics.residual_floor import ROW, apply_residual_floor
from kobe_platform.vocabulary.codes import UNKNOWN, Hierarchy, hierarchies

SIDES = ("", "_before", "_after")
AREAS = frozenset(f"{kind}{side}" for kind in ("ward", "district") for side in SIDES)
MANY = 1 << 16
"""Different texts of a column that stay texts: it holds no codes. Those of areas are always held by number."""
LEAST = 7
"""Fewest households, men and women of a district that is shown apart (the least in the city's own town tables)."""


@dataclass(frozen=True)
class Computed:
    """Finest cells by statistic, and facts: rows read, rows made unknown by the residual floor (counts only)."""

    cells: Mapping[str, pl.DataFrame]
    facts: Mapping[str, int] = field(default_factory=dict)


def compute_group(
    statistics: Iterable[Statistic],
    frames: Mapping[str, pl.DataFrame],
    areas: Hierarchy | None,
    *,
    beside: Iterable[Statistic] = (),
) -> Computed:
    """Count all tables of one group over the same rows.

    Args:
        statistics: the members of one group (see :func:`definition.groups`).
        frames: lake source → the rows of the month (or of the year's months), at least the columns that
            :func:`definition.columns_needed` names.
        areas: city → ward → district of the month; None where no table goes down to the district.
        beside: counted over the same rows after the residual floor of the group, in which they take no part.

    Returns:
        For each statistic its dimension columns (finest codes, residual ones included) and its measure (Int64; for a
        mean ``total`` and ``persons``), sorted.

    Raises:
        StatisticsError: a SELECT fails, or gives other columns or codes than its front matter says (file, column).
    """
    chosen, further = list(statistics), list(beside)
    named = {column for statistic in (*chosen, *further) for column in statistic.counts.columns}
    conditions = {column for statistic in (*chosen, *further) for column in statistic.counts.conditions}
    prepared = {source: without_small_districts(prepare(frame, named)) for source, frame in frames.items()}
    prepared = {source: _clustered(frame, conditions) for source, frame in prepared.items()}
    columns = {source: frame.columns for source, frame in prepared.items()}
    rows = sum(frame.height for frame in prepared.values())
    cells = {}
    with engine(prepared, numbered=set().union(*columns.values()) - conditions) as connection:
        prepared.clear()  # the connection has rows of its own
        finest = FinestCells(connection, counted)
        covered = apply_residual_floor(connection, chosen, columns, finest=finest)
        for statistic in (*chosen, *further):
            cells[statistic.name] = _checked(statistic, finest.of(statistic), areas)
    return Computed(cells, {"rows": rows, **{f"covered_{name}": count for name, count in sorted(covered.items())}})


def compute_public(statistic: Statistic, frames: Mapping[str, pl.DataFrame], period: str) -> pl.DataFrame:
    """A public table in its published form: ``period``, dimensions, ``value``, ``status``; nothing is protected."""
    with engine(frames) as connection:
        table = run(connection, statistic, statistic.sql)
    columns = [*statistic.dimensions, statistic.measure]
    if table.columns != columns:
        raise _mismatch(statistic, "the SELECT gives other columns than the front matter names")
    return table.sort(list(statistic.dimensions)).select(
        pl.lit(period).alias("period"),
        *statistic.dimensions,
        pl.col(statistic.measure).cast(pl.Int64).alias("value"),
        pl.lit("published").alias("status"),
    )


def prepare(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """A source with the derived dimensions that are named, unknown districts told apart by ward, rows numbered.

    Args:
        frame: texts, or by number (:func:`numbered`).

    Returns:
        Its texts by number, each with the codes of what a row may become unknown to.
    """
    frame = numbered(frame)
    present = set(frame.columns)
    derived = [_derived(frame, tree) for tree in derived_hierarchies(names, present) if tree.name not in SIDES]
    for side in SIDES:
        ward, district = f"ward{side}", f"district{side}"
        if ward in present and district in present:
            derived.append(_placed(frame[ward], frame[district]))
    return frame.with_columns(derived).with_row_index(ROW)


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with its texts by number: a city's rows are held in a tenth of the memory, and grouped as numbers."""
    return frame.with_columns(
        column.cast(
            kinds_of(column, [UNKNOWN, tree.unknown] if (tree := hierarchies().get(column.name)) else [UNKNOWN])
        )
        for column in frame.select(pl.col(pl.String))
        if column.n_unique() < MANY or column.name in AREAS
    )


def _texts(column: pl.Series) -> pl.Series:
    """The texts that a column by number can have."""
    assert isinstance(column.dtype, pl.Enum)
    return column.dtype.categories


def _derived(frame: pl.DataFrame, tree: Hierarchy) -> pl.Series:
    """The finest code of a hierarchy for each row, worked out once for each distinct value of its column."""
    column = frame[tree.source]
    known = column.unique()
    codes = known.to_frame().select(tree.expression()).to_series()
    codes = codes.cast(kinds_of(codes, [tree.unknown]))
    return (column.replace_strict(known, codes) if len(known) else codes).alias(tree.name)


def _placed(ward: pl.Series, district: pl.Series) -> pl.Series:
    """The district of each row; ``WARD-unknown`` where it is not known."""
    residual = _texts(ward) + f"-{UNKNOWN}"
    kind = kinds_of(pl.concat([_texts(district), residual]), [UNKNOWN])
    known = district.is_not_null() & (district != UNKNOWN)
    return district.cast(kind).zip_with(known, residual.cast(kind).gather(ward.to_physical())).alias(district.name)


def run(connection, statistic: Statistic, sql: str) -> pl.DataFrame:
    """The rows of one SELECT; what DuckDB says of a failure could hold a value, so only the file is named."""
    import duckdb

    try:
        return fetched(connection, sql)
    except duckdb.Error as error:
        raise StatisticsError(
            "the SELECT of a statistic fails",
            code="statistics.sql",
            at={"file": f"{statistic.name}.sql", "error": type(error).__name__},
            remedy="check its columns against the sources' contracts (docs/statistics.md lists them)",
            ja="統計のSQLを実行できません",
        ) from None


def without_small_districts(frame: pl.DataFrame) -> pl.DataFrame:
    """The area rule: a district of fewer than seven households, men or women is not shown apart (privacy.md §3).

    Its people count in the ward only, as those of unknown district do. Merging it into a neighbour, as the city does
    with its towns, needs a list of neighbours that core systems do not deliver. Sources without households are left
    as they are: a small count of events is protected as a cell.
    """
    if not {"district", "ward", "sex", "is_representative"} <= set(frame.columns):
        return frame
    sizes = frame.group_by("district").agg(
        pl.col("is_representative").sum().alias("households"),
        (pl.col("sex") == "male").sum().alias("male"),
        (pl.col("sex") == "female").sum().alias("female"),
    )
    small = sizes.filter(pl.min_horizontal("households", "male", "female") < LEAST)["district"]
    if not small.len():
        return frame
    kept = ~frame["district"].is_in(small.implode())
    shown = frame["district"].zip_with(kept, pl.Series("district", [UNKNOWN], dtype=frame["district"].dtype))
    return frame.with_columns(_placed(frame["ward"], shown))


def _clustered(frame: pl.DataFrame, conditions: Collection[str]) -> pl.DataFrame:
    """The rows by the columns of the statistics' conditions, so that DuckDB passes over blocks that none chooses."""
    present = [column for column in frame.columns if column in conditions]
    return frame.sort(present) if present else frame


def counted(connection, statistic: Statistic) -> pl.DataFrame:
    """The finest cells of a statistic over the connection's rows as they are."""
    return run(connection, statistic, statistic.counts.counted)


def _checked(statistic: Statistic, table: pl.DataFrame, areas: Hierarchy | None) -> pl.DataFrame:
    measures = list(MEAN) if statistic.kind == "mean" else [statistic.measure]
    if table.columns != [*statistic.dimensions, *measures]:
        raise _mismatch(statistic, "the SELECT gives other columns than the front matter names")
    table = table.with_columns(
        *(pl.col(column).cast(pl.String).fill_null(UNKNOWN) for column in statistic.dimensions),
        *(pl.col(measure).cast(pl.Int64) for measure in measures),
    )
    for column, name in statistic.dimensions.items():
        table = _located(table, statistic, column, areas) if name == "district" else table
    return table.group_by(list(statistic.dimensions)).sum().sort(list(statistic.dimensions))


def _located(table: pl.DataFrame, statistic: Statistic, column: str, areas: Hierarchy | None) -> pl.DataFrame:
    """Every area must be a district of the month: one that is not would be counted nowhere."""
    if areas is None:
        raise _mismatch(
            statistic, "the table goes by district, but no districts are known for the month", column=column
        )
    strange = table.filter(~pl.col(column).is_in([*areas.leaves, *areas.residual])).height
    if strange:
        raise _mismatch(statistic, "districts are not in the month's code list", column=column, cells=strange)
    return table


def _mismatch(statistic: Statistic, message: str, **at: str | int) -> StatisticsError:
    return StatisticsError(
        message,
        code="statistics.shape",
        at={"file": f"{statistic.name}.sql", **at},
        remedy="select the dimensions in the order of the front matter, then the measure",
        ja="統計のSQLの結果が定義と一致しません",
    )
