"""Tiny made-up municipalities, and a count over all tables that agree with everything that is public of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl

from kobe_platform.disclosure import Dimension, FormerRelease, Rule, Spec, Table, protect
from kobe_platform.disclosure.protection import Protected
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import COUNT, Handed
from kobe_platform.prefecture.joint import Summed
from kobe_platform.prefecture.totals import protect_totals

K = 3
"""Minimum frequency and width: small, so that all tables can be counted out."""
AGE = Summed("persons", "area", "prefecture_persons")
AGES, SEXES = ("a", "b", "c"), ("f", "m")
ALL = "total"


@dataclass(frozen=True)
class Town:
    """Counts by age and sex; ``before`` has persons by age, ``after`` by age and sex besides."""

    code: str
    counts: np.ndarray
    before: Handed
    after: Protected | None = None

    @property
    def former(self) -> list[FormerRelease]:
        return [FormerRelease(self.before.tables, self.before.spec)]


def town(code: str, counts: Sequence[Sequence[int]]) -> Town:
    """A municipality whose persons by age are published."""
    numbers = np.array(counts)
    spec = _spec(code, by_sex=False)
    whole = pl.DataFrame({"age": AGES, COUNT: numbers.sum(axis=1).tolist()})
    tables = protect(spec, {"persons": whole.select(pl.lit(code).alias("area"), pl.all())}).tables
    handed = Handed(code, "2025-06", "stocks/month", code, "synthetic", spec, tables, (), {"persons": whole})
    return Town(code, numbers, handed)


def _spec(code: str, *, by_sex: bool) -> Spec:
    tables = [Table(name="persons", dimensions={"area": "ward", "age": "age"}, measure=COUNT)]
    if by_sex:
        tables.append(Table(name="by_sex", dimensions={"area": "ward", "age": "age", "sex": "sex"}, measure=COUNT))
    return Spec(
        rule=Rule(minimum_frequency=K),
        dimensions={
            "ward": Dimension(hierarchy={code: None}),
            "age": Dimension(hierarchy={ALL: None, **dict.fromkeys(AGES, ALL)}),
            "sex": Dimension(hierarchy={ALL: None, **dict.fromkeys(SEXES, ALL)}),
        },
        tables=tuple(tables),
    )


def with_sexes(one: Town) -> Town | None:
    """The town after it has published its new table, protected by itself; None where that cannot be."""
    cells = [(one.code, age, sex, int(one.counts[i, j])) for i, age in enumerate(AGES) for j, sex in enumerate(SEXES)]
    rows = pl.DataFrame(cells, schema=["area", "age", "sex", COUNT], orient="row")
    spec = _spec(one.code, by_sex=True)
    given = {"persons": rows.group_by("area", "age", maintain_order=True).agg(pl.col(COUNT).sum()), "by_sex": rows}
    try:
        made = protect(spec, given, previous=one.former)
    except DisclosureError:
        return None
    return replace(one, after=made)


def drawn(rng: np.random.Generator, number: int) -> list[Town]:
    """So many towns of a few persons."""
    towns = []
    while len(towns) < number:
        counts = np.concatenate([rng.integers(8, 12, (1, 2)), rng.integers(0, 3, (2, 2))])
        try:
            towns.append(town(f"{len(towns) + 1:05d}", counts))
        except DisclosureError:
            continue
    return towns


def totals(towns: Sequence[Town]):
    return protect_totals([one.before for one in towns], [AGE])


# -- counting out -----------------------------------------------------------------------------------------------------


def narrow(towns: Sequence[Town], total: pl.DataFrame) -> set[tuple[str, str, str]]:
    """Hidden cells (town, age, sex) that are narrow for somebody who has all that is published, totals included."""
    known = {a: v for a, v in total.filter(pl.col("area") == "all").select("age", "value").iter_rows() if v is not None}
    possible = [_possible(one) for one in towns]
    ages = [a for a in AGES if a in known]
    least: dict[tuple[str, str, str], int] = {}
    most: dict[tuple[str, str, str], int] = {}
    for chosen in product(*possible):
        if any(sum(part[AGES.index(a)] for part in chosen) != known[a] for a in ages):
            continue
        for one, part, tables in zip(towns, chosen, possible, strict=True):
            for cell, (low, high) in tables[part].items():
                key = (one.code, *cell)
                least[key] = min(least.get(key, low), low)
                most[key] = max(most.get(key, high), high)
    assert least, "what is published is of some counts"
    hidden = {(one.code, *cell) for one in towns for cell in _hidden(one)}
    return {cell for cell in hidden if most[cell] - least[cell] < K and least[cell] < K}


def _hidden(one: Town) -> set[tuple[str, str]]:
    return {cell for cell, value in _published(one).items() if value is None}


def _published(one: Town) -> dict[tuple[str, str], int | None]:
    rows = one.before.tables["persons"].select("age", "value")
    told = {(age, ALL): value for age, value in rows.iter_rows()}
    if one.after is not None:
        told |= {(a, s): v for a, s, v in one.after.tables["by_sex"].select("age", "sex", "value").iter_rows()}
    return told


def _possible(one: Town) -> dict[tuple[int, ...], dict[tuple[str, str], tuple[int, int]]]:
    """Persons by age → what each cell can be then."""
    told, found = _published(one), {}
    for counts in _tables(one, told):
        cells = {(a, s): counts[i, j] for i, a in enumerate(AGES) for j, s in enumerate(SEXES)}
        cells |= {(a, ALL): counts[i].sum() for i, a in enumerate(AGES)}
        cells |= {(ALL, s): counts[:, j].sum() for j, s in enumerate(SEXES)} | {(ALL, ALL): counts.sum()}
        if any((cells[at] != value) if value is not None else cells[at] < 1 for at, value in told.items()):
            continue
        ranges = found.setdefault(tuple(int(n) for n in counts.sum(axis=1)), {})
        for at, value in cells.items():
            low, high = ranges.get(at, (value, value))
            ranges[at] = (min(low, int(value)), max(high, int(value)))
    return found


def _tables(one: Town, told: Mapping[tuple[str, str], int | None]) -> Iterator[np.ndarray]:
    """Tables of the town's total, ages that are shown as they are shown."""
    people = told[ALL, ALL]
    assert people is not None, "the total of a drawn town is shown"
    by_age: list[Sequence[int]] = []
    for age in AGES:
        value = told[age, ALL]
        by_age.append([value] if value is not None else range(1, people + 1))
    for ages in product(*by_age):
        if sum(ages) != people:
            continue
        for women in product(*[_women(told, age, n) for age, n in zip(AGES, ages, strict=True)]):
            yield np.array([[f, n - f] for f, n in zip(women, ages, strict=True)])


def _women(told: Mapping[tuple[str, str], int | None], age: str, people: int) -> Sequence[int]:
    value = told.get((age, "f"))
    if (age, "f") not in told:
        return [0]  # nothing says anything of sexes
    return range(people + 1) if value is None else [value] if value <= people else []
