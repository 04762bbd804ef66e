"""A sequence of answers tells no more than each of them: attacked jointly through the people behind the figures.

`tests/soak/test_answers.py` goes on with more cities, more questions and more published tables.
"""

from __future__ import annotations

import pytest

from kobe_platform.governance.people import add_person
from kobe_platform.ondemand import answers
from kobe_platform.ondemand.asking import Desk
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from tests.unit.ondemand.joint_attack import QUESTIONS, shown_again, states

TELLING = 3
"""A city in which three tables of foreign residents tell of each other."""


@pytest.fixture
def known(store, governance, menu):
    """What two analysts come to know of a city, state by state of its month."""
    loaded = load_statistics(Settings().statistics)
    statistics = {"population_ward": loaded["population_ward"]}
    desk = Desk(store, statistics, menu, governance, "synthetic")
    logins = ("one", "two")
    analysts = tuple(add_person(governance, login, login, "課", roles=("analyst",), by="test") for login in logins)
    return states(desk, analysts, statistics, TELLING, QUESTIONS[:3])


@pytest.mark.slow
def test_two_analysts_learn_no_hidden_figure_before_and_after_a_correction(known):
    before, after = known
    assert before.answers == after.answers == 6
    assert not before.narrow() and not after.narrow()
    assert not list(shown_again(before, after))


@pytest.mark.slow
def test_without_the_answers_given_before_they_would(known, monkeypatch):
    """The rule broken: each answer is protected beside the published tables alone."""
    monkeypatch.setattr(answers, "_answered", lambda *a: answers._Answered((), {}))
    monkeypatch.setattr(answers, "former_releases", lambda *a: [])
    before = next(known)
    assert before.answers == 6 and before.narrow()
