"""What is published of a group has passed the auditor, hides what earlier releases hid, and obeys the identities."""

import polars as pl
import pytest

from kobe_platform.disclosure import Costs, FormerRelease
from kobe_platform.errors import DisclosureError
from kobe_platform.statistics import TiedMonth, compute_group, groups, protect_group
from kobe_platform.statistics import protection as room
from kobe_platform.statistics.identities import totals_hold
from tests.unit.statistics.lake_frames import AREAS, countable, movements, register

STATISTICS = countable()
GROUPS = groups(STATISTICS.values())


@pytest.fixture(scope="module")
def stocks():
    cells = compute_group(GROUPS["stocks/month"], {"resident_register": register(40_000)}, AREAS).cells
    return cells, protect_group(GROUPS["stocks/month"], cells, AREAS, period="2025-07")


@pytest.fixture(scope="module")
def flows():
    cells = compute_group(GROUPS["flows/month"], {"resident_movements": movements()}, AREAS).cells
    return cells, protect_group(GROUPS["flows/month"], cells, AREAS, period="2025-07")


@pytest.mark.slow
def test_no_small_count_is_published_and_no_unknown_has_a_row(stocks, flows):
    for _, result in (stocks, flows):
        for name, table in result.tables.items():
            if STATISTICS[name].kind == "frequency":
                assert table.filter(pl.col("value").is_between(1, 9)).height == 0
                codes = pl.concat([table[c] for c in STATISTICS[name].dimensions])
                assert not codes.str.contains("unknown").any()


@pytest.mark.slow
def test_published_totals_add_up(stocks, flows):
    for _, result in (stocks, flows):
        for name, table in result.tables.items():
            if STATISTICS[name].kind == "frequency":
                assert totals_hold(STATISTICS[name], table, AREAS) == []


def test_a_wrong_total_is_found():
    wards = [code.code for code in AREAS.codes if code.parent == "28100"]
    table = pl.DataFrame({"area": ["28100", *wards], "value": [90, *[10] * 9], "status": ["published"] * 10})
    statistic = STATISTICS["ward_moves_in_month"]
    assert totals_hold(statistic, table, AREAS) == []
    wrong = table.with_columns(pl.when(pl.col("area") == "28101").then(11).otherwise("value").alias("value"))
    assert [found.difference for found in totals_hold(statistic, wrong, AREAS)] == [-1]


@pytest.mark.slow
def test_the_subtraction_attack_on_the_unknown_finds_crowds_only(stocks):
    """Ward less its districts, for every published line: nobody, or at least k."""
    table = stocks[1].tables["population_district"]
    parents = {code.code: code.parent for code in AREAS.codes if code.parent not in (None, "28100")}
    districts = table.filter(pl.col("area").is_in(list(parents)), pl.col("status") == "published")
    shown = districts.with_columns(pl.col("area").replace_strict(parents))
    sums = shown.group_by("area", "age", "sex").agg(pl.col("value").sum().alias("placed"), pl.len().alias("parts"))
    whole = sums.filter(pl.col("parts") == 3)
    left = table.filter(pl.col("status") == "published").join(whole, on=["area", "age", "sex"])
    rest = left.select(pl.col("value") - pl.col("placed")).to_series()
    assert rest.len() > 0
    assert not rest.is_between(1, 9).any()


@pytest.mark.slow
def test_a_correction_by_one_person_is_released_and_what_was_hidden_stays_hidden(monkeypatch):
    """By these costs and this seed the first pattern opens a cell by exactly its width; no other such move is left."""
    monkeypatch.setattr(room, "TOTALS_LAST", Costs())
    members, frame = GROUPS["stocks/month"], register(40_000, seed=0)
    results = []
    for rows in (frame, frame.slice(1)):
        cells = compute_group(members, {"resident_register": rows}, AREAS).cells
        previous = [FormerRelease({n: t.drop("period") for n, t in r.tables.items()}) for r in results]
        results.append(protect_group(members, cells, AREAS, period="2025-07", previous=previous))
    first, again = results
    assert again.audit.counts["corrected"] == 1
    for name, table in first.tables.items():
        if STATISTICS[name].kind == "frequency":
            hidden = table.filter(status="suppressed").drop("value", "status")
            now = again.tables[name].filter(status="suppressed")
            assert hidden.join(now, on=hidden.columns, how="anti").height == 0


@pytest.mark.slow
def test_the_same_cells_give_the_same_bytes(stocks):
    cells, result = stocks
    again = protect_group(GROUPS["stocks/month"], cells, AREAS, period="2025-07")
    assert all(again.tables[name].equals(result.tables[name]) for name in result.tables)


@pytest.mark.slow
def test_nothing_comes_back_when_the_audit_is_not_satisfied(flows, monkeypatch):
    real = room.protect

    def careless(spec, cells, **options):
        done = real(spec, cells, **options)
        tables = {
            name: table.with_columns(
                pl.when(pl.col("area") == "28101").then(None).otherwise("value").alias("value"),
                pl.when(pl.col("area") == "28101").then(pl.lit("suppressed")).otherwise("status").alias("status"),
            )
            if name == "moves_in_month"
            else table
            for name, table in done.tables.items()
        }
        return type(done)(tables, done.report)

    monkeypatch.setattr(room, "protect", careless)
    small = {**flows[0]}
    small["moves_in_month"] = small["moves_in_month"].with_columns(
        pl.when(pl.col("area") == "28101").then(4).otherwise("events").alias("events")
    )
    small = {name: small[name] for name in small}
    with pytest.raises(DisclosureError):
        protect_group(GROUPS["flows/month"], small, AREAS, period="2025-07")


@pytest.mark.slow
def test_a_year_does_not_give_away_a_hidden_month():
    quiet = movements().with_columns(
        pl.when((pl.col("reason") == "within_ward") & (pl.col("ward_after") == "28101"))
        .then(pl.lit("non_demographic"))
        .otherwise("reason")
        .alias("reason")
    )
    few = movements(seed=3).filter((pl.col("reason") == "within_ward") & (pl.col("ward_after") == "28101")).head(4)
    frames = {"2025-11": movements(seed=4), "2025-12": pl.concat([quiet, few.select(quiet.columns)])}
    months = []
    for month, frame in frames.items():
        cells = compute_group(GROUPS["flows/month"], {"resident_movements": frame}, AREAS).cells
        tables = protect_group(GROUPS["flows/month"], cells, AREAS, period=month).tables
        months += [TiedMonth(STATISTICS[name], month, cells[name], tables[name]) for name in cells]
    hidden = next(m for m in months if (m.statistic.name, m.month) == ("within_ward_month", "2025-12")).published
    assert hidden.filter((pl.col("area") == "28101") & (pl.col("status") == "suppressed")).height == 1
    cells = compute_group(GROUPS["flows/year"], {"resident_movements": pl.concat(frames.values())}, AREAS).cells
    year = protect_group(GROUPS["flows/year"], cells, AREAS, period="2025", months=months)
    total = year.tables["within_ward_year"].filter((pl.col("area") == "28101") & (pl.col("age") == "total"))
    assert total["status"].item() == "suppressed"


@pytest.mark.slow
def test_means_hide_where_too_few_stand_behind_them():
    """Of the counts alone: with what tables say of each other, 3,000 residents in 27 districts leave no mean room."""
    frame = register(3_000)
    members = [s.model_copy(update={"relations": ()}) for s in GROUPS["stocks/month"]]
    cells = compute_group(members, {"resident_register": frame}, AREAS).cells
    table = protect_group(members, cells, AREAS, period="2025-07").tables["mean_age"]
    shown = table.filter(pl.col("status") == "published")
    assert 0 < shown.height < table.height
    city = shown.filter((pl.col("area") == "28100") & (pl.col("sex") == "total"))["value"].item()
    assert city == pytest.approx(frame["age"].mean(), abs=0.2)


@pytest.mark.slow
def test_a_ring_that_cannot_be_audited_stops_the_group(monkeypatch):
    from kobe_platform.disclosure.auditor import joints

    frame = register(40_000)
    cells = compute_group(GROUPS["stocks/month"], {"resident_register": frame}, AREAS).cells
    monkeypatch.setattr(joints, "MOST_JOINT_CELLS", 10)
    with pytest.raises(DisclosureError, match="ring") as caught:
        protect_group(GROUPS["stocks/month"], cells, AREAS, period="2025-07")
    assert caught.value.code == "disclosure.ring"
