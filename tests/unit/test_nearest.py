"""Which name was probably meant: the last words of many refusals."""

from __future__ import annotations

import pytest

from kobe_platform.vocabulary.nearest import MOST_NAMES, did_you_mean, listed, nearest

NAMES = ("residents_by_ward", "households", "births")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("residents_by_wrd", "did you mean residents_by_ward?"),
        ("zzz", "there are: residents_by_ward, households, births"),
        ("", "there are: residents_by_ward, households, births"),
    ],
)
def test_the_nearest_name_is_offered_or_which_there_are(word, told):
    assert did_you_mean(word, NAMES) == told


def test_other_words_stand_where_no_name_is_near():
    assert did_you_mean("zzz", NAMES, "see the documents") == "see the documents"
    assert did_you_mean("birth", NAMES, "see the documents") == "did you mean births?"


def test_a_stricter_likeness_refuses_a_looser_name():
    assert nearest("birds", NAMES) == "births"
    assert nearest("birds", NAMES, likeness=0.9) == ""


def test_of_many_names_the_first_are_listed_and_of_none_it_is_said():
    many = [f"n{number}" for number in range(MOST_NAMES + 1)]
    assert listed(many) == ", ".join([*many[:MOST_NAMES], "…"])
    assert listed([]) == "none"
