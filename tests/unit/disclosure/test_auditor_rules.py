"""Every rule of the auditor has a case that only it refuses: broken on purpose, it is missed.

A mutant is the auditor with one line of its source changed; each must say something else of its case.
"""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from mutants import mutate
from scipy import sparse

from kobe_platform.disclosure import Attack, Dimension, Inclusion, Mean, Relation, Rule, Spec, Table
from kobe_platform.disclosure.auditor import joints, verdict
from kobe_platform.disclosure.auditor.bounds import Contradiction, Part, State, Undecided
from kobe_platform.disclosure.auditor.component import OpenComponent

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
SEX = {"T": None, "m": "T", "f": "T"}
SQUARE = (("a", "m"), ("a", "f"), ("b", "m"), ("b", "f"))
OTHER = (("a", "m"), ("a", "f"), ("c", "m"), ("c", "f"))
COUNTS = (3, 40, 50, 60, 70, 80)
TABLE = Table(name="t", dimensions=["area", "sex"])


def spec_of(*tables, k=10, residual=(), **more):
    described = {
        "area": Dimension(hierarchy=AREA, residual=residual),
        "sex": Dimension(hierarchy=SEX),
        "quarter": Dimension(hierarchy={"city": None, **dict.fromkeys("pqrs", "city")}),
        "half": Dimension(hierarchy={"city": None, "n": "city", "o": "city"}, of="quarter",
                          consists_of={"n": ("p", "q"), "o": ("r", "s")}),
        "early": Dimension(hierarchy={"city": None, "p": "city", "q": "city", "rs": "city"}, of="quarter",
                           consists_of={"rs": ("r", "s")}),
        "late": Dimension(hierarchy={"city": None, "pq": "city", "r": "city", "s": "city"}, of="quarter",
                          consists_of={"pq": ("p", "q")}),
        **{name: Dimension(hierarchy={"T": None, "1": "T", "2": "T"}) for name in "xyz"},
    }  # fmt: skip
    return Spec(rule=Rule(minimum_frequency=k), dimensions=described, tables=tables or (TABLE,), **more)


def rows(hidden=(), counts=COUNTS, **wrong):
    """All rows of the table; ``wrong`` replaces figures by code of area and sex."""
    cells = dict(zip(itertools.product("abc", "mf"), counts, strict=True))
    found = []
    for area, sex in itertools.product(AREA, SEX):
        value = sum(n for (a, s), n in cells.items() if area in (a, "city") and sex in (s, "T"))
        value = wrong.get(area + sex, value)
        away = (area, sex) in hidden
        found.append((area, sex, None if away else value, "suppressed" if away else "published"))
    return pl.DataFrame(found, schema=["area", "sex", "value", "status"], orient="row")


def areas(**values):
    found = [(code, n, "published" if n is not None else "suppressed") for code, n in values.items()]
    return pl.DataFrame(found, schema={"area": pl.String, "value": pl.Int64, "status": pl.String}, orient="row")


def square(columns, *values):
    """A table of two columns of two codes each: totals first; None is hidden."""
    codes = itertools.product("T12", repeat=2)
    found = [(*at, n, "suppressed" if n is None else "published") for at, n in zip(codes, values, strict=True)]
    schema = dict.fromkeys(columns, pl.String) | {"value": pl.Int64, "status": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def line(column, *values):
    """A table of one column of two codes: the total first."""
    found = [(code, n, "published") for code, n in zip("T12", values, strict=True)]
    return pl.DataFrame(found, schema=[column, "value", "status"], orient="row")


def means(**values):
    found = [(area, values.get(area), "published" if area in values else "suppressed") for area in AREA]
    return pl.DataFrame(found, schema={"area": pl.String, "value": pl.Float64, "status": pl.String}, orient="row")


PLAIN = Table(name="v", dimensions=["area"])
QUARTERS, HALVES = Table(name="q", dimensions={"area": "quarter"}), Table(name="h", dimensions={"area": "half"})
WHOLE = Table(name="u", dimensions=["area"], population="other")
WITHIN = Relation(name="within", on=("area",), left=("v",), right=("u",), sense="<=")
MEAN = Mean(table="mean", of="t", dimension="sex", values={"m": (0, 4), "f": (5, 90)}, on=("area",))
RING = [Table(name=name, dimensions=list(name)) for name in ("xy", "yz", "xz")]
PARTS = [Table(name=name, dimensions=[name], population="part") for name in "xy"]
LARGE = (30, 40, 50, 60, 70, 80)
OTHERWISE = Table(name="w", dimensions=["area"], population="third")
TOO = Relation(name="within this too", on=("area",), left=("v",), right=("w",), sense="<=")
BOUND = spec_of(PLAIN, WHOLE, relations=(WITHIN,))
TOLD, AROUND = areas(city=130, a=None, b=100, c=None), areas(city=187, a=12, b=150, c=25)

# name: (specification, tables, former releases, rules that are found)
CASES = {
    "nothing": (spec_of(), {"t": rows(SQUARE)}, (), set()),
    "small": (spec_of(), {"t": rows()}, (), {"small"}),
    "exact": (spec_of(), {"t": rows([("a", "m")])}, (), {"exact"}),
    "open by its width": (spec_of(), {"t": rows(SQUARE, counts=(3, 9, 50, 60, 70, 80))}, (), set()),
    "narrow by one": (spec_of(), {"t": rows(SQUARE, counts=(3, 8, 50, 60, 70, 80))}, (), {"narrow"}),
    "narrow above k": (spec_of(PLAIN, WHOLE, relations=(WITHIN,)),
                       {"v": areas(city=145, a=None, b=100, c=None), "u": areas(city=200, a=25, b=150, c=25)}, (),
                       set()),
    "part of a whole": (spec_of(PLAIN, WHOLE, relations=(WITHIN,)),
                        {"v": areas(city=130, a=None, b=100, c=None), "u": areas(city=187, a=12, b=150, c=25)}, (),
                        {"narrow"}),
    "residual": (spec_of(PLAIN, residual=("c",)), {"v": areas(city=58, a=None, b=50)}, (), {"narrow", "residual"}),
    "residual of nothing": (spec_of(PLAIN, residual=("c",)), {"v": areas(city=90, a=40, b=50)}, (), set()),
    "told before": (spec_of(), {"t": rows(SQUARE)}, ({"t": rows(OTHER)},), {"exact", "ratchet"}),
    "told, but large": (spec_of(), {"t": rows(SQUARE, counts=LARGE)}, ({"t": rows(counts=LARGE)},), set()),
    "told, and small": (spec_of(), {"t": rows(SQUARE, counts=(3, 9, *LARGE[2:]))},
                        ({"t": rows(counts=(3, 9, *LARGE[2:]))},), {"exposed"}),
    # v was released beside u before anybody said that v lies within u: 11 of each area is out.
    "tied since": (BOUND, {"v": TOLD, "u": AROUND}, ({"v": TOLD, "u": AROUND},), {"exposed"}),
    "tied since, and more is told": (BOUND, {"v": TOLD, "u": AROUND}, ({"v": TOLD},), {"narrow"}),
    "tied since, and told by another table": (
        spec_of(PLAIN, WHOLE, OTHERWISE, relations=(WITHIN, TOO)),
        {"v": TOLD, "u": AROUND, "w": areas(city=187, a=11, b=150, c=26)}, ({"v": TOLD, "u": AROUND},),
        {"narrow"}),
    "tied since, and told exactly by another table": (
        spec_of(PLAIN, WHOLE, OTHERWISE, relations=(WITHIN, TOO)),
        {"v": TOLD, "u": AROUND, "w": areas(city=181, a=5, b=150, c=26)}, ({"v": TOLD, "u": AROUND},),
        {"exact", "small"}),
    "tied since, corrected": (BOUND, {"v": TOLD, "u": areas(city=188, a=13, b=150, c=25)},
                              ({"v": TOLD, "u": AROUND},), {"narrow"}),
    "shown now": (spec_of(), {"t": rows(counts=LARGE)}, ({"t": rows(SQUARE, counts=LARGE)},), {"ratchet"}),
    "shown after a correction": (spec_of(), {"t": rows(counts=(*LARGE[:5], 81))},
                                 ({"t": rows(SQUARE, counts=LARGE)},), {"ratchet"}),
    "two figures": (spec_of(TABLE, PLAIN), {"t": rows(SQUARE), "v": areas(city=303, a=43, b=110, c=149)}, (),
                    {"contradiction"}),
    "sums of figures": (spec_of(), {"t": rows(SQUARE, cT=151)}, (), {"contradiction"}),
    "no table": (spec_of(PLAIN), {"v": areas(city=31, a=None, b=30, c=None)}, (), {"contradiction"}),
    "regrouped": (spec_of(QUARTERS, HALVES), {"q": areas(city=100, p=None, q=30, r=None, s=20),
                                             "h": areas(city=100, n=37, o=63)}, (), {"exact"}),
    "shown in parts": (spec_of(*(Table(name=name[0], dimensions={"area": name}) for name in ("early", "late"))),
                       {"e": areas(city=131, p=50, q=50, rs=31), "l": areas(city=131, pq=None, r=None, s=30)}, (),
                       {"exact"}),
    # All 8 of z 1 are in x 1 and in y 1, so of the 11 of x 1 at most 3 are in y 2: narrower than 3, and it is 3.
    "ring": (spec_of(*RING, k=3), {"xy": square("xy", 21, 16, 5, 11, None, None, 10, None, None),
                                   "yz": square("yz", 21, 8, 13, 16, 8, None, 5, 0, None),
                                   "xz": square("xz", 21, 8, 13, 11, 8, 3, 10, 0, None)}, (), {"narrow"}),
    # Of the 133 of x 1, 126 are of the part, and none of the part is in y 2: 7 at most are left there.
    "cross of the whole": (spec_of(Table(name="xy", dimensions=["x", "y"], population="all"), *PARTS,
                                   includes=(Inclusion(part="part", whole="all"),)),
                           {"xy": square("xy", 233, 190, 43, 133, None, None, 100, None, None),
                            "x": line("x", 146, 126, 20), "y": line("y", 146, 146, 0)}, (), {"narrow"}),
    "mean": (spec_of(means=(MEAN,)), {"t": rows(SQUARE, counts=(95, 5, 5, 95, 70, 80)), "mean": means(a=0.3)}, (),
             {"narrow"}),
    "lone member": (spec_of(attack=Attack(member=True)), {"t": rows(SQUARE, counts=(1, 40, 50, 3, 70, 80))}, (),
                    {"singleton"}),
    "oneself in a total": (spec_of(attack=Attack(member=True)),
                           {"t": rows([("a", "m"), ("a", "T"), ("b", "m"), ("b", "T")],
                                      counts=(1, 0, 50, 40, 70, 80))}, (), set()),
}  # fmt: skip

# module, line, what stands there in the mutant, a case on which it errs
MUTANTS = (
    ("verdict", "for cell in np.flatnonzero(told & (figures.value < figures.k)).tolist()", "for cell in ()",
     "told, and small"),
    ("verdict", "told & (figures.value < figures.k)", "told", "told, but large"),
    ("verdict", "if out is not None and out.tells(figures, cell)", "if False", "told, and small"),
    ("verdict", "if out is not None and out.covers(part, unknown, figures, cell):", "if False:", "tied since"),
    ("already_out", "interval is not None and part.reaches(unknown, *interval)", "interval is not None",
     "tied since, and told by another table"),
    ("already_out", "value=value, now=figures.before,", "", "tied since, and more is told"),
    ("component", "return bool(self.least[unknown] <= low and self.most[unknown] >= high)", "return True",
     "tied since, and told by another table"),
    ("bounds", "return bool(self.least[unknown] <= low and self.most[unknown] >= high)", "return True",
     "tied since, and told exactly by another table"),
    ("verdict", 'found += [("small", cell) for cell in np.flatnonzero(shown).tolist()]', "", "small"),
    ("verdict", 'found += [("ratchet", cell) for cell in ratchet(figures)]', "", "shown now"),
    ("verdict", "for table, where in figures.contradictions]", "for table, where in ()]", "two figures"),
    ("verdict", "for cell in dict.fromkeys(wrong)]", "for cell in ()]", "sums of figures"),
    ("verdict", 'return [("contradiction", place_of(own))], 0', "return [], 0", "no table"),
    ("verdict", "if state is State.OPEN:", "if True:", "narrow by one"),
    ("verdict", "for pair in corrected:", "for pair in ():", "shown after a correction"),
    ("verdict", "if member is not None and member[cells[wanted]].any():", "if False:", "lone member"),
    ("previous_release", 'found = [("ratchet", *figures.where(cell)) for cell in ratchet(figures)]', "found = []",
     "shown after a correction"),
    ("previous_release", "again = figures.hidden_before", "again = figures.hidden", "shown now"),
    ("component", "return bool(high - low < width and below)", "return bool(high - low < width - 1 and below)",
     "narrow by one"),
    ("component", "below = self.least[unknown] < k and", "below = self.least[unknown] < 1 and", "narrow by one"),
    ("component", "return (most - least >= width) |", "return (most - least > width) |", "open by its width"),
    ("component", "large = np.ceil(floor - TOLERANCE) >= k", "large = False", "narrow above k"),
    ("component", "(residual & (ceiling < 1 - TOLERANCE))", "residual", "residual"),
    ("bounds", "width, k, residual) else State.NARROW", "width, k, residual) else State.OPEN", "exact"),
    ("figures", 'lower = np.where(residual | cells["zeros_hidden"].fill_null(False).to_numpy(), 0, 1)',
     'lower = np.where(residual | cells["zeros_hidden"].fill_null(False).to_numpy(), 0, 0)', "narrow by one"),
    ("figures", 'residual | cells["zeros_hidden"]', 'cells["zeros_hidden"]', "residual of nothing"),
    ("system", "for relation in spec.relations]", "for relation in ()]", "part of a whole"),
    ("system", "equations += [_regrouping_equations(spec, figures), *joints.equations]", "", "regrouped"),
    ("joints", "for levels, joint in joints.items() if joint is not None]", "for levels, joint in ()]", "ring"),
    ("joints", "for levels in sorted({known for _, known in self.within}", "for levels in sorted(set()",
     "cross of the whole"),
    ("joints", "behind.agree(asked)", "", "shown in parts"),
    ("joints", "behind.fit(asked)", "", "ring"),
    ("system", "for mean in spec.means if", "for mean in () if", "mean"),
    ("means", "enumerate(((least, 1), (most, -1)))", "enumerate(())", "mean"),
    ("singletons", "(value < k[group] - ALIKE)", "(value < 2)", "lone member"),
    ("singletons", "& (persons[group] != persons[lone])", "& (group != lone)", "oneself in a total"),
)  # fmt: skip


def found(audit, name):
    spec, tables, previous, _ = CASES[name]
    report = audit(spec, tables, previous=previous)
    return {finding.rule for finding in (*report.findings, *report.exposed)}


@pytest.mark.parametrize("name", CASES)
def test_the_auditor_says_what_is_wrong(name):
    assert found(verdict.audit, name) == CASES[name][3]


@pytest.mark.parametrize("room, line, instead, name", MUTANTS)
def test_a_rule_broken_on_purpose_is_missed(room, line, instead, name, monkeypatch):
    mutate(room, line, instead, monkeypatch)
    assert found(verdict.audit, name) != CASES[name][3]


@pytest.mark.parametrize("patch", ["judge", "_first_table"])
@pytest.mark.parametrize("broken", [False, True])
def test_what_the_auditor_cannot_decide_is_unsafe(patch, broken, monkeypatch):
    def undecided(self, *_):
        if patch == "judge":
            return State.UNDECIDED
        raise Undecided

    if broken:
        line = "elif state is State.UNDECIDED:" if patch == "judge" else 'return [("undecided", int(cell)) for cell in'
        instead = "elif False:" if patch == "judge" else 'return [("undecided", int(cell)) for cell in () and'
        mutate("verdict", line, instead, monkeypatch)
    monkeypatch.setattr(Part if patch == "judge" else OpenComponent, patch, undecided)
    assert (found(verdict.audit, "narrow by one") == {"undecided"}) == (not broken)


@pytest.mark.parametrize("broken", [False, True])
def test_what_is_too_large_to_be_asked_is_refused(broken, monkeypatch):
    monkeypatch.setattr(joints, "MOST_JOINT_CELLS", 1)
    if broken:
        mutate("verdict", "findings += [_finding(*ring) for ring in rings_left_out(system)]", "", monkeypatch)
    assert ("ring" in found(verdict.audit, "ring")) == (not broken)


def test_every_rule_has_its_case():
    tried = {rule for *_, rules in CASES.values() for rule in rules}
    assert tried | {"undecided", "ring", "above"} == set(verdict._MESSAGES), "above: test_auditor_scenarios"


def test_an_unknown_that_its_equation_tells_needs_no_program():
    part = Part(sparse.csr_array([[2]]), np.array([14]), np.array([0]), np.array([True]))
    assert (part.table.tolist(), part.programs) == ([7], 0)
    assert part.judge(0, 3, 10, residual=False) is State.NARROW


@pytest.mark.parametrize("right", [13, -2])
def test_an_equation_that_no_whole_count_satisfies_is_a_contradiction(right):
    with pytest.raises(Contradiction):
        Part(sparse.csr_array([[2]]), np.array([right]), np.array([0]), np.array([True]))
