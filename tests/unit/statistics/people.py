"""Attacks published stocks through the people behind them: no table's equations, no relation, only who there can be.

Residents stand in cells district × age × sex × (Japanese or foreign), foreign residents besides in district ×
nationality, × status and × length of stay, households in district × size × family type. What is known by definition is
which of these cells exist, and that a household's members live in its ward. Every published figure is a sum of cells;
programs over them bound every hidden figure. Written apart from engine, auditor and ``relations.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import highspy
import numpy as np
import polars as pl
from scipy import sparse

from kobe_platform.statistics import Statistic
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

POSSIBLE = {
    "single": {"1"},
    "couple": {"2"},
    "couple_children": {"3", "4", "5", "6+"},
    "single_parent": {"2", "3", "4", "5", "6+"},
    "three_generation": {"2", "3", "4", "5", "6+"},
    "other": {"2", "3", "4", "5", "6+"},
}
Cell = tuple[str, Mapping[str, str]]
"""Kind of the cell, and its codes."""


@dataclass
class Narrow:
    """A hidden figure that people leave too little room: its table, codes, and the least and most it can be."""

    table: str
    codes: tuple[str, ...]
    least: float
    most: float


def cells_of(areas: Hierarchy, wards: Sequence[str], ages_by: str = "age5") -> list[Cell]:
    """All cells that people can stand in, in the wards that have any; ``ages_by``: the hierarchy of their ages."""
    trees = hierarchies()
    parent = {code.code: code.parent for code in areas.codes}
    places = [code for code in (*areas.leaves, *areas.residual) if parent[code] in wards]
    ages, sexes = (*trees[ages_by].leaves, "unknown"), ("male", "female", "unknown")
    found: list[Cell] = []
    for place in places:
        for age, sex, kind in product(ages, sexes, ("japanese", "foreign")):
            found.append(("resident", {"area": place, "age": age, "sex": sex, "kind": kind}))
        for name in ("nationality", "status", "stay"):
            found += [(name, {"area": place, name: code}) for code in (*trees[name].leaves, "unknown")]
        for family, sizes in POSSIBLE.items():
            found += [("household", {"area": place, "family": family, "size": size}) for size in sorted(sizes)]
    return found


class People:
    """The cells, and the equations that hold for any people."""

    def __init__(self, areas: Hierarchy, wards: Sequence[str], ages_by: str = "age5") -> None:
        self.areas, self.cells = areas, cells_of(areas, wards, ages_by)
        self.parent = {code.code: code.parent for code in areas.codes}
        self.rows: list[tuple[dict[int, float], float, float]] = []
        by_place: dict[str, dict[str, list[int]]] = {}
        for number, (kind, codes) in enumerate(self.cells):
            by_place.setdefault(codes["area"], {}).setdefault(kind, []).append(number)
        for kinds in by_place.values():
            foreign = [i for i in kinds["resident"] if self.cells[i][1]["kind"] == "foreign"]
            for name in ("nationality", "status", "stay"):
                self.rows.append(({**dict.fromkeys(foreign, 1.0), **dict.fromkeys(kinds[name], -1.0)}, 0, 0))
        for ward in wards:
            inside = [i for i, (_, codes) in enumerate(self.cells) if self.parent[codes["area"]] == ward]
            residents = {i: 1.0 for i in inside if self.cells[i][0] == "resident"}
            homes = {i: -float(self.cells[i][1]["size"][0]) for i in inside if self.cells[i][0] == "household"}
            self.rows.append((residents | homes, 0, np.inf))

    def members(self, statistic: Statistic, codes: Mapping[str, str]) -> list[int]:
        """The cells that one row of a table counts."""
        return [i for i, cell in enumerate(self.cells) if self._counts(statistic, codes, cell)]

    def _counts(self, statistic: Statistic, codes: Mapping[str, str], cell: Cell) -> bool:
        kind, own = cell
        if "area" in codes and not self._within(own["area"], codes["area"]):
            return False
        columns = {c: h for c, h in statistic.dimensions.items() if c != "area"}
        if statistic.population == "households":
            names = {"household_size": "size", "family": "family"}
            return kind == "household" and all(codes[c] in ("total", own[names[h]]) for c, h in columns.items())
        special = next((h for h in columns.values() if h.startswith(("nationality", "status", "stay"))), None)
        if special is not None:
            (column,) = columns
            finest = special.split("_")[0]
            return kind == finest and codes[column] in ("total", _gathered(finest, special, own[finest]))
        if kind != "resident" or (statistic.population == "foreigners" and own["kind"] != "foreign"):
            return False
        return all(self._has(h, codes[c], own) for c, h in columns.items())

    @staticmethod
    def _has(hierarchy: str, code: str, own: Mapping[str, str]) -> bool:
        if code == "total":
            return True
        if hierarchy == "sex":
            return own["sex"] == code
        if own["age"] == "unknown":
            return False
        low, _, high = code.rstrip("+").partition("-")
        age = int(own["age"].rstrip("+").split("-")[0])
        return int(low) <= age and (code.endswith("+") or age <= int(high or low))

    def _within(self, place: str, area: str) -> bool:
        at: str | None = place
        while at is not None and at != area:
            at = self.parent[at]
        return at == area


def _gathered(finest: str, hierarchy: str, code: str) -> str:
    """The code of a coarser hierarchy that a finest code comes to."""
    if hierarchy == finest or code == "unknown":
        return code
    tree = hierarchies()[hierarchy]
    source = {"skilled": "skilled_worker", "other": "artist", "settled": "long_term"}.get(code, code)
    return tree.mapping.get(source, tree.other)


def narrow(
    statistics: Mapping[str, Statistic], tables: Mapping[str, pl.DataFrame], areas: Hierarchy, *, whole: bool = False
) -> Iterator[Narrow]:
    """Hidden figures whose room is less than their width and reaches below k.

    Args:
        tables: published tables by name.
        whole: whole people (an integer program), not shares of them.
    """
    shown = [t.filter(status="published", value=0)["area"] for n, t in tables.items() if n == "population_ward"]
    empty = set(pl.concat(shown)) if shown else set()
    wards = [c.code for c in areas.codes if c.parent == areas.root and c.code not in _empty_wards(tables, empty)]
    used = {name for statistic in statistics.values() for name in statistic.dimensions.values()}
    people = People(areas, wards, next((name for name in ("age1", "age_child") if name in used), "age5"))
    hidden, rows = [], list(people.rows)
    for name, table in tables.items():
        statistic = statistics[name]
        if statistic.kind != "frequency":
            continue
        for row in table.rows(named=True):
            codes = {c: row[c] for c in statistic.dimensions}
            members = people.members(statistic, codes)
            known = row["status"] == "published"
            if not members:
                assert known and row["value"] == 0, (name, codes)
                continue
            rows.append((dict.fromkeys(members, 1.0), row["value"] if known else 1, row["value"] if known else np.inf))
            if not known:
                hidden.append((statistic, tuple(codes.values()), members))
    attack = _Attack(len(people.cells), rows, hidden)
    for number, (statistic, codes, _) in enumerate(hidden):
        least, most = attack.bounds(number, statistic.minimum_frequency, whole)
        if most - least < statistic.minimum_frequency and least < statistic.minimum_frequency:
            yield Narrow(statistic.name, codes, least, most)


def _empty_wards(tables: Mapping[str, pl.DataFrame], areas: set[str]) -> set[str]:
    ward = tables["population_ward"].filter(pl.col("age") == "total", pl.col("sex") == "total")
    return set(ward.filter(pl.col("value") == 0)["area"]) & areas


def _program(size: int, rows: Sequence[tuple[Mapping[int, float], float, float]]) -> highspy.Highs:
    starts = np.cumsum([0, *(len(entries) for entries, _, _ in rows)])
    index = np.concatenate([list(entries) for entries, _, _ in rows])
    values = np.concatenate([list(entries.values()) for entries, _, _ in rows])
    matrix = sparse.csc_array(sparse.csr_array((values, index, starts), shape=(len(rows), size)))
    low, high = (np.array([row[i] for row in rows], dtype=float) for i in (1, 2))
    high[np.isinf(high)] = 1e30  # HiGHS takes it for no bound
    program = highspy.Highs()
    program.setOptionValue("output_flag", False)
    program.setOptionValue("threads", 1)
    program.passModel(
        size, len(rows), matrix.nnz, 1, 1, 0.0, np.zeros(size), np.zeros(size), np.full(size, 1e30), low, high,
        matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data, np.zeros(size, np.int32),
    )  # fmt: skip
    return program


class _Attack:
    """Programs over all cells; every answer also widens what is known to be possible for all other hidden figures."""

    def __init__(
        self, size: int, rows: Sequence, hidden: Sequence[tuple[Statistic, tuple[str, ...], list[int]]]
    ) -> None:
        self.size, self.program = size, _program(size, rows)
        number = np.repeat(np.arange(len(hidden)), [len(members) for *_, members in hidden])
        cells = np.concatenate([members for *_, members in hidden] or [[]]).astype(int)
        self.sums = sparse.csr_array((np.ones(len(cells)), (number, cells)), shape=(len(hidden), size))
        self.least, self.most = np.full(len(hidden), np.inf), np.full(len(hidden), -np.inf)

    def bounds(self, number: int, k: int, whole: bool) -> tuple[float, float]:
        """Least and most of a hidden figure, or any two possible values ``k`` apart."""
        for sign in (1, -1):
            if self.most[number] - self.least[number] < k:
                self._extreme(number, sign)
        least, most = np.ceil(self.least[number] - 1e-6), np.floor(self.most[number] + 1e-6)
        if not whole or most - least > 3 * k:
            return float(least), float(most)
        kinds = np.full(self.size, int(highspy.HighsVarType.kInteger.value), dtype=np.uint8)
        index = np.arange(self.size, dtype=np.int32)
        self.program.changeColsIntegrality(self.size, index, kinds)
        least, most = (float(np.rint(self._extreme(number, sign))) for sign in (1, -1))
        self.program.changeColsIntegrality(self.size, index, np.zeros(self.size, dtype=np.uint8))
        return least, most

    def _extreme(self, number: int, sign: int) -> float:
        cost = sign * self.sums[[number]].toarray().ravel()
        self.program.changeColsCost(self.size, np.arange(self.size, dtype=np.int32), cost)
        self.program.run()
        status = self.program.getModelStatus()
        if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            self.most[number] = np.inf  # nothing is known of it but that it is there
            return np.inf
        assert status == highspy.HighsModelStatus.kOptimal, status
        values = self.sums @ np.array(self.program.getSolution().col_value)
        np.minimum(self.least, values, out=self.least)
        np.maximum(self.most, values, out=self.most)
        return float(values[number])
