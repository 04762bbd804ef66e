"""The examples of docs/ondemand.md, and offers, on the release of a small made-up city."""

from __future__ import annotations

import tomllib

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.deliveries import find
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionStore
from kobe_platform.ondemand.answers import Unanswerable
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.synthesis.deliveries import Plan, synthesize
from kobe_platform.tabulation import count_group, protect_counts

MONTH = "2025-12"
PUBLISHED = ("population_ward", "foreigners_nationality_ward", "households_size_ward", "households_family_ward")


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A made-up city of 6,000 whose tables by ward are published."""
    root = tmp_path_factory.mktemp("small")
    place = Settings(home=root / "var", inbox=root / "inbox")
    LocalKeyStore.create(place.keys, log=place.key_log)
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality, principal="test")
    contracts = load_contracts(place.contracts)
    synthesize(Plan(place.inbox, 6_000, MONTH, MONTH, 0), lambda step: None)
    deliveries = {delivery.source: delivery for delivery in find(place.inbox, contracts, place.municipality)}
    for name in ("town_districts", "resident_register"):
        take_in_delivery(deliveries[name], contracts[name], store, place.root)
    abstract_month(contracts["resident_register"], MONTH, store, keys, contracts)
    admit_month(contracts["resident_register"], MONTH, store)
    statistics = {name: load_statistics(place.statistics, contracts)[name] for name in PUBLISHED}
    count_group(store, list(statistics.values()), MONTH)
    protect_counts(store, list(statistics.values()), MONTH, statistics)
    governance = open_database(f"sqlite:///{root / 'governance.sqlite'}")
    menu = load_menu(place.ondemand, statistics, contracts)
    desk = Desk(store, statistics, menu, governance, "synthetic")
    return desk, add_person(governance, "hanako", "花子", "企画調整局政策課", roles=("analyst",), by="test")


def documented() -> list[dict]:
    """Every question that docs/ondemand.md shows."""
    blocks = (PROJECT / "docs" / "ondemand.md").read_text("utf-8").split("```toml\n")[1:]
    found = [tomllib.loads(block.split("```")[0]) for block in blocks]
    return [question for question in found if "measure" in question]


def test_the_documented_question_is_answered(city):
    desk, analyst = city
    (question,) = documented()
    asked, given = desk.ask(analyst, {k: v for k, v in question.items() if k != "application"})
    assert asked.dimensions == ("ward", "sex", "age10") and asked.month == MONTH
    shown = asked.shown(given.table, desk.menu)
    assert set(shown["sex"]) == {"female"} and (shown["status"] == "published").mean() > 0.5


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
