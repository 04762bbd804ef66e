"""Magnitude tables: the rules as the Handbook writes them, and both sides of every sensitive sum open by its level."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.methods.choice import Dominance
from kobe_platform.disclosure.methods.magnitudes import sensitive_magnitudes, upper_levels
from kobe_platform.disclosure.model import build_model
from kobe_platform.errors import DisclosureError

AREA = {"city": None, "a": "city", "b": "city", "c": "city"}
LARGEST = ("largest_1", "largest_2")
CHECKED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spec_of(k=3, **options):
    options = {"largest": LARGEST, "p_percent": 20.0, **options}
    table = Table(name="t", dimensions=["area", "trade"], measure="yen", **options)
    dimensions = {"area": Dimension(hierarchy=AREA), "trade": Dimension(hierarchy={"T": None, "x": "T", "y": "T"})}
    return Spec(rule=Rule(minimum_frequency=k), dimensions=dimensions, tables=(table,))


def cells_of(contributions):
    """One row a finest cell from lists of contributions."""
    rows = []
    for (area, trade), given_ in zip(itertools.product("abc", "xy"), contributions, strict=True):
        top = sorted(given_, reverse=True)
        largest = [*top, 0, 0][:2]
        rows.append((area, trade, sum(top), *largest, len(top)))
    return pl.DataFrame(rows, schema=["area", "trade", "yen", *LARGEST, "firms"], orient="row")


def test_upper_levels_are_those_of_the_handbook():
    total, largest = np.array([100, 100, 100]), np.array([[80, 15], [50, 30], [90, 10]])
    p = upper_levels(Rule(p_percent=10), total, largest, None)
    assert p.tolist() == [3, 0, 9]  # 8 − 5; 20 left beside 5 needed; 9 − 0
    dominance = upper_levels(Rule(dominance=Dominance(n=1, percent=75)), total, largest, None)
    assert dominance.tolist() == [7, 0, 20]  # 106.67 − 100; 50 % does not dominate; 120 − 100
    few = upper_levels(Rule(minimum_frequency=3), total, None, np.array([2, 3, 0]))
    assert few.tolist() == [10, 0, 0]


contributions = st.lists(st.lists(st.integers(1, 40), max_size=4), min_size=6, max_size=6)


@CHECKED
@given(contributions)
def test_largest_contributions_are_carried_up_exactly(given_):
    spec = spec_of()
    model = build_model(spec, {"t": cells_of(given_)})
    levelled, primary = sensitive_magnitudes(model, {"t": cells_of(given_)}, np.zeros(model.size, dtype=bool))
    layout = model.layouts["t"]
    everybody = dict(zip(itertools.product("abc", "xy"), given_, strict=True))
    for position, (area, trade) in enumerate(layout.frame(np.arange(layout.variables.size)).rows()):
        inside = [n for (a, s), own in everybody.items() for n in own if area in ("city", a) and trade in ("T", s)]
        top = [*sorted(inside, reverse=True), 0, 0]
        sensitive = sum(inside) > 0 and sum(inside) - top[0] - top[1] < 0.2 * top[0]
        variable = layout.variables.ravel()[position]
        assert primary[variable] == sensitive
        if sensitive:
            assert levelled.rise[variable] == max(1, np.ceil(round(0.2 * top[0] - (sum(inside) - top[0] - top[1]), 6)))


def bounds(published):
    """(area, trade) → least and greatest real value of every hidden sum, by scipy's own solver."""
    from scipy.optimize import linprog

    rows = published.rows(named=True)
    finest = list(itertools.product("abc", "xy"))
    members = [[float(row["area"] in ("city", a) and row["trade"] in ("T", s)) for a, s in finest] for row in rows]
    equal = [(m, r["value"]) for m, r in zip(members, rows, strict=True) if r["value"] is not None]
    hidden = [(m, (r["area"], r["trade"])) for m, r in zip(members, rows, strict=True) if r["value"] is None]
    at_least = [[-x for x in m] for m, _ in hidden]
    found = {}
    for m, name in hidden:
        ends = []
        for sign in (1, -1):
            solution = linprog(
                [sign * x for x in m], A_eq=[e for e, _ in equal] or None, b_eq=[v for _, v in equal] or None,
                A_ub=at_least, b_ub=[-1.0] * len(hidden),
            )  # fmt: skip
            ends.append(sign * solution.fun if solution.status == 0 else np.inf)
        found[name] = (ends[0], ends[1])
    return found


@CHECKED
@given(contributions)
def test_every_sensitive_sum_can_rise_and_fall_by_its_level(given_):
    spec, cells = spec_of(), {"t": cells_of(given_)}
    model = build_model(spec, cells)
    levelled, primary = sensitive_magnitudes(model, cells, np.zeros(model.size, dtype=bool))
    try:
        protected = protect(spec, cells)
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected"
        return
    assert audit(spec, protected.tables).publishable
    layout, table = model.layouts["t"], protected.tables["t"]
    found = bounds(table)
    for position, row in enumerate(table.rows(named=True)):
        variable = layout.variables.ravel()[layout.shown()[position]]
        if not primary[variable]:
            continue
        low, high = found[(row["area"], row["trade"])]
        assert high >= model.value[variable] + levelled.rise[variable] - 1e-6
        assert low <= model.value[variable] - levelled.fall[variable] + 1e-6


def test_large_sums_are_protected_in_whole_numbers():
    many = [[700_000_001, 3], [90_000_000] * 4, [5_000_000] * 9, [10_000_019] * 5, [3_333_333] * 6, [77_777_777] * 4]
    spec = spec_of(contributors="firms", dominance=Dominance(n=1, percent=80))
    protected = protect(spec, {"t": cells_of(many)})
    assert audit(spec, protected.tables).publishable
    assert protected.tables["t"].filter(area="a", trade="x")["status"].item() == "suppressed"
    assert "dominance" in protected.report.tables[0].rule and "contributors" in protected.report.tables[0].rule


def test_the_audit_sees_a_sum_that_follows():
    many = [[700, 3], [90] * 4, [500] * 9, [10] * 5, [333] * 6, [77] * 4]
    table = protect(spec_of(), {"t": cells_of(many)}).tables["t"]
    true = cells_of(many)
    for area, trade in table.filter(pl.col("status") == "suppressed").select("area", "trade").rows():
        if (area, trade) == ("a", "x") or area == "city" or trade == "T":
            continue
        value = true.filter(area=area, trade=trade)["yen"].item()
        here = (pl.col("area") == area) & (pl.col("trade") == trade)
        shown = table.with_columns(
            value=pl.when(here).then(pl.lit(value)).otherwise("value"),
            status=pl.when(here).then(pl.lit("published")).otherwise("status"),
        )
        report = audit(spec_of(), {"t": shown})
        assert not report.publishable and {f.rule for f in report.findings} == {"exact"}


@pytest.mark.parametrize(
    "change, code",
    [(pl.col("largest_2") + 10_000, "count"), (pl.col("largest_2") - 10_000, "count")],
)  # fmt: skip
def test_impossible_contributions_are_refused(change, code):
    cells = cells_of([[5, 3]] * 6).with_columns(largest_2=change)
    with pytest.raises(DisclosureError, match=code):
        protect(spec_of(), {"t": cells})
    with pytest.raises(DisclosureError, match="column"):
        protect(spec_of(), {"t": cells.drop("largest_1")})


@pytest.mark.parametrize("given_", [[[]] * 6, [[1]] + [[]] * 5, [[9, 9, 9, 9]] + [[]] * 5])
def test_next_to_nothing_is_answered_or_refused(given_):
    try:
        protected = protect(spec_of(), {"t": cells_of(given_)})
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected"
    else:
        assert audit(spec_of(), protected.tables).publishable


def test_a_magnitude_table_without_a_rule_or_beside_counts_of_its_population_is_refused():
    with pytest.raises(ValueError, match="has no rule"):
        spec_of(p_percent=None)
    with pytest.raises(ValueError, match="one kind of measure"):
        Spec(tables=(spec_of().tables[0], Table(name="u", dimensions=["area"])))
    with pytest.raises(ValueError, match="lacks columns"):
        spec_of(dominance=Dominance(n=3, percent=80))
