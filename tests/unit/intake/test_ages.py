"""Ages by Japanese law at the end of a day; durations in bands; unknown where the date leaves two answers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import MOVEMENTS, REGISTER
from .handmade import abstracted, event, person, taken

FOREIGN = {"resident_type": "2", "nationality": "VNM", "residence_status": "03"}


def age_of(tmp_path, contracts, month="2025-07", **values):
    return (
        abstracted(tmp_path, contracts[REGISTER], [person(1, **values)], month)
        .frame.select("age", "age_precision")
        .row(0)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("born", "month", "age"),
    [
        ("20000731", "2025-07", 25),
        ("20000801", "2025-07", 25),  # attained at the end of 31 July
        ("20000802", "2025-07", 24),
        ("20190401", "2025-03", 6),  # the school-entry rule: born on 1 April belongs to the elder year
        ("20190402", "2025-03", 5),
        ("20000101", "2024-12", 25),
        ("20000102", "2024-12", 24),
        ("20040229", "2025-02", 21),  # end of 28 February in a common year
        ("20040301", "2025-02", 21),
        ("20040302", "2025-02", 20),
        ("20040229", "2024-02", 20),
        ("20250731", "2025-07", 0),
        ("19350801", "2025-07", 90),
        ("19100801", "2025-07", 90),  # top-coded
    ],
)
def test_an_age_is_attained_at_the_end_of_the_day_before_the_birthday(tmp_path, contracts, born, month, age):
    assert age_of(tmp_path, contracts, month, birth_date=born, **FOREIGN) == (age, "day")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("born", "unknown", "expected"),
    [
        ("3550300", "1", (45, "month")),  # March: whatever the day, 45 by the end of July
        ("3550800", "1", (None, "month")),  # August: attained already only if born on the first
        ("3550000", "2", (None, "year")),
        ("0000000", "3", (None, "unknown")),
        ("3550401", "1", (45, "month")),  # the flag outweighs a day that was filled in
        ("3550401", "2", (None, "year")),
        ("2050000", "2", (90, "year")),  # 90 or more in any case
    ],
)
def test_an_unknown_birth_date_is_never_completed(tmp_path, contracts, born, unknown, expected):
    assert age_of(tmp_path, contracts, birth_date=born, birth_unknown=unknown) == expected


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dates(date(1930, 1, 1), date(2025, 7, 31)), min_size=1, max_size=20))
def test_ages_are_those_of_the_calendar_one_day_later(tmp_path, contracts, births):
    rows = [person(i, birth_date=f"{b:%Y%m%d}", household_no=f"{i:012d}", **FOREIGN) for i, b in enumerate(births)]
    frame = abstracted(tmp_path, contracts[REGISTER], rows).frame
    next_day = date(2025, 7, 31) + timedelta(days=1)
    expected = [next_day.year - b.year - ((next_day.month, next_day.day) < (b.month, b.day)) for b in births]
    assert sorted(frame["age"]) == sorted(min(age, 90) for age in expected)


def test_age_at_an_event_is_that_of_its_day(tmp_path, contracts):
    rows = [
        event(1, birth_date="3550715", event_on="20250714"),
        event(2, birth_date="3550716", event_on="20250714"),
        event(3, birth_date="3550716", event_on=""),
    ]
    companions = {REGISTER: register_raw(tmp_path / "register", contracts)}
    frame = abstracted(tmp_path, contracts[MOVEMENTS], rows, companions=companions).frame
    assert sorted(frame["age"].to_list(), key=str) == [44, 45, None]


def register_raw(path, contracts):
    return taken(path, contracts[REGISTER], [person(9)]).frame


@pytest.mark.slow
@pytest.mark.parametrize(
    ("since", "band"),
    [
        ("20250101", "0"),
        ("20240802", "0"),
        ("20240801", "1-2"),
        ("20220802", "1-2"),
        ("20200801", "5-9"),
        ("20150801", "10+"),
        ("20250000", "0"),
        ("20240000", "unknown"),  # from seven months to a year and seven months
        ("20230000", "1-2"),
        ("", "unknown"),
        ("20250801", "unknown"),  # begins after the reference day
    ],
)
def test_durations_are_whole_years_at_the_months_end_in_bands(tmp_path, contracts, since, band):
    row = person(1, moved_in_on=since, foreign_since=since, **FOREIGN)
    frame = abstracted(tmp_path, contracts[REGISTER], [row]).frame
    assert frame.select("address_duration", "stay_duration").row(0) == (band, band)


def test_a_japanese_resident_has_no_length_of_stay(tmp_path, contracts):
    frame = abstracted(tmp_path, contracts[REGISTER], [person(1, foreign_since="20100101")]).frame
    assert frame["stay_duration"].to_list() == [None]


def test_a_western_date_of_a_japanese_resident_is_converted_and_counted(tmp_path, contracts):
    result = abstracted(tmp_path, contracts[REGISTER], [person(1, birth_date="19800401")])
    assert result.frame["age"].to_list() == [45]
    assert result.facts["warned"]["date.calendar"] == 1
