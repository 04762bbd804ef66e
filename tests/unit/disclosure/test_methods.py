"""What holds for every method alike: none without an audit, none mixed with another, and unsound input is refused."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, Relation, Rule, Spec, Table, audit, protect
from kobe_platform.errors import DisclosureError

ROUNDED = {"method": "rounding", "base": 5}
NOISY = {"method": "cell_key", "noise": {"most": 6, "variance": 4.0}}
SUMS = {"largest": ["first", "second"], "p_percent": 20}
MERGED = {"coarsen": {"until": 0.9, "steps": [{"column": "area", "keep": 2, "into": "rest"}]}}
METHODS = {"suppression": {}, "rounding": ROUNDED, "cell key": NOISY, "magnitudes": SUMS, "coarsening": MERGED}
FLAT = {"T": None, "a": "T", "b": "T", "c": "T"}
EVERY = pytest.mark.parametrize("keys", METHODS.values(), ids=METHODS)


def spec_of(keys, hierarchy=FLAT):
    table = {"name": "t", "dimensions": ["area"], **keys}
    return Spec(rule=Rule(minimum_frequency=5), dimensions={"area": Dimension(hierarchy=hierarchy)}, tables=[table])


def cells(*rows):
    frame = pl.DataFrame(rows, schema={"area": pl.String, "persons": pl.Int64}, orient="row")
    return {"t": frame.with_columns(first=pl.col("persons"), second=pl.lit(0))}


def run(keys, given, hierarchy=FLAT):
    spec = spec_of(keys, hierarchy)
    protected = protect(spec, given, secret=bytes(32))
    return audit(protected.spec, protected.tables), protected.tables["t"]


@EVERY
@pytest.mark.parametrize("rows", [[], [("a", 0), ("b", 0)]], ids=["empty", "all zero"])
def test_nobody_at_all_is_published_as_nobody(keys, rows):
    report, table = run(keys, cells(*rows))
    assert report.publishable and set(table["value"]) == {0}


@EVERY
@pytest.mark.parametrize(
    "rows",
    [[("a", -1)], [("a", 3), ("a", 4)], [("q", 3)], [("T", 3)]],
    ids=["negative", "duplicate", "unknown code", "not the finest"],
)
def test_unsound_cells_are_refused_without_their_values(keys, rows):
    with pytest.raises(DisclosureError) as refused:
        run(keys, cells(*rows))
    assert refused.value.code.split(".")[1] in {"count", "duplicate", "code"}


@EVERY
@pytest.mark.parametrize(
    "hierarchy",
    [{"T": None, "a": "b", "b": "a"}, {"T": None, "U": None, "a": "T"}, {"T": None, "a": "gone"}],
    ids=["cycle", "two roots", "unknown parent"],
)
def test_unsound_hierarchies_are_refused(keys, hierarchy):
    with pytest.raises(DisclosureError, match=r"disclosure\.hierarchy"):
        run(keys, cells(("a", 9)), hierarchy)


@EVERY
def test_one_small_cell_alone_is_never_shown(keys):
    try:
        report, table = run(keys, cells(("a", 3)))
    except DisclosureError as error:
        assert error.code == "disclosure.unprotected"
        return
    assert report.publishable and 3 not in table["value"].to_list()


def test_a_method_without_a_branch_or_an_auditor_publishes_nothing():
    spec = spec_of({})
    odd = spec.model_copy(update={"tables": (spec.tables[0].model_copy(update={"method": "swapping"}),)})
    with pytest.raises(DisclosureError, match=r"disclosure\.method"):
        protect(odd, cells(("a", 9)))
    table = protect(spec, cells(("a", 9), ("b", 9))).tables
    with pytest.raises(DisclosureError, match=r"disclosure\.method"):
        audit(odd, table)


def test_methods_are_not_mixed_within_a_population_nor_tied_by_relations():
    plain = Table(name="u", dimensions=["area"])
    rounded = Table(name="t", dimensions=["area"], method="rounding", base=10)
    with pytest.raises(ValueError, match="one method"):
        Spec(tables=(plain, rounded))
    apart = plain.model_copy(update={"population": "others"})
    tie = Relation(name="part", on=("area",), left=["u"], right=["t"], sense="<=")
    with pytest.raises(ValueError, match="ties a table that is perturbed"):
        Spec(tables=(apart, rounded), relations=(tie,))


@pytest.mark.parametrize("keys", [ROUNDED, NOISY, SUMS], ids=["rounding", "cell key", "magnitudes"])
def test_a_mean_does_not_stand_beside_figures_that_it_would_tell(keys):
    """A mean is worked out from counts: beside noise it would tell the count that the noise hides."""
    mean = {"table": "ages", "of": "t", "dimension": "age", "values": {"0-4": [0, 4], "5-9": [5, 9]}}
    table = {"name": "t", "dimensions": ["area", "age"], **keys}
    with pytest.raises(ValueError, match="mean ages is of a table that is perturbed or holds magnitudes"):
        Spec(rule=Rule(minimum_frequency=5), tables=[table], means=[mean])


def test_a_table_of_too_many_cells_is_refused_before_any_work():
    """300 codes in each of three columns are 27 million cells and more."""
    codes = [f"c{n}" for n in range(300)]
    frame = pl.DataFrame({column: codes for column in "xyz"} | {"persons": [7] * 300})
    spec = Spec(tables=[{"name": "t", "dimensions": list("xyz")}])
    with pytest.raises(DisclosureError, match="too many cells") as refused:
        protect(spec, {"t": frame})
    assert refused.value.code == "disclosure.size"


@pytest.mark.slow
def test_populations_with_different_methods_are_audited_each_by_its_own():
    tables = [
        {"name": "t", "dimensions": ["area"], **ROUNDED},
        {"name": "u", "dimensions": ["area"], "population": "u"},
        {"name": "n", "dimensions": ["area"], "population": "n", **NOISY},
        {"name": "s", "dimensions": ["area"], "population": "s", **SUMS},
    ]
    area = Dimension(hierarchy=FLAT)
    spec = Spec(rule=Rule(minimum_frequency=5), dimensions={"area": area}, tables=tables)
    (frame,) = cells(("a", 3), ("b", 20), ("c", 41)).values()
    protected = protect(spec, dict.fromkeys("tuns", frame), secret=bytes(32), workers=2)
    report = audit(protected.spec, protected.tables)
    assert report.publishable and report.counts["cells"] == 16
    true = {"T": 64, "a": 3, "b": 20}
    for name, wrong in {"t": {"T": 7}, "u": {"T": 7, "a": 3}, "n": {"T": 7000}, "s": true}.items():
        changed = protected.tables[name].rows(named=True)
        for row in changed:
            if row["area"] in wrong:
                row |= {"value": wrong[row["area"]], "status": "published"}
        tampered = pl.DataFrame(changed, schema={"area": pl.String, "value": pl.Int64, "status": pl.String})
        assert not audit(spec, {**protected.tables, name: tampered}).publishable, name
