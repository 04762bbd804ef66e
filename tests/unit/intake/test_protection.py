"""Protected persons and their households lose what locates them, and nothing tells that they are protected."""

from __future__ import annotations

import json

import polars as pl
import pytest

from kobe_platform.abstraction import abstract
from kobe_platform.errors import ConfigurationError

from .conftest import MOVEMENTS, REGISTER, pseudonym_key
from .handmade import TOWNS, abstracted, event, person, taken

HOME, OTHER = "280000000001", "280000000002"


def household(**flags: str) -> list[dict[str, str]]:
    return [
        person(1, protection=flags.get("first", "0"), previous_address="28203"),
        person(
            2, protection=flags.get("second", "0"), relationship="20", birth_date="4200401", previous_address="28203"
        ),
        person(3, household_no=OTHER, previous_address="28203"),
    ]


@pytest.mark.parametrize("code", ["1", "2", "7"])
def test_a_flagged_person_hides_the_household(tmp_path, contracts, code):
    frame = abstracted(tmp_path, contracts[REGISTER], household(second=code)).frame
    hidden = frame.filter(pl.col("household_id").is_null())
    assert hidden.height == 2
    assert hidden.select("town", "district", "previous_area").unique().rows() == [("unknown", "unknown", "unknown")]
    assert hidden["ward"].to_list() == ["28101", "28101"]
    shown = frame.filter(pl.col("household_id").is_not_null())
    assert shown.select("town", "district", "previous_area").rows() == [("28101001", "0101", "28203")]


@pytest.mark.parametrize("code", ["0", "3", ""])
def test_an_ended_measure_hides_nothing(tmp_path, contracts, code):
    frame = abstracted(tmp_path, contracts[REGISTER], household(first=code)).frame
    assert frame["household_id"].null_count() == 0
    assert "unknown" not in frame["district"]


def test_a_flag_on_a_row_that_is_set_aside_or_filtered_still_protects(tmp_path, contracts):
    for values in ({"resident_state": "2"}, {"nationality": "VNM"}):
        rows = household(first="1")
        rows[0] |= values
        frame = abstracted(tmp_path, contracts[REGISTER], rows).frame
        assert frame.height == 2
        assert frame.filter(pl.col("district") == "unknown").height == 1


def test_neither_the_lake_nor_the_facts_tell_who_is_protected(tmp_path, contracts):
    result = abstracted(tmp_path, contracts[REGISTER], household(first="1"))
    plain = abstracted(tmp_path / "plain", contracts[REGISTER], household())
    assert result.frame.columns == plain.frame.columns
    assert not any("protect" in name for name in result.frame.columns)
    assert json.dumps(result.facts) == json.dumps(plain.facts)


def test_household_counts_of_a_hidden_household_stay_in_the_ward(tmp_path, contracts):
    frame = abstracted(tmp_path, contracts[REGISTER], household(first="1")).frame
    representatives = frame.filter("is_representative")
    assert sorted(representatives["household_size"]) == [1, 2]
    assert representatives["household_size"].sum() == frame.height


MOVE = {
    "reason": "41",
    "address_after": "28102001000",
    "district_after": "0201",
    "lot_after": "7番地",
    "household_after": HOME,
}


def movements(tmp_path, contracts, rows, register):
    companions = {REGISTER: taken(tmp_path / "register", contracts[REGISTER], register).frame}
    return abstracted(tmp_path, contracts[MOVEMENTS], rows, companions=companions).frame


@pytest.mark.parametrize("flagged_in", ["movements", "register", "member of the register's household"])
def test_both_ends_of_a_protected_move_are_hidden_below_the_ward(tmp_path, contracts, flagged_in):
    register = household(first="1" if flagged_in == "register" else "0", second="1" if "member" in flagged_in else "0")
    row = event(1, household_before=OTHER if "register" in flagged_in else HOME, **MOVE)
    row["protection"] = "1" if flagged_in == "movements" else "0"
    frame = movements(tmp_path, contracts, [row], register)
    assert frame.select("town_before", "district_before", "town_after", "district_after").rows() == [("unknown",) * 4]
    assert frame.select("ward_before", "ward_after", "reason").rows() == [("28101", "28102", "ward_move")]
    assert frame.select("household_before_id", "household_after_id").rows() == [(None, None)]


def test_another_household_of_the_month_is_not_hidden(tmp_path, contracts):
    row = event(3, **MOVE | {"household_before": OTHER, "household_after": OTHER})
    frame = movements(tmp_path, contracts, [row], household(first="1"))
    assert frame.select("district_before", "district_after").rows() == [("0101", "0201")]
    assert frame["household_after_id"].null_count() == 0


def test_a_protected_departure_has_an_unknown_destination(tmp_path, contracts):
    frame = movements(tmp_path, contracts, [event(1, protection="1")], [person(3, household_no=OTHER)])
    assert frame.select("counterpart", "district_before").rows() == [("unknown", "unknown")]
    assert frame["district_after"].to_list() == [None]


def test_a_blank_household_protects_nobody_else(tmp_path, contracts):
    rows = [event(1, household_after="", protection="1"), event(3, household_before=OTHER, household_after="")]
    frame = movements(tmp_path, contracts, rows, [person(3, household_no=OTHER)])
    assert sorted(frame["counterpart"]) == ["13", "unknown"]


def test_without_the_months_register_movements_are_not_abstracted(tmp_path, contracts):
    raw = taken(tmp_path, contracts[MOVEMENTS], [event(1)]).frame
    with pytest.raises(ConfigurationError) as caught:
        abstract(
            raw, contracts[MOVEMENTS], month="2025-07", references={"town_districts": TOWNS}, companions={},
            pseudonym_key=pseudonym_key,
        )  # fmt: skip
    assert caught.value.code == "abstraction.companion"
