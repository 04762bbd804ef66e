"""Whoever is the one person of a hidden cell, and knows it, must not learn another count by adding and subtracting."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Attack, Dimension, Rule, Spec, Table, audit, protect

sys.path.insert(0, str(Path(__file__).parent))
from test_oracle import CHECKED, FLAT, hide_at_random, small_problems, true_count

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
SQUARE = (("a", "m"), ("a", "f"), ("b", "m"), ("b", "f"))


def spec_of(member=True, k=10, area=AREA):
    return Spec(
        rule=Rule(minimum_frequency=k),
        attack=Attack(member=member),
        dimensions={"area": Dimension(hierarchy=area), "sex": Dimension(hierarchy=FLAT)},
        tables=(Table(name="t", dimensions=["area", "sex"]),),
    )


def counts(*values):
    rows = [(a, s, n) for (a, s), n in zip(itertools.product("abc", "mf"), values, strict=True)]
    return pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")


def published(frame, *hidden):
    rows = []
    for area, sex in itertools.product(AREA, FLAT):
        away = (area, sex) in hidden
        count = None if away else true_count(frame, {"area": AREA, "sex": FLAT}, (area, sex))
        rows.append((area, sex, count, "suppressed" if away else "published"))
    return {"t": pl.DataFrame(rows, schema=["area", "sex", "value", "status"], orient="row")}


def found(report):
    return {(f.rule, *f.coordinates.values()) for f in report.findings}


def test_the_opposite_corner_of_a_square_is_told_to_a_lone_member():
    """One person at (a, m): the published sums leave 40 and 50 beside him, and then 3 at (b, f)."""
    tables = published(counts(1, 40, 50, 3, 60, 60), *SQUARE)
    assert audit(spec_of(member=False), tables).publishable
    assert found(audit(spec_of(), tables)) == {("singleton", "b", "f")}


def test_a_count_of_k_or_more_may_be_told():
    assert audit(spec_of(), published(counts(1, 40, 50, 30, 60, 60), *SQUARE)).publishable


def test_a_cell_that_cannot_be_one_has_no_lone_member():
    """(a, m) is 20: it can fall by two at most, for (b, f) is 3."""
    assert audit(spec_of(), published(counts(20, 40, 50, 3, 60, 60), *SQUARE)).publishable


def test_oneself_in_a_total_is_nothing_new():
    """(a, f) is a published zero, so all of a are men: their count and the total's are the same persons."""
    tables = published(counts(1, 0, 50, 40, 60, 60), ("a", "m"), ("a", "T"), ("b", "m"), ("b", "T"))
    assert audit(spec_of(), tables).publishable


@pytest.mark.parametrize("member", [False, True])
def test_protection_leaves_no_lone_member_the_means(member):
    frame = counts(1, 40, 50, 3, 60, 60)
    tables = protect(spec_of(member), {"t": frame}).tables
    assert audit(spec_of(member), tables).publishable
    hidden = tables["t"].filter(status="suppressed").height
    assert hidden == 4 if not member else hidden > 4


@pytest.mark.slow
@settings(CHECKED, max_examples=15)
@given(small_problems(), st.data())
def test_what_a_lone_member_is_said_to_learn_he_learns(problem, data):
    """By enumeration: in all tables with a 1 in some other hidden cell the count is one and the same, and small."""
    spec, frames, trees = problem
    k = spec.rule.minimum_frequency
    assume(true_count(frames["t"], trees, ("city", "T")) >= k)
    tables = {"t": hide_at_random(data, frames, trees, k)}
    report = audit(spec.model_copy(update={"attack": Attack(member=True)}), tables)
    told = [tuple(f.coordinates.values()) for f in report.findings if f.rule == "singleton"]
    assume(told)
    worlds = consistent(tables["t"], trees)
    hidden = tables["t"].filter(status="suppressed").select("area", "sex").rows()
    for cell in told:
        known = [set(worlds[cell][worlds[lone] == 1].tolist()) for lone in hidden if lone != cell]
        assert any(len(values) == 1 and 0 < min(values) < k for values in known), cell


@CHECKED
@given(small_problems())
def test_protected_tables_pass_their_audit_with_lone_members(problem):
    spec, frames, _ = problem
    spec = spec.model_copy(update={"attack": Attack(member=True)})
    report = audit(spec, protect(spec, frames).tables)
    assert report.publishable, report.findings


def consistent(table, trees):
    """Codes → counts of that row in every whole-numbered table that agrees with what is published."""
    leaves = {c: [x for x in tree if x not in set(tree.values())] for c, tree in trees.items()}
    finest = list(itertools.product(leaves["area"], leaves["sex"]))
    shown = {(r["area"], r["sex"]): r["value"] for r in table.iter_rows(named=True)}
    within = {codes: [i for i, cell in enumerate(finest) if all(map(_below, trees.values(), cell, codes))]
              for codes in shown}  # fmt: skip
    limits = [min(shown[c] for c in shown if i in within[c] and shown[c] is not None) for i in range(len(finest))]
    assume(np.prod([limit + 1 for limit in limits]) < 500_000)
    values = np.indices([limit + 1 for limit in limits], dtype=np.int16).reshape(len(finest), -1)
    sums = {codes: values[members].sum(axis=0) for codes, members in within.items()}
    fits = np.logical_and.reduce([sums[c] == n if n is not None else sums[c] >= 1 for c, n in shown.items()])
    return {codes: counted[fits] for codes, counted in sums.items()}


def _below(tree, code, ancestor):
    while code is not None and code != ancestor:
        code = tree[code]
    return code == ancestor


@pytest.mark.parametrize("asked, told", [((), set()), (("t",), {("singleton", "b", "f")}), (("u",), set())])
def test_a_lone_member_is_asked_about_in_the_tables_that_say_so(asked, told):
    """The square of one table, beside another population whose table is safe."""
    alone, others = spec_of(False), Table(name="u", dimensions=["area"], population="others")
    spec = alone.model_copy(update={"tables": (*alone.tables, others), "attack": Attack(member=asked)})
    square = counts(1, 40, 50, 3, 60, 60)
    others = pl.DataFrame({"area": ["a", "b", "c"], "persons": [40, 50, 60]})
    tables = published(square, *SQUARE) | protect(spec_of_others(), {"u": others}).tables
    assert found(audit(spec, tables)) == told
    made = protect(spec, {"t": square, "u": others}).tables
    assert audit(spec, made).publishable
    assert audit(spec_of(True), {"t": made["t"]}).publishable == ("t" in asked)


def spec_of_others():
    return spec_of(False).model_copy(update={"tables": (Table(name="u", dimensions=["area"], population="others"),)})


def test_a_member_of_a_table_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="unknown table"):
        spec_of(("x",))
