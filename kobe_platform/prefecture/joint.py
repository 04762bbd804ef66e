"""Puts the published tables of several municipalities and the totals over them into one specification to be attacked.

The tables of each stand under its own names, with all that ties them (hierarchies, relations, definitions, means). One
further table for each statistic that is summed has the municipalities and their total in its first column; each
municipality's rows there are those of its own table as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from kobe_platform.disclosure import (
    PUBLISHED,
    SUPPRESSED,
    Attack,
    Dimension,
    FormerRelease,
    Relation,
    Spec,
    Table,
    Term,
)
from kobe_platform.disclosure.model import build_model
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import COUNT, Handed, is_new

if TYPE_CHECKING:
    from kobe_platform.statistics import Statistic

AREA = "above"
"""Dimension of the municipalities and their total."""
TOTAL = "all"
"""Code of the total in it."""


@dataclass(frozen=True)
class Summed:
    """A statistic that is summed over municipalities.

    Attributes:
        statistic: its name. area: its column of areas. table: name of the table of municipalities and their total.
        plain: only totals that are sums of published figures are shown, so that no unpublished count is needed.
    """

    statistic: str
    area: str
    table: str
    plain: bool = False


def table_of(statistic: Statistic) -> str:
    """Name of a statistic's table over municipalities."""
    return f"{statistic.above}_{statistic.name}"


def how_summed(statistic: Statistic, defined: Mapping[str, Statistic]) -> Summed:
    """How a statistic is summed; of an installation's definitions both sides work out the same.

    Plain are years, and what years are sums of or whose people stand in tables of another group: the tables of one are
    more equations for the other, and the attack has those of one group.
    """
    others = [one for one in defined.values() if one.is_protected and one.key != statistic.key]
    tied = any(one.population == statistic.population for one in others)
    tied |= any(tie.table == statistic.name for one in others for tie in one.ties)
    plain = tied or statistic.period == "year"
    return Summed(statistic.name, str(statistic.ward_column), table_of(statistic), plain=plain)


@dataclass(frozen=True)
class SummedCells:
    """One summed statistic's figures, code by code and municipality by municipality.

    Attributes:
        codes: one row a cell: dimensions without the area, margins included, residual codes left out.
        counts: cells × municipalities: how many there are; zeros for hidden cells where no counts were handed over,
            as of a plain statistic, whose total is then not shown.
        hidden: cells × municipalities: whether the municipality's own table hides it.
        k: least minimum frequency that a total must have.
    """

    summed: Summed
    codes: pl.DataFrame
    counts: np.ndarray
    hidden: np.ndarray
    k: int

    @property
    def telling(self) -> np.ndarray:
        """Cells whose total is no sum of published figures: to show it tells something new."""
        return np.asarray(self.hidden.any(axis=1))

    @property
    def total(self) -> np.ndarray:
        """Counts of all municipalities together."""
        return np.asarray(self.counts.sum(axis=1))


@dataclass(frozen=True)
class JointTables:
    """What an outsider has of some municipalities and their totals: input of the auditor."""

    spec: Spec
    tables: Mapping[str, pl.DataFrame]
    previous: tuple[FormerRelease, ...]


def sums_of(handed: Sequence[Handed], summed: Summed) -> SummedCells:
    """The figures of one statistic.

    Raises:
        DisclosureError: ``prefecture.codes``: two municipalities count by different codes.
            ``prefecture.handed``: counts do not add up to a published figure.
    """
    codes: pl.DataFrame | None = None
    counts, hidden, least = [], [], []
    for one in handed:
        table = one.spec.table(summed.statistic)
        columns = [column for column in table.dimensions if column != summed.area]
        root = one.municipality
        rows = one.tables[summed.statistic].filter(pl.col(summed.area) == root)
        rows = rows.select(*columns, "value", "status")
        cells = one.cells.get(summed.statistic)
        if cells is None and not summed.plain:
            raise _refused("counts of a table that is summed are missing", "prefecture.handed", one, summed)
        found = _margins(one, summed, columns, cells)
        joined = (
            found.join(rows, on=columns, how="left", maintain_order="left")
            if columns
            else found.join(rows, how="cross")
        )
        if cells is None:
            joined = joined.with_columns(pl.col("value").fill_null(0).cast(pl.Int64).alias(COUNT))
        codes = found.select(columns) if codes is None else codes
        if not codes.equals(joined.select(columns)) or joined["status"].null_count():
            raise _refused("municipalities count by different codes", "prefecture.codes", one, summed)
        if not (joined["value"].is_null() | (joined["value"] == joined[COUNT])).all():
            raise _refused("counts do not come to the published figures", "prefecture.handed", one, summed)
        counts.append(joined[COUNT].to_numpy())
        hidden.append((joined["status"] == SUPPRESSED).to_numpy())
        least.append(table.rule(one.spec.rule).minimum_frequency)
    if codes is None:
        raise ValueError("nothing was handed over")
    return SummedCells(summed, codes, np.stack(counts, axis=1), np.stack(hidden, axis=1), max(least))


def _margins(handed: Handed, summed: Summed, columns: Sequence[str], handed_over: pl.DataFrame | None) -> pl.DataFrame:
    """Every published cell of a municipality as a whole with its count, zeros where no counts were handed over;
    residual codes are in the margins alone.
    """
    empty = pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), COUNT: pl.Int64})
    cells = empty if handed_over is None else handed_over
    if not columns:
        return pl.DataFrame({COUNT: [int(cells[COUNT].sum())]})
    named = handed.spec.table(summed.statistic).dimensions
    needed = {named[column] for column in columns}
    needed |= {base for name in needed if (base := handed.spec.dimension(name).of)}
    table = Table(name=summed.table, dimensions={c: named[c] for c in columns}, measure=COUNT)
    dimensions = {name: handed.spec.dimension(name) for name in sorted(needed)}
    model = build_model(Spec(dimensions=dimensions, tables=(table,)), {summed.table: cells})
    layout = model.layouts[summed.table]
    positions = layout.shown()
    counts = model.value[layout.variables.ravel()[positions]]
    return layout.frame(positions).with_columns(pl.Series(COUNT, counts, dtype=pl.Int64)).select(*columns, COUNT)


def joint(
    handed: Sequence[Handed],
    sums: Sequence[SummedCells],
    chosen: Sequence[int],
    shown: Mapping[str, np.ndarray],
    former: Sequence[tuple[Sequence[Handed], Sequence[SummedCells], Mapping[str, np.ndarray]]] = (),
) -> JointTables:
    """What an outsider has of the municipalities ``chosen``, if he knew all about the others besides.

    A total less what is known of the others is the total of those chosen. Where all are chosen it is the published
    figure, and the attack is the outsider's own; where some are, he knows more than anybody does.

    Args:
        chosen: positions among ``handed``.
        shown: table → which totals are shown, cell by cell of its sums.
        former: for each former release of these tables the same: what was handed over, sums, and what was shown.
    """
    members = [handed[number] for number in chosen]
    own = _own_dimensions(members)
    spec, tables = _beside(members, own)
    whole, rows = _above(spec, members, sums, chosen, shown, own)
    previous = [
        _renamed_release(one, release, own) for one in members for release in one.former if is_new(release, one.tables)
    ]
    for then, sums_then, shown_then in former:
        if not sums_then:
            continue
        old = [then[number] for number in chosen]
        names = _own_dimensions(old)
        spec_then, rows_then = _above(_beside(old, names)[0], old, sums_then, chosen, shown_then, names)
        previous.append(FormerRelease(rows_then, spec_then))
    return JointTables(whole, {**tables, **rows}, tuple(previous))


def _above(
    spec: Spec,
    members: Sequence[Handed],
    sums: Sequence[SummedCells],
    chosen: Sequence[int],
    shown: Mapping[str, np.ndarray],
    own: frozenset[str],
) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """A specification with the tables of municipalities and totals, tied to each municipality's own; their rows."""
    area = Dimension(hierarchy={TOTAL: None, **dict.fromkeys((one.municipality for one in members), TOTAL)})
    tables, relations, rows = [], [], {}
    for one in sums:
        name, statistic = one.summed.table, one.summed.statistic
        first = members[0].spec.table(statistic)
        columns = {c: d for c, d in first.dimensions.items() if c != one.summed.area}
        if set(columns.values()) & own:
            raise _refused("municipalities count by different codes", "prefecture.codes", members[0], one.summed)
        tables.append(
            Table(
                name=name,
                dimensions={one.summed.area: AREA, **columns},
                measure=COUNT,
                population=f"{AREA}.{first.population}",
                minimum_frequency=one.k,
            )
        )
        relations += [
            Relation(
                name=f"{name} of {member.municipality}",
                on=tuple(columns),
                left=(Term(table=name, at={one.summed.area: member.municipality}),),
                right=(Term(table=_of(member, statistic)),),
            )
            for member in members
        ]
        rows[name] = published_rows(one, [m.municipality for m in members], chosen, shown[name])
    dimensions = {**spec.dimensions, AREA: area}
    return _changed(spec, dimensions, tables=(*spec.tables, *tables), relations=(*spec.relations, *relations)), rows


def published_rows(sums: SummedCells, names: Sequence[str], chosen: Sequence[int], shown: np.ndarray) -> pl.DataFrame:
    """Rows of a table of municipalities: the total of those chosen, then each of them.

    A total that is not shown although nothing of it is hidden among those chosen is a sum of published figures.
    """
    counts, hidden = sums.counts[:, list(chosen)], sums.hidden[:, list(chosen)]
    away = ~shown & hidden.any(axis=1)
    parts = [_rows(sums, TOTAL, counts.sum(axis=1), away)]
    parts += [_rows(sums, name, counts[:, at], hidden[:, at]) for at, name in enumerate(names)]
    return pl.concat(parts)


def _rows(sums: SummedCells, area: str, counts: np.ndarray, hidden: np.ndarray) -> pl.DataFrame:
    figures = pl.DataFrame({"value": pl.Series(counts, dtype=pl.Int64), "hidden": pl.Series(hidden, dtype=pl.Boolean)})
    frame = pl.concat([sums.codes, figures], how="horizontal").with_columns(pl.lit(area).alias(sums.summed.area))
    return frame.select(
        sums.summed.area,
        *sums.codes.columns,
        pl.when("hidden").then(None).otherwise("value").alias("value"),
        pl.when("hidden").then(pl.lit(SUPPRESSED)).otherwise(pl.lit(PUBLISHED)).alias("status"),
    )


# -- names ------------------------------------------------------------------------------------------------------------


def _of(member: Handed, name: str) -> str:
    return f"{member.municipality}.{name}"


def _own_dimensions(members: Sequence[Handed]) -> frozenset[str]:
    """Dimensions that are not the same for all members, and those that regroup one of these."""
    told: dict[str, set[str]] = {}
    for member in members:
        for name, dimension in member.spec.dimensions.items():
            told.setdefault(name, set()).add(dimension.model_dump_json())
    held = {name: sum(name in member.spec.dimensions for member in members) for name in told}
    own = {name for name, kinds in told.items() if len(kinds) > 1 or held[name] < len(members)}
    while more := {
        name
        for m in members
        for name, dimension in m.spec.dimensions.items()
        if dimension.of in own and name not in own
    }:
        own |= more
    return frozenset(own)


def _beside(members: Sequence[Handed], own: frozenset[str]) -> tuple[Spec, dict[str, pl.DataFrame]]:
    """The tables of all members side by side."""
    specs = [_renamed(member, member.spec, own) for member in members]
    tables = {_of(member, name): table for member in members for name, table in member.tables.items()}
    whole = specs[0]
    for other in specs[1:]:
        whole = _together(whole, other)
    return whole, tables


def _together(one: Spec, other: Spec) -> Spec:
    asked = (*_asked(one), *_asked(other))
    joined = {key: (*getattr(one, key), *getattr(other, key)) for key in _PARTS}
    return _changed(one, {**one.dimensions, **other.dimensions}, attack=Attack(member=asked or False), **joined)


_PARTS = ("tables", "relations", "includes", "combinations", "members", "means")


def _changed(spec: Spec, dimensions: Mapping[str, Dimension], **parts: Any) -> Spec:
    """A specification with other parts, checked as one that is read."""
    kept = {name: getattr(spec, name) for name in ("rule", "attack", *_PARTS)}
    return Spec(**{**kept, **parts}, dimensions=dict(dimensions))


def _asked(spec: Spec) -> tuple[str, ...]:
    """Tables that are asked about a lone member."""
    return tuple(table.name for table in spec.tables if spec.attack.asks_of(table.name))


def _renamed(member: Handed, spec: Spec, own: frozenset[str]) -> Spec:
    """A municipality's specification with its code before tables, populations and dimensions of its own."""

    def name(told: str) -> str:
        return _of(member, told)

    def dimension(told: str) -> str:
        return name(told) if told in own or told not in member.spec.dimensions else told

    def terms(told: Iterable[Term]) -> tuple[Term, ...]:
        return tuple(term.model_copy(update={"table": name(term.table)}) for term in told)

    dimensions = {
        dimension(told): one.model_copy(update={"of": dimension(one.of) if one.of else None})
        for told, one in spec.dimensions.items()
    }
    rule = spec.rule
    tables = tuple(
        table.model_copy(
            update={
                "name": name(table.name),
                "population": name(table.population),
                "dimensions": {column: dimension(one) for column, one in table.dimensions.items()},
                "minimum_frequency": table.rule(rule).minimum_frequency,
                "interval_width": table.rule(rule).width,
                "zeros": table.rule(rule).zeros,
            }
        )
        for table in spec.tables
    )
    return Spec(
        rule=rule,
        attack=Attack(member=tuple(name(told) for told in _asked(spec)) or False),
        dimensions=dimensions,
        tables=tables,
        relations=tuple(
            one.model_copy(update={"name": name(one.name), "left": terms(one.left), "right": terms(one.right)})
            for one in spec.relations
        ),
        includes=tuple(
            one.model_copy(update={"part": name(one.part), "whole": name(one.whole)}) for one in spec.includes
        ),
        combinations=tuple(
            one.model_copy(
                update={"population": name(one.population), "one": dimension(one.one), "other": dimension(one.other)}
            )
            for one in spec.combinations
        ),
        members=tuple(
            one.model_copy(
                update={
                    "groups": name(one.groups),
                    "of": name(one.of),
                    "dimension": dimension(one.dimension),
                    "on": tuple(dimension(told) for told in one.on),
                }
            )
            for one in spec.members
        ),
        means=tuple(one.model_copy(update={"table": name(one.table), "of": name(one.of)}) for one in spec.means),
    )


def _renamed_release(member: Handed, release: FormerRelease, own: frozenset[str]) -> FormerRelease:
    spec = _renamed(member, release.spec, own) if release.spec is not None else None
    return FormerRelease({_of(member, name): table for name, table in release.tables.items()}, spec)


def _refused(message: str, code: str, handed: Handed, summed: Summed) -> DisclosureError:
    return DisclosureError(
        message,
        code=code,
        at={"municipality": handed.municipality, "month": handed.month, "table": summed.statistic},
        remedy="bring all homes to one version and one set of vocabularies, run them, and publish again",
        ja="市町村の間で表の区分または数値が合わないため、合計を作りません",
    )
