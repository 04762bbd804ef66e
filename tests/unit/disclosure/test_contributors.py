"""Nobody estimates another's part of a sum from hidden cells taken together: unions, holders of several firms.

The oracles list every union of finest cells whose sum the published figures tell, and ask another solver what each
contributor, who knows his own part, can make of every cell.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.auditor import contributors as auditor
from kobe_platform.disclosure.auditor.contributors import _shown_too_much
from kobe_platform.disclosure.methods import contributions as contributions_of
from kobe_platform.disclosure.methods.choice import Dominance
from kobe_platform.disclosure.methods.magnitudes import upper_levels
from kobe_platform.disclosure.suppression import contributors
from kobe_platform.disclosure.suppression.contributors import Contributors
from kobe_platform.errors import DisclosureError

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
CODES = {"area": list(AREA), "trade": ["T", "x", "y"]}
FINEST = list(itertools.product("abc", "xy"))
P = 20.0
CHECKED = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spec_of(**options):
    options = {"contributor": "owner", "p_percent": P, **options}
    table = Table(name="t", dimensions=["area", "trade"], measure="yen", **options)
    dimensions = {"area": Dimension(hierarchy=AREA), "trade": Dimension(hierarchy={"T": None, "x": "T", "y": "T"})}
    return Spec(rule=Rule(minimum_frequency=1), dimensions=dimensions, tables=(table,))


def rows_of(parts):
    """One row a contribution: (area, trade, owner, yen)."""
    return pl.DataFrame(parts, schema=["area", "trade", "owner", "yen"], orient="row")


owners = st.integers(0, 7).map("owner{}".format)
contributions = st.lists(
    st.tuples(st.sampled_from(FINEST), owners, st.integers(1, 60)), min_size=4, max_size=16
).map(lambda found: [(*cell, owner, yen) for cell, owner, yen in found])  # fmt: skip


def inside(cell, of):
    """Whether a finest cell is counted in a cell or total."""
    return all(code in (root, own) for code, root, own in zip(of, ("city", "T"), cell, strict=True))


def held(parts, cells):
    """Owner → what he has in a set of finest cells, the greatest first."""
    found: dict[str, int] = {}
    for area, trade, owner, yen in parts:
        if (area, trade) in cells:
            found[owner] = found.get(owner, 0) + yen
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def equations(table):
    """The published rows as sums over the finest cells, and what they come to."""
    rows = [(row["area"], row["trade"], row["value"]) for row in table.rows(named=True) if row["value"] is not None]
    return (
        np.array([[float(inside(cell, row[:2])) for cell in FINEST] for row in rows]).reshape(len(rows), len(FINEST)),
        np.array([row[2] for row in rows], dtype=float),
    )


def unions_told(table):
    """Every set of finest cells whose sum follows from the published equations."""
    matrix, _ = equations(table)
    rank = np.linalg.matrix_rank(matrix) if len(matrix) else 0
    for number in range(1, len(FINEST) + 1):
        for chosen in itertools.combinations(range(len(FINEST)), number):
            one = np.isin(np.arange(len(FINEST)), chosen).astype(float)
            if rank and np.linalg.matrix_rank(np.vstack([matrix, one])) == rank:
                yield [FINEST[at] for at in chosen]


def sensitive(parts, cells, p=P, dominance=None):
    """Whether the sum of some cells breaks a rule, as the Handbook writes it."""
    values = [*held(parts, cells).values(), 0, 0]
    total = sum(values)
    if dominance:
        return 100 * sum(values[: dominance.n]) > dominance.percent * total
    return total - values[0] - values[1] < p / 100 * values[0]


def learnt(parts, table, p=P):
    """Every (cell, contributor) where another contributor, or nobody in particular, comes closer than p %."""
    matrix, right = equations(table)
    hidden = [(row["area"], row["trade"]) for row in table.rows(named=True) if row["value"] is None]
    someone = [[-float(inside(cell, of)) for cell in FINEST] for of in hidden]
    found = set()
    names = {owner for *_, owner, _ in parts}
    for of in itertools.product(*CODES.values()):
        own = held(parts, [cell for cell in FINEST if inside(cell, of)])
        for attacker in [None, *names]:
            others = [value for owner, value in own.items() if owner != attacker]
            if not others:
                continue
            if of not in hidden:
                found |= (
                    {(of, attacker)} if sum(own.values()) - own.get(attacker, 0) < (1 + p / 100) * others[0] else set()
                )
                continue
            his = [held(parts, [cell]).get(attacker, 0) for cell in FINEST]
            most = linprog(
                [-float(inside(cell, of)) for cell in FINEST], A_eq=matrix if len(matrix) else None,
                b_eq=right if len(right) else None, bounds=[(low, None) for low in his],
                A_ub=someone or None, b_ub=[-1.0] * len(someone) or None,
            )  # fmt: skip
            assert most.status in (0, 3)
            estimate = np.inf if most.status == 3 else -most.fun - own.get(attacker, 0)
            if estimate < (1 + p / 100) * others[0] - 1e-4:
                found.add((of, attacker))
    return found


def protected(parts, spec):
    """What is published, or None where nothing may be."""
    try:
        return protect(spec, {"t": rows_of(parts)}).tables["t"]
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected"
        return None


ALONE_IN_TWO = [("a", "x", "p", 100), ("b", "x", "q", 100), *(("c", "x", f"o{n}", 40) for n in range(9))]
"""Of the trade x, firms p and q are each alone in their area; hidden, their areas come to a known 200."""
ALONE_IN_TWO += [(area, "y", f"{area}{n}", 50) for area in "abc" for n in range(8)]


def test_two_lone_contributors_are_not_left_in_one_union():
    table = protected(ALONE_IN_TWO, spec_of())
    assert table is not None
    assert not any(sensitive(ALONE_IN_TWO, union) for union in unions_told(table))
    assert audit(spec_of(), {"t": table}, contributions={"t": rows_of(ALONE_IN_TWO)}).publishable


def test_without_it_each_knows_the_other_and_the_audit_refuses(monkeypatch):
    monkeypatch.setattr(Contributors, "guard", lambda *_: None)
    table = protected(ALONE_IN_TWO, spec_of())
    assert any(sensitive(ALONE_IN_TWO, union) for union in unions_told(table))
    assert audit(spec_of(), {"t": table}).publishable, "from the figures alone nothing follows"
    report = audit(spec_of(), {"t": table}, contributions={"t": rows_of(ALONE_IN_TWO)})
    assert {finding.rule for finding in report.findings} == {"dominated"}


@CHECKED
@given(contributions)
def test_no_union_that_the_figures_tell_is_sensitive_and_nobody_learns_another(parts):
    table = protected(parts, spec_of())
    if table is None:
        return
    assert not [union for union in unions_told(table) if held(parts, union) and sensitive(parts, union)]
    assert not learnt(parts, table)
    assert audit(spec_of(), {"t": table}, contributions={"t": rows_of(parts)}).publishable


@CHECKED
@given(contributions, st.integers(1, 4), st.booleans())
def test_no_union_that_the_figures_tell_is_dominated(parts, n, apart):
    """Where each stands in one cell, none of any size; else none of up to n cells, and one holder's in all of them."""
    rule = Dominance(n=n, percent=85)
    if apart:
        parts = [(*cell, f"{owner}{cell}", yen) for *cell, owner, yen in parts]
    spec = spec_of(p_percent=None, dominance=rule)
    table = protected(parts, spec)
    if table is None:
        return
    for union in unions_told(table):
        if apart or n == 1 or len(union) <= n:
            assert not held(parts, union) or not sensitive(parts, union, dominance=rule)
    assert audit(spec, {"t": table}, contributions={"t": rows_of(parts)}).publishable


@pytest.mark.parametrize("n", [3, 4])
def test_lone_contributors_are_not_left_in_one_union_of_as_many_cells(n, monkeypatch):
    """Each two of them have room; without the further question the sum of all is their own, and the audit refuses."""
    parts = [(*cell, f"lone{cell}", 100) for cell in FINEST[:n]]
    parts += [(*cell, f"{cell}{n}", 40) for cell in FINEST[n:] for n in range(9)]
    rule = Dominance(n=n, percent=95)
    spec, rows = spec_of(p_percent=None, dominance=rule), {"t": rows_of(parts)}
    table = protected(parts, spec)
    assert not any(sensitive(parts, union, dominance=rule) for union in unions_told(table))
    monkeypatch.setattr(contributors, "unions", lambda *_: ())
    table = protected(parts, spec)
    assert any(sensitive(parts, union, dominance=rule) for union in unions_told(table))
    assert {one.rule for one in audit(spec, {"t": table}, contributions=rows).findings} == {"dominated"}


def test_too_many_unions_are_refused_and_not_left_out(monkeypatch):
    spec = spec_of(p_percent=None, dominance=Dominance(n=3, percent=95))
    table = protected(ALONE_IN_TWO, spec)
    monkeypatch.setattr(contributions_of, "MOST_UNIONS", 0)
    with pytest.raises(DisclosureError, match="too many unions"):
        protect(spec, {"t": rows_of(ALONE_IN_TWO)})
    monkeypatch.setattr(auditor, "MOST_TOGETHER", 0)
    found = audit(spec, {"t": table}, contributions={"t": rows_of(ALONE_IN_TWO)}).findings
    assert {one.rule for one in found} == {"undecided"}


blocks = st.tuples(
    st.sets(st.sampled_from("abc"), min_size=2),
    st.sets(st.sampled_from(list(itertools.product(*CODES.values()))), max_size=3),
).map(lambda drawn: {*itertools.product(drawn[0], "xy"), *drawn[1]})  # fmt: skip
"""Hidden cells: both trades of two areas or three, and a few others."""


@CHECKED
@given(
    st.lists(contributions, min_size=1, max_size=3).map(lambda lists: [one for part in lists for one in part]), blocks
)
def test_the_audit_names_what_another_solver_finds(parts, hidden):
    """Any pattern, contributors of one cell each: one is found learnt where the oracle says so, and only there.

    Of contributors of several cells the audit asks for more than the oracle does.
    """
    parts = [(*cell, f"{owner}{cell}", yen) for *cell, owner, yen in parts]
    spec, cells = spec_of(p_percent=5.0), list(itertools.product(*CODES.values()))
    sums = {of: sum(held(parts, [cell for cell in FINEST if inside(cell, of)]).values()) for of in cells}
    rows = [(*of, None if of in hidden and value else value) for of, value in sums.items()]
    table = pl.DataFrame(rows, schema={"area": pl.String, "trade": pl.String, "value": pl.Int64}, orient="row")
    status = pl.when(pl.col("value").is_null()).then(pl.lit("suppressed")).otherwise(pl.lit("published"))
    table = table.with_columns(status=status)
    exact = {finding.rule for finding in audit(spec, {"t": table}).findings}
    rules = {finding.rule for finding in audit(spec, {"t": table}, contributions={"t": rows_of(parts)}).findings}
    assert rules == (exact or ({"dominated"} if learnt(parts, table, 5.0) else set()))


def test_firms_of_one_holder_count_as_one():
    """Five firms of one holder beside two others: by firms nothing is sensitive, by holders the cell is."""
    firms = [("a", "x", f"firm{n}", 20) for n in range(5)] + [("a", "x", "q", 9), ("a", "x", "r", 8)]
    rest = [(area, trade, f"{area}{trade}{n}", 30) for area, trade in FINEST[1:] for n in range(7)]
    by_firm, by_holder = (
        firms + rest,
        [(*cell, o.replace(o, "h") if o.startswith("firm") else o, y) for *cell, o, y in firms],
    )
    assert protected(by_firm, spec_of())["status"].eq("published").all()
    table = protected(by_holder + rest, spec_of())
    assert table.filter(area="a", trade="x")["status"].item() == "suppressed"


def test_the_parts_of_one_holder_in_two_cells_are_not_told_together():
    """What h has in (a, x) and (b, x) is in no row of the table, and nobody learns it."""
    parts = [("a", "x", "h", 60), ("b", "x", "h", 60), ("a", "x", "q", 9), ("b", "x", "r", 9)]
    parts += [
        (area, trade, f"{area}{trade}{n}", 30)
        for area, trade in FINEST
        if (area, trade) not in FINEST[::2][:2]
        for n in range(7)
    ]
    for options in ({}, {"p_percent": None, "dominance": Dominance(n=1, percent=80)}):
        table = protected(parts, spec_of(**options))
        for union in unions_told(table):
            assert not sensitive(parts, union, dominance=options.get("dominance"))


def test_a_table_that_only_counts_its_contributors_asks_no_more():
    """Without the largest contributions nothing is known of who has what: few contributors alone are sensitive."""
    spec = Spec(
        rule=Rule(minimum_frequency=3),
        tables=(Table(name="t", dimensions=["area"], measure="yen", contributors="firms"),),
    )
    cells = {"t": pl.DataFrame({"area": list("abcd"), "yen": [100, 200, 300, 400], "firms": [2, 5, 6, 7]})}
    tables = protect(spec, cells).tables
    assert "a" in tables["t"].filter(status="suppressed")["area"].to_list()
    assert audit(spec, tables, contributions=cells).publishable


def test_a_table_of_which_nothing_is_shown_is_decided():
    parts = [("a", "x", "p", 2), ("b", "x", "p", 1), ("c", "y", "p", 1)]
    assert audit(spec_of(), {"t": protected(parts, spec_of())}, contributions={"t": rows_of(parts)}).publishable


@pytest.mark.parametrize("again", ["h", "h ", "\u3000h", "\uff48", "h\u200b", "h\U000e0100"])
@pytest.mark.parametrize("name", ["{}", "{} & sons"])
def test_a_holder_written_with_other_blanks_or_widths_is_the_same(name, again):
    """190 of 220 of one holder: written as two, he would be told with his rivals as if he were two."""
    again = name.format(again).replace(" & ", " & " if again == "h" else " \u3000\uff06\t")
    alone = [("a", "x", name.format("h"), 100), ("a", "x", again, 90), ("a", "x", "q", 25), ("a", "x", "r", 5)]
    rest = [(area, trade, f"{area}{trade}{n}", 30) for area, trade in FINEST[1:] for n in range(7)]
    table = protected(alone + rest, spec_of())
    assert table.filter(area="a", trade="x")["status"].item() == "suppressed"
    assert audit(spec_of(), {"t": table}, contributions={"t": rows_of(alone + rest)}).publishable
    sums = [(area, trade, 220 if (area, trade) == FINEST[0] else 210) for area, trade in FINEST]
    shown = [(*of, sum(yen for *cell, yen in sums if inside(cell, of))) for of in itertools.product(*CODES.values())]
    open_table = pl.DataFrame(shown, schema=["area", "trade", "value"], orient="row")
    open_table = open_table.with_columns(status=pl.lit("published"))
    report = audit(spec_of(), {"t": open_table}, contributions={"t": rows_of(alone + rest)})
    assert {(finding.rule, *finding.coordinates.values()) for finding in report.findings} == {("dominated", "a", "x")}


@pytest.mark.parametrize("p", [*range(1, 31), 0.7, 12.3])
def test_engine_and_auditor_draw_the_same_border_of_p_percent(p):
    """The rest of a cell is p % of its largest to the last unit (shown), or one unit less (not shown)."""
    smallest = next(n for n in range(1, 1001) if round(p * n, 6) % 100 == 0)
    for most in {smallest * times for times in (*range(1, 60), 17_001)}:
        rest = round(p * most / 100)
        for third, open_ in ((rest, True), (rest - 1, False)):
            total, parts = most + rest + third, np.array([most, rest])
            level = upper_levels(Rule(p_percent=p), np.array([total]), parts[None, :], None)
            assert (level == 0).all() == open_, "the engine"
            own = pl.DataFrame({"cell": [0, 0, 0], "value": [most, rest, third]})
            figures = SimpleNamespace(value=np.array([total]))
            assert (_shown_too_much(Rule(p_percent=p), own, figures) == []) == open_, "the auditor"


def test_a_sum_at_the_border_of_p_percent_is_shown_and_passes():
    """34 is 8 % of 425: in floating point 1.08 * 425 + 34 is more than 493."""
    parts = [("a", "x", "p", 425), ("a", "x", "q", 34), ("a", "x", "r", 34)]
    parts += [(area, trade, f"{area}{trade}{n}", 30) for area, trade in FINEST[1:] for n in range(7)]
    table = protected(parts, spec_of(p_percent=8.0))
    assert table["status"].eq("published").all()
    assert audit(spec_of(p_percent=8.0), {"t": table}, contributions={"t": rows_of(parts)}).publishable


def test_spelling_beyond_blanks_and_widths_tells_holders_apart():
    parts = [("a", "x", name, 30) for name in ("h", "H", "h.", "hh", "h h")]
    parts += [(area, trade, f"{area}{trade}{n}", 30) for area, trade in FINEST[1:] for n in range(7)]
    assert protected(parts, spec_of())["status"].eq("published").all()


@pytest.mark.parametrize("by", ["engine", "auditor"])
@pytest.mark.parametrize("name", ["", "  ", "\u3000\u200b", None])
def test_a_contributor_without_a_name_is_refused(name, by):
    rows = {"t": rows_of([("a", "x", name, 5), ("b", "y", "secret-name", 7)])}
    empty = {"t": protected([("a", "x", "p", 5), ("b", "y", "q", 7)], spec_of())}
    with pytest.raises(DisclosureError, match="no name") as refused:
        protect(spec_of(), rows) if by == "engine" else audit(spec_of(), empty, contributions=rows)
    assert "secret-name" not in str(refused.value)


def test_contributors_are_named_or_given_as_the_largest_and_not_both():
    with pytest.raises(ValueError, match="takes the place"):
        spec_of(largest=("one", "two"))


def test_contributions_that_do_not_come_to_the_figures_are_refused():
    table = protected(ALONE_IN_TWO, spec_of())
    with pytest.raises(DisclosureError, match="do not come to"):
        audit(spec_of(), {"t": table}, contributions={"t": rows_of([*ALONE_IN_TWO, ("c", "y", "more", 1)])})
