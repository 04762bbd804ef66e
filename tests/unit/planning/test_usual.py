"""Usual ranges follow their month's tables, and a correction month by month; a clean run says the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.lake.partitions import PartitionId
from kobe_platform.unusual.definition import Watch
from kobe_platform.unusual.tables import usual_ranges
from tests.unit.planning.test_convergence import LONG, Story, clean, events
from tests.unit.planning.world import REGISTER, STOCKS, World, statistics, tabulate

NAME = "usual_ranges"
MONTHS = ("2025-07", "2025-08", "2025-09")


def watched(**told) -> dict:
    """Some of the project's statistics, and the usual ranges of two of them."""
    people = Watch(
        name="people", title="人口", unit="人", method="change",
        input={"table": "population_ward", "area": "area", "at": {"age": "total", "sex": "total"}}, **told,
    )  # fmt: skip
    moves = Watch(
        name="moves", title="転入", unit="件", method="season", input={"table": "ward_moves_in_month", "area": "area"}
    )
    return {**statistics(), NAME: usual_ranges({"people": people, "moves": moves}, statistics())}


@pytest.fixture
def world() -> World:
    made = World(statistics=watched()).complete(*MONTHS)
    made.drive()
    assert not made.steps()
    return made


def usual(month: str) -> PartitionId:
    return PartitionId("published", NAME, month)


def test_every_month_has_its_ranges_and_they_are_released(world):
    assert {id.month for id in world.heads if id.source == NAME} == set(MONTHS)
    assert world.releases[-1].keys() >= {usual(month) for month in MONTHS}


def test_a_month_and_its_ranges_are_made_in_one_run():
    world = World(statistics=watched()).complete("2025-07")
    while any(work.kind == "take_in" for work in world.plan().works()):
        for work in world.plan().works()[:1]:
            world.execute(work)
    (work,) = [work for work in world.plan().works() if work.kind == "tabulate"]
    assert work.units.index(STOCKS) < work.units.index(NAME)


def test_a_correction_concerns_its_month_and_those_after_it(world):
    before = dict(world.heads)
    world.deliver(REGISTER, month=MONTHS[1], content="better")
    world.drive(rounds=20)
    world.approve(REGISTER, MONTHS[1])
    world.drive()
    assert world.heads[usual(MONTHS[0])] == before[usual(MONTHS[0])]
    assert all(world.heads[usual(month)].generation > before[usual(month)].generation for month in MONTHS[1:])
    assert not world.steps()


def test_another_definition_concerns_every_month(world):
    before = dict(world.heads)
    world.statistics = watched(owner="別の課")
    assert {step.reason for step in world.steps().values() if step.unit == NAME} == {"definition changed"}
    world.drive()
    assert all(world.heads[usual(month)].generation > before[usual(month)].generation for month in MONTHS)


def test_a_month_whose_tables_a_check_refused_has_no_ranges():
    world = World(statistics=watched()).complete("2025-07").deliver(REGISTER, month="2025-08", content="redcount")
    world.drive()
    assert usual("2025-07") in world.heads and usual("2025-08") not in world.heads
    assert tabulate(NAME, "2025-08") not in world.steps()


@pytest.mark.slow
@settings(LONG, max_examples=40)
@given(st.lists(events, max_size=12))
def test_after_any_history_the_ranges_are_those_of_a_clean_run(happenings):
    told = Story()
    told.world = World(statistics=watched())
    for happening in happenings:
        told.happens(*("break_" if happening[0] == "break" else happening[0], *happening[1:]))
    world = told.repaired()
    assert world.plan().outstanding == () and world.drive() == []
    assert world.published() == clean(world).published()


@pytest.mark.parametrize("kill_after", [1, 4, 9])
def test_whatever_is_killed_the_ranges_are_there_in_the_end(kill_after):
    world = World(statistics=watched()).complete(*MONTHS)
    world.drive(kills=[kill_after, 0, kill_after, 2, kill_after])
    assert {id.month for id in world.heads if id.source == NAME} == set(MONTHS) and not world.steps()
