"""Vintages are made from audited published tables, kept for good, and compared with what came."""

import json
import shutil

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DisclosureError, LakeError
from kobe_platform.forecasts.loading import made_up_flows
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.release.collect import BACKTEST, collect
from kobe_platform.tabulation.forecasting import make_vintage, score_month
from kobe_platform.vocabulary.months import months_between, shifted
from tests.forecast_city import CHILDREN, LAST, MOVES_IN, ages_of, months_until, moves_of, put, settle

NAME, RESIDENTS = "moves_in_ahead", "future_population"


@pytest.fixture(scope="module")
def settled(tables, tmp_path_factory):
    """A folder with thirty-six published months of moves in."""
    folder = tmp_path_factory.mktemp("city")
    keys = LocalKeyStore.create(folder / "keys", log=folder / "log" / "key_use.jsonl")
    settle(PartitionStore(folder / "store", keys, municipality="28100"), tables, months_until(LAST, 36), [MOVES_IN])
    return folder


@pytest.fixture
def city(settled, tmp_path):
    """A copy of the settled city's store."""
    shutil.copytree(settled, tmp_path / "city")
    keys = LocalKeyStore.open(tmp_path / "city" / "keys", log=tmp_path / "city" / "log" / "key_use.jsonl")
    return PartitionStore(tmp_path / "city" / "store", keys, municipality="28100")


def test_a_vintage_says_from_what_it_was_made(city, tables):
    made = make_vintage(city, tables[NAME], LAST, tables)
    read = {f"published/{MOVES_IN}/{month}" for month in months_until(LAST, 36)}
    assert set(made.inputs) == read | {"definition", "engine"}
    assert made.facts[BACKTEST]["months"] == 36 and made.facts["basis"] == "synthetic"
    assert made.facts[BACKTEST]["released"]["months"] == 0, "nothing was released yet"


def test_nothing_but_published_partitions_is_opened(city, tables):
    """The log of key use tells what a vintage and its scores read: no rows of persons, no counts before protection."""
    place = PartitionId("statistics", MOVES_IN, LAST)
    city.write(place, moves_of(LAST))
    before = len(city.keys.log.path.read_text("utf-8").splitlines())
    make_vintage(city, tables[NAME], shifted(LAST, -1), tables)
    score_month(city, tables["forecast_scores"], LAST, tables)
    lines = city.keys.log.path.read_text("utf-8").splitlines()[before:]
    used = {entry["object"].split("/")[1] for entry in map(json.loads, lines) if entry["action"] == "unwrap"}
    assert used == {"published"}


def test_the_same_inputs_make_no_new_generation(city, tables):
    assert make_vintage(city, tables[NAME], LAST, tables) == make_vintage(city, tables[NAME], LAST, tables)


def test_a_forecast_reads_nothing_that_a_check_has_not_passed(city, tables):
    put(city, tables, MOVES_IN, "2025-06", moves_of("2025-06", 300), failing={"disclosure"})
    with pytest.raises(DisclosureError) as refused:
        make_vintage(city, tables[NAME], LAST, tables)
    assert refused.value.code == "forecast.unaudited" and refused.value.at["month"] == "2025-06"
    assert city.current(PartitionId("published", NAME, LAST)) is None


@pytest.fixture
def with_years(city, tables):
    """Three months of residents by age, the year 2024 of births, deaths and moves, and the second half of 2023."""
    settle(city, tables, ["2024-12", "2025-02", "2025-03"], [CHILDREN])
    for name, years in made_up_flows(tables[RESIDENTS], last=2024, years=2).items():
        for december, rows in years.items():
            covers = months_between(f"{december[:4]}-{'01' if december > '2024' else '07'}", december)
            put(city, tables, name, december, rows.with_columns(period=pl.lit(december[:4])), covers=covers)
    return city


def test_whole_years_of_events_are_read_beside_the_series(with_years, tables):
    made = make_vintage(with_years, tables[RESIDENTS], "2025-03", tables)
    assert made.facts[BACKTEST]["years"] == ["2024"], "of a part of a year no rate follows"
    assert {id for id in made.inputs if id.startswith("published/deaths")} == {
        f"published/deaths_{table}_year/{year}-12" for table in ("ward", "age") for year in (2023, 2024)
    }, "it is made again when more months of a year are counted"


def test_a_year_of_events_that_a_check_has_not_passed_is_not_read(with_years, tables):
    rows = with_years.read(PartitionId("published", "deaths_age_year", "2024-12"))
    covers = months_between("2024-01", "2024-12")
    put(with_years, tables, "deaths_age_year", "2024-12", rows, failing={"disclosure"}, covers=covers)
    with pytest.raises(DisclosureError) as refused:
        make_vintage(with_years, tables[RESIDENTS], "2025-03", tables)
    assert refused.value.code == "forecast.unaudited" and refused.value.at["table"] == "deaths_age_year"


def test_a_vintage_needs_its_origin(city, tables):
    with pytest.raises(LakeError):
        make_vintage(city, tables[NAME], shifted(LAST, 1), tables)


def test_the_newest_vintage_follows_a_correction_and_former_ones_do_not(city, tables):
    former, newest = shifted(LAST, -1), LAST
    made = {origin: make_vintage(city, tables[NAME], origin, tables) for origin in (former, newest)}
    put(city, tables, MOVES_IN, former, moves_of(former, 800))
    again = {origin: make_vintage(city, tables[NAME], origin, tables) for origin in (former, newest)}
    assert again[former] == made[former], "what was forecast then was forecast then"
    assert again[newest].generation == 2 and again[newest].digest != made[newest].digest


def test_vintages_are_scored_when_months_come(city, tables):
    board = tables["forecast_scores"]
    for origin in (LAST, shifted(LAST, 1), shifted(LAST, 2)):
        if origin != LAST:
            put(city, tables, MOVES_IN, origin, moves_of(origin))
        make_vintage(city, tables[NAME], origin, tables)
    put(city, tables, MOVES_IN, shifted(LAST, 3), moves_of(shifted(LAST, 3)))
    rows = city.read(score_month(city, board, shifted(LAST, 3), tables).id)
    total = rows.filter((pl.col("size") == "total") & (pl.col("forecast") == NAME))
    assert set(total["horizon"]) == {"1", "2", "3"} and set(rows["period"]) == {shifted(LAST, 3)}
    by_score = {(h, s): v for h, s, v in total.select("horizon", "score", "value").iter_rows()}
    assert by_score["1", "cells"] == 9 and 0 < by_score["1", "wape"] < 20
    vintage = city.read(PartitionId("published", NAME, shifted(LAST, 2)))
    forecast = vintage.filter((pl.col("figure") == "forecast") & (pl.col("target") == shifted(LAST, 3)))
    both = forecast.join(moves_of(shifted(LAST, 3)), on="area", suffix="_came").filter(pl.col("area") != "28100")
    wape = 100 * (both["value"] - both["value_came"]).abs().sum() / both["value_came"].sum()
    assert by_score["1", "wape"] == pytest.approx(wape, abs=0.006)
    sizes = rows.filter((pl.col("score") == "cells") & (pl.col("horizon") == "1"))
    assert sizes.filter(pl.col("size") != "total")["value"].sum() == 9


def test_a_correction_of_what_came_scores_again(city, tables):
    board, target = tables["forecast_scores"], LAST
    make_vintage(city, tables[NAME], shifted(LAST, -1), tables)
    first = score_month(city, board, target, tables)
    assert score_month(city, board, target, tables) == first
    put(city, tables, MOVES_IN, target, moves_of(target, 900))
    assert score_month(city, board, target, tables).generation == 2


def test_a_release_takes_forecasts_as_any_table(city, tables):
    put(city, tables, CHILDREN, LAST, ages_of(LAST))
    make_vintage(city, tables[NAME], LAST, tables)
    used = {name: tables[name] for name in (MOVES_IN, CHILDREN, NAME, "school_entry", "forecast_scores")}
    found = collect(city, used)
    assert found.facts["tables"][NAME]["backtest"]["origin"] == LAST
    assert found.facts["tables"]["school_entry"]["forecast"]["least_history"] == 30
    assert found.tables["school_entry"].is_empty() and found.tables["forecast_scores"].is_empty()
    assert set(found.dims["month"]["code"]) == {"none", *(shifted(LAST, ahead) for ahead in range(1, 13))}
    assert found.dims["month"].filter(pl.col("code") == "2026-04")["label"].item() == "2026年4月"
