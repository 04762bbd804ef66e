"""The examples of docs/ondemand.md, and offers, on the release of a small made-up city."""

from __future__ import annotations

import tomllib

import pytest

from kobe_platform.ondemand.answers import Unanswerable
from kobe_platform.settings import PROJECT
from tests.unit.ondemand.cities import MONTH, city_desk

PUBLISHED = ("population_ward", "foreigners_nationality_ward", "households_size_ward", "households_family_ward")


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A made-up city of 6,000 whose tables by ward are published."""
    return city_desk(tmp_path_factory.mktemp("small"), 6_000, PUBLISHED)


def documented() -> list[dict]:
    """Every question that docs/ondemand.md shows."""
    blocks = (PROJECT / "docs" / "ondemand.md").read_text("utf-8").split("```toml\n")[1:]
    found = [tomllib.loads(block.split("```")[0]) for block in blocks]
    return [question for question in found if "measure" in question]


@pytest.mark.slow
def test_the_documented_question_is_answered(city):
    desk, analyst = city
    (question,) = documented()
    asked, given = desk.ask(analyst, {k: v for k, v in question.items() if k != "application"})
    assert asked.dimensions == ("ward", "sex", "age10") and asked.month == MONTH
    shown = asked.shown(given.table, desk.menu)
    assert set(shown["sex"]) == {"female"} and (shown["status"] == "published").mean() > 0.5


@pytest.mark.slow
def test_a_refused_question_leads_to_one_that_is_answered(city):
    """Households by ward, size and family: sparse beside published margins of ten or eleven."""
    desk, analyst = city
    question = {"month": MONTH, "measure": "households", "dimensions": ["ward", "household_size", "family"]}
    with pytest.raises(Unanswerable) as refusal:
        desk.ask(analyst, question)
    offer = refusal.value.offer
    assert offer is not None and "次の集計なら回答できます：世帯（" in refusal.value.ja
    _, given = desk.ask(analyst, offer.question.as_record())
    assert (given.table["status"] == "published").any()
