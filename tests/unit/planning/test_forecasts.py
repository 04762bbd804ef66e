"""A vintage follows its month's tables by itself, is kept for good, and is scored when what it spoke of comes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobe_platform.forecasts.definition import Forecast
from kobe_platform.forecasts.tables import scoreboard, vintage_table
from kobe_platform.lake.partitions import PartitionId
from tests.unit.planning.test_convergence import LONG, Story, clean, events
from tests.unit.planning.world import MOVEMENTS, REGISTER, STOCKS, World, statistics, tabulate

NAME, BOARD = "people_ahead", "forecast_scores"
MONTHS = ("2025-07", "2025-08", "2025-09")


def with_forecast(**told) -> dict:
    """Some of the project's statistics, a forecast of one of them, and the scoreboard."""
    forecast = Forecast(
        name=NAME, title="見込み", description="見込み", owner="課", unit="人", purpose="試験", not_for=("本番",),
        next_review="2027-01-01", input={"table": "population_ward", "at": {"age": "total", "sex": "total"}},
        method="last_value", benchmark="last_value", horizons=(1, 2), **told,
    )  # fmt: skip
    table = vintage_table(forecast, statistics())
    board = scoreboard({NAME: table})
    return {**statistics(), NAME: table, board.name: board}


@pytest.fixture
def world() -> World:
    made = World(statistics=with_forecast()).complete(*MONTHS)
    made.drive()
    assert not made.steps()
    return made


def vintage(month: str) -> PartitionId:
    return PartitionId("published", NAME, month)


def scores(month: str) -> PartitionId:
    return PartitionId("published", BOARD, month)


def test_a_month_and_its_forecast_and_scores_are_made_in_one_run():
    world = World(statistics=with_forecast()).complete("2025-07", "2025-08")
    while any(work.kind == "take_in" for work in world.plan().works()):
        for work in world.plan().works()[:1]:
            world.execute(work)
    works = [work for work in world.plan().works() if work.kind == "tabulate"]
    units = {work.month: work.units for work in works}
    assert NAME in units["2025-07"] and {NAME, BOARD} <= set(units["2025-08"])
    assert units["2025-08"].index(STOCKS) < units["2025-08"].index(NAME) < units["2025-08"].index(BOARD)


def test_tables_of_events_are_made_before_the_forecast_that_reads_them():
    flows = ({"event": "entering", "table": "ward_moves_in_year", "area": "area", "age": "age"},)
    world = World(statistics=with_forecast(flows=flows)).complete("2025-12", "2026-01")
    while any(work.kind == "take_in" for work in world.plan().works()):
        for work in world.plan().works()[:1]:
            world.execute(work)
    plan = world.plan()
    step = next(one for one in plan.outstanding if (one.unit, one.month) == (NAME, "2026-01"))
    assert {tabulate(STOCKS, "2026-01"), tabulate("flows/year", "2025-12")} <= set(step.waits_for)
    world.drive()
    before = world.heads[vintage("2026-01")]
    world.deliver(MOVEMENTS, month="2025-12", content="better")
    world.drive(rounds=20)
    world.approve(MOVEMENTS, "2025-12")
    world.drive()
    assert world.heads[vintage("2026-01")].generation > before.generation, "the newest follows a corrected year"
    assert not world.steps()


def test_every_month_has_a_vintage_and_scores_of_those_before_it(world):
    assert {id.month for id in world.heads if id.source == NAME} == set(MONTHS)
    assert {id.month for id in world.heads if id.source == BOARD} == set(MONTHS[1:])
    assert world.releases[-1].keys() >= {vintage(MONTHS[2]), scores(MONTHS[2])}


def test_a_correction_makes_the_newest_vintage_again_and_no_former_one(world):
    before = dict(world.heads)
    world.deliver(REGISTER, month=MONTHS[1], content="better")
    world.drive(rounds=20)
    world.approve(REGISTER, MONTHS[1])
    world.drive()
    assert world.heads[vintage(MONTHS[1])] == before[vintage(MONTHS[1])], "it said what it said"
    assert world.heads[vintage(MONTHS[2])].generation > before[vintage(MONTHS[2])].generation
    assert world.heads[scores(MONTHS[1])].generation > before[scores(MONTHS[1])].generation
    assert not world.steps()


def test_another_definition_concerns_the_newest_vintage_alone(world):
    before = dict(world.heads)
    world.statistics = with_forecast(origins=())
    world.statistics = {**world.statistics, **with_forecast(failures=("x",))}
    world.drive()
    assert world.heads[vintage(MONTHS[0])] == before[vintage(MONTHS[0])]
    assert world.heads[vintage(MONTHS[2])].generation > before[vintage(MONTHS[2])].generation


def test_only_calendar_months_that_a_file_names_are_origins():
    world = World(statistics=with_forecast(origins=(8,))).complete(*MONTHS)
    world.drive()
    assert {id.month for id in world.heads if id.source == NAME} == {"2025-08"}
    assert {id.month for id in world.heads if id.source == BOARD} == {"2025-09"}


def test_a_month_whose_tables_a_check_refused_is_not_forecast():
    world = World(statistics=with_forecast()).complete("2025-07").deliver(REGISTER, month="2025-08", content="redcount")
    world.drive()
    assert vintage("2025-07") in world.heads and vintage("2025-08") not in world.heads
    assert world.steps()[tabulate(STOCKS, "2025-08")].state == "blocked"
    assert tabulate(NAME, "2025-08") not in world.steps()


def test_a_missing_check_of_a_kept_vintage_is_made_up_for(world):
    world.unjudge(vintage(MONTHS[0]), "backtest")
    assert world.steps()[tabulate(NAME, MONTHS[0])].reason == "check missing"
    before = world.heads[vintage(MONTHS[0])].generation
    world.drive()
    assert world.heads[vintage(MONTHS[0])].generation == before and not world.steps()


@pytest.mark.slow
@settings(LONG, max_examples=60)
@given(st.lists(events, max_size=14))
def test_after_any_history_all_vintages_are_there_and_nothing_else_differs_from_a_clean_run(happenings):
    """What a vintage says depends on when it was made; that there is one, and every other table, does not."""
    told = Story()
    told.world = World(statistics=with_forecast())
    for happening in happenings:
        told.happens(*("break_" if happening[0] == "break" else happening[0], *happening[1:]))
    world = told.repaired()
    assert world.plan().outstanding == () and world.drive() == []
    here, there = world.published(), clean(world).published()
    kept = {id for id in here if id.source in (NAME, BOARD)}
    assert {id for id in there if id.source in (NAME, BOARD)} <= kept
    assert {id: value for id, value in here.items() if id not in kept} == {
        id: value for id, value in there.items() if id.source not in (NAME, BOARD)
    }


@pytest.mark.parametrize("kill_after", [1, 3, 5, 8, 13])
def test_whatever_is_killed_the_vintages_are_there_in_the_end(kill_after):
    world = World(statistics=with_forecast()).complete(*MONTHS)
    world.drive(kills=[kill_after, 0, kill_after, 2, kill_after])
    assert {id.month for id in world.heads if id.source == NAME} == set(MONTHS) and not world.steps()
