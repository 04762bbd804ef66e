"""Adds to the auditor's equations the cells of joint tables: cross-tabulations that no published table shows.

Tables A × B, B × C and A × C tell more than their common margins do: some A × B × C must have all three as margins. In
the same way one distribution of ages must fit both 0–24, 25+ and 0–9, 10–39, 40+. Which joint tables are needed is
found by eliminating levels (groupings of one classification) one by one: all levels that occur in a table with the
eliminated one are joined, and where no table crosses them all, the cells of their cross-tabulation become unknowns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import polars as pl

from kobe_platform.disclosure.auditor.entries import SCHEMA
from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.groups import Groups, cover, finest_groups, refined, united, within
from kobe_platform.disclosure.spec import Spec, Table

MOST_JOINT_CELLS = 8_000
MOST_COMBINATIONS = 5_000_000

Level = tuple[str, Groups]
"""Classification and groups."""
Levels = frozenset[Level]


@dataclass
class Asked:
    """Equations with unknowns that no table shows, and what was too large to be asked.

    Attributes:
        equations: ``equation, cell, sign`` frames, each with equations numbered from 0; unknowns from −2 downwards.
        left_out: of each joint table that is not in the equations, the names of the tables behind it.
    """

    equations: list[pl.DataFrame] = field(default_factory=list)
    left_out: list[tuple[str, ...]] = field(default_factory=list)
    unseen: int = -1


def joint_equations(spec: Spec, figures: Figures) -> Asked:
    """What the people behind each population's suppressed counts have to fit."""
    asked = Asked()
    for population in sorted({table.population for table in spec.tables}):
        behind = _Behind(spec, figures, population)
        behind.agree(asked)
        behind.fit(asked)
    return asked


class _Behind:
    """The tables of one population and the levels at which they stand."""

    def __init__(self, spec: Spec, figures: Figures, population: str) -> None:
        self.spec, self.figures = spec, figures
        self.tables = [
            table
            for table in spec.tables
            if table.population == population
            and table.method == "suppression"
            and not table.magnitude
            and all(self._complete(dimension) for dimension in table.dimensions.values())
        ]
        self.groups = {d: finest_groups(figures, d) for table in self.tables for d in table.dimensions.values()}
        known: dict[str, set[Groups]] = {}
        for dimension, groups in self.groups.items():
            known.setdefault(self._base(dimension), set()).add(groups)
        self.known = {base: _with_sums(levels) for base, levels in known.items()}
        at = {
            dimension: frozenset(
                (self._base(dimension), groups)
                for groups in self.known[self._base(dimension)]
                if within(self.groups[dimension], groups)
            )
            for dimension in self.groups
        }
        self.levels = {t.name: frozenset().union(*(at[d] for d in t.dimensions.values())) for t in self.tables}
        self.within = list(self._wholes(population))

    def _base(self, dimension: str) -> str:
        return self.spec.dimension(dimension).of or dimension

    def _wholes(self, population: str) -> Iterator[tuple[Table, Levels]]:
        """Tables of populations that hold this one, with the levels of this one at which they can be summed."""
        wholes = {inclusion.whole for inclusion in self.spec.includes if inclusion.part == population}
        for table in self.spec.tables:
            if table.population not in wholes or not all(self._complete(d) for d in table.dimensions.values()):
                continue
            finest = {self._base(d): finest_groups(self.figures, d) for d in table.dimensions.values()}
            yield (
                table,
                frozenset(
                    (base, groups)
                    for base in finest
                    for groups in self.known.get(base, ())
                    if within(finest[base], groups)
                ),
            )

    def _complete(self, dimension: str) -> bool:
        """Whether a dimension has all codes of its base (one of a former release may lack some)."""
        codes, base = self.figures.codes[dimension], self.figures.codes[self._base(dimension)]
        return codes.finest[codes.root] == base.finest[base.root]

    # -- what two tables say of the same sums ----------------------------------------------------------------------

    def agree(self, asked: Asked) -> None:
        """Sums that two tables have in common, where not both show them."""
        kinds = {tuple(sorted(table.dimensions.values())): table for table in reversed(self.tables)}  # the same cells
        for one, other in combinations(kinds.values(), 2):
            levels = self.levels[one.name] & self.levels[other.name]
            if not levels or (self._shows(one, levels) and self._shows(other, levels)):
                continue
            sides = [self._sums(table, levels) for table in (one, other)]
            keys = [c for c in sides[0].columns if c != "cell"]
            numbered = sides[0].select(keys).unique(maintain_order=True).with_row_index("equation")
            asked.equations.append(
                pl.concat(
                    side.join(numbered, on=keys, nulls_equal=True).select("equation", "cell", sign=pl.lit(sign))
                    for side, sign in zip(sides, (1, -1), strict=True)
                ).cast(SCHEMA)
            )

    def _shows(self, table: Table, levels: Levels) -> bool:
        """Whether a table has a code for every group of some levels."""
        for base, groups in _finest_of(levels).items():
            dimension = self._dimension(table, base)[1]
            if not groups <= set(self.figures.codes[dimension].finest.values()):
                return False
        return True

    def _dimension(self, table: Table, base: str) -> tuple[str, str]:
        return next((column, d) for column, d in table.dimensions.items() if self._base(d) == base)

    def _sums(self, table: Table, levels: Levels) -> pl.DataFrame:
        """The cells of a table that make up the sums at some levels: a column with the group's number for each
        classification, ``cell``."""
        rows = self.figures.rows[table.name]
        wanted = _finest_of(levels)
        keys = []
        for column, dimension in table.dimensions.items():
            codes, base = self.figures.codes[dimension], self._base(dimension)
            if base not in wanted:
                rows = rows.filter(pl.col(column) == codes.root)
                continue
            pairs = cover(codes.finest, set(codes.parent.values()), wanted[base])
            frame = pl.DataFrame(pairs, schema={column: pl.String, f"of {base}": pl.Int64}, orient="row")
            rows = rows.join(frame, on=column, how="inner", maintain_order="left")
            keys.append(f"of {base}")
        return rows.select(*sorted(keys), "cell")

    # -- what no table shows ---------------------------------------------------------------------------------------

    def fit(self, asked: Asked) -> None:
        """The joint cells that have to be asked for, and what they add up to."""
        joints, left_out = self._joint_tables()
        asked.left_out += left_out
        numbered: list[tuple[Levels, pl.DataFrame]] = []
        for levels, joint in joints:
            parts = _parts(levels)
            joint = joint.with_columns(cell=asked.unseen - 1 - pl.int_range(pl.len(), dtype=pl.Int64))
            asked.unseen -= joint.height
            for margin, table in self._margins(levels):
                asked.equations.append(_equal(self._at(joint, parts, margin), self._sums(table, margin)))
            for other, cells in numbered:
                shared = levels & other
                if shared and not any(shared <= own for own in self.levels.values()):
                    asked.equations.append(
                        _equal(self._at(joint, parts, shared), self._at(cells, _parts(other), shared))
                    )
            for whole, known in self.within:
                common = known & levels
                if not any(common <= own for own in self.levels.values()):
                    asked.equations.append(_at_most(self._at(joint, parts, common), self._sums(whole, common)))
            numbered.append((levels, joint))

    def _joint_tables(self) -> tuple[list[tuple[Levels, pl.DataFrame]], list[tuple[str, ...]]]:
        """The cells of every joint table that has to be asked for; of those too large, the tables behind each.

        What a larger population's table shows together is asked for together, unless a joint table becomes too large.
        """
        together = [own for own in (_overlap(base, known) for base, known in self.known.items()) if own]
        joints = self._cells_of(self._open_sets(together))
        for levels in sorted({known for _, known in self.within}, key=lambda known: (_size(known), _names(known))):
            if any(levels <= own for own in self.levels.values()):
                continue
            more = self._cells_of(self._open_sets([*together, levels]))
            if all(joint is not None or own in joints for own, joint in more.items()):
                together, joints = [*together, levels], more
        found = [(levels, joint) for levels, joint in joints.items() if joint is not None]
        too_large = [levels for levels, joint in joints.items() if joint is None]
        return found, [tuple(sorted(table.name for _, table in self._margins(levels))) for levels in too_large]

    def _cells_of(self, sets: list[Levels]) -> dict[Levels, pl.DataFrame | None]:
        return {levels: self._possible(levels, _parts(levels)) for levels in sets}

    def _margins(self, levels: Levels) -> list[tuple[Levels, Table]]:
        """What tables say of a joint one: each set of levels that one of them has of it, and a table that has it."""
        found: dict[Levels, Table] = {}
        for table in self.tables:
            found.setdefault(self.levels[table.name] & levels, table)
        return [(own, t) for own, t in found.items() if own and not any(own < other for other in found)]

    def _possible(self, levels: Levels, parts: Mapping[str, tuple[frozenset[str], ...]]) -> pl.DataFrame | None:
        """All combinations of parts but those that a published zero excludes; None where too many are left."""
        count = 1
        for own in parts.values():
            count *= len(own)
        if count > MOST_COMBINATIONS:
            return None
        joint = pl.select(pl.lit(0).alias("cell"))
        for base, own in parts.items():
            joint = joint.join(pl.select(pl.int_range(len(own), dtype=pl.Int64).alias(f"part {base}")), how="cross")
        for margin, table in self._margins(levels):
            cells = self._sums(table, margin)
            keys = [c for c in cells.columns if c != "cell"]
            nothing = cells.select(*keys, zero=pl.Series(self.figures.value[cells["cell"].to_numpy()] == 0))
            zeros = nothing.group_by(keys).agg(pl.col("zero").all()).filter("zero").select(keys)
            joint = self._with_groups(joint, parts, margin).join(zeros, on=keys, how="anti", maintain_order="left")
            joint = joint.drop(keys)
        return joint if joint.height <= MOST_JOINT_CELLS else None

    def _with_groups(self, joint: pl.DataFrame, parts: Mapping[str, Any], levels: Levels) -> pl.DataFrame:
        """Joint cells with the number of their group at some levels, one column a classification."""
        for base, groups in _finest_of(levels).items():
            ordered = sorted(groups, key=sorted)
            number = {code: i for i, group in enumerate(ordered) for code in group}
            of_part = [number[min(part)] for part in parts[base]]
            joint = joint.with_columns(
                pl.Series(of_part, dtype=pl.Int64).gather(joint[f"part {base}"]).alias(f"of {base}")
            )
        return joint

    def _at(self, joint: pl.DataFrame, parts: Mapping[str, Any], levels: Levels) -> pl.DataFrame:
        return self._with_groups(joint, parts, levels).select(*(f"of {b}" for b in sorted(_finest_of(levels))), "cell")

    def _open_sets(self, further: list[Levels]) -> list[Levels]:
        """Sets of levels that stand together although no table shows them so; ``further`` ones hang together anyway.

        Levels are taken out one by one; what stood with one afterwards stands together. A level that one table shows
        with all that stand with it goes first and leaves nothing to ask.
        """
        shown = [(levels, True) for levels in dict.fromkeys(self.levels.values())]
        edges = shown + [(levels, False) for levels in further]
        asked: list[Levels] = []
        left = sorted({level for levels, _ in edges for level in levels}, key=_name)
        while left:
            choices = []
            for position, level in enumerate(left):
                together = frozenset().union(*(own for own, _ in edges if level in own))
                plain = (together, True) in edges
                choices.append((not plain, 0 if plain else _size(together), position, together))
            open_set, _, position, together = min(choices, key=lambda choice: choice[:3])
            if open_set:
                asked.append(together)
            level = left.pop(position)
            edges = [(own, known) for own, known in edges if level not in own] + [(together - {level}, True)]
        return [levels for levels in asked if not any(levels < other for other in asked)]


def _equal(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Σ one = Σ other for every group (the columns but ``cell``)."""
    keys = [c for c in one.columns if c != "cell"]
    both = pl.concat([one.with_columns(sign=pl.lit(1)), other.select(one.columns).with_columns(sign=pl.lit(-1))])
    return both.select(equation=pl.struct(keys).rank("dense") - 1, cell="cell", sign="sign").cast(SCHEMA)


def _at_most(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Σ one + a difference = Σ other for every group that ``one`` has."""
    keys = [c for c in one.columns if c != "cell"]
    rest = one.select(keys).unique(maintain_order=True)
    other = other.join(rest, on=keys, how="semi", maintain_order="left")
    differences = rest.with_columns(cell=pl.lit(-1, dtype=pl.Int64))
    return _equal(pl.concat([one, differences.select(one.columns)]), other)


def _parts(levels: Levels) -> dict[str, tuple[frozenset[str], ...]]:
    """Classification → the parts that joint cells stand at."""
    return {base: refined(_of(levels, base)) for base in sorted({base for base, _ in levels})}


def _with_sums(levels: set[Groups]) -> set[Groups]:
    """The levels and what any two of them have in common, without the plain total."""
    found, waiting = set(levels), list(levels)
    while waiting:
        one = waiting.pop()
        for other in tuple(found):
            shared = united(one, other)
            if shared not in found:
                found.add(shared)
                waiting.append(shared)
    return {groups for groups in found if len(groups) > 1}


def _overlap(base: str, known: set[Groups]) -> Levels:
    """The finest levels of a classification, unless nobody's group at one tells anything of his group at another
    beyond what they have in common."""
    finest = [groups for groups in known if not any(other != groups and within(other, groups) for other in known)]
    if len(finest) < 2:
        return frozenset()
    if len(finest) == 2:
        one, other = finest
        shared = united(one, other)
        if all(a & b for block in shared for a in one if a <= block for b in other if b <= block):
            return frozenset()
    return frozenset((base, groups) for groups in finest)


def _of(levels: Levels, base: str) -> frozenset[Groups]:
    return frozenset(groups for own, groups in levels if own == base)


def _finest_of(levels: Levels) -> dict[str, Groups]:
    """Classification → the groups that all of its levels make together."""
    return {base: frozenset(refined(_of(levels, base))) for base in sorted({base for base, _ in levels})}


def _size(levels: Levels) -> int:
    size = 1
    for base in {base for base, _ in levels}:
        size *= len(refined(_of(levels, base)))
    return size


def _names(levels: Levels) -> list[tuple[Any, ...]]:
    return sorted(_name(level) for level in levels)


def _name(level: Level) -> tuple[Any, ...]:
    base, groups = level
    return base, len(groups), sorted(sorted(group) for group in groups)
