"""The attacker has every earlier release: what differencing gives him, corrections, other hierarchies, the ratchet."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, FormerRelease, Relation, Rule, Spec, Table, audit, protect

WARDS = ["w1", "w2", "w3", "w4"]
AREA = {"city": None, **dict.fromkeys(WARDS, "city")}
TABLE = Table(name="t", dimensions=["area", "sex"])


def spec_of(*tables, area=AREA, k=5, **more):
    described = {"area": Dimension(hierarchy=area), "sex": Dimension(total="T")}
    return Spec(rule=Rule(minimum_frequency=k), dimensions=described, tables=tables or (TABLE,), **more)


def cells(small=2, shift=0):
    rows = [(w, s, 20 + 7 * i + 3 * j + shift) for i, w in enumerate(WARDS) for j, s in enumerate("mf")]
    rows[0] = ("w1", "m", small)
    return pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")


def published(counts, *hidden, area=AREA):
    """Every row of the table, the codes in ``hidden`` suppressed."""
    rows = []
    for code in area:
        inside = [leaf for leaf in area if leaf == code or area[leaf] == code]
        for sex in ("T", "m", "f"):
            part = counts.filter(pl.col("area").is_in(inside), pl.col("sex").is_in([sex] if sex != "T" else ["m", "f"]))
            away = (code, sex) in hidden
            rows.append(
                (code, sex, None if away else int(part["persons"].sum()), "suppressed" if away else "published")
            )
    return pl.DataFrame(rows, schema=["area", "sex", "value", "status"], orient="row")


SQUARE = [("w1", "m"), ("w1", "f"), ("w2", "m"), ("w2", "f")]
OTHER = [("w1", "m"), ("w1", "f"), ("w3", "m"), ("w3", "f")]


def rules(report):
    return {finding.rule for finding in report.findings}


def test_each_release_is_safe_alone_and_both_together_give_the_count_away():
    now, before = published(cells(), *SQUARE), published(cells(), *OTHER)
    assert audit(spec_of(), {"t": now}).publishable and audit(spec_of(), {"t": before}).publishable
    report = audit(spec_of(), {"t": now}, previous=[{"t": before}])
    assert "exact" in rules(report) and "ratchet" in rules(report)
    exact = {tuple(f.coordinates.values()) for f in report.findings if f.rule == "exact"}
    assert exact == {("w1", "m")}


def test_the_same_pattern_again_adds_nothing():
    now = published(cells(), *SQUARE)
    report = audit(spec_of(), {"t": now}, previous=[{"t": now}, {"t": now.sample(fraction=1, shuffle=True, seed=1)}])
    assert report.publishable and report.counts["former"] == 2


def test_what_was_hidden_once_is_shown_never_again():
    report = audit(spec_of(), {"t": published(cells(40))}, previous=[{"t": published(cells(), *SQUARE)}])
    assert rules(report) == {"ratchet"} and len(report.findings) == 4
    kept = protect(spec_of(), {"t": cells(40)}, previous=[FormerRelease({"t": published(cells(), *SQUARE)})]).tables
    assert audit(spec_of(), kept, previous=[{"t": published(cells(), *SQUARE)}]).publishable


def test_protection_leans_on_no_cell_that_was_shown_before():
    """Every pattern is free but those that hide what the former release told."""
    before = published(cells(), *OTHER)
    tables = protect(spec_of(), {"t": cells()}, previous=[FormerRelease({"t": before})]).tables
    assert tables["t"].sort("area", "sex").equals(before.sort("area", "sex"))
    assert audit(spec_of(), tables, previous=[{"t": before}]).publishable


def test_a_correction_beside_an_inequality_is_audited_too():
    """What tables say of one another has differences that no table shows: they are no cells that could have changed."""
    both = ["area", "sex"]
    part, whole = Table(name="t", dimensions=both, population="part"), Table(name="u", dimensions=both)
    relation = Relation(name="within", on=("area", "sex"), left=("t",), right=("u",), sense="<=")
    spec = spec_of(part, whole, relations=(relation,))
    residents = published(cells().with_columns(persons=pl.lit(500)))
    now, before = published(cells(), *SQUARE, ("w3", "m"), ("w3", "f")), published(cells(shift=1), *SQUARE)
    report = audit(spec, {"t": now, "u": residents}, previous=[{"t": before, "u": residents}])
    assert report.counts["corrected"] == 1 and report.publishable


def test_a_correction_is_another_truth_and_no_contradiction():
    """Every figure moved: nothing follows from the old ones but the pattern."""
    before, now = published(cells(shift=1), *OTHER), published(cells(3), *SQUARE, *OTHER)
    report = audit(spec_of(), {"t": now}, previous=[{"t": before}])
    assert report.publishable and report.counts["corrected"] == 1


def test_a_correction_elsewhere_excuses_nothing_where_it_left_no_trace():
    area = (
        {"city": None, "n": "city", "s": "city"} | {f"n{i}": "n" for i in range(4)} | {f"s{i}": "s" for i in range(3)}
    )
    codes = [c for c in area if c not in set(area.values())]
    small = {("n0", "m"): 2}
    rows = [(c, s, small.get((c, s), 20 + 3 * i + 7 * j)) for i, c in enumerate(codes) for j, s in enumerate("mf")]
    counts = pl.DataFrame(rows, schema=["area", "sex", "persons"], orient="row")
    moved = counts.with_columns(persons=pl.when(pl.col("area") == "s1").then(90).otherwise("persons"))

    def shown(frame, *hidden):
        table = Table(name="t", dimensions=["area", "sex"])
        spec = spec_of(table, area=area, k=1)
        rows = protect(spec, {"t": frame}).tables["t"]
        away = pl.struct("area", "sex").is_in([{"area": a, "sex": s} for a, s in hidden])
        return rows.with_columns(
            value=pl.when(away).then(None).otherwise("value"),
            status=pl.when(away).then(pl.lit("suppressed")).otherwise("status"),
        )

    square = [("n0", "m"), ("n0", "f"), ("n1", "m"), ("n1", "f")]
    other = [("n0", "m"), ("n0", "f"), ("n2", "m"), ("n2", "f")]
    spec = spec_of(area=area)
    report = audit(spec, {"t": shown(moved, *other)}, previous=[{"t": shown(counts, *square)}])
    found = {tuple(f.coordinates.values()) for f in report.findings if f.rule == "exact"}
    assert found == {("n0", "m")} and report.counts["corrected"] == 1
    # What else is hidden now may be recalled: nothing small follows from it.
    wider = [*square, *other[2:]]
    assert audit(spec, {"t": shown(moved, *wider)}, previous=[{"t": shown(counts, *square)}]).publishable
    # Where the correction shows among the neighbours, an outsider cannot know what of them it changed.
    near = counts.with_columns(persons=pl.when(pl.col("area") == "n3").then(90).otherwise("persons"))
    report = audit(spec, {"t": shown(near, *other)}, previous=[{"t": shown(counts, *square)}])
    assert rules(report) == {"ratchet"}


@pytest.mark.parametrize("before", [15, 0])
def test_a_total_that_a_correction_took_below_k_can_be_hidden(before):
    """All of a small population was hidden but its total (or it had nobody): a correction shows in no other figure."""
    parts = cells().with_columns(persons=pl.Series([before, 0] + [0] * 6))
    now = cells().with_columns(persons=pl.Series([2, 2] + [0] * 6))
    spec = spec_of(Table(name="t", dimensions=["area", "sex"], population="movers"))
    former = published(parts, *([("w1", "T"), ("w1", "m"), ("city", "m")] if before else []))
    done = protect(spec, {"t": now}, previous=[FormerRelease({"t": former})]).tables
    assert done["t"].filter(area="city", sex="T")["status"].item() == "suppressed"
    report = audit(spec, done, previous=[{"t": former}])
    assert report.publishable, report.findings


def test_sums_that_no_truth_explains_count_as_a_correction_too():
    """No figure differs that both show, but the total of one does not agree with the parts of the other."""
    now = published(cells(), *SQUARE, ("w3", "T"), ("w4", "T"))
    before = published(cells(shift=1), *SQUARE, *[(w, s) for w in WARDS for s in "mf"], ("city", "m"), ("city", "f"))
    before = before.with_columns(
        value=pl.when((pl.col("area") == "city") & (pl.col("sex") == "T")).then(
            published(cells())["value"][0]
        ).when(pl.col("area").is_in(["w1", "w2"])).then(None).otherwise("value"),
        status=pl.when(pl.col("area").is_in(["w1", "w2"])).then(pl.lit("suppressed")).otherwise("status"),
    )  # fmt: skip
    report = audit(spec_of(), {"t": now}, previous=[{"t": before}])
    assert report.counts["corrected"] == 1 and "contradiction" not in rules(report)


def test_a_coarser_former_release_gives_further_equations():
    """w1 and w2 were published as one area: with w2 shown now, w1 would follow; each release alone is safe."""
    coarse = {"city": None, "w1+w2": "city", "w3": "city", "w4": "city"}
    tree = Dimension(hierarchy=coarse, of="area", consists_of={"w1+w2": ("w1", "w2")})
    former = spec_of(Table(name="t", dimensions={"area": "coarse"})).model_copy(
        update={"dimensions": {"area": Dimension(hierarchy=AREA), "coarse": tree}}
    )
    by_area = Table(name="t", dimensions=["area"])
    spec = spec_of(by_area)
    now = pl.DataFrame(
        [("city", 170, "published"), ("w1", None, "suppressed"), ("w2", 30, "published"), ("w3", None, "suppressed"),
         ("w4", 50, "published")],
        schema=["area", "value", "status"], orient="row",
    )  # fmt: skip
    before = pl.DataFrame(
        [("city", 170, "published"), ("w1+w2", 33, "published"), ("w3", 87, "published"), ("w4", 50, "published")],
        schema=["area", "value", "status"], orient="row",
    )  # fmt: skip
    assert audit(spec, {"t": now}).publishable and audit(former, {"t": before}).publishable
    report = audit(spec, {"t": now}, previous=[FormerRelease({"t": before}, former)])
    assert {(f.rule, f.coordinates["area"]) for f in report.findings} == {("exact", "w1")}


def test_a_former_release_may_lack_tables_and_codes():
    """Before w4 was counted: its city is another one, so all that remains of it is its pattern."""
    now = published(cells(), *SQUARE)
    assert audit(spec_of(), {"t": now}, previous=[{}]).publishable
    less = {code: parent for code, parent in AREA.items() if code != "w4"}
    before = published(cells().filter(pl.col("area") != "w4"), *SQUARE, area=less)
    report = audit(spec_of(), {"t": now}, previous=[{"t": before}])
    assert report.publishable and report.counts["corrected"] == 1


@pytest.mark.parametrize("zero", [True, False])
def test_a_hidden_count_that_was_corrected_to_zero_may_be_shown(zero):
    before, now = published(cells(), *SQUARE), published(cells(0 if zero else 30), *SQUARE[1:])
    report = audit(spec_of(), {"t": now}, previous=[{"t": before}])
    assert ("ratchet" in rules(report)) == (not zero)
