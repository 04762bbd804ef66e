"""What is outstanding follows from what is there: each reason, each state, and what a step waits for."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from kobe_platform.lake.heads import Heads
from kobe_platform.lake.partitions import PartitionId
from kobe_platform.planning import Cause, Facts, Failure, InstallationFault, Plan, Scope, outstanding
from kobe_platform.planning.facts import MOST_LOST
from kobe_platform.planning.words import told
from kobe_platform.release.required_checks import published_checks
from kobe_platform.statistics.wishes import Wish
from tests.unit.planning.world import (
    COMPARISON,
    ESTIMATE,
    FLOWS,
    MOVEMENTS,
    NOW,
    REGISTER,
    SOURCES,
    STOCKS,
    TODAY,
    TOWNS,
    YEAR,
    World,
    contracts,
    made,
    says_what_it_waits_for,
    states,
    statistics,
    tabulate,
    take_in,
)  # fmt: skip

JULY, AUGUST = "2025-07", "2025-08"
LAKE = PartitionId("lake", REGISTER, JULY)
COUNTED, TABLE = PartitionId("statistics", "population_ward", JULY), PartitionId("published", "population_ward", JULY)


def reasons(world: World) -> dict[str, str]:
    return {id: step.reason for id, step in world.steps().items()}


def failure(step, kind="code", times=1, **more) -> Failure:
    return Failure(step.id, step.inputs, "e0", kind, times, NOW.isoformat(), Cause("test.broken", "broken"), **more)


# ── nothing, and first things ────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_installation_has_an_empty_plan_and_publishes_nothing_over_nothing():
    facts = Facts(TODAY, contracts(), statistics(), Heads({}))
    assert outstanding(facts) == Plan(())
    assert outstanding(facts).empty


def test_a_new_delivery_is_taken_in():
    world = World().deliver(TOWNS, month=JULY)
    (step,) = world.plan().steps
    assert (step.id, step.reason, step.state) == (take_in(TOWNS, JULY), "new delivery", "ready")
    assert [work.name for work in world.plan().works()] == [take_in(TOWNS, JULY)]


def test_a_source_without_protected_rows_waits_for_nothing():
    assert states(World().deliver(ESTIMATE, COMPARISON, month=JULY)) == {
        take_in(ESTIMATE, JULY): "ready",
        take_in(COMPARISON, JULY): "ready",
    }


def test_what_is_done_is_not_outstanding_and_the_same_content_sent_again_is_nothing():
    world = made(JULY, AUGUST)
    assert world.plan() == Plan(())
    assert world.deliver(*SOURCES, month=JULY).plan() == Plan(())


def test_deliveries_come_first_then_months_in_their_order_then_the_release():
    world = World().complete(AUGUST, JULY)
    world.deliver(REGISTER, month="2025-09")
    kinds = [(step.kind, step.month) for step in world.plan().steps]
    assert kinds == sorted(kinds, key=lambda one: (one[0] != "take_in", "")) and kinds[0][0] == "take_in"
    for work in world.plan().of("take_in"):
        assert work.kind == "take_in"
    world = made(JULY, AUGUST)
    for name in ("population_ward", "ward_moves_in_month"):
        world.redefine(name, "other words")
    found = [(step.kind, step.month, step.unit) for step in world.plan().steps]
    assert found == [
        ("tabulate", JULY, FLOWS), ("tabulate", JULY, STOCKS), ("tabulate", AUGUST, FLOWS),
        ("tabulate", AUGUST, STOCKS), ("release", "", "release"),
    ]  # fmt: skip


def test_the_plan_is_the_same_however_the_facts_are_ordered():
    world = World().complete(JULY, AUGUST)
    for work in world.plan().works()[:7]:
        world.execute(work)
    world.deliver(REGISTER, MOVEMENTS, month=JULY, content="other")
    facts = world.facts()
    for seed in range(5):
        draw = random.Random(seed)
        mixed = replace(
            facts,
            deliveries=tuple(draw.sample(facts.deliveries, len(facts.deliveries))),
            heads=Heads(dict(draw.sample(list(facts.heads.entries.items()), len(facts.heads.entries)))),
            contracts=dict(draw.sample(list(facts.contracts.items()), len(facts.contracts))),
            statistics=dict(draw.sample(list(facts.statistics.items()), len(facts.statistics))),
        )
        assert outstanding(mixed) == outstanding(facts)


# ── what a delivery waits for ────────────────────────────────────────────────────────────────────────────────────────


def test_a_register_waits_for_a_reference_that_is_coming():
    world = World().deliver(TOWNS, REGISTER, month=JULY)
    step = world.steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.waits_for) == ("waiting", (take_in(TOWNS, JULY),))


def test_a_register_waits_for_the_delivery_of_a_reference_that_is_not_there():
    step = World().deliver(REGISTER, month=JULY).steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.waits_for) == ("waiting", (f"delivery:{TOWNS}:{JULY}",))
    assert f"{TOWNS} {JULY}" in told(step)


def test_a_reference_of_an_earlier_month_serves_and_one_of_a_later_month_does_not():
    world = World().deliver(TOWNS, month=JULY)
    world.drive()
    world.deliver(REGISTER, month=AUGUST).deliver(REGISTER, month="2025-06")
    assert states(world) == {take_in(REGISTER, AUGUST): "ready", take_in(REGISTER, "2025-06"): "waiting"}


def test_movements_wait_for_the_register_of_their_month():
    world = World().deliver(TOWNS, REGISTER, MOVEMENTS, month=JULY)
    assert world.steps()[take_in(MOVEMENTS, JULY)].waits_for == (take_in(REGISTER, JULY), take_in(TOWNS, JULY))
    world = World().deliver(TOWNS, month=JULY)
    world.drive()
    world.deliver(MOVEMENTS, month=JULY).deliver(REGISTER, month=AUGUST)
    assert world.steps()[take_in(MOVEMENTS, JULY)].waits_for == (f"delivery:{REGISTER}:{JULY}",)


def test_movements_name_the_register_that_lies_there_and_does_not_go_on():
    world = World().deliver(TOWNS, month=JULY)
    world.drive()
    world.deliver(REGISTER, month=JULY, content="jump").deliver(MOVEMENTS, month=JULY)
    world.drive()
    steps = world.steps()
    assert steps[take_in(REGISTER, JULY)].state == "held"
    waiting = steps[take_in(MOVEMENTS, JULY)]
    assert (waiting.state, waiting.waits_for) == ("waiting", (take_in(REGISTER, JULY),)), "it was delivered"


def test_movements_are_taken_in_with_the_accepted_register_while_a_correction_of_it_is_held():
    world = made(JULY)
    world.deliver(REGISTER, MOVEMENTS, month=JULY, content="corrected")
    world.drive()
    world.approve(MOVEMENTS, JULY)
    assert states(world) == {take_in(REGISTER, JULY): "held", take_in(MOVEMENTS, JULY): "ready"}


def test_a_rejected_delivery_is_settled_and_a_new_one_in_its_place_is_not():
    world = World().deliver(TOWNS, month=JULY, content="reject")
    world.drive()
    assert world.plan().empty
    assert world.deliver(TOWNS, month=JULY).steps()[take_in(TOWNS, JULY)].state == "ready"


def test_a_held_delivery_waits_for_an_operators_approval_and_then_goes_on():
    world = made(JULY)
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.drive()
    step = world.steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.waits_for, step.cause.code) == ("held", ("approval",), "delivery.held")
    world.approve(REGISTER, JULY)
    step = world.steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.reason) == ("ready", "input changed")


def test_a_corrected_register_takes_its_movements_and_its_tables_with_it():
    world = made(JULY)
    before = world.published()
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.approve(REGISTER, JULY)
    done = world.drive()
    assert done[:2] == [take_in(REGISTER, JULY), take_in(MOVEMENTS, JULY)]
    assert done[-1] == "release" and world.plan().empty
    assert {id for id in before if before[id] != world.published()[id]} == {
        id for id in before if id.source != ESTIMATE
    }


def test_a_month_that_is_not_over_is_later_and_outstanding_for_nobody():
    world = World(today=date(2025, 7, 31)).deliver(TOWNS, month=JULY).deliver(TOWNS, month="2099-01")
    assert {(step.state, step.waits_for) for step in world.plan().steps} == {("later", ("month_end",))}
    assert world.plan().empty and not world.plan().works()
    assert "月の終わり" in told(world.plan().steps[0])
    world.today = date(2025, 8, 1)
    assert states(world) == {take_in(TOWNS, JULY): "ready", take_in(TOWNS, "2099-01"): "later"}


def test_a_month_before_the_series_is_later():
    (step,) = World(start=AUGUST).deliver(TOWNS, month=JULY).plan().steps
    assert (step.state, step.waits_for) == ("later", ("series_start",))


@pytest.mark.parametrize(
    "scope", [Scope(source=REGISTER), Scope(first=AUGUST), Scope(last="2025-06")], ids=["source", "first", "last"]
)
def test_a_call_that_is_limited_leaves_other_deliveries_for_later(scope):
    (step,) = World(scope=scope).deliver(TOWNS, month=JULY).plan().steps
    assert (step.state, step.waits_for) == ("later", ("scope",))


def test_a_source_whose_legal_basis_does_not_hold_waits():
    world = World().deliver(TOWNS, month=JULY)
    world.drive()
    legal = world.contracts[REGISTER].legal.model_copy(update={"valid_until": date(2025, 12, 31)})
    world.contracts[REGISTER] = world.contracts[REGISTER].model_copy(update={"legal": legal})
    step = world.deliver(REGISTER, month=JULY).steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.waits_for) == ("waiting", ("legal_basis",))


# ── deliveries that are not done with ────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_was_killed_before_the_receipt_is_asked_for_again():
    world = made(JULY)
    for source in (TOWNS, REGISTER, ESTIMATE):
        world.receipts[source, JULY, world.inbox[source, JULY]].discard("accepted")
    expected = {take_in(source, JULY): "receipt missing" for source in (TOWNS, REGISTER, ESTIMATE)}
    assert {id: reason for id, reason in reasons(world).items() if id in expected} == expected
    world.drive()
    assert world.plan().empty


def test_a_missing_check_of_the_lake_is_evaluated_again():
    world = made(JULY)
    world.unjudge(LAKE, "no_identifiers")
    assert reasons(world) == {take_in(REGISTER, JULY): "check missing"}
    assert world.drive() == [take_in(REGISTER, JULY)]


def test_a_verdict_on_a_former_generation_does_not_count():
    world = made(JULY)
    world.heads[LAKE] = replace(world.heads[LAKE], digest="another file")
    assert reasons(world) == {take_in(REGISTER, JULY): "check missing"}


def test_a_red_check_of_the_lake_blocks_what_is_counted_of_it_until_it_is_corrected():
    world = World().complete(JULY).deliver(REGISTER, month=JULY, content="redlake")
    world.drive()
    steps = world.steps()
    blocked = [take_in(REGISTER, JULY), tabulate(STOCKS, JULY)]
    assert {steps[id].state for id in blocked} == {"blocked"}
    assert {steps[id].reason for id in blocked} == {"check failed"}
    assert str(LAKE) in steps[tabulate(STOCKS, JULY)].cause.text
    assert PartitionId("statistics", "population_ward", JULY) not in world.heads
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.approve(REGISTER, JULY)
    world.drive()
    assert world.plan().empty and TABLE in world.heads


def test_rows_that_a_check_refused_are_made_again_when_their_reference_is_corrected():
    world = World().complete(JULY).deliver(TOWNS, month=JULY, content="redlake")
    world.drive()
    assert states(world, {take_in(REGISTER, JULY)}) == {take_in(REGISTER, JULY): "blocked"}
    world.deliver(TOWNS, month=JULY)
    world.approve(TOWNS, JULY)
    world.drive()
    assert world.plan().empty


def test_a_late_reference_for_an_earlier_month_makes_the_rows_out_of_date():
    world = World().deliver(TOWNS, month=JULY).deliver(REGISTER, month=AUGUST)
    world.drive()
    world.deliver(TOWNS, month=AUGUST)
    assert world.steps()[take_in(TOWNS, AUGUST)].reason == "new delivery"
    world.execute(world.plan().works()[0])
    assert reasons(world)[take_in(REGISTER, AUGUST)] == "input changed"


def test_a_run_that_was_killed_between_abstraction_and_the_lake_is_asked_for_again():
    world = made(JULY)
    world.deliver(TOWNS, month=JULY, content="corrected")
    world.approve(TOWNS, JULY)
    world.execute(world.plan().works()[0])
    (work,) = [work for work in world.plan().works() if work.name == take_in(REGISTER, JULY)]
    assert not world.execute(work, kill_after=1)
    assert world.writes[-1] == str(PartitionId("abstracted", REGISTER, JULY))
    assert reasons(world)[take_in(REGISTER, JULY)] == "input changed"


@pytest.mark.parametrize(("word", "state"), [("fussy", "failed"), ("jump", "held")])
def test_accepted_rows_that_are_refused_beside_a_new_reference_stay_and_are_named_and_not_tried_for_ever(word, state):
    world = World().complete(JULY)
    world.approve(REGISTER, JULY)
    world.deliver(REGISTER, month=JULY, content=word)
    world.approve(REGISTER, JULY)
    world.drive()
    assert world.plan().empty
    before = world.values[LAKE]
    world.receipts[REGISTER, JULY, world.inbox[REGISTER, JULY]].discard("approved")
    world.deliver(TOWNS, month=JULY, content="partial")
    world.approve(TOWNS, JULY)
    world.drive()
    step = world.steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.reason, world.values[LAKE]) == (state, "input changed", before)
    assert step.cause.code and not world.plan().works()
    world.deliver(TOWNS, month=JULY, content="whole")
    world.approve(TOWNS, JULY)
    world.approve(REGISTER, JULY)
    world.drive()
    assert world.plan().empty and world.values[LAKE] != before


def test_a_companion_whose_raw_rows_were_destroyed_is_taken_in_again_for_what_needs_it():
    world = made(JULY)
    world.destroy(PartitionId("raw", REGISTER, JULY), PartitionId("raw", MOVEMENTS, JULY))
    assert world.plan().empty, "nothing needs them"
    world.deliver(MOVEMENTS, month=JULY, content="corrected")
    world.approve(MOVEMENTS, JULY)
    steps = world.steps()
    assert (steps[take_in(REGISTER, JULY)].reason, steps[take_in(REGISTER, JULY)].state) == (
        "rows needed again",
        "ready",
    )
    assert steps[take_in(MOVEMENTS, JULY)].waits_for == (take_in(REGISTER, JULY),)
    assert world.drive()[:2] == [take_in(REGISTER, JULY), take_in(MOVEMENTS, JULY)]
    assert world.plan().empty


def test_movements_wait_for_the_register_to_be_sent_again_where_its_rows_and_its_delivery_are_gone():
    world = made(JULY)
    world.destroy(PartitionId("raw", REGISTER, JULY))
    del world.inbox[REGISTER, JULY]
    world.deliver(MOVEMENTS, month=JULY, content="corrected")
    world.approve(MOVEMENTS, JULY)
    assert world.steps()[take_in(MOVEMENTS, JULY)].waits_for == (f"delivery:{REGISTER}:{JULY}",)


def test_a_companion_that_its_stricter_contract_now_refuses_is_left_to_a_person():
    world = made(JULY)
    world.destroy(PartitionId("raw", REGISTER, JULY))
    world.deliver(MOVEMENTS, month=JULY, content="corrected")
    world.approve(MOVEMENTS, JULY)
    world.receipts[REGISTER, JULY, world.inbox[REGISTER, JULY]].add("rejected")
    step = world.steps()[take_in(REGISTER, JULY)]
    assert (step.state, step.reason, step.waits_for) == ("failed", "rows needed again", ("mended_input_or_code",))
    assert step.cause.code == "delivery.rule"
    assert not [work for work in world.plan().works() if work.kind == "take_in"]


def test_months_before_a_later_start_of_the_series_are_left_as_they_are():
    world = made(JULY, AUGUST)
    world.redefine("population_ward", "other words")
    world.start = AUGUST
    steps = world.steps()
    assert steps[tabulate(STOCKS, JULY)].state == "later"
    assert steps[tabulate(STOCKS, JULY)].waits_for == ("series_start",)
    assert steps[tabulate(STOCKS, AUGUST)].state == "ready", "and waits for nothing that is never made"


# ── months ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_month_waits_for_deliveries_and_for_earlier_months():
    world = made(JULY, AUGUST)
    world.redefine("population_ward", "other words")
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.approve(REGISTER, JULY)
    steps = world.steps()
    assert steps[tabulate(STOCKS, JULY)].waits_for == (take_in(REGISTER, JULY),)
    assert steps[tabulate(STOCKS, AUGUST)].waits_for == (take_in(REGISTER, JULY), tabulate(STOCKS, JULY))
    assert steps["release"].state == "waiting"
    assert [work.name for work in world.plan().works()] == [take_in(REGISTER, JULY)]


def test_a_month_does_not_wait_for_a_delivery_that_does_not_go_on():
    world = made(JULY)
    world.redefine("population_ward", "other words")
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.drive()
    assert world.heads[TABLE].definition and states(world) == {take_in(REGISTER, JULY): "held"}


def test_a_public_month_does_not_wait_for_the_delivery_of_a_later_one():
    world = World().deliver(ESTIMATE, month=JULY)
    world.execute(world.plan().works()[0])
    world.deliver(ESTIMATE, month=AUGUST)
    assert states(world) == {
        take_in(ESTIMATE, AUGUST): "ready",
        tabulate(ESTIMATE, JULY): "ready",
    }


def test_months_that_only_wait_for_one_another_are_queued_in_one_go_in_their_order():
    world = made(JULY, AUGUST, "2025-09")
    world.redefine("population_ward", "other words")
    works = world.plan().works()
    assert [work.name for work in works] == [f"tabulate:{month}" for month in (JULY, AUGUST, "2025-09")]
    assert {work.units for work in works} == {(STOCKS,)}
    assert world.steps()["release"].state == "waiting", "it comes after them"


def test_the_groups_of_a_month_are_one_work_with_a_key_of_its_own():
    world = made(JULY)
    world.redefine("population_ward", "other words")
    (first,) = world.plan().works()
    world.redefine("ward_moves_in_month", "other words")
    (work,) = world.plan().works()
    assert work.units == (FLOWS, STOCKS) and work.name == first.name == f"tabulate:{JULY}"
    assert work.key != first.key and work.key.startswith(f"tabulate:{JULY}:")
    assert world.plan().works()[0].key == work.key


def test_a_late_month_is_counted_when_it_comes_and_only_the_year_takes_notice():
    world = made("2025-10", "2025-12")
    world.complete("2025-11")
    done = world.drive()
    assert "tabulate:2025-11" in done and "tabulate:2025-12" in done and "tabulate:2025-10" not in done
    last = [id for id in world.writes if id.startswith("published/") and id.endswith("2025-12")][-1]
    assert last == "published/ward_moves_in_year/2025-12"
    assert world.writes.count("published/ward_moves_in_month/2025-12") == 1


def test_a_year_is_counted_in_december_after_the_months_that_it_is_the_sum_of():
    assert tabulate(YEAR, "2025-11") not in made("2025-11").steps()
    world = made("2025-11", "2025-12")
    assert PartitionId("published", "ward_moves_in_year", "2025-12") in world.heads
    assert not [id for id in world.heads if id.source == "ward_moves_in_year" and not id.month.endswith("-12")]
    world.redefine("ward_moves_in_month", "other words")
    world.redefine("ward_moves_in_year", "other words")
    step = world.steps()[tabulate(YEAR, "2025-12")]
    assert step.waits_for == (tabulate(FLOWS, "2025-11"), tabulate(FLOWS, "2025-12"))
    works = world.plan().works()
    assert [(work.month, work.units) for work in works] == [("2025-11", (FLOWS,)), ("2025-12", (FLOWS, YEAR))]


def test_a_year_is_protected_again_when_a_published_month_of_it_changed():
    world = made("2025-11", "2025-12")
    id = PartitionId("published", "ward_moves_in_month", "2025-11")
    world.heads[id] = replace(world.heads[id], content="protected otherwise")
    assert reasons(world)[tabulate(YEAR, "2025-12")] == "input changed"


def test_wishes_of_a_period_make_its_tables_again_and_no_others_and_count_nothing():
    world = made(JULY, AUGUST)
    before = world.heads[PartitionId("statistics", "population_ward", AUGUST)]
    wish = Wish(codes=("28101", "T", "0-4"), wish="hide", period=AUGUST)
    world.statistics["population_ward"] = world.statistics["population_ward"].model_copy(update={"wishes": (wish,)})
    steps = {(s.unit, s.month, s.reason): s for s in world.plan().of("tabulate")}
    assert {*steps} == {(STOCKS, AUGUST, "input changed")}
    other = wish.model_copy(update={"wish": "yield"})
    world.statistics["population_ward"] = world.statistics["population_ward"].model_copy(update={"wishes": (other,)})
    again = [step.inputs for step in world.plan().of("tabulate")]
    assert again != [step.inputs for step in steps.values()], "where the first ones failed, others are tried"
    world.drive()
    assert world.plan().empty and world.heads[before.id] == before


def test_a_changed_definition_is_counted_again_for_all_months_of_its_group_and_of_no_other():
    world = made(JULY, AUGUST)
    world.redefine("population_ward", "other words")
    assert {(s.unit, s.month, s.reason) for s in world.plan().of("tabulate")} == {
        (STOCKS, month, "definition changed") for month in (JULY, AUGUST)
    }
    world = made(JULY)
    world.redefine(ESTIMATE, "other words")
    assert {(s.unit, s.reason) for s in world.plan().of("tabulate")} == {(ESTIMATE, "definition changed")}


def test_a_new_statistic_of_a_group_is_made_for_all_months():
    world = World(statistics={n: s for n, s in statistics().items() if n != "population_district"}).complete(JULY)
    world.drive()
    world.statistics = dict(statistics())
    assert {(s.unit, s.reason) for s in world.plan().of("tabulate")} == {(STOCKS, "not made yet")}
    world.drive()
    assert world.plan().empty and PartitionId("published", "population_district", JULY) in world.heads


def test_counts_whose_tables_were_not_protected_are_gone_on_with():
    world = made(JULY)
    del world.heads[TABLE]
    assert reasons(world)[tabulate(STOCKS, JULY)] == "not made yet"


def test_missing_checks_of_counts_and_of_tables_are_evaluated_again():
    for id, check in ((COUNTED, "common_margins"), (COUNTED, "stock_and_flow"), (TABLE, "disclosure")):
        world = made(JULY)
        world.unjudge(id, check)
        assert reasons(world)[tabulate(STOCKS, JULY)] == "check missing"
        world.drive()
        assert world.plan().empty
    world = made(JULY)
    world.unjudge(PartitionId("published", ESTIMATE, JULY), "no_identifiers")
    assert reasons(world)[tabulate(ESTIMATE, JULY)] == "check missing"


def test_the_release_is_not_made_while_a_check_of_a_table_is_missing_or_red():
    world = made(JULY)
    world.show(pages="pages-1")
    world.unjudge(TABLE, "disclosure")
    assert world.steps()["release"].waits_for == (tabulate(STOCKS, JULY),)
    world.judge(TABLE, "disclosure", passed=False)
    steps = world.steps()
    assert (steps[tabulate(STOCKS, JULY)].state, steps["release"].state) == ("blocked", "blocked")
    assert steps["release"].cause.code == "check.failed" and not world.plan().works()


def test_a_red_check_that_only_reports_blocks_nothing():
    world = made(JULY)
    world.judge(COUNTED, "stock_and_flow", passed=False, blocking=False)
    world.judge(LAKE, "expectations", passed=False, blocking=False)
    assert world.plan().empty


def test_counts_that_a_check_refused_are_not_protected_and_not_counted_again_and_again():
    world = World().complete(JULY).deliver(REGISTER, month=JULY, content="redcount")
    world.drive()
    step = world.steps()[tabulate(STOCKS, JULY)]
    assert TABLE not in world.heads, "nothing was protected"
    assert (step.state, step.reason) == ("blocked", "check failed")
    assert "common_margins" in step.cause.text and not world.plan().works()


@pytest.mark.parametrize("content", ["redlake", "redcount", "redtable"])
def test_what_a_check_refused_is_judged_again_by_mended_code(content):
    world = World().complete(JULY).deliver(REGISTER, month=JULY, content=content)
    world.drive()
    blocked = {step.id for step in world.plan().steps if step.state == "blocked"}
    world.engine = "e1"
    ready = [step for step in world.plan().steps if step.state == "ready"]
    assert ready and {step.id for step in ready} <= blocked
    assert {step.reason for step in ready} <= {"check missing", "not made yet"}
    world.drive()
    assert {step.id for step in world.plan().steps if step.state == "blocked"} == blocked, "it is judged as before"


def test_a_report_that_failed_is_not_made_again_by_other_code():
    world = made(JULY)
    world.judge(LAKE, "expectations", passed=False, blocking=False)
    world.engine = "e1"
    assert world.plan().empty


def test_a_public_table_that_a_check_refused_is_blocked():
    world = World().deliver(ESTIMATE, month=JULY, content="redtable")
    world.drive()
    assert states(world) == {tabulate(ESTIMATE, JULY): "blocked", "release": "blocked"}


def test_tables_whose_rows_are_past_their_retention_stand():
    world = made(JULY)
    world.destroy(*[id for id in world.heads if id.stage in ("raw", "abstracted", "lake", "statistics")])
    world.redefine("population_ward", "other words")
    assert [step.id for step in world.plan().of("tabulate")] == []
    assert world.steps()["release"].reason == "tables changed", "the release tells the new definition"


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def failing(kind: str = "code", times: int = 1, **more) -> World:
    world = made(JULY)
    world.redefine("population_ward", "other words")
    step = world.steps()[tabulate(STOCKS, JULY)]
    world.failures[step.id] = failure(step, kind, times, **more)
    return world


def test_a_failure_of_the_code_is_not_tried_again_with_the_same_input():
    step = failing().steps()[tabulate(STOCKS, JULY)]
    assert (step.state, step.waits_for, step.cause.code) == ("failed", ("mended_input_or_code",), "test.broken")


def test_a_failure_of_the_code_is_over_when_definition_code_or_input_change():
    world = failing()
    world.redefine("population_ward", "mended words")
    assert world.steps()[tabulate(STOCKS, JULY)].state == "ready"
    world = failing()
    world.engine = "e1"
    assert world.steps()[tabulate(STOCKS, JULY)].state == "ready"
    world = failing()
    world.heads[LAKE] = replace(world.heads[LAKE], content="corrected rows")
    assert world.steps()[tabulate(STOCKS, JULY)].state == "ready"


def test_a_failed_delivery_is_tried_again_when_its_companion_or_its_contract_changes():
    world = World().deliver(TOWNS, REGISTER, MOVEMENTS, month=JULY)
    world.broken = {take_in(MOVEMENTS, JULY)}
    world.drive()
    assert world.steps()[take_in(MOVEMENTS, JULY)].state == "failed"
    before = world.contracts[MOVEMENTS]
    world.contracts[MOVEMENTS] = before.model_copy(update={"title": "mended"})
    assert world.steps()[take_in(MOVEMENTS, JULY)].state == "ready"
    world.contracts[MOVEMENTS] = before
    world.deliver(REGISTER, month=JULY, content="corrected")
    world.approve(REGISTER, JULY)
    world.execute(world.plan().works()[0])
    assert world.steps()[take_in(MOVEMENTS, JULY)].state == "ready"


def test_a_failure_of_the_installation_is_tried_again_after_its_pause_and_at_once_when_a_person_asks():
    until = (NOW + timedelta(minutes=5)).isoformat()
    world = failing("installation", not_before=until)
    step = world.steps()[tabulate(STOCKS, JULY)]
    assert (step.state, step.waits_for) == ("waiting", (f"time:{until}",))
    world.scope = Scope(impatient=True)
    assert world.steps()[tabulate(STOCKS, JULY)].state == "ready"
    world.scope, world.now = Scope(), NOW + timedelta(minutes=5)
    assert world.steps()[tabulate(STOCKS, JULY)].state == "ready"


def test_a_person_who_asks_does_not_bring_back_a_failure_of_the_code():
    world = failing()
    world.scope = Scope(impatient=True)
    assert world.steps()[tabulate(STOCKS, JULY)].state == "failed"


def test_a_lost_process_is_followed_by_another_until_too_many_were_lost():
    assert failing("lost", MOST_LOST - 1).steps()[tabulate(STOCKS, JULY)].state == "ready"
    assert failing("lost", MOST_LOST).steps()[tabulate(STOCKS, JULY)].state == "failed"


def test_a_month_that_failed_keeps_no_later_month_from_being_made_and_the_release_goes_on_without_it():
    world = made(JULY, AUGUST)
    world.redefine("population_ward", "other words")
    world.broken = {tabulate(STOCKS, JULY)}
    done = world.drive()
    assert done == [f"tabulate:{JULY}", f"tabulate:{AUGUST}", "release"]
    assert states(world) == {tabulate(STOCKS, JULY): "failed"}


def test_what_is_under_way_is_not_asked_for_and_what_follows_waits_for_it():
    world = World().complete(JULY)
    world.under_way = frozenset({take_in(TOWNS, JULY)})
    steps = world.steps()
    assert steps[take_in(TOWNS, JULY)].state == "under_way"
    assert steps[take_in(REGISTER, JULY)].waits_for == (take_in(TOWNS, JULY),)
    assert take_in(TOWNS, JULY) not in {work.name for work in world.plan().works()}
    world = failing()
    world.under_way = frozenset({f"tabulate:{JULY}"})
    assert states(world) == {tabulate(STOCKS, JULY): "under_way", "release": "waiting"}


def test_while_the_installation_lacks_something_nothing_is_ready_and_the_plan_is_not_empty():
    world = World().complete(JULY)
    world.faults = (InstallationFault("inbox.absent", "no inbox", "mount it", "受信箱がありません"),)
    plan = world.plan()
    assert not plan.works() and not [step for step in plan.steps if step.state in ("ready", "under_way")]
    assert plan.steps[0].waits_for == ("installation:inbox.absent",)
    says_what_it_waits_for(plan)
    world = made(JULY)
    world.faults = (InstallationFault("settings.keys", "no keys"),)
    assert not world.plan().empty and world.plan().outstanding == ()


# ── the release ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"pages": "pages-1"}, "pages changed"),
        ({"withheld": ("ward_population",)}, "approvals changed"),
        ({"stands": False}, "no longer in force"),
        ({"inputs": {}}, "not made yet"),
    ],
)
def test_the_release_is_made_again_when_what_it_shows_has_changed(changed, reason):
    world = made(JULY)
    world.show(**changed)
    (step,) = world.plan().steps
    assert (step.id, step.reason, step.state) == ("release", reason, "ready")
    assert world.drive() == ["release"] and world.plan().empty


def test_a_release_that_an_operator_rolled_back_from_stays_until_something_changes():
    world = made(JULY)
    world.show(stands=True)  # rolled back from: the newest release is not in force, and an operator said so
    assert world.plan().empty
    world.show(pages="pages-1")
    assert world.steps()["release"].state == "ready"


def test_equal_tables_made_again_are_no_reason_for_a_release():
    world = made(JULY)
    world.engine = "e1"
    world.unjudge(TABLE, "disclosure")
    assert world.drive() == [f"tabulate:{JULY}"], "counted again by other code, with equal figures"
    assert world.plan().empty


def test_changed_districts_change_what_a_release_shows():
    world = World().deliver(TOWNS, ESTIMATE, month=JULY)
    world.drive()
    world.deliver(TOWNS, month=AUGUST)
    assert world.drive() == [take_in(TOWNS, AUGUST), "release"]


def test_a_release_needs_every_check_of_every_table_and_the_plan_knows_the_checks_of_the_gate():
    for statistic in statistics().values():
        assert published_checks(statistic) and all(published_checks(statistic).values())


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_step_is_told_in_words_with_what_it_waits_for():
    world = World().complete(JULY).deliver(REGISTER, month="2099-01")
    while world.plan().works():
        for step in world.plan().steps:
            text = told(step)
            assert step.month in text and "None" not in text
            assert not step.waits_for or "—" in text
        world.execute(world.plan().works()[0])
