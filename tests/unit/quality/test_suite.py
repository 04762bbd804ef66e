"""A new core system has real checks from its contract alone: each of them is broken here, one by one."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest

from kobe_platform.contracts import load_contract
from kobe_platform.contracts.columns import AnyColumn
from kobe_platform.quality import Expectation, Known, expectations, names
from kobe_platform.quality.suite import EXPECTS
from kobe_platform.reception.inputs import contract_digest

from .conftest import CARE, KNOWN, MONTH, MOVEMENTS

EXPECTED = {
    "table": ["columns_to_match_set", "row_count_to_be_between", "be_unique"],
    "insured_id": ["not_be_null"],
    "certificate_id": ["not_be_null"],
    "household_id": ["not_be_null"],
    "age": ["be_between", "not_be_null"],
    "age_precision": ["be_in_set", "not_be_null"],
    "status": ["be_in_set", "not_be_null"],
    "level": ["be_in_set", "not_be_null", "be_null", "not_be_in_set"],
    "dementia": ["be_in_set", "not_be_null", "not_be_in_set"],
    "reduced": ["be_in_set", "not_be_null"],
    "facility": ["match_regex", "not_be_null"],
    "share": ["be_between"],
    "visits": ["be_in_set"],
    "certified_for": ["be_in_set", "not_be_null", "be_null", "not_be_in_set"],
    "decided_in": ["be_in_set", "not_be_null"],
    "ward": ["be_in_set", "not_be_null"],
    "town": ["match_regex", "not_be_null", "not_be_in_set", "be_in_set"],
    "district": ["not_be_null", "not_be_in_set", "be_in_set"],
    "came_from": ["be_in_set", "not_be_in_set"],
    "relationship": ["be_in_set", "not_be_null"],
    "is_representative": ["be_in_set", "not_be_null"],
    "household_size": ["be_between", "not_be_null", "be_null"],
    "family_type": ["be_in_set", "not_be_null", "be_null"],
}
OF_CARE = [f"{column}.{kind}" for column, kinds in EXPECTED.items() for kind in kinds]
"""What is expected of the made-up source, by column."""
CONSTANT = {"is_representative.be_in_set", "reduced.be_in_set", "immigration_notice.be_in_set"}
"""A Boolean column holds nothing else, whatever goes wrong: broken by a column of another type."""


def suite_of(path) -> dict[str, Expectation]:
    suite = expectations(load_contract(path), KNOWN)
    return dict(zip(names(suite), suite, strict=True))


def broken(frame: pl.DataFrame, name: str, expectation: Expectation) -> pl.DataFrame:
    """The frame with the least change that no longer meets one expectation."""
    kwargs, kind = expectation.kwargs, expectation.type
    if kind == "expect_table_columns_to_match_set":
        return frame.with_columns(pl.lit("x").alias("surplus"))
    if kind == "expect_table_row_count_to_be_between":
        return frame.clear()
    if kind == "expect_compound_columns_to_be_unique":
        return frame.with_columns(pl.col(column).first() for column in kwargs["column_list"])
    column = kwargs["column"]
    if name in CONSTANT:
        return frame.with_columns(pl.lit("maybe").alias(column))
    held = frame[column]
    wrong = {
        "expect_column_values_to_be_unique": held[0],
        "expect_column_values_to_not_be_null": None,
        "expect_column_values_to_be_null": held.drop_nulls()[0] if held.null_count() < len(held) else "x",
        "expect_column_values_to_be_between": kwargs.get("max_value", kwargs.get("min_value", 0) - 2) + 1,
        "expect_column_values_to_match_regex": "甲",
        "expect_column_values_to_not_be_in_set": (kwargs.get("value_set") or [None])[0],
        "expect_column_values_to_be_in_set": "甲",
    }[kind]
    chosen = pl.lit(True)
    if condition := kwargs.get("row_condition"):
        same = pl.col(condition["column"]["name"]).eq_missing(pl.lit(condition["parameter"]))
        chosen = same if condition["operator"] == "==" else ~same
    if "mostly" not in kwargs:  # one row that is wrong is enough
        chosen = chosen & (pl.int_range(pl.len()) == frame.select(chosen.arg_max()).item())
    if kind == "expect_column_values_to_be_unique":
        chosen = pl.int_range(pl.len()) < 2
    return frame.with_columns(pl.when(chosen).then(pl.lit(wrong, held.dtype)).otherwise(column).alias(column))


def test_a_core_system_that_no_code_knows_is_expected_to_keep_all_that_its_contract_says(care):
    assert sorted(names(care.suite)) == sorted(OF_CARE)
    assert care.frame.height == 120 and care.failed(care.frame) == set()


def test_the_movements_of_the_city_meet_what_follows_from_their_contract(movements):
    assert movements.frame.height == 60 and movements.failed(movements.frame) == set()
    assert {"event_id.be_unique", "reason.be_in_set", "reason.not_be_null"} <= set(names(movements.suite))


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_CARE)
def test_every_expectation_on_a_new_source_fails_when_it_is_broken(care, name):
    frame = broken(care.frame, name, suite_of(CARE)[name])
    assert name in care.failed(frame)


@pytest.mark.parametrize("name", list(suite_of(MOVEMENTS)))
def test_every_expectation_on_the_movements_fails_when_it_is_broken(movements, name):
    frame = broken(movements.frame, name, suite_of(MOVEMENTS)[name])
    assert name in movements.failed(frame)


def test_a_column_that_is_not_there_fails_all_that_is_expected_of_it(care):
    failed = care.failed(care.frame.drop("district"))
    assert failed == {
        "table.columns_to_match_set", "district.not_be_null", "district.not_be_in_set", "district.be_in_set",
    }  # fmt: skip


def test_a_share_is_not_failed_by_fewer_than_ten_rows_of_many(care):
    nine = pl.when(pl.int_range(pl.len()) < 9).then(pl.lit("unknown")).otherwise("district").alias("district")
    ten = pl.when(pl.int_range(pl.len()) < 10).then(pl.lit("unknown")).otherwise("district").alias("district")
    assert care.failed(care.frame.with_columns(nine)) == set()
    assert care.failed(care.frame.with_columns(ten)) == {"district.not_be_in_set"}


def test_a_share_is_failed_by_most_of_a_few_rows(care):
    few = care.frame.head(4).with_columns(pl.lit(None, pl.Int16).alias("age"))
    assert "age.not_be_null" in care.failed(few)


def test_a_district_of_another_year_and_a_town_of_nowhere_are_found(care):
    retired = care.frame.with_columns(pl.lit("0103").alias("district"))
    assert care.failed(retired) == {"district.be_in_set"}
    nowhere = care.frame.with_columns(pl.lit("28101777").alias("town"))
    assert care.failed(nowhere) == {"town.be_in_set"}


def test_an_event_of_another_month_is_found(care):
    other = expectations(care.contract, Known("2025-08", KNOWN.references))
    month = next(one for one in other if one.kwargs.get("column") == "decided_in")
    assert month.kwargs["value_set"] == ["2025-08"] != [MONTH]


def test_every_rule_that_yields_columns_says_what_they_may_hold():
    for kind in get_args(get_args(AnyColumn)[0]):
        yields = any(field == "to" or field.startswith("to_") for field in kind.model_fields)
        assert (kind in EXPECTS) == yields, kind


def test_the_share_of_unknown_that_is_checked_is_no_part_of_what_is_derived(tmp_path):
    text = CARE.read_text("utf-8")
    assert "unknown_at_most = 0.3" in text
    other = tmp_path / CARE.name
    other.write_text(text.replace("unknown_at_most = 0.3", "unknown_at_most = 0.9"), "utf-8")
    assert contract_digest(load_contract(CARE)) == contract_digest(load_contract(other))
