"""The register: districts, households, codes and filters, row by row."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.abstraction import abstract
from kobe_platform.abstraction.worktable import Working
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.extracts.bytewise import ByteColumns

from .conftest import REGISTER, pseudonym_key
from .handmade import TOWNS, abstracted, person, taken


@pytest.fixture
def register(tmp_path, contracts):
    return lambda rows, **manifest: abstracted(tmp_path, contracts[REGISTER], rows, **manifest)


@pytest.mark.parametrize(
    ("values", "district"),
    [
        ({"school_district": "0101"}, "0101"),
        ({"school_district": "", "lot": "5番地"}, "0101"),
        ({"school_district": "", "lot": "１５０番地の３"}, "0102"),
        ({"school_district": "", "lot": "一五〇番地"}, "0102"),
        ({"school_district": "", "lot": "300番地"}, "unknown"),
        ({"school_district": "", "lot": ""}, "unknown"),
        ({"school_district": "", "address_code": "28101002000", "lot": ""}, "0102"),
        ({"school_district": "0103"}, "0101"),  # merged in 2024: derived anew
        ({"school_district": "0201"}, "0101"),  # lies in another ward
        ({"school_district": "", "address_code": "28101555000"}, "unknown"),
    ],
)
def test_a_district_is_kept_where_it_holds_and_else_derived(register, values, district):
    assert register([person(1, **values)]).frame["district"].to_list() == [district]


def test_a_retired_town_warns_and_stays(register):
    result = register([person(1, address_code="28101009000", school_district="")])
    assert result.frame.select("town", "district").rows() == [("28101009", "unknown")]
    assert result.facts["warned"]["area.town_retired"] == 1


def test_an_address_outside_the_city_is_set_aside(register):
    rows = [person(i, household_no=f"{i:012d}") for i in range(1, 40)]
    assert register([*rows, person(50, address_code="27100001000")]).facts["set_aside"] == {"area.outside": 1}


HOUSEHOLDS = {
    "single": ["02"],
    "couple": ["02", "12"],
    "couple_children": ["02", "11", "20", "20"],
    "single_parent": ["02", "20"],
    "three_generation": ["02", "12", "20", "52"],
    "other": ["02", "99"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "relationships"),
    [
        *HOUSEHOLDS.items(),
        ("three_generation", ["02", "20", "2012", "2020"]),
        ("three_generation", ["02", "12", "20", "51", "99"]),
        ("couple_children", ["02", "51", "52"]),
        ("single_parent", ["02", "52"]),
        ("other", ["02", "12", "96"]),
        ("other", ["96", "96"]),
    ],
)
def test_a_household_is_counted_once_with_size_and_family_type(register, family, relationships):
    frame = register([person(i, relationship=code) for i, code in enumerate(relationships, start=1)]).frame
    representative = frame.filter("is_representative")
    assert representative.select("household_size", "family_type").rows() == [(len(relationships), family)]
    others = frame.filter(~pl.col("is_representative"))
    assert others["household_size"].null_count() == others["family_type"].null_count() == others.height


def test_of_two_heads_the_younger_is_set_aside(register):
    rows = [person(1, birth_date="4200401"), person(2, birth_date="3300401"), person(3, relationship="12")]
    result = register(rows)
    assert result.facts["set_aside"] == {"household.two_heads": 1}
    assert result.frame.filter("is_representative")["age"].to_list() == [70]


def test_a_household_without_a_head_has_a_first_member(register):
    result = register([person(1, relationship="12"), person(2, relationship="20")])
    assert result.frame["is_representative"].sum() == 1
    assert result.facts["warned"]["household.no_head"] == 1


def test_relationships_in_the_lake_tell_no_more_than_five_categories(register):
    rows = [
        person(i, relationship=code) for i, code in enumerate(["02", "12", "20", "51", "2020", "2012", "99", "ZZ"], 1)
    ]
    frame = register(rows).frame
    assert set(frame["relationship"]) == {"head", "spouse", "child", "parent", "other"}


@pytest.mark.parametrize(("state", "kept"), [("1", True), ("2", False), ("3", False), ("9", False), ("7", False)])
def test_only_residents_are_counted(register, state, kept):
    rows = [person(1, resident_state=state), *(person(i, household_no=f"{i:012d}") for i in (2, 3))]
    result = register(rows)
    assert result.frame.height == 2 + kept
    assert sum(result.facts["filtered"].values()) == 1 - kept


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"nationality": "KOR"}, "value.unexpected"),
        ({"residence_status": "03"}, "value.unexpected"),
        ({"resident_type": "2"}, "value.missing"),
        ({"resident_type": ""}, "value.missing"),
        ({"birth_date": "5080101"}, "birth.future"),
        ({"birth_date": "1300101"}, "birth.too_old"),
        ({"birth_date": "550401"}, "date.ambiguous"),
    ],
)
def test_a_contradictory_row_is_set_aside(register, values, rule):
    result = register([person(1, **values), person(2, household_no="280000000002")])
    assert (result.facts["set_aside"], result.frame.height) == ({rule: 1}, 1)


def test_a_person_of_110_is_real(register):
    assert register([person(1, birth_date="2040801")]).frame["age"].to_list() == [90]


@pytest.mark.parametrize(
    ("code", "sex"), [("1", "male"), ("2", "female"), ("0", "unknown"), ("9", "unknown"), ("", "unknown")]
)
def test_a_blank_sex_is_unknown(register, code, sex):
    assert register([person(1, sex=code)]).frame["sex"].to_list() == [sex]


def test_of_several_versions_the_largest_history_number_wins(register):
    rows = [
        person(1, history_no="9", sex="1"),
        person(1, history_no="10", sex="2"),
        person(2, household_no="280000000009"),
    ]
    result = register(rows, kind="difference")
    assert (result.facts["superseded"], result.frame.height) == (1, 2)
    assert sorted(result.frame["sex"]) == ["female", "male"]
    assert "history.gap" not in result.facts["warned"]


def test_the_order_of_rows_tells_nothing_of_the_extract(register):
    rows = [person(i, household_no=f"{i:012d}") for i in range(1, 60)]
    frame = register(rows).frame
    assert frame["person_id"].is_sorted()
    assert register(rows[::-1]).frame.equals(frame)


def test_no_reference_table_no_abstraction(tmp_path, contracts):
    raw = taken(tmp_path, contracts[REGISTER], [person(1)]).frame
    with pytest.raises(ConfigurationError) as caught:
        abstract(raw, contracts[REGISTER], month="2025-07", references={}, companions={}, pseudonym_key=pseudonym_key)
    assert caught.value.code == "abstraction.reference"


def test_rows_in_two_encodings_are_read_each_in_its_own(tmp_path, contracts, register):
    one = taken(
        tmp_path, contracts[REGISTER], [person(1, lot="１５０番地", school_district="")], encoding="cp932"
    ).frame
    two = taken(
        tmp_path,
        contracts[REGISTER],
        [person(2, household_no="280000000002", lot="１５０番地", school_district="")],
        encoding="utf-8",
    ).frame
    frame = abstract(
        pl.concat([one, two]),
        contracts[REGISTER],
        month="2025-07",
        references={"town_districts": TOWNS},
        companions={},
        pseudonym_key=pseudonym_key,
    ).frame
    assert frame["district"].to_list() == ["0102", "0102"]


def test_a_town_whose_district_the_reference_leaves_blank_is_of_unknown_district(tmp_path, contracts):
    rows = [person(1, address_code="28101002000", school_district="", lot="150番地")]
    raw = taken(tmp_path, contracts[REGISTER], rows).frame
    blank = pl.when(pl.col("town_code") != "28101002000").then("district_code").alias("district_code")
    result = abstract(
        raw, contracts[REGISTER], month="2025-07", references={"town_districts": TOWNS.with_columns(blank)},
        companions={}, pseudonym_key=pseudonym_key,
    )  # fmt: skip
    assert result.frame["district"].to_list() == ["unknown"]
    assert result.facts["warned"]["district.unknown"] == 1


def test_what_is_read_ahead_counts_when_a_rule_asks_for_it(tmp_path, contracts):
    raw = taken(tmp_path, contracts[REGISTER], [person(1, lot="５番地")]).frame
    working = Working(ByteColumns.of(raw), contracts[REGISTER], "2025-07", {}, {}, pseudonym_key)
    with working.reading_ahead(["lot", "sex"]):
        working.texts("sex")
    assert not working.normalised["text.normalised"]
    assert working.texts("lot").values.to_list() == ["5番地"]
    assert working.normalised["text.normalised"] == 1
