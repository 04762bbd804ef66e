"""Two analysts put together what they were given of a small city, before and after its month was corrected.

They ask with filters that differ by one code, and know all published tables of both states of the month. What they can
reckon is worked out through the people behind the figures (:mod:`tests.unit.statistics.people`), apart from engine,
auditor and specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kobe_platform.disclosure import FormerRelease
from kobe_platform.errors import QuestionError
from kobe_platform.governance.people import Person
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand.asking import Desk
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.history import record_release
from kobe_platform.statistics.protection import specification
from tests.unit.ondemand.conftest import MONTH, publish
from tests.unit.statistics.people import Narrow, narrow
from tests.unit.statistics.small_cities import AREAS, city

QUESTIONS = (
    ("foreigners", ["ward", "age5"], "age5", ["20-24"], ["20-24", "25-29"]),
    ("foreigners", ["ward", "sex"], "sex", ["female"], ["female", "male"]),
    ("foreigners", ["age5", "sex"], "sex", ["female"], ["female", "male"]),
    ("residents", ["ward", "age10", "sex"], "sex", ["female"], ["female", "male"]),
    ("households", ["ward", "household_size", "family"], "household_size", ["1", "2"], ["1", "2", "3"]),
    ("foreigners", ["ward", "nationality_major"], "nationality_major", ["KOR"], ["KOR", "CHN"]),
    ("households", ["household_size", "family"], "family", ["couple"], ["couple", "single_parent"]),
)
TAKEN = (1, 3, 12)
"""Households that a correction takes out of a month."""


@dataclass
class Known:
    """What outsiders hold of one state of a month: statistics and rows by table."""

    statistics: dict[str, Statistic]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    answers: int = 0

    def narrow(self) -> list[Narrow]:
        """Hidden figures that leave people too little room."""
        return list(narrow(self.statistics, self.tables, AREAS))


def asked(desk: Desk, analysts: tuple[Person, Person], known: Known, questions: Sequence[tuple]) -> None:
    """All questions, by one analyst with fewer codes, by the other with one code more."""
    for measure, dimensions, column, fewer, more in questions:
        for person, codes in zip(analysts, (fewer, more), strict=True):
            question = {"month": MONTH, "measure": measure, "dimensions": dimensions, "filters": {column: codes}}
            try:
                understood, given = desk.ask(person, question)
            except QuestionError:
                continue
            name = understood.statistic.name
            rows = understood.shown(given.table, desk.menu)
            both = pl.concat([known.tables.get(name, rows.clear()), rows]).unique(maintain_order=True)
            known.tables[name], known.statistics[name] = both, understood.statistic
            known.answers += 1


def states(
    desk: Desk,
    analysts: tuple[Person, Person],
    statistics: Mapping[str, Statistic],
    seed: int,
    questions: Sequence[tuple],
) -> Iterator[Known]:
    """The month as it was first taken in, and as it was corrected, each published and asked for."""
    rows = city(seed)
    household, random = rows["is_representative"].cum_sum(), np.random.default_rng(seed)
    missing = random.choice(household.unique().to_numpy(), random.choice(TAKEN), replace=False)
    for state in (rows, rows.filter(~household.is_in(missing.tolist()))):
        publish(desk.store, dict(statistics), state)
        known = Known(dict(statistics))
        for name in statistics:
            known.tables[name] = desk.store.read(PartitionId("published", name, MONTH)).drop("period")
        (key,) = {statistic.key for statistic in statistics.values()}
        spec = specification(list(statistics.values()), None)
        record_release(desk.store, key, MONTH, FormerRelease(dict(known.tables), spec))
        asked(desk, analysts, known, questions)
        yield known


def shown_again(before: Known, after: Known) -> Iterator[tuple[str, tuple]]:
    """Figures that were hidden before the correction and are shown after it, but for zeros, which are always shown."""
    for name, table in before.tables.items():
        if name not in after.tables:
            continue
        on = list(before.statistics[name].dimensions)
        hidden = table.filter(pl.col("status") == "suppressed").select(on)
        shown = after.tables[name].filter(pl.col("value") > 0).join(hidden, on=on)
        yield from ((name, row) for row in shown.select(on).rows())
