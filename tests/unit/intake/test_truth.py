"""What intake makes of a clean city is what an independent count of that city says, table by table."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from kobe_platform.synthesis import CityPlan, Form, synthesize

from .conftest import FIRST, MONTH, MOVEMENTS, REGISTER, Inbox


@pytest.fixture(scope="module", params=["delimited", "fixed"])
def city(request, tmp_path_factory, contracts):
    path, truth = tmp_path_factory.mktemp("inbox"), tmp_path_factory.mktemp("truth")
    plan = CityPlan(path, 6000, FIRST, MONTH, seed=7, dirt=0.0, form=Form("cp932", request.param), truth=truth)
    synthesize(plan)
    inbox = Inbox(path, contracts, {})
    counted = json.loads((truth / f"{MONTH}.json").read_text("utf-8"))
    return inbox.abstract(REGISTER), inbox.abstract(MOVEMENTS), counted


def tally(frame, *columns) -> Counter:
    return Counter({tuple(key): n for *key, n in frame.group_by(columns).len().iter_rows()})


def expected(rows) -> Counter:
    return Counter({tuple(key): n for *key, n in rows if n})


@pytest.mark.slow
def test_population_by_ward_sex_age_and_kind(city):
    register, _, truth = city
    counted = Counter()
    for ward, sex, age, kind, n in truth["population"]:
        counted[ward, sex, min(age, 90), kind] += n
    assert tally(register.frame, "ward", "sex", "age", "resident_type") == counted
    assert register.facts["kept"] == truth["residents"]


def test_population_by_school_district(city):
    register, _, truth = city
    assert tally(register.frame, "ward", "district") == expected(truth["districts"])


@pytest.mark.parametrize(("table", "column"), [("households", "household_size"), ("families", "family_type")])
def test_households(city, table, column):
    register, _, truth = city
    assert tally(register.frame.filter("is_representative"), "ward", column) == expected(truth[table])


def test_protected_persons_and_nobody_else_have_no_household_link(city):
    register, _, truth = city
    hidden = register.frame.filter(register.frame["household_id"].is_null())
    assert tally(hidden, "ward") == expected(truth["protected_persons"])


def test_flows_by_ward_reason_and_notice(city):
    _, movements, truth = city
    counted: Counter = Counter()
    for before, after, reason, notice in movements.frame.select(
        "ward_before", "ward_after", "reason", "immigration_notice"
    ).iter_rows():
        if reason == "ward_move":
            counted[after, "ward_move_in", 0] += 1
            counted[before, "ward_move_out", 0] += 1
        else:
            counted[after or before, reason, int(notice)] += 1
    assert counted == expected(truth["flows"])
    assert movements.facts["superseded"] == sum(n for *_, n in truth["netted"])
