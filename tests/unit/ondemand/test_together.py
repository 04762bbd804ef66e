"""What answers tell together, in whatever order and with tables that come later: by the auditor, on all of them."""

from __future__ import annotations

from itertools import permutations

import polars as pl
import pytest

from kobe_platform.disclosure import audit
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand import answers
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.history import former_releases, under
from kobe_platform.statistics.protection import specification
from kobe_platform.statistics.relations import Includes
from tests.unit.ondemand.conftest import MONTH, publish, residents, statistic
from tests.unit.ondemand.test_answers import question

QUESTIONS = (("ward", "age5", "sex"), ("ward", "age5"), ("ward", "age10", "sex"))


def everything_is_safe(desk, members) -> bool:
    """One system of the published tables and all answers of the month."""
    places = [PartitionId("answers", name, MONTH) for name in desk.store.sources("answers")]
    counted = [Statistic.model_validate(desk.store.current(place).facts["statistic"]) for place in places]
    tables = {member.name: desk.store.read(PartitionId("published", member.name, MONTH)) for member in members}
    tables = {name: table.drop("period") for name, table in tables.items()}
    tables |= {place.source: desk.store.read(place) for place in places}
    return audit(specification([*members, *counted], None), tables).publishable


@pytest.mark.slow
@pytest.mark.parametrize("order", list(permutations(QUESTIONS, 2)), ids=str)
def test_two_answers_tell_nothing_together(order, desk, analyst, statistics):
    for asked in order:
        desk.ask(analyst, question(*asked))
    assert everything_is_safe(desk, list(statistics.values()))


def test_an_answer_that_leaves_the_former_out_would_tell(desk, analyst, statistics, monkeypatch):
    """The rule broken on purpose: the auditor of all answers together finds it."""
    monkeypatch.setattr(answers, "_answered", lambda *_: answers._Answered((), {}))
    monkeypatch.setattr(answers, "former_releases", lambda *_: [])
    for asked in QUESTIONS[:2]:
        desk.ask(analyst, question(*asked))
    monkeypatch.undo()
    assert not everything_is_safe(desk, list(statistics.values()))


@pytest.mark.slow
def test_ten_years_of_age_in_the_record_bind_five_in_a_later_table(desk, analyst, statistics, store):
    """The record ties an answer to finer levels: its figures contradict a later table that does not sum to them."""
    finer = {**statistics, "fine": statistic("fine", area="ward", age="age5", sex="sex")}
    publish(store, finer, residents())
    type(desk)(store, finer, desk.menu, desk.governance, "synthetic").ask(analyst, question("ward", "age10"))
    (record,) = former_releases(store, "stocks/month", MONTH)
    assert record.spec.dimension("age10").of == "age5"
    spec = specification(list(finer.values()), None)
    held = {name: store.read(PartitionId("published", name, MONTH)).drop("period") for name in finer}
    again = audit(spec, held, previous=under(spec, [record]))
    assert again.publishable and again.counts["corrected"] == 0
    ((name, table),) = record.tables.items()
    moved = pl.col("age").replace_strict({"30-39": 10, "40-49": -10}, default=0, return_dtype=pl.Int64)
    swapped = pl.col("value") + pl.when(pl.col("area").is_in(["28105", "28100"])).then(moved).otherwise(0)
    other = type(record)({name: table.with_columns(swapped.alias("value"))}, record.spec)
    assert audit(spec, held, previous=under(spec, [other])).counts["corrected"] == 1


def test_foreigners_are_within_residents_wherever_an_answer_is_one_of_the_two():
    told = (Includes(whole="residents", part="foreigners", because="a foreign resident is a resident"),)
    members = [statistic("population", area="ward", sex="sex").model_copy(update={"relations": told})]
    asked = statistic("asked", area="ward", sex="sex", age="age5").model_copy(update={"population": "foreigners"})
    (inclusion,) = specification([*members, asked], None).includes
    assert (inclusion.part, inclusion.whole) == ("foreigners", "residents")
