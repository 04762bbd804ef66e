"""Answers: the right figures, protected with what is published and with each other, recorded, one person's own."""

from __future__ import annotations

import json

import polars as pl
import pytest

from kobe_platform.disclosure import AuditReport, Finding
from kobe_platform.errors import QuestionError
from kobe_platform.governance.people import add_person
from kobe_platform.governance.trail import events_of
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand import answers
from kobe_platform.ondemand.asking import ACTION, month_begins
from kobe_platform.ondemand.forms import as_csv, readable
from kobe_platform.statistics.history import former_releases
from tests.unit.ondemand.conftest import CANARY, MONTH, WARDS, publish, residents, statistic


def question(*dimensions: str, **filters) -> dict:
    return {"month": MONTH, "measure": "residents", "dimensions": list(dimensions), "filters": filters}


def cell(table: pl.DataFrame, **codes: str) -> dict:
    return table.filter(*(pl.col(column) == code for column, code in codes.items())).row(0, named=True)


def test_an_answer_holds_the_lakes_figures_and_hides_the_small(desk, analyst):
    asked, given = desk.ask(analyst, question("ward", "age10", sex=["female"]))
    table = given.table
    assert cell(table, area=WARDS[0], age="0-9", sex="female")["value"] == 40
    small = cell(table, area=WARDS[0], age="80+", sex="female")
    assert small["value"] == 43, "twenty of 80, twenty of 85 and three of 90"
    heads, rows = readable(asked, given, desk.menu, None)
    assert heads == ["区", "性別", "年齢（10歳階級）", "住民（人）"]
    assert {row[1] for row in rows} == {"女"}
    assert as_csv(asked, given, desk.menu, None).startswith("\ufeff区,性別,")


def test_small_counts_are_never_shown(desk, analyst):
    _, given = desk.ask(analyst, question("ward", "age5", sex=["female"]))
    small = cell(given.table, area=WARDS[0], age="90+", sex="female")
    assert small["status"] == "suppressed" and small["value"] is None
    shown = given.table.filter(pl.col("status") == "published", pl.col("value") > 0)
    assert shown["value"].min() >= 10


def test_the_next_answer_is_protected_against_the_former(desk, analyst):
    """Both together would tell three women of 90: by ward and age in one, by ward, age and sex in the other."""
    _, first = desk.ask(analyst, question("ward", "age5"))
    assert cell(first.table, area=WARDS[0], age="90+")["value"] == 43
    _, second = desk.ask(analyst, question("ward", "age5", "sex"))
    women, men = (cell(second.table, area=WARDS[0], age="90+", sex=sex) for sex in ("female", "male"))
    assert women["status"] == men["status"] == "suppressed"


def test_without_the_record_the_second_answer_would_tell(desk, analyst, monkeypatch):
    """The attack that the record is there for: what the first answer told is left out of the second's."""
    seen = []
    original = answers.former_releases
    monkeypatch.setattr(answers, "former_releases", lambda *a: seen.append(original(*a)) or seen[-1])
    desk.ask(analyst, question("ward", "age5"))
    desk.ask(analyst, question("age5", "sex"))
    assert [len(found) for found in seen] == [0, 1]
    assert {name for release in seen[1] for name in release.tables} == {
        next(iter(former_releases(desk.store, "stocks/month", MONTH)[0].tables))
    }


@pytest.mark.slow
def test_an_answer_is_a_release_that_later_publications_respect(desk, analyst, statistics, store):
    """A table that is published later, of the same people, may not tell what the answer hid."""
    desk.ask(analyst, question("ward", "age5", "sex"))
    later = {**statistics, "ages": statistic("ages", area="ward", age="age5", sex="sex")}
    publish(store, later, residents())
    table = store.read(PartitionId("published", "ages", MONTH))
    held = former_releases(store, "stocks/month", MONTH)[0]
    hidden = next(iter(held.tables.values())).filter(pl.col("status") == "suppressed").select("area", "age", "sex")
    told = table.join(hidden, on=["area", "age", "sex"])
    assert hidden.height and (told["status"] == "suppressed").all()


def test_the_same_question_is_answered_from_the_record(desk, analyst):
    _, first = desk.ask(analyst, question("ward", "age10"))
    _, again = desk.ask(analyst, question("ward", "age10"))
    assert not first.kept and again.kept and first.table.equals(again.table)
    assert len(former_releases(desk.store, "stocks/month", MONTH)) == 1


def test_a_month_that_is_being_corrected_is_not_answered(desk, analyst, store):
    store.write(PartitionId("lake", "resident_register", MONTH), residents(small=5))
    with pytest.raises(Exception) as refusal:
        desk.ask(analyst, question("ward", "age10"))
    assert refusal.value.code == "lake.changed"
    assert former_releases(store, "stocks/month", MONTH) == []


def test_what_cannot_be_protected_is_refused_without_saying_where(desk, analyst, monkeypatch):
    from kobe_platform.errors import DisclosureError

    def fails(*arguments, **options):
        raise DisclosureError("no", code="disclosure.unprotected", at={"area": WARDS[0], "age": "90+"})

    monkeypatch.setattr(answers, "protect", fails)
    with pytest.raises(QuestionError) as refusal:
        desk.ask(analyst, question("ward", "age5"))
    assert refusal.value.code == "ondemand.unsafe" and set(refusal.value.at) == {"month"}
    assert refusal.value.__cause__ is None and WARDS[0] not in str(refusal.value)
    assert former_releases(desk.store, "stocks/month", MONTH) == []
    trail = events_of(desk.governance, "yamada", ACTION, month_begins())
    (event,) = trail
    assert (event.outcome, event.detail["code"], event.detail["dimensions"]) == (
        "refused",
        "ondemand.unsafe",
        ["ward", "age5"],
    )
    assert set(event.detail) == {"code", "month", "measure", "dimensions", "filters"}


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["exact", "undecided", "ring"])
def test_an_audit_that_found_something_or_left_it_out_is_refused_and_not_recorded(rule, desk, analyst, monkeypatch):
    report = AuditReport((Finding(rule, "asked", {}, "why"),), {"cells": 1, "hidden": 0}, 0.0)
    monkeypatch.setattr(answers, "audit", lambda *a, **k: report)
    with pytest.raises(QuestionError) as refusal:
        desk.ask(analyst, question("ward", "age10"))
    assert refusal.value.code == "ondemand.unsafe"
    assert former_releases(desk.store, "stocks/month", MONTH) == []
    assert not desk.store.sources("answers")


# -- persons -------------------------------------------------------------------------------------------------------


def test_only_analysts_and_operators_ask(desk):
    for number, roles in enumerate([(), ("auditor",), ("decider",), ("administrator",)]):
        person = add_person(desk.governance, f"p{number}", "名", "課", roles=roles, by="test")
        with pytest.raises(QuestionError) as refusal:
            desk.ask(person, question("ward"))
        assert refusal.value.code == "ondemand.role"


def test_the_quota_counts_answers_and_refusals_of_a_person(desk, analyst):
    menu = desk.menu.model_copy(update={"quota": 3})
    limited = type(desk)(desk.store, desk.statistics, menu, desk.governance, "synthetic")
    limited.ask(analyst, question("ward"))
    limited.ask(analyst, question("ward"))
    with pytest.raises(QuestionError):
        limited.ask(analyst, question("shoes"))
    with pytest.raises(QuestionError) as refusal:
        limited.ask(analyst, question("ward", "sex"))
    assert refusal.value.code == "ondemand.quota"
    other = add_person(desk.governance, "sato", "佐藤", "課", roles=("analyst",), by="test")
    limited.ask(other, question("ward"))


def test_an_answer_is_fetched_again_by_whom_it_was_given_to(desk, analyst):
    asked, given = desk.ask(analyst, question("ward", "age10", sex=["female"]))
    again, held = desk.recall(analyst, asked.statistic.name, MONTH)
    assert again.filters == asked.filters and held.table.equals(given.table)
    other = add_person(desk.governance, "sato", "佐藤", "課", roles=("analyst",), by="test")
    assert desk.recall(other, asked.statistic.name, MONTH) is None
    removed = add_person(desk.governance, "yamada", "山田", "政策課", roles=(), by="test")
    assert desk.recall(removed, asked.statistic.name, MONTH) is None


def test_real_residents_are_asked_for_under_a_live_application(desk, analyst):
    real = type(desk)(desk.store, desk.statistics, desk.menu, desk.governance, "register")
    for number in ("", "R8-9999"):
        with pytest.raises(QuestionError) as refusal:
            real.ask(analyst, question("ward"), number)
        assert refusal.value.code == "ondemand.application"


def test_no_row_reaches_the_trail_the_record_or_the_log(desk, analyst, tmp_path):
    """Canary: pseudonyms of the rows lie nowhere but in the encrypted lake."""
    desk.ask(analyst, question("ward", "age5", "sex"))
    with pytest.raises(QuestionError):
        desk.ask(analyst, question("ward", "town"))
    trail = events_of(desk.governance, "yamada", ACTION, month_begins())
    assert CANARY not in json.dumps([dict(event.detail) for event in trail])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path.name
