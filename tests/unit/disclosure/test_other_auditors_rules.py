"""Every rule of the auditors of rounding, noise and magnitudes has a case that only it refuses.

A mutant is an auditor with one line of its source changed; each must say something else of its case.
``python -m tests.soak.mutants`` changes every comparison, number and branch of these modules by itself.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pytest
from mutants import mutate
from scipy import sparse
from scipy.optimize import linprog

from kobe_platform.disclosure import Dimension, Rule, Spec, Table
from kobe_platform.disclosure.auditor import noisy, rounded, sums
from kobe_platform.disclosure.auditor.dispatch import audit
from kobe_platform.disclosure.auditor.system import System
from kobe_platform.disclosure.methods.choice import Dominance

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
SEX = {"T": None, "m": "T", "f": "T"}
EIGHT = {"city": None, **dict.fromkeys("abcdefgh", "city")}
NINE = {"city": None, **dict.fromkeys("abcdefghi", "city")}
QUARTERS = {"city": None, **dict.fromkeys("pqrs", "city")}
HALVES = Dimension(hierarchy={"city": None, "n": "city", "o": "city"}, of="quarter",
                   consists_of={"n": ("p", "q"), "o": ("r", "s")})  # fmt: skip
ROUNDED = {"method": "rounding", "base": 5}
NOISY = {"method": "cell_key", "noise": {"most": 5, "variance": 4.0}}
SUMS = {"measure": "yen", "largest": ("l1", "l2"), "p_percent": 10.0}


def spec_of(*tables, area=AREA, residual=()) -> Spec:
    described = {
        "area": Dimension(hierarchy=area, residual=residual),
        "sex": Dimension(hierarchy=SEX),
        "kind": Dimension(hierarchy={"T": None, "x": "T", "unknown": "T"}, residual=["unknown"]),
        "quarter": Dimension(hierarchy=QUARTERS),
        "half": HALVES,
    }
    return Spec(rule=Rule(minimum_frequency=5), dimensions=described, tables=tables)


def unchecked(spec: Spec, **update) -> Spec:
    """A specification that says what :class:`Spec` itself would refuse: the auditor must not rely on that."""
    return spec.model_copy(update=update)


def table(method: dict, *columns: str, name: str = "t", **more) -> Table:
    return Table(name=name, dimensions=list(columns) or ["area"], **method, **more)


def figures(*columns: str, rows: Iterable[tuple]) -> pl.DataFrame:
    """Rows of codes and a figure; None is hidden."""
    found = [(*codes, value, "suppressed" if value is None else "published") for *codes, value in rows]
    schema = dict.fromkeys(columns, pl.String) | {"value": pl.Int64, "status": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def areas(**values: int | None) -> pl.DataFrame:
    return figures("area", rows=values.items())


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


SHARED, DOMINATED = (
    {"measure": "yen", "contributor": "owner", **rule}
    for rule in ({"p_percent": 10.0}, {"dominance": Dominance(n=1, percent=80)})
)
TWO_DOMINATE, THREE_DOMINATE, FOUR_DOMINATE = (DOMINATED | {"dominance": Dominance(n=n, percent=80)} for n in (2, 3, 4))
OWNED: dict[str, dict[str, pl.DataFrame]] = {}
"""Of the cases of contributors: what each of them has."""


def owned(name: str, method: dict, of: dict[str, dict[str, int]], hidden: str, expected: str, **more) -> None:
    """A case: area → owner → yen, areas that are hidden, areas of which one contributor's part follows."""
    sums = {area: sum(parts.values()) for area, parts in of.items()}
    shown = {
        area: None if area in hidden else yen for area, yen in sums.items() if area not in more.get("residual", ())
    }
    area = {"city": None, **dict.fromkeys(of, "city")}
    CASES[name] = (spec_of(table(method), area=area, **more), {"t": areas(city=sum(sums.values()), **shown)},
                   {("dominated", area) for area in expected})  # fmt: skip
    rows = [(area, owner, yen) for area, parts in of.items() for owner, yen in parts.items()]
    OWNED[name] = {"t": pl.DataFrame(rows, schema=["area", "owner", "yen"], orient="row")}


MANY = {f"m{n}": 30 for n in range(9)}
LONE = {"a": {"p": 100}, "b": {"q": 100}, "d": MANY}
FINE = {"a": {"p": 10_000}, "b": {"q": 10_000}, "d": MANY}
HOLDER = {"a": {"h": 60, "q": 9}, "b": {"h": 60, "r": 9}, "d": MANY}
owned("C nothing", SHARED, {"a": MANY, "d": MANY}, "", "")
owned("C alone in two", SHARED, LONE, "ab", "ab")
owned("C a third that is just enough", SHARED, FINE | {"c": {"x": 600, "y": 401}}, "abc", "")
owned("C a third that is too little", SHARED, FINE | {"c": {"x": 600, "y": 400}}, "abc", "ab")
owned("C a third of many", SHARED, LONE | {"c": MANY}, "abc", "")
owned("C shown at the border", SHARED, {"a": {"p": 10_000, "q": 5_000, "r": 1_000}, "d": MANY}, "", "")
owned("C shown beyond it", SHARED, {"a": {"p": 10_000, "q": 5_000, "r": 999}, "d": MANY}, "", "a")
owned(
    "C the second learns the first",
    SHARED,
    {"a": {"p": 100, "q": 50, "r": 5}, "b": {"s": 3, "t": 2}, "d": MANY},
    "ab",
    "a",
)
owned(
    "C the second does not",
    SHARED,
    {"a": {"p": 100, "q": 50, "r": 5}, "b": {"s": 3, "t": 3}, "d": MANY},
    "ab",
    "",
)
owned("C alone in the unknown", SHARED, {"a": MANY, "c": {"p": 100}}, "", "c", residual=["c"])
owned("C a holder in two", SHARED, HOLDER, "ab", "a")
owned("C a holder in two with room", SHARED, HOLDER | {"c": {"x": 2, "y": 2}}, "abc", "")
owned("C dominated", DOMINATED, LONE | {"b": {"q": 13, "r": 12}}, "ab", "a")
owned("C not dominated", DOMINATED, LONE | {"b": {"q": 13, "r": 13}}, "ab", "")
owned("C dominated and shown", DOMINATED, {"a": {"p": 8_001, "q": 1_000, "r": 999}, "d": MANY}, "", "a")
owned("C not dominated and shown", DOMINATED, {"a": {"p": 8_000, "q": 1_000, "r": 1_000}, "d": MANY}, "", "")
owned("C a holder dominates two", DOMINATED, HOLDER, "ab", "a")
owned("C two dominate two", TWO_DOMINATE, LONE | {"c": {f"c{n}": 10 for n in range(5)}}, "abc", "a")
owned("C two do not", TWO_DOMINATE, LONE | {"c": {"x": 11, **{f"c{n}": 10 for n in range(4)}}}, "abc", "")
TENS = {f"t{n}": 10 for n in range(5)}
THREE = LONE | {"c": {"r": 100}}
owned("C three dominate three", THREE_DOMINATE, THREE | {"e": TENS | {"x": 10, "y": 10, "z": 5}}, "abce", "a")
owned("C three do not", THREE_DOMINATE, THREE | {"e": TENS | {"x": 10, "y": 10, "z": 6}}, "abce", "")
owned("C two are asked for two", TWO_DOMINATE, THREE | {"e": TENS | {"x": 2}}, "abce", "")
FOUR = THREE | {"a": {"p": 100, "p2": 60}}
owned("C four dominate three", FOUR_DOMINATE, FOUR | {"e": TENS | {"x": 10, "y": 10, "z": 20}}, "abce", "a")
owned("C four do not", FOUR_DOMINATE, FOUR | {"e": TENS | {"x": 10, "y": 10, "z": 21}}, "abce", "")
TWICE = {"a": {"h": 60}, "b": {"h": 60, "q": 50}, "c": {"r": 100}, "d": MANY}
owned("C a holder and two dominate three", THREE_DOMINATE, TWICE | {"e": TENS | {"x": 18}}, "abce", "a")
owned("C a holder and two do not", THREE_DOMINATE, TWICE | {"e": TENS | {"x": 19}}, "abce", "")
CASES["C the largest of two"] = (spec_of(S), {"t": areas(city=500, a=None, b=None, c=300)},
                                 {("dominated", "a"), ("dominated", "b")})  # fmt: skip
OWNED["C the largest of two"] = {
    "t": pl.DataFrame({"area": ["a", "b", "c"], "yen": [100, 100, 300], "l1": [100, 100, 90], "l2": [0, 0, 80]})
}


def found(name: str) -> set:
    """Rules and codes that the audit finds; rules alone where a case names no codes."""
    spec, tables, expected = CASES[name]
    findings = audit(spec, tables, contributions=OWNED.get(name)).findings
    if any(isinstance(entry, str) for entry in expected):
        return {finding.rule for finding in findings}
    return {(finding.rule, " ".join(finding.coordinates.values())) for finding in findings}


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
    assert undecided(case) == (not broken)


def in_use(auditor: Callable) -> Callable:
    """The function that the audit calls: the one given, or what a mutant put in its place."""
    return getattr(sys.modules[auditor.__module__], auditor.__name__)


def undecided(name: str) -> bool:
    """Whether the audit of a case leaves something undecided."""
    return "undecided" in {finding.rule for finding in audit(*CASES[name][:2]).findings}


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
    assert undecided("S nothing") == (not broken)


@pytest.mark.parametrize("broken", [False, True])
def test_a_program_that_ends_early_leaves_a_sum_undecided(broken, monkeypatch):
    """A solver that stops at its limit of iterations has found no end of an interval, and none that is endless."""
    if broken:
        mutate("sums", "elif status != highspy.HighsModelStatus.kUnbounded:", "elif False:", monkeypatch)
    monkeypatch.setitem(in_use(sums.audit_sums).__globals__, "MOST_ITERATIONS", 0)
    assert undecided("S nothing") == (not broken)


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
