"""What tables say of each other by definition: the auditor draws the same conclusion as the arithmetic in each case.

Every case is decided by one person: with one more in the whole, the hidden cell is open by its width.
"""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from mutants import mutate

from kobe_platform.disclosure import Combination, Dimension, Inclusion, Members, Rule, Spec, Table
from kobe_platform.disclosure.auditor import definitions, verdict
from kobe_platform.disclosure.auditor.definitions import definition_equations
from kobe_platform.disclosure.auditor.figures import read_figures
from kobe_platform.errors import DisclosureError

TREES = {
    "area": {"city": None, "a": "city", "b": "city"},
    "quarter": {"city": None, "p": "city", "q": "city", "r": "city", "s": "city"},
    "half": {"city": None, "n": "city", "o": "city"},
    "north": {"n": None, "p": "n", "q": "n"},
    "sex": {"all": None, "m": "all", "f": "all"},
    "size": {"any": None, "1": "any", "2": "any", "3": "any"},
    "shared": {"any": None, "1": "any", "2+": "any"},
    "family": {"every": None, "single": "every", "couple": "every"},
}
HALVES = {"n": ("p", "q"), "o": ("r", "s")}
INSIDE = {"includes": (Inclusion(part="foreign", whole="residents"),)}
PAIRS = {"combinations": (Combination(population="homes", one="size", other="family", possible={"2": ("couple",)}),)}


def homes(least, *on):
    return {"members": (Members(groups="homes", of="residents", dimension="size", least=least, on=on),)}


def table(name, population, *dimensions):
    """A table whose columns are called after what they classify."""
    columns = {{"half": "quarter", "north": "quarter", "shared": "size"}.get(d, d): d for d in dimensions}
    return Table(name=name, dimensions=columns, population=population)


def spec_of(*tables, **definitions):
    described = {name: Dimension(hierarchy=tree) for name, tree in TREES.items()}
    described["half"] = Dimension(hierarchy=TREES["half"], of="quarter", consists_of=HALVES)
    described["north"] = Dimension(hierarchy=TREES["north"], of="quarter", consists_of={"n": HALVES["n"]})
    described["shared"] = Dimension(hierarchy=TREES["shared"], of="size", consists_of={"2+": ("2", "3")})
    return Spec(rule=Rule(minimum_frequency=10), dimensions=described, tables=tables, **definitions)


def rows(of, *values):
    """A table's rows in the order of its codes, those of the last column fastest; None is hidden."""
    codes = itertools.product(*(TREES[name] for name in of.dimensions.values()))
    found = [(*at, n, "suppressed" if n is None else "published") for at, n in zip(codes, values, strict=True)]
    schema = dict.fromkeys(of.dimensions, pl.String) | {"value": pl.Int64, "status": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def case(definitions, *tables):
    """A specification and its tables, from pairs of a table and its values."""
    return spec_of(*(of for of, _ in tables), **definitions), {of.name: rows(of, *values) for of, values in tables}


FOREIGN, RESIDENTS = table("foreign", "foreign", "area"), table("residents", "residents", "area")
BY_SEX = table("sexes", "foreign", "area", "sex")
FOREIGN_QUARTERS, HALF = table("foreign", "foreign", "quarter"), table("halves", "residents", "half")
QUARTERS, NORTH = table("quarters", "residents", "quarter"), table("north", "residents", "north")
SIZES, FAMILIES = table("sizes", "homes", "size"), table("families", "homes", "family")
SIZES_BY_AREA, FAMILIES_BY_AREA = table("sizes", "homes", "area", "size"), table("families", "homes", "area", "family")
SHARED, HOMES_BY_HALF = table("shared", "homes", "shared"), table("homes", "homes", "quarter", "size")
TOTAL = table("total", "residents", "sex")


def within(most):
    """Of 30 foreign residents in two areas, as many as ``most`` may live in the first: 1 … most."""
    return case(INSIDE, (FOREIGN, (30, None, None)), (RESIDENTS, (500 + most, most, 500)))


def within_summed(most):
    """Rows by sex are hidden in both areas; 40 women live in the first, where ``most`` residents are."""
    values = (200, 90, 110, None, None, 40, None, None, 70)
    return case(INSIDE, (BY_SEX, values), (RESIDENTS, (500 + most, most, 500)))


def within_regrouped(most):
    """Of quarters p and q, 50 foreign residents are in q: in p the rest of their half at most, of 20 in p and r."""
    return case(INSIDE, (FOREIGN_QUARTERS, (100, None, 50, None, 30)), (HALF, (300 + most, 50 + most, 250)))


def half_a_city(most):
    """A table of the north alone says nothing of foreign residents of the whole city."""
    return case(INSIDE, (FOREIGN_QUARTERS, (100, None, 50, None, 30)), (NORTH, (50 + most, most, 50)))


def pairs(couples):
    """30 homes of one or two persons and 40 of three; ``couples`` of the 70 are couples."""
    return case(PAIRS, (SIZES, (70, None, None, 40)), (FAMILIES, (70, 70 - couples, couples)))


def pairs_by_area(couples):
    """The same in the first area; in the second, which has couples enough, all is as open as without the definition."""
    sizes = (140, None, None, 80, 70, None, None, 40, 70, None, None, 40)
    families = (140, 110 - couples, 30 + couples, 70, 70 - couples, couples, 70, 40, 30)
    return case(PAIRS, (SIZES_BY_AREA, sizes), (FAMILIES_BY_AREA, families))


def members(residents, least, third):
    """30 homes of one or two persons and 20 of three, in a city of so many residents."""
    return case(homes(least), (SIZES, (50, None, None, third)), (TOTAL, (residents, residents - 40, 40)))


def members_regrouped(residents):
    """30 homes of one person or more than one: the latter are of two persons at least."""
    return case(homes({"2": 2, "3": 3}), (SHARED, (30, None, None)), (TOTAL, (residents, residents - 20, 20)))


def members_by_half(residents):
    """Homes by quarter, residents by half: the 30 homes of quarters p and q are of one person or two."""
    plenty = (60, None, None, 20)
    values = (180, None, None, 70, 30, None, None, 10, 30, 20, 0, 10, *plenty, *plenty)
    return case(homes({"2": 2, "3": 3}, "half"), (HOMES_BY_HALF, values), (HALF, (residents + 900, residents, 900)))


# name: (the tables by what decides, the most at which the cell is narrow)
DECIDED = {
    "a part is no more than the whole": (within, 10),
    "a part is summed to the codes of the whole": (within_summed, 50),
    "part and whole are compared by the groups that both can be summed to": (within_regrouped, 10),
    "codes that go together": (pairs, 10),
    "codes that go together in the same area": (pairs_by_area, 10),
    "members of groups": (lambda n: members(n, {"2": 2, "3": 3}, 20), 100),
    "a group of a code that is not named has one member": (lambda n: members(n, {"2": 2}, 20), 60),
    "a group of several codes has the least of their members": (members_regrouped, 40),
}  # fmt: skip


def found(problem):
    spec, tables = problem
    return {finding.rule for finding in verdict.audit(spec, tables).findings}


@pytest.mark.parametrize("name", DECIDED)
def test_one_person_decides_whether_a_definition_tells_a_hidden_cell(name):
    problem, most = DECIDED[name]
    assert found(problem(most)) == {"narrow"}
    assert found(problem(most + 1)) == set()


BOTH = (table("both", "homes", "size", "family"), (70, 60, 10, 20, 20, 0, 10, 0, 10, 40, 40, 0))

# name: tables that a definition says nothing of, or whose figures are all published
SILENT = {
    "a table of half the city is no whole": half_a_city(10),
    "no table of the whole has the areas of the groups": case(
        homes({"2": 2, "3": 3}, "area"), (SIZES_BY_AREA, (50, None, None, 20, *(25, None, None, 10) * 2)),
        (TOTAL, (90, 50, 40)),
    ),
    "no table of the groups has their size": case(
        homes({"2": 2}, "area"), (table("homes", "homes", "area"), (30, None, None)), (RESIDENTS, (30, 11, 19)),
    ),
    "all is published, and within the whole": case(INSIDE, (FOREIGN, (30, 10, 20)), (RESIDENTS, (30, 10, 20))),
    "all is published, and the residents suffice": case(
        homes({"2": 2, "3": 3}), (SIZES, (50, 20, 10, 20)), (TOTAL, (100, 60, 40)),
    ),
    "all is published, and as many couples as homes of two": case(
        PAIRS, (SIZES, (70, 20, 20, 30)), (FAMILIES, (70, 50, 20)),
    ),
}  # fmt: skip
IMPOSSIBLE = {
    "more in the part than in the whole": case(INSIDE, (FOREIGN, (30, 11, 19)), (RESIDENTS, (30, 10, 20))),
    "fewer residents than their homes have": case(
        homes({"2": 2, "3": 3}), (SIZES, (50, 20, 10, 20)), (TOTAL, (99, 60, 39)),
    ),
}  # fmt: skip
FEWER_COUPLES = case(PAIRS, (SIZES, (70, 20, 20, 30)), (FAMILIES, (70, 51, 19)))
"""Than homes of two, which are all of couples."""


@pytest.mark.parametrize("name", SILENT)
def test_a_definition_says_nothing_where_tables_do_not_meet_or_all_is_published(name):
    assert found(SILENT[name]) == set()


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_published_figures_against_a_definition_are_a_contradiction(name):
    assert found(IMPOSSIBLE[name]) == {"contradiction"}


@pytest.mark.parametrize("most", [12, 1])
def test_published_figures_that_no_pairs_of_codes_have_are_a_contradiction(most, monkeypatch):
    """Found by sets of codes; where there are too many of these, by the equations of the pairs."""
    monkeypatch.setattr(definitions, "MOST_CODES", most)
    assert found(FEWER_COUPLES) == {"contradiction"}


def test_they_are_missed_where_no_set_of_codes_is_compared_with_its_partners(monkeypatch):
    mutate("definitions", "sum(axis=1) > partners[:, beside]", "sum(axis=1) < -partners[:, beside]", monkeypatch)
    assert found(FEWER_COUPLES) == set()


def equations(problem):
    spec, tables = problem
    return definition_equations(spec, read_figures(spec, tables), -1)


def test_a_table_that_shows_both_codes_is_asked_for_no_pairs():
    assert equations(case(PAIRS, BOTH)) == []


def test_tables_are_compared_at_the_finest_groups_only():
    """The areas' totals follow from their rows by sex, so the coarser tables add no inequality."""
    by_sex = table("residents", "residents", "area", "sex")
    values = (60, None, None, 30, None, None, 30, None, None)
    once = equations(case(INSIDE, (BY_SEX, values), (by_sex, values)))
    again = equations(case(INSIDE, (FOREIGN, (60, 30, 30)), (BY_SEX, values), (by_sex, values)))
    assert [frame["equation"].n_unique() for frame in once] == [frame["equation"].n_unique() for frame in again] == [4]


@pytest.mark.parametrize("possible", [{"9": ("couple",)}, {"2": ("cousins",)}])
def test_a_definition_with_an_unknown_code_is_refused_with_its_population(possible):
    wrong = Combination(population="homes", one="size", other="family", possible=possible)
    tables = (SIZES, (70, None, None, 40)), (FAMILIES, (70, 60, 10))
    with pytest.raises(DisclosureError, match="unknown code") as refusal:
        found(case({"combinations": (wrong,)}, *tables))
    assert refusal.value.code == "disclosure.spec" and refusal.value.at == {"population": "homes"}


# line of the auditor's module, what stands there in the mutant, a case that is narrow and on which the mutant errs
MUTANTS = (
    ("for inclusion in spec.includes", "for inclusion in ()", "a part is no more than the whole"),
    ("frame for combination in spec.combinations", "frame for combination in ()", "codes that go together"),
    ("for members in spec.members", "for members in ()", "members of groups"),
    ("shared = {base: united(left[base], right[base])", "shared = {base: left[base] & right[base]",
     "part and whole are compared by the groups that both can be summed to"),
    ("rows = rows.filter(pl.col(column) == self.figures.codes[dimension].root)", "pass",
     "a part is summed to the codes of the whole"),
    ("any(partners[code] & b for code in a)", "True", "codes that go together"),
    ("{**self._common(one, other), **apart}", "apart", "codes that go together in the same area"),
    ("open=(pl.col(\"value\") < 0).any()", "open=(pl.col(\"value\") < 0).all()", "a part is no more than the whole"),
    ("parts = [(sums.filter(pl.col(\"code\") == number).drop(\"code\"), weight)",
     "parts = [(sums.filter(pl.col(\"code\") == number).drop(\"code\"), 1)", "members of groups"),
)  # fmt: skip


@pytest.mark.parametrize("line, instead, name", MUTANTS)
def test_a_rule_of_definitions_broken_on_purpose_is_missed(line, instead, name, monkeypatch):
    problem, most = DECIDED[name]
    mutate("definitions", line, instead, monkeypatch)
    assert found(problem(most)) != {"narrow"}


def test_a_group_of_several_codes_with_the_most_of_their_members_is_missed(monkeypatch):
    """More members than the definition promises close a cell that is open."""
    mutate("definitions", "least = [min(", "least = [(lambda weights: max(*weights, 1))(", monkeypatch)
    assert found(members_regrouped(41)) != set()


def test_a_published_contradiction_is_missed_where_only_open_groups_are_kept(monkeypatch):
    mutate("definitions", 'pl.col("open") | pl.col("broken")', 'pl.col("open")', monkeypatch)
    assert all(found(problem) == set() for problem in IMPOSSIBLE.values())
