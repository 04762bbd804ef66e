"""Finds scenarios of what totals over municipalities leave open, and attacks one municipality's tables beside its own.

A scenario gives every hidden figure that sums over municipalities tie together a value, such that some table of each
municipality agrees with it (:mod:`kobe_platform.disclosure.scenarios`). Given a scenario, no equation ties one
municipality to another: so one that leaves each of its scenarios possible, whatever else it publishes, keeps for its
own hidden cells and for all others' the tables that two scenarios have (decision 0072). The attack asks that of what
is published, counts of nobody known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.bounds import Contradiction, Part, Undecided
from kobe_platform.disclosure.auditor.contradictions import part_of
from kobe_platform.disclosure.auditor.figures import FORMER, Figures, read_figures
from kobe_platform.disclosure.auditor.means import read_means
from kobe_platform.disclosure.auditor.previous_release import Corrected, join
from kobe_platform.disclosure.auditor.system import System, build_system, components
from kobe_platform.disclosure.previous_release import FormerRelease
from kobe_platform.disclosure.scenarios import Cell, Scenarios, table_digest
from kobe_platform.disclosure.spec import Spec

RULE = "above"
"""Rule of a finding: beside the totals over municipalities that are out."""


# -- finding them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Together:
    """How tables of several municipalities stand in one specification.

    Attributes:
        sums: table of municipalities and their total → its column of municipalities, the table of each that is summed.
        owned: table of a municipality → its code, and the table's name there.
    """

    sums: Mapping[str, tuple[str, str]]
    owned: Mapping[str, tuple[str, str]]

    def own(self, table: str, codes: Mapping[str, str]) -> tuple[str, Cell] | None:
        """A cell's municipality, and its place there; None of a total."""
        name = table.partition(FORMER)[0]
        if name in self.sums:
            column, statistic = self.sums[name]
            owner = codes[column]
            named = {code for code, _ in self.owned.values()}
            return (owner, _cell(statistic, codes)) if owner in named else None
        if name not in self.owned:
            return None
        owner, own = self.owned[name]
        return owner, _cell(own, codes)


def find_scenarios(
    spec: Spec, tables: Mapping[str, pl.DataFrame], previous: Sequence[FormerRelease], together: Together
) -> dict[str, Scenarios] | None:
    """Scenarios of each municipality that has a hidden figure which a total over several ties to another's; None where
    no tables were found that agree with all that is published.

    Args:
        spec, tables, previous: all that is published of all municipalities, and their totals.
    """
    counts = {table.name: tables[table.name] for table in spec.tables}
    joined = join(spec, counts, previous)
    figures = read_figures(joined.spec, joined.tables, joined.former)
    system = build_system(joined.spec, figures, read_means(spec, tables))
    owners = _owners(figures, together)
    try:
        pools = [_pool(system, figures, *one) for one in _coupled(system, owners, figures, together)]
    except (Contradiction, Undecided):
        return None
    number = max((len(pool.tables) for pool in pools), default=0)
    found: dict[str, dict[Cell, list[int]]] = {}
    known: dict[str, list[tuple[Cell, int, int]]] = {}
    for pool in pools:
        for cell, column in zip(pool.cells.tolist(), pool.tables.T, strict=True):
            if (own := owners.get(cell)) is not None:
                values = [int(column[at % len(column)]) for at in range(number)]
                found.setdefault(own[0], {})[own[1]] = values
        for cell, least, most in pool.known:
            if (place := together.own(*figures.where(cell))) is not None:
                known.setdefault(place[0], []).append((place[1], least, most))
    made = {}
    for code, values_of in found.items():
        cells = tuple(sorted(values_of))
        distinct = dict.fromkeys(zip(*(values_of[cell] for cell in cells), strict=True))
        of = {own: name for name, (owner, own) in together.owned.items() if owner == code}
        basis = {table: table_digest(tables[of[table]]) for table in sorted({table for table, _ in cells})}
        made[code] = Scenarios(cells, tuple(distinct), tuple(known.get(code, ())), basis)
    return made


def _owners(figures: Figures, together: Together) -> dict[int, tuple[str, Cell]]:
    """Cell of a table of municipalities → whose it is, and its place there; totals are left out."""
    found = {}
    for name, rows in figures.rows.items():
        if name.partition(FORMER)[0] not in together.sums:
            continue
        for row in rows.drop("shown", "value").iter_rows(named=True):
            cell = int(row.pop("cell"))
            if (own := together.own(name, row)) is not None:
                found[cell] = own
    return found


def _coupled(
    system: System, owners: Mapping[int, tuple[str, Cell]], figures: Figures, together: Together
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(unknowns, equations) of the parts in which a known total ties hidden figures of several municipalities.

    A hidden total says nothing of its parts: it is taken out, with its equations, which the others imply. One whose
    hidden parts all lie in one such part is put back there, as it is to stay open too.
    """
    above = {
        int(cell)
        for name, rows in figures.rows.items()
        if name.partition(FORMER)[0] in together.sums
        for cell in rows["cell"]
    }
    totals = np.isin(system.cells, sorted(above - set(owners)))
    rows = np.flatnonzero(np.asarray(abs(system.matrix)[:, totals].sum(axis=1)).ravel() == 0)
    rest = np.flatnonzero(~totals)
    where = np.full(len(system.cells), -1)
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for columns, equations in components(system.part(rest, rows)):
        unknowns = rest[columns]
        whose = {owners[int(cell)][0] for cell in system.cells[unknowns] if int(cell) in owners}
        if len(whose) > 1:
            where[unknowns] = len(parts)
            parts.append((unknowns, rows[equations]))
    added: list[tuple[list[int], list[int]]] = [([], []) for _ in parts]
    matrix, others = system.matrix, np.setdiff1d(np.arange(system.matrix.shape[0]), rows)
    for equation in others.tolist():
        columns = matrix.indices[matrix.indptr[equation] : matrix.indptr[equation + 1]]
        own, inside = columns[totals[columns]], set(where[columns[~totals[columns]]].tolist())
        if len(own) == 1 and len(inside) == 1 and (number := inside.pop()) >= 0 and own[0] not in added[number][0]:
            added[number][0].append(int(own[0]))
            added[number][1].append(equation)
    for (unknowns, equations), (more, ties) in zip(parts, added, strict=True):
        yield np.append(unknowns, more).astype(np.int64), np.append(equations, ties).astype(np.int64)


@dataclass(frozen=True)
class _Pool:
    """Tables of a part: ``tables`` (table × cell), and cells that are narrow in all of them with their range.

    The range is proven, and never only that of the tables that were found: too short a one would let what is published
    later narrow the cell. Where no bound could be proven the cell is not ``known``: its whole width is asked for.
    """

    cells: np.ndarray
    tables: np.ndarray
    known: list[tuple[int, int, int]]


def _pool(system: System, figures: Figures, unknowns: np.ndarray, equations: np.ndarray) -> _Pool:
    own = system.part(unknowns, equations)
    part = part_of(own)
    wanted = own.cells >= 0
    width, k = np.where(wanted, figures.width[own.cells], 0), np.where(wanted, figures.k[own.cells], 0)
    residual = wanted & figures.residual[own.cells]
    part.collect()
    part.spread_out(width, np.zeros(len(width), dtype=bool))
    for unknown in np.flatnonzero(wanted & (part.most - part.least < width)).tolist():
        part.judge(unknown, int(width[unknown]), int(k[unknown]), bool(residual[unknown]))
    proven: dict[int, tuple[int, int]] = {}
    for unknown in np.flatnonzero(wanted & (part.most - part.least < width)).tolist():
        with suppress(Contradiction, Undecided):
            proven[unknown] = part.bounds(unknown)
    pools = [
        (moving, _fewest(np.stack(tables), np.where(wanted, width, 0)[moving])) for moving, tables in part.collected()
    ]
    number = max((len(tables) for _, tables in pools), default=1)
    whole = np.tile(part.least, (number, 1))
    for moving, tables in pools:
        whole[:, moving] = tables[np.arange(number) % len(tables)]
    least, most = whole.min(axis=0), whole.max(axis=0)
    narrow = np.flatnonzero(wanted & (most - least < width))
    known = [(int(own.cells[at]), *proven[at]) for at in narrow.tolist() if at in proven]
    return _Pool(own.cells[wanted], whole[:, wanted], known)


def _fewest(tables: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Few of the tables, in which every unknown is as far apart as it has to be and as it is in all of them."""
    chosen = [0]
    reach = np.minimum(width, tables.max(axis=0) - tables.min(axis=0))
    for at in range(tables.shape[1]):
        column = tables[:, at]
        if np.ptp(column[chosen]) < reach[at]:
            chosen += [int(column.argmin()), int(column.argmax())]
    return tables[list(dict.fromkeys(chosen))]


# -- the attack -------------------------------------------------------------------------------------------------------


def beside_scenarios(
    tables: Mapping[str, pl.DataFrame],
    system: System,
    figures: Figures,
    corrected: Sequence[Corrected],
    scenarios: Scenarios,
) -> tuple[list[tuple[str, int]], int]:
    """(rule, cell) of what follows from one municipality's tables beside the totals that are out; programs solved.

    Args:
        tables: the present ones.
        system, figures: present and former releases, as far as these agree.
        corrected: former releases that do not. Where the totals were made of such a one, no equation ties them to the
            present: the municipality's part of them is asked for only where nothing was visibly corrected.
    """
    placed = {cell: number for cell in scenarios.cells if (number := _number(figures, cell)) is not None}
    free = {cell for pair in corrected for cell in _corrected(pair, placed, tables, scenarios)}
    kept = [at for at, cell in enumerate(scenarios.cells) if cell in placed and cell not in free]
    cells = np.array([placed[scenarios.cells[at]] for at in kept], dtype=np.int64)
    values = np.unique(np.array([[one[at] for at in kept] for one in scenarios.values], dtype=np.int64), axis=0)
    if not len(cells):
        return [], 0
    shown = figures.value[cells] >= 0
    wrong = shown & (values != figures.value[cells]).any(axis=0)
    if wrong.any():
        return [(RULE, int(cell)) for cell in cells[wrong]], 0
    cells, values = cells[~shown], values[:, ~shown]
    known = {
        number: (least, most) for cell, least, most in scenarios.known if (number := _number(figures, cell)) is not None
    }
    found, programs = [], 0
    for unknowns, equations in components(system):
        own = system.part(unknowns, equations)
        told = np.flatnonzero(np.isin(own.cells, cells))
        if len(told):
            order = [int(np.flatnonzero(cells == cell)[0]) for cell in own.cells[told]]
            rules, solved = _part_beside(own, figures, told, np.unique(values[:, order], axis=0), known)
            found += rules
            programs += solved
    return found, programs


def _number(figures: Figures, cell: Cell) -> int | None:
    """The number of a cell, in the present tables or in those of a former release."""
    table, codes = cell
    for name in (table, *(name for name in figures.rows if name.startswith(f"{table}{FORMER}"))):
        rows = figures.rows.get(name)
        if rows is not None and {column for column, _ in codes} <= set(rows.columns):
            found = rows.filter(*(pl.col(column) == code for column, code in codes))
            if found.height == 1:
                return int(found["cell"][0])
    return None


def _corrected(
    pair: Corrected, placed: Mapping[Cell, int], tables: Mapping[str, pl.DataFrame], scenarios: Scenarios
) -> set[Cell]:
    """Cells whose surroundings the release that the totals were made of shows otherwise than the present tables do."""
    told = {
        name
        for name, digest in scenarios.basis.items()
        if name in pair.release.tables
        and any(former.partition(FORMER)[0] == name for former in pair.former)
        and table_digest(pair.release.tables[name]) == digest
        and not (name in tables and table_digest(tables[name]) == digest)
    }
    if not told:
        return set()
    figures = read_figures(pair.spec, pair.tables, pair.former)
    system = build_system(pair.spec, Figures(**{**vars(figures), "value": figures.now}))
    numbers = {number: cell for cell in placed if cell[0] in told and (number := _number(figures, cell)) is not None}
    found = set()
    for unknowns, _ in components(system):
        cells = system.cells[unknowns]
        own = [numbers[int(cell)] for cell in cells if int(cell) in numbers]
        if own and figures.changed[system.around(cells[cells >= 0])].any():
            found.update(own)
    return found | {cell for number, cell in numbers.items() if figures.now[number] >= 0 and figures.changed[number]}


def _part_beside(
    own: System, figures: Figures, told: np.ndarray, values: np.ndarray, known: Mapping[int, tuple[int, int]]
) -> tuple[list[tuple[str, int]], int]:
    """What follows in one part beside the scenarios of its cells ``told``."""
    wanted = own.cells >= 0
    width, k = np.where(wanted, figures.width[own.cells], 0), np.where(wanted, figures.k[own.cells], 0)
    residual = wanted & figures.residual[own.cells]
    least, most = np.full(len(own.cells), np.iinfo(np.int64).max), np.full(len(own.cells), -1)
    try:
        alone = part_of(own)
        cases = [_Case(own, told, one) for one in values]
    except (Contradiction, Undecided):
        return [(RULE, int(cell)) for cell in own.cells[told]], 0
    for case in cases:
        case.spread_out(np.where(most - least >= width, 0, width))
        case.widen(least, most)
    found = []
    for unknown in np.flatnonzero(wanted & (most - least < width)).tolist():
        cell = int(own.cells[unknown])
        goal = known.get(cell)
        done = False
        for case in cases:
            done = case.reach(unknown, least, most, int(width[unknown]), goal)
            if done:
                break
        if done or _harmless(alone, unknown, int(k[unknown]), bool(residual[unknown])):
            continue
        found.append((RULE, cell))
    return found, alone.programs + sum(case.programs for case in cases)


def _harmless(alone: Part, unknown: int, k: int, residual: bool) -> bool:
    """Whether a cell lies at k or above, or a residual at 0, by the municipality's own tables alone."""
    try:
        low, high = alone.bounds(unknown)
    except (Undecided, Contradiction):
        return False
    return low >= k or (residual and high == 0)


class _Case:
    """A part with the values of one scenario known.

    Raises:
        Contradiction: no table agrees with it. Undecided: none was found within the budget.
    """

    def __init__(self, own: System, told: np.ndarray, values: np.ndarray) -> None:
        system = own.told(told, values)
        if system is None:
            raise Contradiction
        self.rest = np.setdiff1d(np.arange(len(own.cells)), told)
        self.told, self.values = told, values
        self.parts = [(self.rest[u], part_of(system.part(u, e))) for u, e in components(system)]

    @property
    def programs(self) -> int:
        """Number of programs solved."""
        return sum(part.programs for _, part in self.parts)

    def spread_out(self, width: np.ndarray) -> None:
        """Push unknowns apart, those that need some width."""
        for unknowns, part in self.parts:
            part.spread_out(width[unknowns], width[unknowns] <= 0)

    def widen(self, least: np.ndarray, most: np.ndarray) -> None:
        """Enter the values of the tables that were found."""
        least[self.told] = np.minimum(least[self.told], self.values)
        most[self.told] = np.maximum(most[self.told], self.values)
        for unknowns, part in self.parts:
            least[unknowns] = np.minimum(least[unknowns], part.least)
            most[unknowns] = np.maximum(most[unknowns], part.most)

    def reach(
        self, unknown: int, least: np.ndarray, most: np.ndarray, width: int, goal: tuple[int, int] | None
    ) -> bool:
        """Whether an unknown is as wide as it must be by all scenarios up to this one, or has come to its goal."""
        for unknowns, part in self.parts:
            at = np.flatnonzero(unknowns == unknown)
            if len(at):
                low, high = int(most[unknown]) - width, int(least[unknown]) + width
                try:
                    part.reaches(int(at[0]), low if goal is None else goal[0], high if goal is None else goal[1])
                except Contradiction:
                    continue
                least[unknown] = min(least[unknown], part.least[at[0]])
                most[unknown] = max(most[unknown], part.most[at[0]])
        reached = goal is not None and least[unknown] <= goal[0] and most[unknown] >= goal[1]
        return bool(reached or most[unknown] - least[unknown] >= width)


def _cell(table: str, codes: Mapping[str, str]) -> Cell:
    return table, tuple(sorted((str(column), str(code)) for column, code in codes.items()))
