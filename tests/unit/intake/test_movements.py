"""Events: what each reason becomes, cancellations net, and every row is accounted for."""

from __future__ import annotations

import pytest

from .conftest import MOVEMENTS, REGISTER
from .handmade import abstracted, event, person, taken

AFTER = {
    "address_after": "28102001000",
    "lot_after": "7番地",
    "district_after": "0201",
    "household_after": "280000000002",
}
SAME_WARD = {"address_after": "28101002000", "lot_after": "7番地", "district_after": "0102"}
NOWHERE = {"address_before": "", "lot_before": "", "district_before": "", "household_before": ""}


@pytest.fixture
def events(tmp_path, contracts):
    def run(rows):
        companions = {REGISTER: taken(tmp_path / "register", contracts[REGISTER], [person(999)]).frame}
        result = abstracted(tmp_path, contracts[MOVEMENTS], rows, companions=companions)
        facts = result.facts
        aside, filtered = sum(facts["set_aside"].values()), sum(facts["filtered"].values())
        assert facts["rows"] == len(rows) == facts["kept"] + aside + facts["superseded"] + filtered
        return result

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "values", "reason"),
    [
        ("01", NOWHERE | AFTER, "in_domestic"),
        ("02", NOWHERE | AFTER, "in_abroad"),
        ("03", NOWHERE | AFTER, "birth"),
        ("04", NOWHERE | AFTER, "admin_in"),
        ("21", {}, "out_domestic"),
        ("22", {}, "out_abroad"),
        ("23", {}, "death"),
        ("24", {}, "admin_out"),
        ("41", AFTER, "ward_move"),
        ("41", SAME_WARD, "within_ward"),
        ("44", {}, "non_demographic"),
        ("28", NOWHERE | AFTER | {"cancels_history_no": "1"}, "admin_in"),
        ("09", {"cancels_history_no": "1"}, "admin_out"),
        ("59", AFTER | {"cancels_history_no": "1"}, "ward_move"),
        ("59", {"address_after": "28101001000", "lot_after": "5番地", "cancels_history_no": "1"}, "non_demographic"),
    ],
)
def test_a_reason_becomes_what_statistics_count(events, code, values, reason):
    assert events([event(1, reason=code, **values)]).frame["reason"].to_list() == [reason]


def test_an_unlisted_reason_counts_nobody(events):
    result = events([event(1, reason="88"), event(2), event(3)])
    assert sorted(result.frame["reason"]) == ["non_demographic", "out_domestic", "out_domestic"]
    assert result.facts["warned"]["code.unknown"] == 1


def test_an_event_and_its_cancellation_in_one_month_leave_nothing(events):
    result = events([event(1, history_no="2"), event(1, history_no="3", reason="28", cancels_history_no="2"), event(2)])
    assert (result.frame.height, result.facts["superseded"]) == (1, 2)


def test_a_cancelled_cancellation_lets_the_event_stand(events):
    rows = [
        event(1, history_no="2", reason="41", **AFTER),
        event(1, history_no="3", reason="59", cancels_history_no="2"),
        event(1, history_no="4", reason="59", cancels_history_no="3"),
    ]
    result = events(rows)
    assert result.frame["reason"].to_list() == ["ward_move"]
    assert result.facts["superseded"] == 2


def test_a_cancellation_nets_its_own_persons_event_only(events):
    result = events([event(1, history_no="2"), event(2, history_no="3", reason="28", cancels_history_no="2", **AFTER)])
    assert sorted(result.frame["reason"]) == ["admin_in", "out_domestic"]


def test_a_cancellation_without_its_event_is_set_aside(events):
    assert events([event(1, reason="28")]).facts["set_aside"] == {"event.cancels_nothing": 1}


def test_in_and_out_on_one_day_are_two_events(events):
    result = events([event(1, history_no="1", reason="01", **NOWHERE, **AFTER), event(1, history_no="2", reason="21")])
    assert sorted(result.frame["reason"]) == ["in_domestic", "out_domestic"]


def test_a_planned_departure_still_to_come_is_filtered(events):
    result = events([event(1, event_on="20250803"), event(2, event_on="20250731")])
    assert (result.frame.height, result.facts["filtered"]) == (1, {"planned_departure": 1})


def test_the_confirmed_destination_wins(events):
    rows = [event(1, destination_planned="13101", destination_confirmed="28203"), event(2, destination_planned="13101")]
    assert sorted(events(rows).frame["counterpart"]) == ["13", "28203"]


@pytest.mark.parametrize(
    ("code", "area"),
    [
        ("28203", "28203"),
        ("28101", "28100"),
        ("27100", "27"),
        ("ZKOR", "asia_east"),
        ("99999", "unknown"),
        ("28999", "unknown"),
        ("ZQQQ", "unknown"),
        ("", None),
    ],
)
def test_places_elsewhere_are_coarse(events, code, area):
    others = [event(number, destination_planned="13101") for number in (2, 3)]
    found = events([event(1, destination_planned=code), *others]).frame["counterpart"].to_list()
    found.remove("13")
    found.remove("13")
    assert found == [area]


def test_an_event_of_another_month_is_set_aside(events):
    result = events([event(1), event(2), event(3, processed_on="20250630"), event(4, processed_on="")])
    assert result.facts["set_aside"] == {"event.outside_month": 2}


def test_an_event_whose_day_can_be_read_in_two_ways_is_set_aside(events):
    result = events([event(1, event_on="070715"), event(2, event_on="5070715")])
    assert result.facts["set_aside"] == {"date.ambiguous": 1}
    assert result.frame["age"].to_list() == [45]


def test_the_same_event_has_the_same_pseudonym_and_persons_cannot_be_joined_to_the_register(
    events, tmp_path, contracts
):
    first, second = (events([event(1)]).frame["event_id"].to_list() for _ in range(2))
    assert first == second
    register = abstracted(tmp_path / "lake", contracts[REGISTER], [person(1)]).frame
    assert register["person_id"].to_list() != first


def test_households_join_over_sources(events, tmp_path, contracts):
    frame = events([event(1)]).frame
    register = abstracted(tmp_path / "lake", contracts[REGISTER], [person(5)]).frame
    assert frame["household_before_id"].to_list() == register["household_id"].to_list()
    assert frame["household_after_id"].to_list() == [None]
