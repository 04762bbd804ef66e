"""Totals over municipalities: none of them gives a municipality's hidden cell away, by the auditor's own judgement."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kobe_platform.bench.prefecture import SUMMED, made_up, prefecture
from kobe_platform.disclosure import Dimension, Inclusion, Spec, Table, protect
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import COUNT, Handed
from kobe_platform.prefecture.joint import TOTAL, Summed, joint, sums_of
from kobe_platform.prefecture.totals import FormerTotals, attack, protect_totals

AGE = Summed("persons", "area", "prefecture_persons")


def town(code: str, counts: dict[str, int], **given) -> Handed:
    """A municipality with one table, persons by age, protected by itself."""
    spec = Spec(
        dimensions={
            "ward": Dimension(hierarchy={code: None}),
            "age": Dimension(hierarchy={"total": None, **dict.fromkeys(counts, "total")}),
        },
        tables=(Table(name="persons", dimensions={"area": "ward", "age": "age"}, measure=COUNT),),
    )
    whole = pl.DataFrame({"age": list(counts), COUNT: list(counts.values())})
    tables = protect(spec, {"persons": whole.select(pl.lit(code).alias("area"), pl.all())}).tables
    return Handed(code, "2025-06", "stocks/month", str(given), "synthetic", spec, tables, (), {"persons": whole})


def hidden(one: Handed) -> set[str]:
    return set(one.tables["persons"].filter(pl.col("status") == "suppressed")["age"])


def totals(table: pl.DataFrame) -> dict[str, int | None]:
    rows = table.filter(pl.col("area") == TOTAL)
    return dict(zip(rows["age"], rows["value"], strict=True))


def as_published(handed, table: pl.DataFrame, summed=(AGE,)):
    """The outsider's own attack: everything that is published, and nothing else."""
    sums = [sums_of(handed, one) for one in summed]
    tables = {AGE.table: table} if isinstance(table, pl.DataFrame) else table
    shown = {
        one.summed.table: (tables[one.summed.table].head(len(one.codes))["status"] == "published").to_numpy()
        for one in sums
    }
    return joint(handed, sums, range(len(handed)), shown)


def test_a_total_that_would_give_a_hidden_cell_away_is_hidden():
    """Three of 75 and over live in one town, whose cells are hidden; the other town shows all of its own."""
    small, large = town("00001", {"0": 400, "65": 90, "75": 3}), town("00002", {"0": 4000, "65": 900, "75": 300})
    assert hidden(small) == {"65", "75"} and hidden(large) == set()
    sums = sums_of([small, large], AGE)
    given_away = attack(joint([small, large], [sums], (0, 1), {AGE.table: np.ones(len(sums.codes), dtype=bool)}))
    assert not given_away.publishable
    assert {(f.rule, f.table, f.coordinates["age"]) for f in given_away.findings} >= {("exact", "00001.persons", "75")}
    made = protect_totals([small, large], [AGE]).tables[AGE.table]
    assert totals(made) == {"total": 5693, "0": 4400, "65": None, "75": None}
    assert attack(as_published([small, large], made)).publishable


def test_one_total_too_many_is_found_whichever_it_is():
    """Each total that was hidden is needed: shown besides, it is found or it follows from those that are shown."""
    towns = prefecture(4, seed=3)
    made = protect_totals(towns, SUMMED)
    sums = [sums_of(towns, one) for one in SUMMED]
    masks = {
        one.summed.table: (made.tables[one.summed.table].head(len(one.codes))["status"] == "published").to_numpy()
        for one in sums
    }
    away = [(name, at) for name, mask in masks.items() for at in np.flatnonzero(~mask)]
    assert away, "the case hides nothing: take another seed"
    everything = {name: np.ones_like(mask) for name, mask in masks.items()}
    assert not attack(joint(towns, sums, range(4), everything)).publishable


def test_totals_over_enough_hidden_cells_are_shown():
    """Four towns with few of 75 and over each: their sum leaves every one of them open."""
    towns = [town(f"{n:05d}", {"0": 400, "65": 90 + n, "75": 6 + n % 3}) for n in range(1, 5)]
    assert all(hidden(one) == {"65", "75"} for one in towns)
    made = protect_totals(towns, [AGE]).tables[AGE.table]
    assert totals(made)["75"] == sum(6 + n % 3 for n in range(1, 5))
    assert attack(as_published(towns, made)).publishable


def test_a_plain_table_shows_only_sums_of_published_figures():
    towns = [town(f"{n:05d}", {"0": 400, "65": 90 + n, "75": 6 + n % 3}) for n in range(1, 5)]
    made = protect_totals(towns, [replace(AGE, plain=True)]).tables[AGE.table]
    assert totals(made) == {"total": 1600 + 370 + 28, "0": 1600, "65": None, "75": None}


def test_a_plain_table_needs_no_counts_and_no_attack():
    """A small town hides two ages; nothing but its published figures is handed over."""
    plain = replace(AGE, plain=True)
    towns = [town("00001", {"0": 400, "65": 90, "75": 3}), town("00002", {"0": 4000, "65": 900, "75": 300})]
    made = protect_totals([replace(one, cells={}) for one in towns], [plain])
    assert totals(made.tables[AGE.table]) == {"total": 5693, "0": 4400, "65": None, "75": None}
    assert (made.circles, made.programs) == (0, 0)


def test_a_table_that_is_not_plain_has_no_totals_without_counts():
    with pytest.raises(DisclosureError) as caught:
        protect_totals([replace(town("00001", {"0": 400, "65": 90}), cells={})], [AGE])
    assert caught.value.code == "prefecture.handed"


def test_a_table_that_became_plain_is_attacked_beside_the_totals_that_it_showed_before():
    """The first town's hidden cells grew by one; the total of hidden cells that was shown stays part of the attack."""
    _, former, after = corrected({"75": 8})
    plain = replace(AGE, plain=True)
    shown = {code: value for code, value in totals(former.tables[AGE.table]).items() if value is not None}
    assert "75" in shown, "the former release told something new"
    made = protect_totals([replace(one, cells={}) for one in after], [plain], [former])
    assert made.circles == 1 and totals(made.tables[AGE.table])["75"] is None


def test_the_municipalities_rows_are_those_that_they_published():
    towns = prefecture(3, seed=1)
    made = protect_totals(towns, SUMMED).tables
    for one in towns:
        for summed in SUMMED:
            own = one.tables[summed.statistic]
            rows = made[summed.table].filter(pl.col("area") == one.municipality)
            keys = [c for c in own.columns if c not in ("value", "status")]
            assert rows.select(own.columns).sort(keys).equals(own.sort(keys))


@pytest.mark.parametrize("seed", range(6))
def test_circles_are_as_safe_as_all_municipalities_at_once(seed):
    """What is chosen circle by circle passes the attack with all that is published of all of them."""
    towns = prefecture(6, seed)
    made = protect_totals(towns, SUMMED, together=2)
    assert made.circles == 3
    assert attack(as_published(towns, made.tables, SUMMED)).publishable


def test_circles_are_made_where_more_is_hidden_than_one_attack_takes(monkeypatch):
    towns = prefecture(6, seed=0)
    assert protect_totals(towns, SUMMED).circles == 1
    hidden = [sum((t["status"] == "suppressed").sum() for t in one.tables.values()) for one in towns]
    monkeypatch.setattr("kobe_platform.prefecture.totals.MOST_HIDDEN", sum(hidden) // 2)
    made = protect_totals(towns, SUMMED)
    assert 2 <= made.circles <= 3
    assert attack(as_published(towns, made.tables, SUMMED)).publishable


def test_the_number_of_workers_changes_nothing():
    towns = prefecture(4, seed=2)
    one, two = (protect_totals(towns, SUMMED, together=2, workers=workers) for workers in (1, 2))
    assert all(one.tables[name].equals(two.tables[name]) for name in one.tables)


def test_other_tables_of_a_municipality_are_part_of_the_attack():
    """Each town shows 12 women of 65 to 74, so fewer can be 75 and over: with the total, too few for a whole width.

    Persons of 65 to 74 and of 75 and over are 23 together in each town. Without the women's tables, the total of the
    latter leaves each town's count anything from 1 to 14.
    """
    towns = [
        with_women("00001", {"0": 400, "65": 16, "75": 7}, 12),
        with_women("00002", {"0": 400, "65": 15, "75": 8}, 12),
    ]
    assert all(hidden(one) == {"65", "75"} for one in towns)
    shown = {AGE.table: np.ones(4, dtype=bool)}
    alone = [_without_women(one) for one in towns]
    whole, part = (attack(joint(given, [sums_of(given, AGE)], (0, 1), shown)) for given in (towns, alone))
    assert part.publishable and not whole.publishable
    assert totals(protect_totals(alone, [AGE]).tables[AGE.table])["75"] == 15
    assert totals(protect_totals(towns, [AGE]).tables[AGE.table])["75"] is None


def with_women(code: str, counts: dict[str, int], women: int) -> Handed:
    one = town(code, counts)
    table = one.spec.tables[0].model_copy(update={"name": "women", "population": "women"})
    spec = one.spec.model_copy(
        update={"tables": (*one.spec.tables, table), "includes": (Inclusion(part="women", whole=""),)}
    )
    part = pl.DataFrame({"area": [code], "age": ["65"], COUNT: [women]})
    cells = {"persons": one.cells["persons"].select(pl.lit(code).alias("area"), pl.all()), "women": part}
    return replace(one, spec=spec, tables=protect(spec, cells).tables)


def _without_women(one: Handed) -> Handed:
    spec = one.spec.model_copy(update={"tables": one.spec.tables[:1], "includes": ()})
    return replace(one, spec=spec, tables={"persons": one.tables["persons"]})


# -- corrections ------------------------------------------------------------------------------------------------------

FEW = [{"0": 400, "65": 90 + n, "75": 6 + n % 3} for n in range(1, 5)]


def corrected(change: dict[str, int]) -> tuple[list[Handed], FormerTotals, list[Handed]]:
    before = [town(f"{n:05d}", counts) for n, counts in enumerate(FEW, start=1)]
    former = FormerTotals(before, protect_totals(before, [AGE]).tables)
    after = [town("00001", {**FEW[0], **change}), *before[1:]]
    return before, former, after


def test_a_total_is_not_shown_again_after_its_hidden_cells_were_corrected():
    """Of two totals the change in one town's hidden cell would follow: 75 and over were 7, and are 9."""
    _, former, after = corrected({"75": 9, "0": 398})
    assert totals(former.tables[AGE.table])["75"] is not None
    made = protect_totals(after, [AGE], [former]).tables[AGE.table]
    assert totals(made)["75"] is None
    again = protect_totals(after, [AGE]).tables[AGE.table]
    assert totals(again)["75"] is not None, "without the former release it would be shown"


def test_a_correction_of_what_is_shown_leaves_the_totals():
    _, former, after = corrected({"0": 450})
    made = protect_totals(after, [AGE], [former]).tables[AGE.table]
    assert totals(made)["0"] == totals(former.tables[AGE.table])["0"] + 50
    assert totals(made)["75"] == totals(former.tables[AGE.table])["75"]


def test_what_a_former_release_hid_stays_hidden():
    before, former, after = corrected({"0": 450})
    rows = former.tables[AGE.table]
    away = (pl.col("area") == TOTAL) & (pl.col("age") == "75")
    rows = rows.with_columns(
        value=pl.when(away).then(None).otherwise("value"),
        status=pl.when(away).then(pl.lit("suppressed")).otherwise("status"),
    )
    made = protect_totals(after, [AGE], [FormerTotals(before, {AGE.table: rows})]).tables[AGE.table]
    assert totals(made)["75"] is None


def test_the_former_release_is_part_of_the_attack():
    """A total that is out still gives a town's cell away when it is no longer shown, and the auditor says so."""
    towns = [town("00001", {"0": 400, "65": 90, "75": 3}), town("00002", {"0": 4000, "65": 900, "75": 300})]
    sums = [sums_of(towns, AGE)]
    now, out = {AGE.table: ~sums[0].telling}, {AGE.table: np.ones(len(sums[0].codes), dtype=bool)}
    alone, beside = (attack(joint(towns, sums, (0, 1), now, past)) for past in ([], [(towns, sums, out)]))
    assert alone.publishable and not alone.exposed
    assert {(one.table, one.coordinates["age"]) for one in beside.exposed} >= {("00001.persons", "75")}


# -- what does not fit together ---------------------------------------------------------------------------------------


def test_municipalities_that_count_by_other_codes_have_no_total():
    with pytest.raises(DisclosureError) as caught:
        protect_totals([town("00001", {"0": 400, "65": 90}), town("00002", {"0": 400, "70": 90})], [AGE])
    assert caught.value.code == "prefecture.codes"


def test_counts_that_are_not_those_behind_the_published_figures_are_refused_without_a_value():
    one = town("00001", {"0": 4711, "65": 90})
    other = replace(one, cells={"persons": pl.DataFrame({"age": ["0", "65"], COUNT: [4712, 90]})})
    with pytest.raises(DisclosureError) as caught:
        protect_totals([other], [AGE])
    assert caught.value.code == "prefecture.handed" and "471" not in str(caught.value)


def test_counts_stand_in_no_text_of_what_is_handed_over():
    one = made_up("00001", 5000, np.random.default_rng(0))
    assert "cells" not in repr(one)
    assert Handed.of(one.as_record()).cells["residents"].equals(one.cells["residents"])
