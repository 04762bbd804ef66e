"""What is outstanding in words, for people and alerts: overdue months, deliveries turned away, steps that wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.planning import Plan
from kobe_platform.planning.notices import LATE_DAYS, lines, notices, overdue
from kobe_platform.planning.status import months
from kobe_platform.planning.words import MOST_TOLD, summary, told, waits
from kobe_platform.reception.inputs import contract_digest
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.months import last_day
from tests.unit.planning.world import MOVEMENTS, REGISTER, TOWNS, made

JULY, AUGUST = "2025-07", "2025-08"
DUE = last_day(AUGUST) + timedelta(days=LATE_DAYS)


def test_a_month_is_overdue_from_the_day_after_its_grace():
    facts = made(JULY).facts()
    assert overdue(replace(facts, today=DUE)) == []
    late = dict(overdue(replace(facts, today=DUE + timedelta(days=1))))
    assert late[REGISTER] == late[MOVEMENTS] == AUGUST
    assert TOWNS not in late, "a reference holds until the next one comes"


@pytest.mark.parametrize("source", [REGISTER, MOVEMENTS])
def test_a_source_that_comes_when_it_comes_is_never_overdue_and_has_no_gaps(source):
    facts = replace(made(JULY, "2025-10").facts(), today=last_day("2026-11"))
    assert source in dict(overdue(facts))
    contracts = {**facts.contracts, source: facts.contracts[source].model_copy(update={"frequency": "irregular"})}
    assert source not in dict(overdue(replace(facts, contracts=contracts)))
    assert overdue(replace(facts, contracts=contracts)) == [one for one in overdue(facts) if one[0] != source]


def test_how_often_a_source_comes_changes_nothing_in_what_is_taken_in():
    """Else every month would be taken in again when a city says so."""
    contract = load_contracts(Settings().contracts)[REGISTER]
    assert contract_digest(contract) == contract_digest(contract.model_copy(update={"frequency": "irregular"}))


def test_public_figures_of_the_project_that_come_once_are_not_waited_for():
    contracts = load_contracts(Settings().contracts)
    assert {name for name, one in contracts.items() if one.use != "reference" and one.frequency == "monthly"} == {
        REGISTER, MOVEMENTS, "estimated_population", "training_records",
    }  # fmt: skip


def test_a_month_that_came_is_not_overdue_whatever_became_of_it():
    world = made(JULY)
    world.deliver(REGISTER, month=AUGUST)
    assert REGISTER not in dict(overdue(replace(world.facts(), today=DUE + timedelta(days=1))))


def test_an_overdue_month_is_told_once_for_as_long_as_it_stands():
    facts = replace(made(JULY).facts(), today=DUE + timedelta(days=1))
    first = [notice for notice in notices(facts, Plan(())) if notice.kind == "overdue"]
    later = [n for n in notices(replace(facts, today=DUE + timedelta(days=9)), Plan(())) if n.kind == "overdue"]
    assert [notice.id for notice in first] == [notice.id for notice in later]
    assert {notice.at["source"] for notice in first} >= {REGISTER, MOVEMENTS}
    assert [line for line in lines(facts) if REGISTER in line] == [
        f"{AUGUST} 未着 {REGISTER}: {LATE_DAYS}日を過ぎても届いていません"
    ]


def test_a_month_that_later_ones_have_overtaken_is_missing_and_nothing_is_put_in_its_place():
    world = made(JULY, "2025-09")
    facts = world.facts()
    gap = [line for line in lines(facts) if REGISTER in line and AUGUST in line]
    assert gap == [f"{AUGUST} 未着 {REGISTER}: 後の月は届いています"]
    table = {row["month"]: row for row in months(facts, world.plan())}
    assert (table[AUGUST][REGISTER], table[AUGUST]["tables"]) == ("missing", "")
    assert (table[JULY][REGISTER], table["2025-09"][REGISTER]) == ("done", "done")
    assert not [id for id in world.heads if id.month == AUGUST]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("approval", "運用者の承認か却下(kobe deliveries approve / refuse)"),
        (f"delivery:{REGISTER}:{JULY}", f"{REGISTER} {JULY} の提供"),
        ("installation:custody.disk_full", "設置の不備 [custody.disk_full]"),
        ("time:2026-02-10T00:00:00+00:00", "2026-02-10T00:00:00+00:00 の再試行"),
    ],
)
def test_what_a_step_waits_for_is_said_in_words(condition, words):
    assert waits(condition) == words


def test_a_plan_is_told_by_what_stands_in_the_way():
    world = made(JULY)
    assert summary(world.plan()) == "することはありません"
    world.deliver(REGISTER, month=AUGUST)
    (step,) = world.plan().steps[:1]
    assert summary(world.plan()).endswith(f"。{told(step)}") and step.month == AUGUST


def test_a_plan_with_nothing_to_do_says_which_deliveries_were_rejected_and_why():
    world = made(JULY)
    world.deliver(REGISTER, month=AUGUST)
    world.receipts[REGISTER, AUGUST, world.inbox[REGISTER, AUGUST]] = {"rejected"}
    plan = world.plan()
    (one,) = plan.turned_away
    words = summary(plan, "take_in")
    assert "することはありません" not in words and "却下した提供データが1件あります" in words
    assert words.endswith(f"{AUGUST} {one.title}: {one.cause.text} [{one.cause.code}]") and one.source == REGISTER
    assert summary(plan, "release") == "することはありません", "only the inbox's tick tells of deliveries"
    many = replace(plan, turned_away=plan.turned_away * (MOST_TOLD + 2))
    assert summary(many).count(one.title) == MOST_TOLD and "ほか2件" in summary(many)
