"""Two regroupings of one dimension without a table of its finest codes: what their groups share is counted with."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.errors import DisclosureError

sys.path.insert(0, str(Path(__file__).parent))
from oracle import ranges_of_sums

AGES = "abcd"
CHECKED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def spec_of(views: dict[str, dict[str, str]], k: int = 3, zeros: str = "published") -> Spec:
    """A table by sex of each view; nobody shows single ages. ``views``: name → {group: its ages as letters}."""
    dimensions = {
        "age": Dimension(hierarchy={"T": None} | dict.fromkeys(AGES, "T")),
        "sex": Dimension(hierarchy={"T": None, "m": "T", "f": "T"}),
    }
    for name, groups in views.items():
        tree = {"T": None} | dict.fromkeys(groups, "T")
        gathers = {group: list(ages) for group, ages in groups.items() if len(group) > 1}
        dimensions[name] = Dimension(of="age", hierarchy=tree, consists_of=gathers)
    tables = tuple(Table(name=f"by_{name}", dimensions={"sex": "sex", "age": name}) for name in views)
    return Spec(rule=Rule(minimum_frequency=k, zeros=zeros), dimensions=dimensions, tables=tables)


def cells_of(views: dict, people: dict[tuple[str, str], int]) -> dict[str, pl.DataFrame]:
    return {
        f"by_{name}": pl.DataFrame(
            [(sex, g, sum(people[sex, a] for a in ages)) for g, ages in groups.items() for sex in "mf"],
            schema=["sex", "age", "persons"], orient="row",
        )
        for name, groups in views.items()
    }  # fmt: skip


def with_margins(views: dict, people: dict) -> dict[str, pl.DataFrame]:
    return {
        f"by_{name}": pl.DataFrame(
            [
                (sex, group, sum(people[s, a] for s in ("mf" if sex == "T" else sex) for a in ages))
                for sex in ("m", "f", "T")
                for group, ages in {**groups, "T": AGES}.items()
            ],
            schema=["sex", "age", "persons"], orient="row",
        )
        for name, groups in views.items()
    }  # fmt: skip


def ranges(views: dict, spec: Spec, tables: dict[str, pl.DataFrame]) -> dict:
    """(table, codes) of every suppressed row → its least and largest count, by brute force over single ages."""
    finest = [(sex, age) for sex in "mf" for age in AGES]
    constraints, hidden = [], {}
    for name, groups in views.items():
        for sex, group, value, status in tables[f"by_{name}"].select("sex", "age", "value", "status").rows():
            ages = AGES if group == "T" else groups[group]
            members = frozenset(i for i, (s, a) in enumerate(finest) if sex in ("T", s) and a in ages)
            if status == "published":
                constraints.append((members, value, value))
            else:
                constraints.append((members, 0 if spec.rule.zeros == "hidden" else 1, None))
                hidden[f"by_{name}", (sex, group)] = members
    return ranges_of_sums(len(finest), constraints, hidden)


SHAPES = [
    {"old": {"ab": "ab", "cd": "cd"}, "new": {"a": "a", "bc": "bc", "d": "d"}},
    {"old": {"abc": "abc", "d": "d"}, "new": {"a": "a", "bcd": "bcd"}},
    {"old": {"ab": "ab", "c": "c", "d": "d"}, "new": {"a": "a", "b": "b", "cd": "cd"}},
    {"old": {"ab": "ab", "cd": "cd"}, "new": {"ac": "ac", "bd": "bd"}},
    {"one": {"ab": "ab", "cd": "cd"}, "two": {"a": "a", "bcd": "bcd"}, "six": {"abc": "abc", "d": "d"}},
]


@st.composite
def problems(draw, zeros="published"):
    views = draw(st.sampled_from(SHAPES))
    counts = draw(st.lists(st.integers(0, 6), min_size=8, max_size=8))
    people = dict(zip([(s, a) for s in "mf" for a in AGES], counts, strict=True))
    return views, spec_of(views, draw(st.integers(2, 4)), zeros), people


def narrow(spec: Spec, found: dict) -> bool:
    k = spec.rule.minimum_frequency
    return any(high - low < spec.rule.width and low < k for low, high in found.values())


def check(views: dict, spec: Spec, people: dict) -> None:
    cells = cells_of(views, people)
    try:
        tables = protect(spec, cells).tables
    except DisclosureError as error:
        assert error.code in ("disclosure.unprotected", "disclosure.audit"), error.code
        return
    assert audit(spec, tables).publishable
    totals = [t.filter((pl.col("sex") == "T") & (pl.col("age") == "T"))["status"][0] for t in tables.values()]
    assume("published" in totals)
    assert not narrow(spec, ranges(views, spec, tables))


@pytest.mark.slow
@CHECKED
@given(problems())
def test_no_interval_is_narrower_where_groups_overlap(problem):
    check(*problem)


@pytest.mark.slow
@CHECKED
@given(problems(zeros="hidden"))
def test_no_interval_is_narrower_where_groups_overlap_and_zeros_are_hidden(problem):
    check(*problem)


@pytest.mark.slow
@CHECKED
@given(problems(), st.data())
def test_the_auditor_refuses_exactly_what_the_oracle_finds_narrow(problem, data):
    """Any pattern at all: small counts hidden, other rows hidden at random (the same margin alike in all tables)."""
    views, spec, people = problem
    k, tables, margins = spec.rule.minimum_frequency, {}, {}
    for name, frame in with_margins(views, people).items():
        rows = []
        for sex, group, n in frame.rows():
            hide = 0 < n < k or (n > 0 and (sex, group) != ("T", "T") and data.draw(st.booleans()))
            hide = margins.setdefault(sex, hide) if group == "T" else hide
            rows.append((sex, group, None if hide else n, "suppressed" if hide else "published"))
        schema = {"sex": pl.String, "age": pl.String, "value": pl.Int64, "status": pl.String}
        tables[name] = pl.DataFrame(rows, schema=schema, orient="row")
    assume(sum(people.values()) >= k)
    assert audit(spec, tables).publishable == (not narrow(spec, ranges(views, spec, tables)))


def test_what_lies_within_a_shown_group_is_no_larger():
    """Of the men abc is 10 and d is 2, both hidden; bcd is shown as 5, so 1 ≤ d ≤ 5: narrower than 5."""
    views = SHAPES[1]
    people = {("m", a): n for a, n in zip(AGES, (7, 2, 1, 2), strict=True)} | {("f", a): 20 for a in AGES}
    spec = spec_of(views, k=5)
    tables = {
        name: frame.select(
            "sex", "age", value=pl.when(pl.col("age").is_in(["abc", "d"])).then(None).otherwise("persons"),
            status=pl.when(pl.col("age").is_in(["abc", "d"])).then(pl.lit("suppressed")).otherwise(pl.lit("published")),
        )
        for name, frame in with_margins(views, people).items()
    }  # fmt: skip
    assert ranges(views, spec, tables)["by_old", ("m", "d")] == (1, 5)
    found = {(f.rule, f.table, f.coordinates["sex"], f.coordinates["age"]) for f in audit(spec, tables).findings}
    assert ("narrow", "by_old", "m", "d") in found
    assert audit(spec, protect(spec, cells_of(views, people)).tables).publishable


def test_regroupings_that_cannot_count_the_same_people_are_refused():
    views = SHAPES[0]
    cells = cells_of(views, {(s, a): 5 for s in "mf" for a in AGES})
    cells["by_new"] = cells["by_new"].with_columns(
        persons=pl.when(pl.col("age") == "a").then(12).when(pl.col("age") == "bc").then(3).otherwise("persons")
    )
    with pytest.raises(DisclosureError, match="no people were found"):
        protect(spec_of(views), cells)


def test_codes_with_commas_and_braces_are_codes():
    """Two sets of codes whose names could be read alike: {"a,b", "c"} and {"a", "b,c"}."""
    ages = ["a,b", "c", "a", "b,c"]
    dimensions = {
        "age": Dimension(hierarchy={"T": None} | dict.fromkeys(ages, "T")),
        "old": Dimension(
            of="age", hierarchy={"T": None, "x": "T", "y": "T"}, consists_of={"x": ages[:2], "y": ages[2:]}
        ),
        "new": Dimension(
            of="age", hierarchy={"T": None, "y": "T", "z": "T"}, consists_of={"y": ages[:3], "z": ages[3:]}
        ),
    }
    spec = Spec(
        rule=Rule(minimum_frequency=3), dimensions=dimensions,
        tables=(Table(name="one", dimensions={"age": "old"}), Table(name="two", dimensions={"age": "new"})),
    )  # fmt: skip
    schema = ["age", "persons"]
    cells = {
        "one": pl.DataFrame([("x", 20), ("y", 30)], schema=schema, orient="row"),
        "two": pl.DataFrame([("y", 30), ("z", 20)], schema=schema, orient="row"),
    }
    tables = protect(spec, cells).tables
    assert audit(spec, tables).publishable and tables["one"]["value"].to_list() == [50, 20, 30]


def test_two_columns_that_group_the_same_codes_are_refused():
    described = spec_of(SHAPES[0]).dimensions
    with pytest.raises(ValueError, match="two columns of t group the same codes"):
        Spec(dimensions=described, tables=(Table(name="t", dimensions=["age", "old"]),))


def test_a_definition_that_names_a_code_of_no_hierarchy_is_refused_by_that_code():
    tables = (Table(name="by_sex", dimensions={"sex": "sex"}), Table(name="by_age", dimensions={"age": "age"}))
    ages = Dimension(hierarchy={"T": None} | dict.fromkeys(AGES, "T"))
    sexes = Dimension(hierarchy={"T": None, "m": "T", "f": "T"})
    strange = {"population": tables[0].population, "one": "sex", "other": "age", "possible": {"m": ("a", "z")}}
    described = {"dimensions": {"age": ages, "sex": sexes}, "tables": tables, "combinations": [strange]}
    spec = Spec.model_validate({"rule": Rule(minimum_frequency=3), **described})
    cells = {
        "by_sex": pl.DataFrame({"sex": ["m", "f"], "persons": [40, 40]}),
        "by_age": pl.DataFrame({"age": list(AGES), "persons": [20] * len(AGES)}),
    }
    with pytest.raises(DisclosureError) as refusal:
        protect(spec, cells)
    assert (refusal.value.code, refusal.value.at) == ("disclosure.code", {"code": "z"})
