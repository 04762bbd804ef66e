"""Answers on demand over small cities: sequences, attacked jointly before and after a correction of the month, and ten
questions, each answered or refused with a nearest question that can be answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DisclosureError
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionStore
from kobe_platform.ondemand.answers import Unanswerable
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from tests.unit.ondemand.cities import MONTH, city_desk
from tests.unit.ondemand.joint_attack import QUESTIONS, shown_again, states

PUBLISHED = (
    "population_ward", "foreigners_nationality_ward", "foreigners_status_ward", "households_size_ward",
    "households_family_ward",
)  # fmt: skip


FORMER_GAP = (14, len(PUBLISHED), (3, 4, 0, 5, 1, 6, 2))
"""Had left households of six in two wards a width of 9 instead of 10."""
SEEDS = range(30)
"""22 had told of a ward's old men: nearly all its men were foreign, and no foreign man was that old."""


def attacked(seed: int, published: int, order: Sequence[int], folder: Path) -> None:
    """Ask questions of a city in an order, beside so many published tables, and attack what two analysts know."""
    keys = LocalKeyStore.create(folder / "keys", log=folder / "log" / "key_use.jsonl")
    store = PartitionStore(folder / "store", keys, municipality="28100")
    governance = open_database(f"sqlite:///{folder / 'governance.sqlite'}")
    loaded = load_statistics(Settings().statistics)
    statistics = {name: loaded[name] for name in PUBLISHED[:published]}
    menu = load_menu(Settings().ondemand).model_copy(update={"quota": 1_000})
    desk = Desk(store, statistics, menu, governance, "synthetic")
    logins = ("one", "two")
    analysts = tuple(add_person(governance, login, login, "課", roles=("analyst",), by="test") for login in logins)
    try:
        before, after = states(desk, analysts, statistics, seed, [QUESTIONS[number] for number in order])
    except DisclosureError as refused:
        pytest.skip(f"nothing is published of this city: {refused.code}")
    assert not before.narrow() and not after.narrow()
    assert not list(shown_again(before, after))


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS)
def test_no_sequence_of_answers_tells_a_hidden_figure(seed, tmp_path):
    drawn = np.random.default_rng(seed)
    published = int(drawn.integers(1, len(PUBLISHED) + 1))
    attacked(seed, published, drawn.permutation(len(QUESTIONS)).tolist(), tmp_path)


@pytest.mark.soak
def test_a_sequence_that_had_left_less_than_its_width(tmp_path):
    attacked(*FORMER_GAP, tmp_path)


TEN = (
    ("residents", "ward", "age10", "sex"),
    ("residents", "district", "age10", "sex"),
    ("residents", "ward", "age5", "sex"),
    ("foreigners", "ward", "nationality"),
    ("foreigners", "district", "nationality_major"),
    ("foreigners", "ward", "sex", "nationality_major"),
    ("foreigners", "nationality", "residence_status"),
    ("households", "ward", "household_size"),
    ("households", "ward", "household_size", "family"),
    ("residents", "district", "age5"),
)


@pytest.mark.soak
@pytest.mark.parametrize("residents", [12_000, 20_000])
def test_ten_questions_of_a_city_are_answered_or_lead_to_one_that_is(residents, tmp_path):
    """Beside all published stocks, one answer after another."""
    try:
        desk, analyst = city_desk(tmp_path, residents, seed=2)
    except DisclosureError as refused:
        pytest.skip(f"nothing is published of this city: {refused.code}")
    answered = 0
    for measure, *dimensions in TEN:
        question = {"month": MONTH, "measure": measure, "dimensions": dimensions}
        try:
            _, given = desk.ask(analyst, question)
            answered += 1
        except Unanswerable as refusal:
            assert refusal.offer is not None and "次の集計なら回答できます" in refusal.ja, dimensions
            _, given = desk.ask(analyst, refusal.offer.question.as_record())
        assert (given.table["status"] == "published").any()
    assert answered >= 5
