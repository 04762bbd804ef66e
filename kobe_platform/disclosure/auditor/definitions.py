"""The auditor's equations that follow from definitions between tables (see :class:`spec.Inclusion` and the others).

Part and whole are compared group by group. For codes that go together, the pairs that a definition allows are unknowns
of 0 or more whose sums are the figures of both tables. Groups of which every figure is published say nothing new and
are left out, but where they contradict the definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.entries import SCHEMA
from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.groups import Groups, cover, finest_groups, united
from kobe_platform.disclosure.spec import Combination, Inclusion, Members, Spec, Table
from kobe_platform.errors import DisclosureError

MOST_CODES = 12
"""Codes whose sets are all gone through, where everything is published."""
Cross = Mapping[str, Groups]
"""Classification → the groups at which two tables are compared."""


def definition_equations(spec: Spec, figures: Figures, unseen: int) -> list[pl.DataFrame]:
    """``equation, cell, sign`` frames of all definitions, equations numbered from 0 in each.

    Args:
        unseen: the lowest number of an unknown that no table shows; further ones go on downwards. A difference is −1.
    """
    reader = _Reader(spec, figures, unseen)
    frames = [frame for inclusion in spec.includes for frame in reader.within(inclusion)]
    frames += [frame for combination in spec.combinations for frame in reader.together(combination)]
    frames += [frame for members in spec.members for frame in reader.members(members)]
    return frames


def impossible_cells(spec: Spec, figures: Figures) -> np.ndarray:
    """Mask of the cells that count nobody by definition: codes of one table that never go together."""
    reader, none = _Reader(spec, figures, -1), np.zeros(len(figures.value), dtype=bool)
    for combination in spec.combinations:
        for cells in reader.impossible(combination):
            none[cells.to_numpy()] = True
    return none


class _Reader:
    def __init__(self, spec: Spec, figures: Figures, unseen: int) -> None:
        self.spec, self.figures, self.unseen = spec, figures, unseen
        self.groups = {
            table.name: {self._base(d): finest_groups(figures, d) for d in table.dimensions.values()}
            for table in spec.tables
            if table.population in spec.defined and all(self._complete(d) for d in table.dimensions.values())
        }

    def _base(self, dimension: str) -> str:
        return self.spec.dimension(dimension).of or dimension

    def _complete(self, dimension: str) -> bool:
        codes, base = self.figures.codes[dimension], self.figures.codes[self._base(dimension)]
        return codes.finest[codes.root] == base.finest[base.root]

    def _of(self, population: str) -> list[Table]:
        return [t for t in self.spec.tables if t.population == population and t.name in self.groups]

    # -- part and whole --------------------------------------------------------------------------------------------

    def within(self, inclusion: Inclusion) -> Iterator[pl.DataFrame]:
        """Part ≤ whole wherever a table of either can be summed to the same groups."""
        pairs = [
            (self._common(part, whole), part, whole)
            for part in self._of(inclusion.part)
            for whole in self._of(inclusion.whole)
        ]
        for cross, part, whole in _telling(pairs):
            yield self._at_most([(self._sums(part, cross), 1)], self._sums(whole, cross))

    def _common(self, one: Table, other: Table) -> dict[str, Groups]:
        left, right = self.groups[one.name], self.groups[other.name]
        shared = {base: united(left[base], right[base]) for base in sorted({*left} & {*right})}
        return {base: groups for base, groups in shared.items() if len(groups) > 1}

    def _sums(self, table: Table, cross: Cross, last: str = "") -> pl.DataFrame:
        """``place`` (a number for each combination of groups), ``cell``: the cells of a table that make it up.

        Args:
            last: a classification of the cross whose group is a column ``code`` of its own.
        """
        rows = self.figures.rows[table.name].with_columns(place=pl.lit(0, dtype=pl.Int64))
        for base, groups in sorted(cross.items(), key=lambda item: (item[0] == last, item[0])):
            column, dimension = self._column(table, base)
            codes = self.figures.codes[dimension]
            pairs = cover(codes.finest, set(codes.parent.values()), groups)
            numbers = pl.DataFrame(pairs, schema={column: pl.String, "code": pl.Int64}, orient="row")
            rows = rows.join(numbers, on=column, maintain_order="left")
            if base != last:
                rows = rows.with_columns(place=pl.col("place") * len(groups) + pl.col("code")).drop("code")
        for column, dimension in table.dimensions.items():
            if self._base(dimension) not in cross:
                rows = rows.filter(pl.col(column) == self.figures.codes[dimension].root)
        return rows.select("place", "cell", *(["code"] if last else []))

    def _column(self, table: Table, base: str) -> tuple[str, str]:
        return next((column, d) for column, d in table.dimensions.items() if self._base(d) == base)

    def _at_most(self, parts: list[tuple[pl.DataFrame, int]], whole: pl.DataFrame) -> pl.DataFrame:
        """Σ weight · parts + a difference = whole, place by place."""
        terms = [frame.with_columns(sign=pl.lit(weight, dtype=pl.Int64)) for frame, weight in parts]
        terms.append(whole.with_columns(sign=pl.lit(-1, dtype=pl.Int64)))
        entries = self._open(pl.concat(terms))
        differences = (
            entries.select("place")
            .unique(maintain_order=True)
            .with_columns(cell=pl.lit(-1, dtype=pl.Int64), sign=pl.lit(1, dtype=pl.Int64))
        )
        return _numbered(pl.concat([entries, differences.select(entries.columns)]))

    def _open(self, entries: pl.DataFrame) -> pl.DataFrame:
        """Entries without the places where every figure is published and the inequality holds."""
        value = pl.Series(self.figures.value[entries["cell"].to_numpy()])
        told = (
            entries.with_columns(value=value)
            .group_by("place")
            .agg(open=(pl.col("value") < 0).any(), broken=(pl.col("value") * pl.col("sign")).sum() > 0)
        )
        kept = told.filter(pl.col("open") | pl.col("broken")).select("place")
        return entries.join(kept, on="place", how="semi", maintain_order="left")

    # -- codes that go together ------------------------------------------------------------------------------------

    def together(self, combination: Combination) -> Iterator[pl.DataFrame]:
        """Who is in each possible pair of codes, where no table shows both dimensions."""
        names = combination.one, combination.other
        sides = [
            [
                t
                for t in self._of(combination.population)
                if names[i] in self.groups[t.name] and not self._both(t, names)
            ]
            for i in (0, 1)
        ]
        pairs = []
        for one, other in product(*sides):
            apart = {names[0]: self.groups[one.name][names[0]], names[1]: self.groups[other.name][names[1]]}
            pairs.append(({**self._common(one, other), **apart}, one, other))
        for cross, one, other in _telling(pairs):
            yield from self._pairs(combination, cross, one, other)

    def _both(self, table: Table, names: tuple[str, str]) -> bool:
        return set(names) <= set(self.groups[table.name])

    def _pairs(
        self, combination: Combination, cross: dict[str, Groups], one: Table, other: Table
    ) -> Iterator[pl.DataFrame]:
        names = combination.one, combination.other
        possible = self._possible(combination, cross[names[0]], cross[names[1]])
        sides = [
            self._sums(
                table, {base: groups for base, groups in cross.items() if base not in names or base == name}, name
            )
            for table, name in zip((one, other), names, strict=True)
        ]
        both = pl.concat(sides)
        hidden = both.filter(pl.Series(self.figures.value[both["cell"].to_numpy()] < 0)).select("place")
        told = [side.join(hidden, on="place", how="anti") for side in sides]
        wrong = self._impossible(told[0], told[1], possible)
        people = (
            pl.concat([hidden, wrong])
            .unique(maintain_order=True)
            .join(pl.DataFrame(possible, schema={"a": pl.Int64, "b": pl.Int64}, orient="row"), how="cross")
            .with_columns(cell=self.unseen - 1 - pl.int_range(pl.len(), dtype=pl.Int64))
        )
        self.unseen -= people.height
        for side, code in zip(sides, ("a", "b"), strict=True):
            figures = side.join(people.select("place").unique(), on="place", how="semi", maintain_order="left")
            sums = [
                people.select("place", "cell", code=code, sign=pl.lit(1, dtype=pl.Int64)),
                figures.select("place", "cell", "code", sign=pl.lit(-1, dtype=pl.Int64)),
            ]
            yield _numbered(pl.concat(sums).with_columns(place=pl.struct("place", "code").rank("dense")))

    def _impossible(self, one: pl.DataFrame, other: pl.DataFrame, possible: Sequence[tuple[int, int]]) -> pl.DataFrame:
        """Places, shown whole, whose figures no people has: some codes count more than all that go with them.

        Where both sides have more than :data:`MOST_CODES` codes, all places: then the equations are asked.
        """
        partners = (one, possible), (other, [(b, a) for a, b in possible])
        for frame, pairs in partners:
            codes = sorted({code for code, _ in pairs})
            if len(codes) <= MOST_CODES:
                return self._outnumbering(frame, other if frame is one else one, codes, pairs)
        return one.select("place").unique(maintain_order=True)

    def _outnumbering(
        self, frame: pl.DataFrame, others: pl.DataFrame, codes: Sequence[int], pairs: Sequence[tuple[int, int]]
    ) -> pl.DataFrame:
        """Places at which a set of codes counts more than its partners, or all codes another number than theirs."""
        places = frame["place"].unique(maintain_order=True)
        known = 1 + max(code for pair in pairs for code in pair)
        counts, partners = (self._counts(side, places, known) for side in (frame, others))
        wrong = counts.sum(axis=1) != partners.sum(axis=1)
        for chosen in (set(group) for size in range(1, len(codes)) for group in combinations(codes, size)):
            beside = sorted({b for a, b in pairs if a in chosen})
            wrong |= counts[:, sorted(chosen)].sum(axis=1) > partners[:, beside].sum(axis=1)
        return pl.DataFrame({"place": places.filter(pl.Series(wrong))}, schema={"place": pl.Int64})

    def _counts(self, side: pl.DataFrame, places: pl.Series, codes: int) -> np.ndarray:
        """Published figures, places × codes."""
        at = side.join(pl.DataFrame({"place": places}).with_row_index("row"), on="place", how="inner")
        counts = np.zeros((len(places), codes), dtype=np.int64)
        np.add.at(counts, (at["row"].to_numpy(), at["code"].to_numpy()), self.figures.value[at["cell"].to_numpy()])
        return counts

    def _possible(self, combination: Combination, one: Groups, other: Groups) -> list[tuple[int, int]]:
        """Numbers of the groups of either side that some possible pair of finest codes lies in."""
        bases = [self.figures.codes[name] for name in (combination.one, combination.other)]
        known = [{c for c in base.parent if c not in set(base.parent.values())} for base in bases]
        named = [set(combination.possible), {c for codes in combination.possible.values() for c in codes}]
        if not (named[0] <= known[0] and named[1] <= known[1]):
            raise _error("a definition names an unknown code", population=combination.population)
        partners = {code: set(combination.possible.get(code, known[1])) for code in known[0]}
        left, right = (sorted(groups, key=sorted) for groups in (one, other))
        return [
            (i, j)
            for (i, a), (j, b) in product(enumerate(left), enumerate(right))
            if any(partners[code] & b for code in a)
        ]

    def impossible(self, combination: Combination) -> Iterator[pl.Series]:
        """Cells of tables that show both dimensions, at pairs of codes of which no possible pair of finest ones is."""
        names = combination.one, combination.other
        for table in self._of(combination.population):
            if not self._both(table, names):
                continue
            (one, first), (other, second) = (self._column(table, name) for name in names)
            known = [self.figures.codes[dimension].finest for dimension in (first, second)]
            sets = [sorted(set(finest.values()), key=sorted) for finest in known]
            possible = {(sets[0][i], sets[1][j]) for i, j in self._possible(combination, *map(frozenset, sets))}
            pairs = [(a, b) for a, b in product(*known) if (known[0][a], known[1][b]) not in possible]
            wrong = pl.DataFrame(pairs, schema={one: pl.String, other: pl.String}, orient="row")
            yield self.figures.rows[table.name].join(wrong, on=[one, other], how="semi")["cell"]

    # -- members of groups -----------------------------------------------------------------------------------------

    def members(self, members: Members) -> Iterator[pl.DataFrame]:
        """Σ least · groups ≤ the whole, with the weights as they are."""
        cross = {self._base(name): finest_groups(self.figures, name) for name in members.on}
        tables = [t for t in self._of(members.groups) if self._reaches(t, cross) and self._has(t, members.dimension)]
        wholes = [t for t in self._of(members.of) if self._reaches(t, cross)]
        if not tables or not wholes:
            return
        table = tables[0]
        groups = sorted(self.groups[table.name][members.dimension], key=sorted)
        sums = self._sums(
            table, {**cross, members.dimension: self.groups[table.name][members.dimension]}, members.dimension
        )
        least = [min(members.least.get(code, 1) for code in group) for group in groups]
        parts = [(sums.filter(pl.col("code") == number).drop("code"), weight) for number, weight in enumerate(least)]
        yield self._at_most(parts, self._sums(wholes[0], cross))

    def _has(self, table: Table, base: str) -> bool:
        return base in self.groups[table.name]

    def _reaches(self, table: Table, cross: Cross) -> bool:
        """Whether a table's groups can be summed to those of the cross."""
        own = self.groups[table.name]
        return all(b in own and united(own[b], groups) == groups for b, groups in cross.items())


def _telling(pairs: list[tuple[dict[str, Groups], Table, Table]]) -> list[tuple[dict[str, Groups], Table, Table]]:
    """Pairs without those whose groups another pair's groups add up to."""
    kept: list[tuple[dict[str, Groups], Table, Table]] = []
    for pair in pairs:
        if any(_adds_up(other[0], pair[0]) for other in kept):
            continue
        kept = [other for other in kept if not _adds_up(pair[0], other[0])] + [pair]
    return kept


def _adds_up(finer: Cross, coarser: Cross) -> bool:
    return all(base in finer and united(finer[base], groups) == groups for base, groups in coarser.items())


def _numbered(entries: pl.DataFrame) -> pl.DataFrame:
    """Entries with their places as numbers of equations from 0."""
    if not entries.height:
        return pl.DataFrame(schema=SCHEMA)
    return entries.select(equation=pl.col("place").rank("dense").cast(pl.Int64) - 1, cell="cell", sign="sign").cast(
        SCHEMA
    )


def _error(message: str, **at: str) -> DisclosureError:
    return DisclosureError(message, code="disclosure.spec", at=at, remedy="correct the definition")
