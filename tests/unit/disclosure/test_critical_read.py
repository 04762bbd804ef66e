"""Outputs that a critical read found called safe, or that stopped the audit: each stays found."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, FormerRelease, Rule, Spec, Table, audit, protect
from kobe_platform.errors import DisclosureError

CITY = {"city": None, "w1": "city", "w2": "city"}


def residual_view() -> tuple[Spec, dict[str, pl.DataFrame]]:
    """Districts whose unknown is never published, and wards whose view publishes it."""
    district = {**CITY, "a": "w1", "b": "w1", "c": "w2", "d": "w2", "unknown": "city"}
    spec = Spec(
        rule=Rule(minimum_frequency=10),
        dimensions={
            "district": Dimension(hierarchy=district, residual=("unknown",)),
            "ward": Dimension(hierarchy={**CITY, "unknown": "city"}, of="district"),
        },
        tables=(Table(name="t", dimensions=["district"]), Table(name="u", dimensions=["ward"])),
    )
    cells = {
        "t": pl.DataFrame({"district": ["a", "b", "c", "d", "unknown"], "persons": [50, 60, 70, 80, 3]}),
        "u": pl.DataFrame({"ward": ["w1", "w2", "unknown"], "persons": [110, 150, 3]}),
    }
    return spec, cells


def test_a_view_does_not_publish_a_small_count_that_its_base_holds_back():
    spec, cells = residual_view()
    made = protect(spec, cells).tables
    row = made["u"].filter(pl.col("ward") == "unknown").row(0, named=True)
    assert row["status"] == "suppressed" and audit(spec, made).publishable
    shown = pl.DataFrame({"ward": ["city", "w1", "w2", "unknown"], "value": [263, 110, 150, 3]})
    verdict = audit(spec, {**made, "u": shown.with_columns(status=pl.lit("published"))})
    assert "small" in {finding.rule for finding in verdict.findings}


def flat(zeros: str = "published", k: int = 3) -> Spec:
    tree = pl.DataFrame({"code": ["T", "a", "b", "c"], "parent": [None, "T", "T", "T"]})
    return Spec(
        rule=Rule(minimum_frequency=k, zeros=zeros),
        dimensions={"d": Dimension(hierarchy=tree)},
        tables=(Table(name="t", dimensions=["d"]),),
    )


def test_two_former_releases_under_specifications_of_their_own_are_taken():
    spec = flat(k=5)

    def cells(last: int) -> dict[str, pl.DataFrame]:
        return {"t": pl.DataFrame({"d": ["a", "b", "c"], "persons": [2, 20, last]})}

    now, before = protect(spec, cells(30)).tables, protect(spec, cells(31)).tables
    verdict = audit(spec, now, previous=[FormerRelease(before, flat(k=5)), FormerRelease(before, flat(k=5))])
    assert isinstance(verdict.publishable, bool)


def test_what_a_former_release_said_of_zeros_stays_known():
    """Hidden beside published zeros a cell is at least 1, whatever a later release says of zeros."""
    rows = [("T", 14, "published"), ("a", None, "suppressed"), ("b", None, "suppressed"), ("c", 10, "published")]
    frame = pl.DataFrame(rows, schema={"d": pl.String, "value": pl.Int64, "status": pl.String}, orient="row")
    assert not audit(flat(), {"t": frame}).publishable
    assert audit(flat("hidden"), {"t": frame}).publishable
    told = audit(flat("hidden"), {"t": frame}, previous=[FormerRelease({"t": frame}, flat())])
    assert {one.coordinates["d"] for one in told.exposed} == {"a", "b"}, "by the former release, which nobody can mend"


def test_former_releases_hold_means_and_margins_that_the_present_lacks():
    """What a former margin told is no shield: the other table's total of it stays shown; means stop nothing."""
    tree = {"T": None, "a": "T", "b": "T", "c": "T"}
    dimensions = {"d": Dimension(hierarchy=tree), "s": Dimension(hierarchy={"T": None, "m": "T", "f": "T"})}
    rule = Rule(minimum_frequency=5)
    former = Spec(rule=rule, dimensions=dimensions, tables=(Table(name="old", dimensions=["d"], population="p"),))
    told = protect(former, {"old": pl.DataFrame({"d": ["a", "b", "c"], "persons": [13, 30, 40]})}).tables
    means = pl.DataFrame({"d": ["T"], "value": [40.1], "status": ["published"]})
    spec = Spec(rule=rule, dimensions=dimensions, tables=(Table(name="new", dimensions=["d", "s"], population="p"),))
    cells = pl.DataFrame({"d": ["a", "a", "b", "b", "c", "c"], "s": ["m", "f"] * 3, "persons": [2, 11, 14, 16, 19, 21]})
    previous = [FormerRelease({**told, "means": means}, former)]
    made = protect(spec, {"new": cells}, previous=previous).tables
    margin = made["new"].filter(pl.col("s") == "T")
    assert (margin["status"] == "published").all() and audit(spec, made, previous=previous[:0]).publishable


def test_former_releases_beside_rounded_tables_are_refused_and_not_ignored():
    tree = {"T": None, "a": "T", "b": "T"}

    def spec(**method) -> Spec:
        table = Table(name="t", dimensions=["d"], **method)
        return Spec(rule=Rule(minimum_frequency=3), dimensions={"d": Dimension(hierarchy=tree)}, tables=(table,))

    cells = {"t": pl.DataFrame({"d": ["a", "b"], "persons": [11, 14]})}
    exact, rounded = protect(spec(), cells).tables, protect(spec(method="rounding", base=3), cells).tables
    for now, tables, before, former in (
        (spec(method="rounding", base=3), rounded, spec(), exact),
        (spec(), exact, spec(method="rounding", base=3), rounded),
    ):
        previous = [FormerRelease(former, before)]
        for ask in (lambda n=now, p=previous: protect(n, cells, previous=p),
                    lambda n=now, t=tables, p=previous: audit(n, t, previous=p)):  # fmt: skip
            with pytest.raises(DisclosureError) as refusal:
                ask()
            assert refusal.value.code == "disclosure.method"


@pytest.mark.parametrize("name", ["value", "cell", "shown", "found", "owner", "equation", "row"])
def test_names_that_the_auditor_uses_itself_are_refused_with_the_specification(name):
    with pytest.raises(ValueError, match="a name that is taken"):
        Table(name="t", dimensions=[name])


def persons(*counts, dtype=None) -> dict[str, pl.DataFrame]:
    return {"t": pl.DataFrame({"d": ["a", "b"][: len(counts)], "persons": pl.Series(counts, dtype=dtype)})}


@pytest.mark.parametrize("dtype", [pl.Decimal(10, 2), pl.Float32, pl.Int8, pl.UInt64])
def test_counts_of_any_numeric_type_are_counts(dtype):
    spec = flat()
    tables = protect(spec, persons(50, 70, dtype=dtype)).tables
    assert tables["t"]["value"].to_list() == [120, 50, 70, 0] and audit(spec, tables).publishable


@pytest.mark.parametrize("frame", [pl.DataFrame({"d": [], "persons": []}), persons(dtype=pl.Int64)["t"]])
def test_a_table_without_rows_counts_nobody(frame):
    spec = flat()
    tables = protect(spec, {"t": frame}).tables
    assert set(tables["t"]["value"]) == {0} and audit(spec, tables).publishable


@pytest.mark.parametrize("counts", [(2**60, 7), (1e30, 7.0), (2**52, 2**52)])
def test_totals_that_no_float_holds_are_refused(counts):
    with pytest.raises(DisclosureError, match="too large") as refused:
        protect(flat(), persons(*counts))
    assert refused.value.at["table"] == "t"


def test_published_figures_that_no_float_holds_are_refused():
    spec = flat()
    tables = protect(spec, persons(50, 70)).tables
    with pytest.raises(DisclosureError, match="too large") as refused:
        audit(spec, {"t": tables["t"].with_columns(value=pl.Series([1e30, 50.0, 70.0, 0.0]))})
    assert "30" not in str(refused.value)
