"""Great Expectations judges the same suite and says the same; neither tells a value."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kobe_platform.errors import PlatformError
from kobe_platform.quality import Expectation, Tally, judge, names, second_opinion, settled
from kobe_platform.quality.second_opinion import disagreements, great_expectations

from .conftest import Source

CANARY = "介護太郎の値"
SCHEMA = {
    "id": pl.UInt64,
    "size": pl.Int16,
    "code": pl.String,
    "kind": pl.String,
    "flag": pl.Boolean,
}
TEXTS = st.sampled_from(["a", "b", "unknown", "28101", "281011", "", "甲", None])
VALUES = {
    "id": st.one_of(st.none(), st.integers(0, 4), st.integers(2**64 - 3, 2**64 - 1)),
    "size": st.one_of(st.none(), st.integers(-2, 4)),
    "code": TEXTS,
    "kind": st.sampled_from(["foreign", "japanese", None]),
    "flag": st.sampled_from([True, False, None]),
}


def where(column: str, operator: str, parameter: object) -> dict:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


def suite(mostly: float) -> list[Expectation]:
    """Every type of expectation that a contract can lead to, with and without a share and a condition."""

    def of(kind: str, column: str, **kwargs: object) -> Expectation:
        return Expectation(f"expect_column_values_to_{kind}", {"column": column, **kwargs})

    conditions = [where("kind", "==", "foreign"), where("kind", "!=", "foreign"), where("flag", "==", True)]
    conditions += [where("flag", "!=", True)]
    return [
        Expectation("expect_table_columns_to_match_set", {"column_set": list(SCHEMA), "exact_match": True}),
        Expectation("expect_table_columns_to_match_set", {"column_set": ["id", "size"], "exact_match": True}),
        Expectation("expect_table_row_count_to_be_between", {"min_value": 1}),
        Expectation("expect_compound_columns_to_be_unique", {"column_list": ["id", "code"]}),
        of("be_unique", "id"),
        of("be_unique", "code"),
        of("be_in_set", "code", value_set=["a", "b"]),
        of("be_in_set", "flag", value_set=[True, False]),
        of("be_in_set", "code", value_set=["a", "unknown"], mostly=mostly),
        of("not_be_in_set", "code", value_set=["unknown"], mostly=mostly),
        of("match_regex", "code", regex=r"^(?:(?:28101|28102)|unknown|[ab])$"),
        of("be_between", "size", min_value=0, max_value=3),
        of("be_between", "size", min_value=1),
        of("be_between", "size", max_value=2),
        of("not_be_null", "code"),
        of("not_be_null", "id", mostly=mostly),
        of("be_null", "size"),
        *(of("be_null", "size", row_condition=one) for one in conditions),
        *(of("not_be_null", "code", row_condition=one, mostly=mostly) for one in conditions),
    ]


def frames():
    rows = st.lists(st.tuples(*VALUES.values()), max_size=12)
    return rows.map(lambda drawn: pl.DataFrame(drawn, schema=SCHEMA, orient="row"))


@pytest.mark.slow
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate],  # shrinking would take minutes
    derandomize=True,
)
@given(frame=frames(), mostly=st.sampled_from([0.5, 0.75, 0.9]), few=st.booleans())
def test_great_expectations_says_the_same_of_every_type_of_expectation(frame, mostly, few):
    tally = Tally(frame)
    expected = settled(suite(mostly), tally) if few else suite(mostly)
    assert (
        list(disagreements(expected, judge("any", expected, tally), great_expectations("any", expected, frame))) == []
    )


def test_every_type_that_a_contract_leads_to_is_among_those_that_are_compared(care: Source, movements: Source):
    assert {one.type for one in (*care.suite, *movements.suite)} == {one.type for one in suite(0.9)}


def test_great_expectations_says_the_same_of_a_new_sources_own_suite(care: Source):
    spoilt = care.frame.with_columns(pl.lit(None, pl.String).alias("ward"), pl.lit("x").alias("level"))
    for frame in (care.frame, spoilt):
        tally = Tally(frame)
        expected = settled(care.suite, tally)
        mine, other = judge("care", expected, tally), great_expectations("care", expected, frame)
        assert list(disagreements(expected, mine, other)) == []
        assert mine["success"] == other["success"] == frame.equals(care.frame)


def test_neither_verdict_tells_a_value(care: Source):
    spoilt = care.frame.with_columns(
        pl.lit(CANARY).alias(name) for name, kind in care.frame.schema.items() if kind == pl.String
    ).with_columns(pl.lit(31337, pl.Int64).alias("share"), pl.lit(987654321987, pl.UInt64).alias("insured_id"))
    expected = settled(care.suite, Tally(spoilt))
    mine, other = judge("care", expected, Tally(spoilt)), great_expectations("care", expected, spoilt)
    for validation in (mine, other):
        text = json.dumps(validation, ensure_ascii=False)
        assert not validation["success"]
        assert CANARY not in text and "31337" not in text and "987654321987" not in text


def test_what_the_library_says_when_it_fails_is_left_out(care: Source, monkeypatch):
    def failing(*_):
        raise ValueError(CANARY)

    monkeypatch.setattr(second_opinion, "_validated", failing)
    with pytest.raises(PlatformError) as caught:
        great_expectations("care", care.suite, care.frame)
    assert CANARY not in str(caught.value) and caught.value.__cause__ is None
    assert caught.value.at["error"] == "ValueError"


def test_a_differing_verdict_or_count_is_named(care: Source):
    tally = Tally(care.frame)
    mine = judge("care", care.suite, tally)
    other = json.loads(json.dumps(mine))
    other["results"][3]["success"] = False
    other["results"][5]["result"]["unexpected_count"] = 7
    told = names(care.suite)
    assert list(disagreements(care.suite, mine, other)) == [told[3], told[5]]
