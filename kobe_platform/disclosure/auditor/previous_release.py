"""Former releases of the same reference date: which of them speak of the same counts, and what they add to the attack.

A former release that agrees with the present one is more of the same: its tables join the system as further tables of
the same populations, under their own codes. One that shows another figure for some cell speaks of other counts, for
the population was corrected in between, and with it others that are tied to it and of which something is hidden now
that was shown: who sees that residents were corrected does not combine the foreigners of before with the residents of
now, of which both may be false. No equation ties the two truths, so only two things are asked of it: what it
hid stays hidden, and where the correction left a part of the tables visibly untouched, whoever takes the old figures of
what is hidden there now for true must learn of nothing small. Where these cannot all be true, he may take those that
can. Such a figure itself is at k or above, as it was shown: a total that a correction took below k has to be hidden,
whatever was shown before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.already_out import AlreadyOut
from kobe_platform.disclosure.auditor.contradictions import believable
from kobe_platform.disclosure.auditor.figures import FORMER, Figures, read_figures
from kobe_platform.disclosure.auditor.system import System, build_system, components, rings_left_out
from kobe_platform.disclosure.previous_release import FormerRelease
from kobe_platform.disclosure.spec import Dimension, Spec, Table
from kobe_platform.errors import DisclosureError

At = dict[str, str]
Place = tuple[str, At]
"""A table, and codes in it."""
AttackPart = Callable[[System, Figures, np.ndarray, np.ndarray, AlreadyOut], tuple[list[tuple[str, int]], int]]
"""(rule, cell) of what follows in a part of a system (its unknowns, its equations), and how many programs it took."""


@dataclass(frozen=True)
class Corrected:
    """Tables of a release whose figures were corrected since, and the present ones, as one specification.

    Attributes:
        spec, tables, former: as in :class:`Joined`; place: where the two contradict each other, where no single figure
            tells.
    """

    spec: Spec
    tables: dict[str, pl.DataFrame]
    former: frozenset[str]
    release: FormerRelease
    place: Place = ("", {})


@dataclass(frozen=True)
class Joined:
    """The present tables and some of former releases, as one specification.

    Attributes:
        spec, tables: all of them; former: names of those that are former releases'.
        corrected: former releases' tables of populations whose figures were corrected since.
    """

    spec: Spec
    tables: dict[str, pl.DataFrame]
    former: frozenset[str]
    corrected: tuple[Corrected, ...] = ()


def join(
    spec: Spec, tables: Mapping[str, pl.DataFrame], releases: Sequence[FormerRelease], *, repeated: bool = False
) -> Joined:
    """Take every former release, newest first, population by population, into the system or among the corrected.

    Args:
        releases: oldest first.
        repeated: also those that say what the present says (who asks what they tell alone needs them).

    Raises:
        DisclosureError: a former release's files are not what its specification promises.
    """
    joined = Joined(spec, dict(tables), frozenset())
    for number, release in enumerate(reversed(_distinct({} if repeated else tables, releases)), start=1):
        joined = _taken(spec, tables, joined, release, number)
    return joined


def apart(spec: Spec, tables: Mapping[str, pl.DataFrame], release: FormerRelease, place: Place) -> Corrected:
    """A whole former release beside the present one, for :func:`corrected_findings`; ``place``: see there."""
    return Corrected(*_merged(Joined(spec, dict(tables), frozenset()), _renamed(spec, release, 1)), release, place)


def already_out(spec: Spec, tables: Mapping[str, pl.DataFrame], releases: Sequence[FormerRelease]) -> AlreadyOut:
    """What releases alone give away, as far as they agree with the present tables."""

    def read() -> tuple[Spec, Figures]:
        joined = join(spec, tables, releases, repeated=True)
        return joined.spec, read_figures(joined.spec, joined.tables, joined.former)

    return AlreadyOut(read)


def _out_before(spec: Spec, tables: Mapping[str, pl.DataFrame], release: FormerRelease) -> AlreadyOut:
    """What one release alone gives away, of its own counts."""

    def read() -> tuple[Spec, Figures]:
        whole = apart(spec, tables, release, ("", {}))
        return whole.spec, read_figures(whole.spec, whole.tables, whole.former)

    return AlreadyOut(read)


def corrected_findings(
    spec: Spec, tables: Mapping[str, pl.DataFrame], pair: Corrected, attack: AttackPart
) -> tuple[list[tuple[str, str, At]], Place]:
    """What a release before a correction gives away of the present one.

    Args:
        spec, tables: the present specification and tables.
        attack: finds what follows in a part of a system.

    Returns:
        (rule, table, coordinates) of each finding. A place where the correction shows: a figure that differs, one that
        no table has that agrees with the present, or else ``pair.place``.
    """
    figures = read_figures(pair.spec, pair.tables, pair.former)
    found = [("ratchet", *figures.where(cell)) for cell in ratchet(figures)]
    shows = np.flatnonzero(figures.changed).tolist()
    recalled = figures.hidden & (figures.now < 0) & (figures.value >= 0)
    if recalled.any():
        system = build_system(spec, Figures(**{**vars(figures), "value": figures.now}))
        found += rings_left_out(system)
        out = _out_before(spec, tables, pair.release)
        rules, never = _believed(system, figures, recalled, lambda s, f, own, rows: attack(s, f, own, rows, out)[0])
        found += [(rule, *figures.where(cell)) for rule, cell in dict.fromkeys(rules)]
        shows += never
    return found, figures.where(shows[0]) if shows else pair.place


def _believed(
    system: System,
    figures: Figures,
    recalled: np.ndarray,
    attack: Callable[[System, Figures, np.ndarray, np.ndarray], list[tuple[str, int]]],
) -> tuple[list[tuple[str, int]], list[int]]:
    """What follows in parts without a visible change if recalled figures are true, and those that cannot be."""
    found: list[tuple[str, int]] = []
    never: list[int] = []
    for unknowns, equations in components(system):
        cells = system.cells[unknowns]
        told = np.flatnonzero((cells >= 0) & recalled[cells])
        if not len(told) or figures.changed[system.around(cells[cells >= 0])].any():
            continue
        part = system.part(unknowns, equations)
        sets, impossible = believable(part, told, figures.value[cells[told]])
        never += cells[impossible].tolist()
        for believed in sets:
            for own, rows in components(believed):
                found += attack(believed, figures, own, rows)
    return found, never


def ratchet(figures: Figures) -> list[int]:
    """Cells that a former release hid and the present shows (a zero that became one since tells nothing of a count)."""
    again = figures.hidden_before & (figures.now >= 0) & ~((figures.now == 0) & (figures.lower > 0))
    return np.flatnonzero(again).tolist()


def _distinct(tables: Mapping[str, pl.DataFrame], releases: Sequence[FormerRelease]) -> list[FormerRelease]:
    """Releases without those that say nothing but what a newer one, or the present, says."""
    kept: list[FormerRelease] = []
    for release in reversed(releases):
        newer: list[Mapping[str, Any]] = [
            tables,
            *(other.tables for other in kept if _told(other.spec) == _told(release.spec)),
        ]
        if release.spec is not None:
            newer = newer[1:]
        if not any(_same(release.tables, other) for other in newer):
            kept.append(release)
    return kept[::-1]


def _told(spec: Spec | None) -> object:
    """What a specification says, hierarchies as pairs: they may be frames, which compare cell by cell."""
    if spec is None:
        return None
    dimensions = {
        name: (
            dimension.model_dump(exclude={"hierarchy"}),
            None if dimension.hierarchy is None else sorted(_parents(dimension.hierarchy).items()),
        )
        for name, dimension in spec.dimensions.items()
    }
    return spec.model_dump(exclude={"dimensions"}), dimensions


def _same(tables: Mapping[str, pl.DataFrame], others: Mapping[str, pl.DataFrame]) -> bool:
    """Whether every one of ``tables`` stands among the others row by row."""
    return all(
        name in others
        and set(frame.columns) == set(others[name].columns)
        and frame.equals(others[name].select(frame.columns))
        for name, frame in tables.items()
    )


def _taken(
    spec: Spec, tables: Mapping[str, pl.DataFrame], joined: Joined, release: FormerRelease, number: int
) -> Joined:
    added = _renamed(spec, release, number)
    if not added.tables:
        return joined
    everything = _merged(joined, added)
    figures = read_figures(*everything)
    changed = set(figures.population[figures.changed].tolist())
    if not changed:
        return Joined(*everything, joined.corrected)
    doubted = changed | (_recalled(added, figures) & _tied(spec, changed))
    agreeing = _limited(added, lambda table: table.population not in doubted)
    others = _limited(added, lambda table: table.population in doubted)
    apart = Corrected(*_merged(Joined(spec, dict(tables), frozenset()), others), release)
    corrected = (*joined.corrected, apart)
    if not agreeing.tables:
        return Joined(joined.spec, joined.tables, joined.former, corrected)
    return Joined(*_merged(joined, agreeing), corrected)


def _recalled(added: _Added, figures: Figures) -> set[str]:
    """Populations of which a release shows what the present hides."""
    found = set()
    for table in added.tables:
        rows = figures.rows[table.name].filter(pl.col("value").is_not_null())
        cells = rows["cell"].to_numpy()
        if (figures.hidden[cells] & (figures.now[cells] < 0)).any():
            found.add(table.population)
    return found


def _tied(spec: Spec, populations: set[str]) -> set[str]:
    """Populations that relations and definitions tie to some, by way of others too."""
    ties = [{spec.table(term.table).population for term in (*r.left, *r.right)} for r in spec.relations]
    ties += [set(pair) for pair in spec.tied]
    found, reached = set[str](), set(populations)
    while reached != found:
        found = reached
        reached = found.union(*(tie for tie in ties if tie & found))
    return found


@dataclass(frozen=True)
class _Added:
    """A former release's tables under names of their own."""

    dimensions: dict[str, Dimension]
    tables: tuple[Table, ...]
    frames: dict[str, pl.DataFrame]


def _limited(added: _Added, chosen: Callable[[Table], bool]) -> _Added:
    kept = tuple(table for table in added.tables if chosen(table))
    return _Added(added.dimensions, kept, {table.name: added.frames[table.name] for table in kept})


def _merged(joined: Joined, added: _Added) -> tuple[Spec, dict[str, pl.DataFrame], frozenset[str]]:
    used = {dimension for table in added.tables for dimension in table.dimensions.values()}
    needed = used | {added.dimensions[name].of for name in used & set(added.dimensions)}
    dimensions = {name: d for name, d in added.dimensions.items() if name in needed}
    spec = joined.spec.model_copy(
        update={
            "dimensions": {**dimensions, **joined.spec.dimensions},
            "tables": (*joined.spec.tables, *added.tables),
        }
    )
    return spec, {**joined.tables, **added.frames}, joined.former | set(added.frames)


def _renamed(spec: Spec, release: FormerRelease, number: int) -> _Added:
    """The release's tables as tables of the present specification: ``NAME (previous N)``, dimensions likewise."""
    own = release.spec or spec
    mark = f"{FORMER}{number})"
    dimensions: dict[str, Dimension] = {}
    tables, frames = [], {}
    for table in own.tables:
        if table.name not in release.tables:
            continue
        frame = release.tables[table.name]
        columns = {}
        for column, name in table.dimensions.items():
            described = _described(own, name, _codes(release, own, name))
            if _is_present(spec, name, described):
                columns[column] = name
                continue
            base = described.of or name
            if base not in spec.dimensions:
                dimensions.setdefault(base, Dimension(total=described.total))
            label = f"{name}{mark}"
            dimensions[label] = described.model_copy(update={"of": base})
            columns[column] = label
        name = f"{table.name}{mark}"
        tables.append(
            table.model_copy(update={"name": name, "dimensions": columns, "zeros": table.zeros or own.rule.zeros})
        )
        frames[name] = frame
    return _Added(dimensions, tuple(tables), frames)


def _codes(release: FormerRelease, spec: Spec, dimension: str) -> set[str]:
    """Codes of a dimension that the release's tables show."""
    codes: set[str] = set()
    for table in spec.tables:
        for column, name in table.dimensions.items():
            if name == dimension and table.name in release.tables:
                codes |= set(release.tables[table.name][column].cast(pl.String).drop_nulls().to_list())
    return codes


def _described(spec: Spec, name: str, shown: set[str]) -> Dimension:
    """A dimension as the release knew it: the codes that it shows, what stands above them, and the residual ones."""
    dimension = spec.dimension(name)
    if dimension.hierarchy is None:
        parents: dict[str, str | None] = {dimension.total: None}
        parents |= dict.fromkeys(sorted((shown | set(dimension.residual)) - {dimension.total}), dimension.total)
        return dimension.model_copy(update={"hierarchy": parents})
    known = _parents(dimension.hierarchy)
    unknown = shown - set(known)
    if unknown:
        raise DisclosureError(
            "a former release has codes that its specification does not know",
            code="disclosure.published",
            at={"dimension": name, "codes": len(unknown)},
            remedy="give the specification that it stood under",
        )
    kept: set[str] = set()
    for code in shown | set(dimension.residual):
        at: str | None = code
        while at is not None and at not in kept:
            kept.add(at)
            at = known[at]
    return dimension.model_copy(update={"hierarchy": {code: p for code, p in known.items() if code in kept}})


def _parents(source: object) -> dict[str, str | None]:
    if isinstance(source, pl.DataFrame):
        pairs = source.select(pl.col("code").cast(pl.String), pl.col("parent").cast(pl.String)).rows()
    elif isinstance(source, dict):
        pairs = list(source.items())
    else:
        raise DisclosureError(
            "a hierarchy was not read from its file", code="disclosure.hierarchy", remedy="load the specification"
        )
    return {code: parent or None for code, parent in pairs}


def _is_present(spec: Spec, name: str, described: Dimension) -> bool:
    """Whether the present specification has the very same dimension (a flat one has no codes of its own to compare)."""
    if name not in spec.dimensions:
        return False
    here = spec.dimensions[name]
    if here.hierarchy is None:
        return False
    same = (here.residual, here.of, here.consists_of) == (described.residual, described.of, described.consists_of)
    return same and _parents(here.hierarchy) == described.hierarchy
