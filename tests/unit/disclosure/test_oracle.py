"""Against brute force: no interval is ever narrower than promised, and the auditor sees whatever the oracle sees."""

from __future__ import annotations

import itertools
import sys
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, FormerRelease, Mean, Rule, Spec, Table, audit, protect
from kobe_platform.errors import DisclosureError

sys.path.insert(0, str(Path(__file__).parent))
from oracle import hidden_ranges

FLAT = {"T": None, "m": "T", "f": "T"}
AREAS = [
    {"city": None, "a": "city", "b": "city", "c": "city"},
    {"city": None, "w": "city", "v": "city", "a": "w", "b": "w", "c": "v"},
]
CHECKED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@st.composite
def small_problems(draw, zeros="published", linked=False, residual=False):
    """Six finest cells of area × sex with counts up to 7, k of 2 to 4; ``residual``: area c is never published."""
    area = draw(st.sampled_from(AREAS))
    k = draw(st.integers(2, 4))
    leaves = [c for c in area if c not in set(area.values())]
    counts = draw(st.lists(st.integers(0, 7), min_size=6, max_size=6))
    cells = pl.DataFrame(
        [(a, s, n) for (a, s), n in zip(itertools.product(leaves, "mf"), counts, strict=True)],
        schema=["area", "sex", "persons"], orient="row",
    )  # fmt: skip
    tables = [Table(name="t", dimensions=["area", "sex"])]
    frames = {"t": cells}
    if linked:
        tables.append(Table(name="u", dimensions=["area"]))
        frames["u"] = cells.group_by("area").agg(pl.col("persons").sum())
    spec = Spec(
        rule=Rule(minimum_frequency=k, zeros=zeros),
        dimensions={
            "area": Dimension(hierarchy=area, residual=("c",) if residual else ()),
            "sex": Dimension(hierarchy=FLAT),
        },
        tables=tuple(tables),
    )
    return spec, frames, {"area": area, "sex": FLAT}


def true_count(frame, trees, codes):
    picked = frame
    for (column, tree), code in zip(trees.items(), codes, strict=False):
        inside = [leaf for leaf in tree if _reaches(tree, leaf, code)]
        picked = picked.filter(pl.col(column).is_in(inside))
    return int(picked["persons"].sum())


def _reaches(tree, code, ancestor):
    while code is not None and code != ancestor:
        code = tree[code]
    return code == ancestor


def check(spec, frames, trees, start=None):
    tables = protect(spec, frames, start=start).tables
    k = spec.rule.minimum_frequency
    for row in tables["t"].iter_rows(named=True):
        count = true_count(frames["t"], trees, (row["area"], row["sex"]))
        if row["status"] == "published":
            assert row["value"] == count, "a published figure was changed"
            assert not 0 < count < k
    report = audit(spec, tables)
    assert report.publishable, report.findings
    assume(tables["t"].filter(pl.col("status") == "published", pl.col("area") == "city", pl.col("sex") == "T").height)
    for (name, codes), (low, high) in hidden_ranges(spec, frames, tables, trees).items():
        assert high - low >= spec.rule.width or low >= k, (name, codes)
    return tables


@pytest.mark.slow
@CHECKED
@given(small_problems())
def test_no_interval_is_narrower_than_the_width(problem):
    check(*problem)


@pytest.mark.slow
@CHECKED
@given(small_problems(linked=True))
def test_no_interval_is_narrower_in_linked_tables(problem):
    check(*problem)


@pytest.mark.slow
@CHECKED
@given(small_problems(zeros="hidden"))
def test_no_interval_is_narrower_where_zeros_are_hidden_too(problem):
    check(*problem)


@settings(CHECKED, max_examples=15)
@given(small_problems(residual=True), st.data())
def test_the_auditor_refuses_nothing_of_what_was_protected_beside_an_unpublished_area(problem, data):
    """Whatever the pattern begins with, such as last month's."""
    spec, frames, trees = problem
    shown = [(a, s) for a, s in itertools.product(trees["area"], trees["sex"]) if a != "c"]
    chosen = data.draw(st.lists(st.sampled_from(shown), unique=True))
    start = {"t": pl.DataFrame(chosen, schema=["area", "sex"], orient="row")}
    check(spec, frames, trees, start=start)


@pytest.mark.slow
@CHECKED
@given(small_problems(), st.data())
def test_the_auditor_refuses_whatever_the_oracle_finds_narrow(problem, data):
    """Any pattern at all, safe or not: shown cells are picked at random among those at k or above."""
    spec, frames, trees = problem
    tables = protect(spec, frames).tables
    hidden = tables["t"].with_row_index("row").filter(pl.col("status") == "suppressed")
    secondary = [
        r["row"] for r in hidden.iter_rows(named=True)
        if true_count(frames["t"], trees, (r["area"], r["sex"])) >= spec.rule.minimum_frequency
    ]  # fmt: skip
    assume(secondary)
    row = data.draw(st.sampled_from(secondary))
    codes = tables["t"].row(row, named=True)
    count = true_count(frames["t"], trees, (codes["area"], codes["sex"]))
    mutated = tables["t"].with_row_index("row").with_columns(
        value=pl.when(pl.col("row") == row).then(count).otherwise("value"),
        status=pl.when(pl.col("row") == row).then(pl.lit("published")).otherwise("status"),
    ).drop("row")  # fmt: skip
    assume(mutated.filter(pl.col("status") == "published", pl.col("area") == "city", pl.col("sex") == "T").height)
    ranges = hidden_ranges(spec, frames, {"t": mutated}, trees)
    narrow = any(high - low < spec.rule.width and low < spec.rule.minimum_frequency for low, high in ranges.values())
    assert audit(spec, {"t": mutated}).publishable == (not narrow)


@CHECKED
@given(small_problems())
def test_the_same_input_gives_the_same_rows(problem):
    spec, frames, _ = problem
    try:
        first = protect(spec, frames).tables["t"]
    except DisclosureError:
        return
    assert first.equals(protect(spec, {"t": frames["t"].reverse()}).tables["t"])


def hide_at_random(data, frames, trees, k):
    """Every row of the table with a pattern drawn at random that hides what is small; the grand total is shown."""
    rows = []
    for area, sex in itertools.product(trees["area"], trees["sex"]):
        count = true_count(frames["t"], trees, (area, sex))
        small = 0 < count < k
        away = (area, sex) != ("city", "T") and count > 0 and (small or data.draw(st.booleans(), label=f"{area} {sex}"))
        rows.append((area, sex, None if away else count, "suppressed" if away else "published"))
    return pl.DataFrame(rows, schema=["area", "sex", "value", "status"], orient="row")


def narrow_cells(spec, ranges):
    k, width = spec.rule.minimum_frequency, spec.rule.width
    return {codes for (_, codes), (low, high) in ranges.items() if high - low < width and low < k}


def refused_cells(report, *, rules=("exact", "narrow")):
    return {tuple(f.coordinates.values()) for f in report.findings if f.rule in rules}


def told_alone(spec, frames, trees, releases, codes):
    """The interval of a row by the releases alone: what one of them shows, else what all of them together leave."""
    area, sex = codes
    shown = [t["t"].filter(area=area, sex=sex, status="published")["value"].to_list() for t in releases]
    value = next((values[0] for values in shown if values), None)
    if value is not None:
        return value, value
    return hidden_ranges(spec, frames, releases[0], trees, releases[1:])["t", codes]


@pytest.mark.slow
@CHECKED
@given(small_problems(), st.data())
def test_the_auditor_refuses_exactly_what_is_narrow_and_was_not_so_by_former_releases_alone(problem, data):
    spec, frames, trees = problem
    k = spec.rule.minimum_frequency
    assume(true_count(frames["t"], trees, ("city", "T")) >= k)
    now = {"t": hide_at_random(data, frames, trees, k)}
    previous = [{"t": hide_at_random(data, frames, trees, k)} for _ in range(data.draw(st.integers(1, 2)))]
    ranges = hidden_ranges(spec, frames, now, trees, previous)
    narrow = narrow_cells(spec, ranges)
    out = {codes for codes in narrow if ranges["t", codes] == told_alone(spec, frames, trees, previous, codes)}
    hidden = set(now["t"].filter(status="suppressed").select("area", "sex").rows())
    before = {c for p in previous for c in p["t"].filter(status="suppressed").select("area", "sex").rows()}
    report = audit(spec, now, previous=previous)
    assert refused_cells(report) & hidden == narrow - out
    assert {tuple(f.coordinates.values()) for f in report.exposed} & hidden == out
    assert refused_cells(report, rules=("ratchet",)) == before - hidden
    assert not report.counts["corrected"] and "undecided" not in {f.rule for f in report.findings}


@pytest.mark.slow
@CHECKED
@given(small_problems(), st.data())
def test_what_is_protected_after_a_former_release_is_safe_with_it(problem, data):
    """The former release was safe; the same counts again are protected so that both together are."""
    spec, frames, _ = problem
    try:
        before = protect(spec, frames).tables
    except DisclosureError:
        return
    extra = data.draw(st.sampled_from(frames["t"].rows()))
    sensitive = {"t": pl.DataFrame([extra[:2]], schema=["area", "sex"], orient="row")}
    try:
        now = protect(spec, frames, sensitive=sensitive, previous=[FormerRelease(before)]).tables
    except DisclosureError:
        return
    report = audit(spec, now, previous=[before])
    shown_before = before["t"].filter(status="published", area=extra[0], sex=extra[1]).height
    assert report.publishable or (
        shown_before and now["t"].filter(status="suppressed", area=extra[0], sex=extra[1]).height
    )


AGES = {"a": (0, 4), "b": (5, 14), "c": (15, 15)}


@pytest.mark.slow
@CHECKED
@given(small_problems(), st.data())
def test_with_means_the_auditor_refuses_exactly_what_the_oracle_finds_narrow(problem, data):
    """Areas a, b, c stand for classes of age: the mean by sex says how the hidden ones can be shared out."""
    spec, frames, _ = problem
    trees = {"area": AREAS[0], "sex": FLAT}
    spec = spec.model_copy(update={
        "dimensions": {"area": Dimension(hierarchy=AREAS[0]), "sex": Dimension(hierarchy=FLAT)},
        "means": (Mean(table="mean", of="t", dimension="area", values=AGES),),
    })  # fmt: skip
    k = spec.rule.minimum_frequency
    assume(true_count(frames["t"], trees, ("city", "T")) >= k)
    now = hide_at_random(data, frames, trees, k)
    persons = {(r["area"], r["sex"]): r["persons"] for r in frames["t"].rows(named=True)}
    told = {}
    for sex in ("T", "m", "f"):
        groups = [(AGES[a], n) for (a, s), n in persons.items() if sex in ("T", s)]
        number = sum(n for _, n in groups)
        if number and data.draw(st.booleans(), label=f"mean of {sex}"):
            age = sum(data.draw(st.integers(low * n, high * n)) for (low, high), n in groups)
            told[sex] = round(Fraction(age, number), 1) if number else None
    means = pl.DataFrame(
        [(sex, float(mean), "published") for sex, mean in told.items()],
        schema={"sex": pl.String, "value": pl.Float64, "status": pl.String}, orient="row",
    )  # fmt: skip

    def holds(values):
        return all(_mean_fits([(AGES[a], n) for (a, s), n in values.items() if sex in ("T", s)], mean)
                   for sex, mean in told.items())  # fmt: skip

    narrow = narrow_cells(spec, hidden_ranges(spec, frames, {"t": now}, trees, holds=holds))
    report = audit(spec, {"t": now, "mean": means})
    assert refused_cells(report) == narrow and {f.rule for f in report.findings} <= {"exact", "narrow"}


def _mean_fits(groups, mean):
    number, half = sum(n for _, n in groups), Fraction(1, 20)
    least, most = (sum(ends[i] * n for ends, n in groups) for i in (0, 1))
    return least <= (mean + half) * number and most >= (mean - half) * number
