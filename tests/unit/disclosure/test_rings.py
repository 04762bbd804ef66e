"""Tables in a ring (A × B, B × C, A × C): people stand behind them, whole and not fewer than none in any cell."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, joints, protect
from kobe_platform.disclosure.auditor import joints as auditor_joints
from kobe_platform.disclosure.auditor import previous_release as former
from kobe_platform.errors import DisclosureError

CHECKED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)

FLAT = {name: {"T": None, f"{name}1": "T", f"{name}2": "T"} for name in "abcd"}
THREE = {"T": None, "a1": "T", "a2": "T", "a3": "T"}
WARDS = {"T": None, "w": "T", "v": "T", "w1": "w", "w2": "w", "v1": "v"}
SIX = {"T": None, **dict.fromkeys(("a1", "a2", "a3", "a4", "a5", "a6"), "T")}
GATHERED = {
    "halves": {"a123": ("a1", "a2", "a3"), "a456": ("a4", "a5", "a6")},
    "pairs": {"a12": ("a1", "a2"), "a45": ("a4", "a5")},
    "few": {"a12": ("a1", "a2")},
    "others": {"a23": ("a2", "a3")},
}
RINGS = {
    "three": ({**FLAT, "a": THREE}, [["a", "b"], ["b", "c"], ["a", "c"]]),
    "four": (FLAT, [["a", "b"], ["b", "c"], ["c", "d"], ["a", "d"]]),
    "within wards": (
        {**FLAT, "a": WARDS, "ward": {"T": None, "w": "T", "v": "T"}},
        [["ward", "b", "c"], ["a", "b"], ["a", "c"]],
    ),
    "with another table at its side": (FLAT, [["a", "b"], ["b", "c"], ["a", "c"], ["a", "d"]]),
    "by groups that overlap": (
        {**FLAT, "a": THREE, "few": {"T": None, "a12": "T", "a3": "T"}, "others": {"T": None, "a1": "T", "a23": "T"}},
        [["few", "b"], ["others", "c"], ["b", "c"]],
    ),
    "by sums of groups": (
        {
            **FLAT,
            "a": SIX,
            "halves": {"T": None, "a123": "T", "a456": "T"},
            "pairs": {"T": None, "a12": "T", "a3": "T", "a45": "T", "a6": "T"},
        },
        [["halves", "b"], ["pairs", "b"]],
    ),
    "overlap of two areas": (
        {**FLAT, "a": THREE, "few": {"T": None, "a12": "T", "a3": "T"}, "others": {"T": None, "a1": "T", "a23": "T"}},
        [["few", "b", "c"], ["others", "b"], ["others", "c"]],
    ),
}
"""Trees of the dimensions (those with long names are views of ``a``), and the tables' dimensions."""


@dataclass(frozen=True)
class Ring:
    """A specification, and behind it the finest cells of all its dimensions together."""

    spec: Spec
    trees: dict[str, dict[str, str | None]]
    names: list[str]
    finest: list[tuple[str, ...]]

    def counted(self, table: Table) -> dict[tuple[str, ...], frozenset[int]]:
        """Every row of a table → the finest cells that it counts."""
        rows: dict[tuple[str, ...], set[int]] = {}
        for number, codes in enumerate(self.finest):
            at = dict(zip(self.names, codes, strict=True))
            lines = []
            for dimension in table.dimensions.values():
                base = self.spec.dimension(dimension).of or dimension
                gathered = self.spec.dimension(dimension).consists_of
                own = next((group for group, parts in gathered.items() if at[base] in parts), at[base])
                line = above(self.trees[dimension if own in self.trees[dimension] else base], own)
                lines.append([code for code in line if code in self.trees[dimension]])
            for row in itertools.product(*lines):
                rows.setdefault(row, set()).add(number)
        return {row: frozenset(members) for row, members in rows.items()}

    def cells(self, people: list[int]) -> dict[str, pl.DataFrame]:
        """The finest cells of every table, of so many people in each finest cell of all."""
        frames = {}
        for table in self.spec.tables:
            inner = [set(self.trees[d].values()) for d in table.dimensions.values()]
            rows = [
                (*row, sum(people[i] for i in members))
                for row, members in self.counted(table).items()
                if not any(code in own for code, own in zip(row, inner, strict=True))
            ]
            frames[table.name] = pl.DataFrame(rows, schema=[*table.dimensions, "persons"], orient="row")
        return frames

    def too_narrow(self, tables: dict[str, pl.DataFrame]) -> bool:
        """Whether some suppressed row has an interval below the width that reaches below k, by programs over people."""
        rule = self.spec.rule
        sums, low, high, hidden = [], [], [], set()
        for table in self.spec.tables:
            members = self.counted(table)
            for *codes, value, status in tables[table.name].select(*table.dimensions, "value", "status").rows():
                row = members.get(tuple(codes), frozenset())
                sums.append([float(i in row) for i in range(len(self.finest))])
                low.append(value if status == "published" else float(rule.zeros == "published"))
                high.append(value if status == "published" else np.inf)
                if status == "suppressed":
                    hidden.add(row)
        fits = LinearConstraint(np.array(sums), low, high)
        for row in hidden:
            aim = np.array([float(i in row) for i in range(len(self.finest))])
            # Without presolve: HiGHS' called one such program infeasible that is not (version 1.12).
            least = milp(aim, constraints=fits, integrality=1, options={"presolve": False}).fun
            most = milp(-aim, constraints=fits, integrality=1, options={"presolve": False})
            if least < rule.minimum_frequency - 0.5 and most.status == 0 and -most.fun - least < rule.width - 0.5:
                return True
        return False


def above(tree: dict, code: str) -> list[str]:
    line = [code]
    while tree[line[-1]] is not None:
        line.append(tree[line[-1]])
    return line


def ring(name: str, k: int, zeros: str = "published") -> Ring:
    trees, columns = RINGS[name]
    views = dict.fromkeys(("ward", "few", "others", "halves", "pairs"), "a")
    dimensions = {
        own: Dimension(hierarchy=tree, of=views.get(own), consists_of=GATHERED.get(own, {}))
        for own, tree in trees.items()
    }
    tables = tuple(Table(name=f"by_{'_'.join(names)}", dimensions=names) for names in columns)
    names = sorted({views.get(own, own) for names in columns for own in names})
    finest = itertools.product(*([c for c in trees[n] if c not in set(trees[n].values())] for n in names))
    spec = Spec(rule=Rule(minimum_frequency=k, zeros=zeros), dimensions=dimensions, tables=tables)
    return Ring(spec, trees, names, list(finest))


@st.composite
def problems(draw, zeros="published"):
    found = ring(draw(st.sampled_from(sorted(RINGS))), draw(st.integers(2, 6)), zeros)
    size = len(found.finest)
    counts = st.sampled_from([0, 0, 1, 2]) | st.integers(0, 9)
    return found, draw(st.lists(counts, min_size=size, max_size=size))


def check(problem) -> None:
    found, people = problem
    try:
        tables = protect(found.spec, found.cells(people)).tables
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected", error.code
        return
    assert audit(found.spec, tables).publishable
    assert not found.too_narrow(tables)


@pytest.mark.slow
@CHECKED
@given(problems())
def test_no_interval_is_narrower_than_the_width(problem):
    check(problem)


@pytest.mark.slow
@CHECKED
@given(problems(zeros="hidden"))
def test_no_interval_is_narrower_where_zeros_are_hidden(problem):
    check(problem)


@pytest.mark.slow
@CHECKED
@given(problems(), st.data())
def test_the_auditor_refuses_exactly_what_is_narrow(problem, data):
    """Any pattern: small counts are hidden, and other rows at random (the same margin alike in all tables)."""
    found, people = problem
    k, tables, alike = found.spec.rule.minimum_frequency, {}, {}
    assume(sum(people) >= k)
    for table in found.spec.tables:
        rows = []
        for row, members in sorted(found.counted(table).items()):
            n = sum(people[i] for i in members)
            if members not in alike:
                everyone = len(members) == len(people)
                alike[members] = 0 < n < k or (n > 0 and not everyone and data.draw(st.booleans()))
            rows.append((*row, None, "suppressed") if alike[members] else (*row, n, "published"))
        schema = dict.fromkeys(table.dimensions, pl.String) | {"value": pl.Int64, "status": pl.String}
        tables[table.name] = pl.DataFrame(rows, schema=schema, orient="row")
    assert audit(found.spec, tables).publishable == (not found.too_narrow(tables))


def test_a_sum_that_another_table_shows_tells_its_parts():
    """Of b 1 there is one person in a 3 and one in a 6; 1–3 and 4–6 are shown beside, so 1–2 and 4–5 must be hidden."""
    found = ring("by sums of groups", k=3)
    tables = protect(found.spec, found.cells([10, 10, 10, 10, 1, 10, 10, 10, 10, 10, 1, 10])).tables
    assert audit(found.spec, tables).publishable
    assert not found.too_narrow(tables)


LARGE = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 12]


def test_an_audit_without_a_ring_that_is_too_large_is_not_publishable(monkeypatch):
    found = ring("three", k=10)
    tables = protect(found.spec, found.cells(LARGE)).tables
    asked = audit(found.spec, tables)
    assert asked.publishable and asked.counts["joints_left_out"] == 0
    for room in (joints, auditor_joints):
        monkeypatch.setattr(room, "MOST_JOINT_CELLS", 11)
    tables = protect(found.spec, found.cells(LARGE)).tables
    left = audit(found.spec, tables)
    assert left.counts["joints_left_out"] == 1 and left.counts["unknown"] == asked.counts["unknown"] - 12
    assert not left.publishable
    assert [(f.rule, f.table, f.coordinates) for f in left.findings] == [
        ("ring", "by_a_b", {"beside": "by_a_c, by_b_c"})
    ]


def test_a_ring_left_out_beside_a_former_release_alone_is_not_publishable(monkeypatch):
    """The release before a correction is attacked in a system of its own, which may leave out rings of its own."""
    found = ring("three", k=10)
    tables = protect(found.spec, found.cells([*LARGE[:-2], 4, 5])).tables
    before = protect(found.spec, found.cells([*LARGE[:-2], 4, 8])).tables
    assert audit(found.spec, tables, previous=[before]).publishable
    built = former.build_system
    monkeypatch.setattr(former, "build_system", lambda *given: replace(built(*given), left_out=[("by_a_b", "by_a_c")]))
    report = audit(found.spec, tables, previous=[before])
    assert {f.rule for f in report.findings} == {"ring"} and not report.publishable


def test_people_whom_nobody_can_be_are_refused():
    """Everybody of a 1 is in b 1, everybody of b 1 in c 1, everybody of c 1 in d 1, and nobody of a 1 in d 1."""
    found = ring("four", k=3)
    cells = {
        name: frame.sort(frame.columns[:2]).with_columns(
            persons=pl.Series([0, 20, 20, 0] if name == "by_a_d" else [20, 0, 0, 20])
        )
        for name, frame in found.cells([5] * 16).items()
    }
    with pytest.raises(DisclosureError, match="no people were found") as caught:
        protect(found.spec, cells)
    assert caught.value.code == "disclosure.contradiction"
