"""Controlled rounding: additive multiples of the base near every count, and its intervals against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.disclosure import Dimension, Rule, Spec, Table, audit, protect
from kobe_platform.disclosure.methods.rounding_search import exchange
from kobe_platform.disclosure.model import build_model
from kobe_platform.errors import DisclosureError

AREA = {"city": None, "w": "city", "v": "city", "a": "w", "b": "w", "c": "v"}
CHECKED = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def spec_of(*tables, base=5, **dimensions):
    described = {"area": Dimension(hierarchy=AREA), "sex": Dimension(hierarchy={"T": None, "m": "T", "f": "T"})}
    rounded = tuple(t.model_copy(update={"method": "rounding", "base": base}) for t in tables)
    return Spec(rule=Rule(minimum_frequency=base), dimensions=described | dimensions, tables=rounded)


def cells_of(counts):
    rows = [(a, s, n) for (a, s), n in zip(itertools.product("abc", "mf"), counts, strict=True)]
    return pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")


TABLE = Table(name="t", dimensions=["area", "sex"])


@pytest.mark.slow
@CHECKED
@given(st.lists(st.integers(0, 30), min_size=6, max_size=6), st.integers(2, 10))
def test_every_figure_is_a_neighbouring_multiple_and_totals_add_up(counts, base):
    spec, cells = spec_of(TABLE, base=base), {"t": cells_of(counts)}
    model = build_model(spec, cells)
    protected = protect(spec, cells)
    shown = protected.tables["t"]["value"].to_numpy()
    true = model.value[model.layouts["t"].variables.ravel()[model.layouts["t"].shown()]]
    assert (shown % base == 0).all() and (np.abs(shown - true) < base).all()
    assert audit(spec, protected.tables).publishable


def intervals(published, base):
    """code → least and greatest count over all tables of whole numbers less than ``base`` from their figures."""
    trees = {"area": AREA, "sex": {"T": None, "m": "T", "f": "T"}}
    rows = {(r["area"], r["sex"]): r["value"] for r in published.iter_rows(named=True)}
    finest = list(itertools.product("abc", "mf"))

    def below(tree, code, ancestor):
        while code is not None and code != ancestor:
            code = tree[code]
        return code == ancestor

    members = {
        row: [
            i for i, (a, s) in enumerate(finest) if below(trees["area"], a, row[0]) and below(trees["sex"], s, row[1])
        ]
        for row in rows
    }
    found = {}
    choices = [range(max(0, rows[c] - base + 1), rows[c] + base) for c in finest]
    for table in itertools.product(*choices):
        sums = {row: sum(table[i] for i in members[row]) for row in rows}
        if all(abs(sums[row] - rows[row]) < base for row in rows):
            for row, total in sums.items():
                low, high = found.get(row, (total, total))
                found[row] = min(low, total), max(high, total)
    return rows, found


@pytest.mark.parametrize("counts", [(1, 2, 0, 4, 7, 2), (0, 0, 0, 0, 0, 1), (3, 3, 3, 3, 3, 3), (9, 1, 1, 6, 2, 0)])
def test_the_interval_that_follows_is_what_the_documentation_promises(counts):
    base = 3
    rows, found = intervals(protect(spec_of(TABLE, base=base), {"t": cells_of(counts)}).tables["t"], base)
    for row, value in rows.items():
        assert found[row] == (max(0, value - base + 1), value + base - 1), row


def test_linked_tables_share_their_rounded_margins():
    wards = Dimension(hierarchy={"city": None, "w": "city", "v": "city"}, of="area")
    other = Table(name="u", dimensions={"area": "ward"})
    spec = spec_of(TABLE, other, ward=wards)
    cells = cells_of((3, 8, 1, 14, 6, 2))
    by_ward = pl.DataFrame({"area": ["w", "v"], "persons": [26, 8]})
    protected = protect(spec, {"t": cells, "u": by_ward})
    fine = protected.tables["t"].filter(pl.col("sex") == "T", pl.col("area").is_in(["city", "w", "v"]))
    assert dict(fine.select("area", "value").rows()) == dict(protected.tables["u"].select("area", "value").rows())
    assert audit(spec, protected.tables).publishable


def test_a_table_of_four_dimensions_is_rounded_by_exchange():
    names = ["o", "d", "age", "why"]
    codes = list(itertools.product("abcd", "abcd", "xyz", "pq"))
    counts = np.random.default_rng(3).poisson(4, len(codes))
    cells = pl.DataFrame(codes, schema=names, orient="row").with_columns(persons=pl.Series(counts))
    table = Table(name="t", dimensions=names)
    spec = spec_of(table, base=10, **{name: Dimension(total="T") for name in names})
    protected = protect(spec, {"t": cells})
    assert audit(spec, protected.tables).publishable
    model = build_model(spec, {"t": cells})
    layout = model.layouts["t"]
    steps = exchange(layout, model.value, 10)
    assert steps is not None and not (model.equations @ steps).any()
    off = np.abs(steps * 10 - model.value)
    assert off.max() < 20 and protected.report.tables[0].quality["beyond_one_step"] == (off >= 10).sum()


def changed(frame, value, **at):
    here = pl.all_horizontal([pl.col(c) == code for c, code in at.items()])
    return frame.with_columns(value=pl.when(here).then(pl.lit(value)).otherwise("value"))


def test_the_audit_refuses_what_does_not_add_up_or_is_no_multiple_or_is_hidden():
    spec = spec_of(TABLE)
    table = protect(spec, {"t": cells_of((3, 8, 1, 14, 6, 2))}).tables["t"]
    for value, rule in ((4, "unrounded"), (500, "contradiction")):
        report = audit(spec, {"t": changed(table, value, area="a", sex="m")})
        assert not report.publishable and rule in {f.rule for f in report.findings}
    here = (pl.col("area") == "a") & (pl.col("sex") == "m")
    blank = table.with_columns(
        value=pl.when(here).then(None).otherwise("value"),
        status=pl.when(here).then(pl.lit("suppressed")).otherwise("status"),
    )
    assert {f.rule for f in audit(spec, {"t": blank}).findings} == {"hidden"}


def test_unknown_codes_count_in_rounded_totals_and_have_no_row():
    area = Dimension(hierarchy={"city": None, "a": "city", "b": "city", "?": "city"}, residual=["?"])
    spec = spec_of(Table(name="t", dimensions=["area", "sex"]), area=area)
    rows = [("a", "m", 12), ("b", "f", 3), ("?", "m", 4), ("?", "f", 9)]
    cells = {"t": pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")}
    table = protect(spec, cells).tables["t"]
    assert "?" not in table["area"].to_list()
    assert audit(spec, {"t": table}).publishable
    assert not audit(spec, {"t": changed(table, 60, area="a", sex="m")}).publishable


@pytest.mark.parametrize(
    "update, message",
    [({"base": 3}, "less than its minimum frequency"), ({"base": None}, "rounding needs one"),
     ({"base": 5, "interval_width": 5}, "leaves intervals of 4"),
     ({"base": 5, "homogeneity": ("sex",)}, "suppression")],
)  # fmt: skip
def test_a_specification_that_cannot_hold_is_refused(update, message):
    with pytest.raises(ValueError, match=message):
        Spec(
            rule=Rule(minimum_frequency=5),
            tables=[{"name": "t", "dimensions": ["sex"], "method": "rounding", **update}],
        )


@pytest.mark.parametrize("rows", [[], [("a", "m", 0)], [("a", "m", 1)]])
def test_next_to_nothing_is_rounded_too(rows):
    cells = {"t": pl.DataFrame(rows, schema={"area": pl.String, "sex": pl.String, "persons": pl.Int64}, orient="row")}
    protected = protect(spec_of(TABLE), cells)
    assert audit(spec_of(TABLE), protected.tables).publishable
    assert set(protected.tables["t"]["value"]) <= {0, 5}


@pytest.mark.parametrize("rows", [[("a", "m", -1)], [("x", "m", 1)], [("a", "m", 1), ("a", "m", 2)], [("w", "m", 1)]])
def test_unsound_cells_are_refused(rows):
    cells = {"t": pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")}
    with pytest.raises(DisclosureError):
        protect(spec_of(TABLE), cells)


def test_a_pattern_for_a_rounded_table_is_refused():
    rows = pl.DataFrame({"area": ["a"], "sex": ["m"]})
    with pytest.raises(DisclosureError, match=r"disclosure\.method"):
        protect(spec_of(TABLE), {"t": cells_of((3,) * 6)}, sensitive={"t": rows})
