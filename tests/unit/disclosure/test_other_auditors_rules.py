"""Every rule of the auditors of rounding, noise and magnitudes has a case that only it refuses.

A mutant is an auditor with one line of its source changed; each must say something else of its case.
``python -m tests.soak.mutants`` changes every comparison, number and branch of these modules by itself.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from auditor_cases import (
    AREA,
    EIGHT,
    NINE,
    NOISY,
    ROUNDED,
    SEX,
    SUMS,
    areas,
    figures,
    found_in,
    spec_of,
    table,
    unchecked,
    undecided,
)
from mutants import mutate
from scipy import sparse
from scipy.optimize import linprog

from kobe_platform.disclosure import Rule
from kobe_platform.disclosure.auditor import noisy, rounded, sums
from kobe_platform.disclosure.auditor.system import System


def square(**wrong: int | None) -> pl.DataFrame:
    """Areas a, b, c by sex, all figures multiples of 5 that add up; ``wrong`` replaces some by code of area and sex."""
    counts = dict(zip(itertools.product("abc", "mf"), (5, 40, 50, 60, 70, 80), strict=True))
    rows = []
    for area, sex in itertools.product(AREA, SEX):
        value = sum(n for (a, s), n in counts.items() if area in (a, "city") and sex in (s, "T"))
        rows.append((area, sex, wrong.get(area + sex, value)))
    return figures("area", "sex", rows=rows)


def halves(n: int | None, o: int | None) -> pl.DataFrame:
    return figures("area", rows=[("city", 100), ("n", n), ("o", o)])


def quarters(p: int | None, r: int | None) -> pl.DataFrame:
    return figures("area", rows=[("city", 100), ("p", p), ("q", 30), ("r", r), ("s", 20)])


UNKNOWN = {"area": {"city": None, "a": "city", "b": "city"}, "residual": ["b"]}
UNKNOWN_BOTH_WAYS = figures("area", "kind", rows=[("city", "T", 40), ("city", "x", 30), ("a", "T", 35), ("a", "x", 30)])
UNKNOWN_TWICE = figures("area", "kind", rows=[("city", "T", 40), ("city", "x", 30), ("a", "T", 35), ("a", "x", 20)])
SEXES = figures("sex", rows=[("T", 30), ("m", 10), ("f", 20)])
QUARTER, HALF = ({"area": name} for name in ("quarter", "half"))
R, N, S = (table(method) for method in (ROUNDED, NOISY, SUMS))
SQUARES = {letter: table(method, "area", "sex") for letter, method in (("R", ROUNDED), ("N", NOISY), ("S", SUMS))}
AWAY = dict.fromkeys(("am", "af", "bm", "bf"))

# name: (specification, tables, (rule, codes) that are found)
CASES = {
    "R nothing": (spec_of(SQUARES["R"]), {"t": square()}, set()),
    "R hidden": (spec_of(R), {"t": areas(city=30, a=5, b=5, c=None)}, {("hidden", "c")}),
    "R unrounded": (spec_of(R), {"t": areas(city=30, a=14, b=16, c=0)}, {("unrounded", "a"), ("unrounded", "b")}),
    "R sums": (spec_of(SQUARES["R"]), {"t": square(cT=155)}, {("contradiction", "c T"), ("contradiction", "city T")}),
    "R two figures": (spec_of(SQUARES["R"], table(ROUNDED, name="u")),
                      {"t": square(), "u": areas(city=305, a=50, b=110, c=150)}, {("contradiction", "a T")}),
    "R residual": (spec_of(R, residual=["c"]), {"t": areas(city=40, a=15, b=20)}, set()),
    "R residual of nothing": (spec_of(R, residual=["c"]), {"t": areas(city=35, a=15, b=20)}, set()),
    "R residual of nothing beside nothing": (spec_of(R, residual=["c"]), {"t": areas(city=40, a=40, b=0)}, set()),
    "R less than its parts": (spec_of(R, residual=["c"]), {"t": areas(city=30, a=15, b=20)}, {("contradiction", "c")}),
    # 5 of another area and of any kind, 10 of another area and kind x: the rest of both would be 5 less than nothing
    "R less than the unknown": (spec_of(table(ROUNDED, "area", "kind"), **UNKNOWN), {"t": UNKNOWN_TWICE},
                                {("contradiction", "b unknown")}),
    "R unknown of both": (spec_of(table(ROUNDED, "area", "kind"), **UNKNOWN), {"t": UNKNOWN_BOTH_WAYS}, set()),
    "R narrower than k": (unchecked(spec_of(R), rule=Rule(minimum_frequency=6)),
                          {"t": areas(city=30, a=30, b=0, c=0)}, {("narrow", code) for code in AREA}),
    "R as wide as k": (spec_of(R),
                       {"t": areas(city=30, a=30, b=0, c=0)}, set()),
    "R narrower than promised": (unchecked(spec_of(R), tables=(R.model_copy(update={"interval_width": 5}),)),
                                 {"t": areas(city=30, a=30, b=0, c=0)}, {("narrow", code) for code in AREA}),
    "R as wide as promised": (spec_of(table(ROUNDED, interval_width=4)),
                              {"t": areas(city=30, a=30, b=0, c=0)}, set()),
    "R regrouped": (spec_of(table(ROUNDED).model_copy(update={"dimensions": QUARTER}),
                            table(ROUNDED, name="h").model_copy(update={"dimensions": HALF})),
                    {"t": quarters(30, 20), "h": halves(60, 40)}, set()),
    "R regrouped otherwise": (spec_of(table(ROUNDED).model_copy(update={"dimensions": QUARTER}),
                                      table(ROUNDED, name="h").model_copy(update={"dimensions": HALF})),
                              {"t": quarters(30, 20), "h": halves(55, 45)},
                              {("contradiction", "p"), ("contradiction", "r")}),
    "R no common cell but the total": (spec_of(R, table(ROUNDED, "sex", name="u")),
                                       {"t": areas(city=30, a=20, b=10, c=0), "u": SEXES}, set()),
    "R two bases": (spec_of(R, table({"method": "rounding", "base": 10}, name="u", population="other")),
                    {"t": areas(city=15, a=15, b=0, c=0), "u": areas(city=20, a=20, b=0, c=0)}, set()),
    "R the other base": (spec_of(R, table({"method": "rounding", "base": 10}, name="u", population="other")),
                         {"t": areas(city=15, a=15, b=0, c=0), "u": areas(city=15, a=15, b=0, c=0)},
                         {("unrounded", "a"), ("unrounded", "city")}),
    "N nothing": (spec_of(SQUARES["N"]), {"t": square()}, set()),
    "N zeros": (spec_of(N), {"t": areas(city=20, a=20, b=0, c=0)}, set()),
    "N hidden": (spec_of(N), {"t": areas(city=30, a=10, b=20, c=None)}, {("hidden", "c")}),
    "N small": (spec_of(N), {"t": areas(city=30, a=10, b=20, c=4)}, {("small", "c")}),
    "N one": (spec_of(N), {"t": areas(city=30, a=10, b=20, c=1)}, {("small", "c")}),
    "N at k": (spec_of(N), {"t": areas(city=30, a=10, b=20, c=5)}, set()),
    "N two figures": (spec_of(SQUARES["N"], table(NOISY, name="u")),
                      {"t": square(), "u": areas(city=305, a=50, b=110, c=150)}, {("contradiction", "a T")}),
    # 10 and 10 are at most 20 together, and at least 10
    "N the most that parts can be": (spec_of(N), {"t": areas(city=33, a=10, b=10, c=0)}, set()),
    "N more than parts can be": (spec_of(N), {"t": areas(city=45, a=10, b=10, c=0)}, {"undecided"}),
    "N less than parts can be": (spec_of(N), {"t": areas(city=5, a=20, b=20, c=0)}, {"undecided"}),
    # eight figures of 5 are eight persons or more; a total of 5 leaves room of 2 above them, not of 3
    "N one person each": (spec_of(table(NOISY, interval_width=2), area=EIGHT),
                          {"t": areas(city=5, **dict.fromkeys("abcdefgh", 5))}, set()),
    "N no room above one each": (spec_of(table(NOISY, interval_width=3), area=EIGHT),
                                 {"t": areas(city=5, **dict.fromkeys("abcdefgh", 5))}, {"undecided"}),
    # nine figures of 5 are nine persons or more; a total of 5 leaves room of 1 above them
    "N a person of room": (spec_of(N, area=NINE), {"t": areas(city=5, **dict.fromkeys("abcdefghi", 5))}, set()),
    # where k is 1, a figure of 1 says that there is somebody
    "N somebody": (unchecked(spec_of(table(NOISY, interval_width=6)), rule=Rule(minimum_frequency=1)),
                   {"t": areas(city=30, a=1, b=29, c=10)}, {("narrow", "a")}),
    "N residual": (spec_of(N, residual=["c"]), {"t": areas(city=90, a=10, b=10)}, set()),
    "N as wide as its noise": (spec_of(table(NOISY, interval_width=10)), {"t": areas(city=50, a=20, b=20, c=20)},
                               set()),
    "N wider than its noise": (spec_of(table(NOISY, interval_width=11)), {"t": areas(city=60, a=20, b=20, c=20)},
                               {("narrow", code) for code in AREA}),
    "N a zero as wide as its noise": (spec_of(table(NOISY, interval_width=5)), {"t": areas(city=20, a=20, b=0, c=0)},
                                      set()),
    "N wider than a zero's noise": (spec_of(table(NOISY, interval_width=6)), {"t": areas(city=20, a=20, b=0, c=0)},
                                    {("narrow", "b"), ("narrow", "c")}),
    "N the wider of two": (spec_of(table(NOISY, interval_width=6), table(NOISY, name="u", interval_width=1)),
                           {"t": areas(city=20, a=20, b=0, c=0), "u": areas(city=20, a=20, b=0, c=0)},
                           {("narrow", "b"), ("narrow", "c")}),
    "S nothing": (spec_of(SQUARES["S"]), {"t": square(**AWAY)}, set()),
    "S one hidden": (spec_of(SQUARES["S"]), {"t": square(am=None)}, {("exact", "a m")}),
    "S hidden here, shown there": (spec_of(S, table(SUMS, name="u")),
                                   {"t": areas(city=90, a=None, b=None, c=30), "u": areas(city=90, a=20, b=40, c=30)},
                                   {("exact", "a"), ("exact", "b")}),
    "S hidden here, shown there as nothing": (spec_of(S, table(SUMS, name="u")),
                                              {"t": areas(city=90, a=None, b=60, c=30),
                                               "u": areas(city=90, a=0, b=60, c=30)}, {("exact", "a")}),
    "S sums": (spec_of(SQUARES["S"]), {"t": square(cT=155)}, {("contradiction", "city T")}),
    "S two figures": (spec_of(SQUARES["S"], table(SUMS, name="u")),
                      {"t": square(**AWAY), "u": areas(city=305, a=45, b=115, c=150)}, {("contradiction", "b T")}),
    "S no sums": (spec_of(S), {"t": areas(city=31, a=None, b=30, c=None)}, {"contradiction"}),
    "S one yen each": (spec_of(S), {"t": areas(city=32, a=None, b=30, c=None)}, {("exact", "a"), ("exact", "c")}),
    "S one yen or two": (spec_of(S), {"t": areas(city=33, a=None, b=30, c=None)}, set()),
    "S total follows": (spec_of(S), {"t": areas(city=None, a=20, b=30, c=40)}, {("exact", "city")}),
    "S all hidden": (spec_of(S), {"t": areas(city=None, a=None, b=None, c=None)}, set()),
    "S residual": (spec_of(S, residual=["c"]), {"t": areas(city=90, a=40, b=30)}, set()),
    "S residual beside": (spec_of(S, residual=["c"]), {"t": areas(city=90, a=None, b=30)}, set()),
    "S zeros hidden": (spec_of(table(SUMS, zeros="hidden")), {"t": areas(city=31, a=None, b=30, c=None)}, set()),
    "S regrouped": (spec_of(table(SUMS).model_copy(update={"dimensions": QUARTER}),
                            table(SUMS, name="h").model_copy(update={"dimensions": HALF})),
                    {"t": quarters(None, None), "h": halves(60, 40)}, {("exact", "p"), ("exact", "r")}),
}  # fmt: skip

# module, line, what stands there in the mutant, a case on which it errs
MUTANTS = (
    ("rounded", 'found: Found = [("hidden", cell) for cell in np.flatnonzero(figures.hidden).tolist()]',
     "found: Found = []", "R hidden"),
    ("rounded", "(figures.value % bases != 0)", "(figures.value % bases < 0)", "R unrounded"),
    ("rounded", "found += _sums(matrix, system.cells, figures, bases)", "", "R sums"),
    ("rounded", 'return [("contradiction", at)]', "return []", "R less than its parts"),
    ("rounded", "value[members[gap][0]] = derived", "value[members[gap][0]] = 0", "R less than the unknown"),
    ("rounded", "(bases - 1 < needed)", "(bases < needed)", "R narrower than promised"),
    ("rounded", "table.rule(spec.rule).minimum_frequency - 1)", "0)", "R narrower than k"),
    ("rounded", "max(table.interval_width or 0, ", "max(0, ", "R narrower than promised"),
    ("rounded", "bases[cells] = table.base", "bases[:] = spec.tables[0].base", "R the other base"),
    ("noisy", 'found: Found = [("hidden", cell) for cell in np.flatnonzero(figures.hidden).tolist()]',
     "found: Found = []", "N hidden"),
    ("noisy", 'found += [("small", cell) for cell in np.flatnonzero(small).tolist()]', "", "N small"),
    ("noisy", "(value < figures.k)", "(value <= figures.k)", "N at k"),
    ("noisy", "np.maximum(1, value - most)", "np.maximum(0, value - most)", "N no room above one each"),
    ("noisy", "np.maximum(1, value - most)", "1", "N more than parts can be"),
    ("noisy", "ENDLESS, value + most)", "ENDLESS, value + 99)", "N less than parts can be"),
    ("noisy", "np.where(value < 0, ENDLESS, value + most)", "value + most", "N residual"),
    ("noisy", "high - width < low", "high - width < low - 1", "N wider than its noise"),
    ("noisy", "high - width < low", "high - width <= low", "N as wide as its noise"),
    ("noisy", "np.maximum(width[cells], table.interval_width or 1)", "table.interval_width or 1", "N the wider of two"),
    ("noisy", "    room = high - width", "    room = high", "N no room above one each"),
    ("noisy", 'return [("undecided", cell) for cell in lacking.tolist()]', "return []", "N more than parts can be"),
    ("sums", "if len(system.impossible):", "if False:", "S sums"),
    ("sums", "np.flatnonzero(figures.hidden & (figures.value >= 0)).tolist()", "()", "S hidden here, shown there"),
    ("sums", 'return [("contradiction", place_of(system.part(unknowns, equations)))]', "return []", "S no sums"),
    ("sums", "high - low < 1 - 1e-6", "high - low < 0", "S one yen each"),
    ("sums", "high - low < 1 - 1e-6", "high - low < 1 + 1e-6", "S one yen or two"),
    ("sums", "or figures.residual[cell]", "or False", "S residual"),
    ("sums", "system.lower[unknowns].astype(float)", "np.zeros(size)", "S one yen each"),
    ("dispatch", 'findings = [_finding("contradiction", table, where) for table, where in figures.contradictions]',
     "findings = []", "R two figures"),
    ("unit_moves", "if parts & set(_line(parents, leaf)):", "if True:", "R regrouped"),
)  # fmt: skip


def found(name: str) -> set:
    """What the audit finds in a case."""
    return found_in(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_the_auditor_says_what_is_wrong(name):
    assert found(name) == CASES[name][2]


@pytest.mark.slow
@pytest.mark.parametrize("room, line, instead, name", MUTANTS)
def test_a_rule_broken_on_purpose_is_missed(room, line, instead, name, monkeypatch):
    mutate(room, line, instead, monkeypatch)
    assert found(name) != CASES[name][2]


# module and fault of the moves → the auditor's line that sees it, and what stands there in the mutant
MOVES = {
    ("rounded", "a total stands still"): ("if (matrix @ moves[system.cells]).count_nonzero():", "if False:"),
    ("rounded", "a cell is in no move"): ("np.flatnonzero(uncounted).tolist()", "()"),
    ("noisy", "a total stands still"): ("still.count_nonzero() or", ""),
    ("noisy", "a cell is in no move"): ("or (np.diff(moves.indptr) == 0).any()", ""),
}


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("room, fault", MOVES)
def test_moves_that_prove_nothing_are_undecided(room, fault, broken, monkeypatch):
    """Intervals rest on moves that keep all equations and reach every cell; where they do not, nothing is proven."""
    if broken:
        mutate(room, *MOVES[room, fault], monkeypatch)
    auditor, case = {"rounded": (rounded.audit_rounded, "R nothing"), "noisy": (noisy.audit_noisy, "N zeros")}[room]
    made = auditor.__globals__["unit_moves"]

    def faulty(spec, figures):
        moves = sparse.csr_array(made(spec, figures)).toarray()
        if fault == "a total stands still":
            moves[int(moves.sum(axis=1).argmax()), -1] = 0
        else:
            moves = moves[:, moves[-1] == 0]
        return sparse.csr_array(moves)

    monkeypatch.setitem(in_use(auditor).__globals__, "unit_moves", faulty)
    assert undecided(CASES[case]) == (not broken)


def in_use(auditor: Callable) -> Callable:
    """The function that the audit calls: the one given, or what a mutant put in its place."""
    return getattr(sys.modules[auditor.__module__], auditor.__name__)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("broken", [False, True])
def test_a_program_without_an_answer_leaves_a_sum_undecided(side, broken, monkeypatch):
    if broken:
        mutate("sums", "if np.isnan(low) or np.isnan(high):", "if False:", monkeypatch)

    def answers(system, unknowns, equations):
        ends = [np.zeros(len(unknowns)), np.full(len(unknowns), 9.0)]
        ends[side] = np.full(len(unknowns), np.nan)
        return tuple(ends)

    monkeypatch.setitem(in_use(sums.audit_sums).__globals__, "intervals", answers)
    assert undecided(CASES["S nothing"]) == (not broken)


@pytest.mark.parametrize("broken", [False, True])
def test_a_program_that_ends_early_leaves_a_sum_undecided(broken, monkeypatch):
    """A solver that stops at its limit of iterations has found no end of an interval, and none that is endless."""
    if broken:
        mutate("sums", "elif status != highspy.HighsModelStatus.kUnbounded:", "elif False:", monkeypatch)
    monkeypatch.setitem(in_use(sums.audit_sums).__globals__, "MOST_ITERATIONS", 0)
    assert undecided(CASES["S nothing"]) == (not broken)


@pytest.mark.parametrize("seed", range(6))
def test_intervals_of_sums_are_those_of_another_program(seed):
    """Least and greatest of every unknown of made-up equations, each asked of another solver by itself."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 2, (3, 6)).astype(float)
    lower = rng.integers(0, 2, 6)
    right = (matrix @ (lower + rng.integers(0, 9, 6))).astype(np.int64)
    system = System(
        sparse.csr_array(matrix),
        right,
        np.arange(6),
        lower,
        np.arange(3),
        np.array([]),
        (np.array([]), np.array([])),
        6,
        [],
    )
    least, most = sums.intervals(system, np.arange(6), np.arange(3))
    for at, direction in enumerate(np.eye(6)):
        for sign, found_end in ((1, least[at]), (-1, most[at])):
            one = linprog(sign * direction, A_eq=matrix, b_eq=right, bounds=[(low, None) for low in lower])
            expected = sign * one.fun if one.status == 0 else np.inf
            assert found_end == pytest.approx(expected)
