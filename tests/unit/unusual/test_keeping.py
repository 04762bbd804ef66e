"""Usual ranges are made from audited published tables and their own past, once, and follow corrections."""

import json

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DisclosureError, LakeError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.release.collect import collect
from kobe_platform.tabulation.watching import make_usual_ranges
from kobe_platform.unusual.tables import WATCHED
from tests.forecast_city import months_until, put
from tests.unit.unusual.conftest import LAST, MOVES, moves

MONTHS = months_until(LAST, 3)


@pytest.fixture
def city(tables, tmp_path):
    """A store with three published months of moves."""
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    store = PartitionStore(tmp_path / "store", keys, municipality="28100")
    for month in MONTHS:
        for name in MOVES:
            put(store, tables, name, month, moves(month, name))
    return store


def test_a_month_says_from_what_it_was_made(city, tables, usual):
    made = [make_usual_ranges(city, usual, month, tables) for month in MONTHS]
    read = {f"published/{name}/{LAST}" for name in MOVES} | {f"published/usual_ranges/{month}" for month in MONTHS[:-1]}
    assert set(made[-1].inputs) == read | {"definition", "engine"}
    assert made[-1].facts[WATCHED] == {"month": LAST, "first": MONTHS[0], "series": 20, "judged": 0, "listed": 0}
    assert made[-1].facts["basis"] == "synthetic" and made[-1].facts["suppressed"] == 0


def test_nothing_but_published_partitions_is_opened(city, tables, usual):
    """No rows of persons, no counts before protection; of the past, the table's own months alone."""
    make_usual_ranges(city, usual, MONTHS[0], tables)
    before = len(city.keys.log.path.read_text("utf-8").splitlines())
    make_usual_ranges(city, usual, MONTHS[1], tables)
    lines = city.keys.log.path.read_text("utf-8").splitlines()[before:]
    used = {entry["object"] for entry in map(json.loads, lines) if entry["action"] == "unwrap"}
    assert {one.split("/")[1] for one in used} == {"published"} and len(used) == 3


def test_the_same_inputs_make_no_new_generation(city, tables, usual):
    assert make_usual_ranges(city, usual, LAST, tables) == make_usual_ranges(city, usual, LAST, tables)


def test_a_correction_is_followed_month_by_month(city, tables, usual):
    made = {month: make_usual_ranges(city, usual, month, tables) for month in MONTHS}
    put(city, tables, MOVES[0], MONTHS[1], moves(MONTHS[1], level=900))
    again = {month: make_usual_ranges(city, usual, month, tables) for month in MONTHS}
    assert again[MONTHS[0]] == made[MONTHS[0]]
    assert again[MONTHS[1]].generation == again[LAST].generation == 2


def test_nothing_is_read_that_a_check_has_not_passed(city, tables, usual):
    put(city, tables, MOVES[1], LAST, moves(LAST, MOVES[1]), failing={"disclosure"})
    with pytest.raises(DisclosureError) as refused:
        make_usual_ranges(city, usual, LAST, tables)
    assert refused.value.at == {"table": MOVES[1], "month": LAST, "check": "disclosure"}
    assert city.current(PartitionId("published", usual.name, LAST)) is None


def test_a_month_without_any_watched_table_is_not_made(city, tables, usual):
    with pytest.raises(LakeError):
        make_usual_ranges(city, usual, "2026-01", tables)


def test_a_release_has_the_series_in_words(city, tables, usual):
    for month in MONTHS:
        make_usual_ranges(city, usual, month, tables)
    some = {name: tables[name] for name in (*MOVES, usual.name)}
    collected = collect(city, some)
    words = collected.dims["watched_series"].filter(pl.col("level") == 1)
    assert words["label"].to_list() == ["転入", "転出"]
    told = collected.facts["tables"][usual.name]
    assert told[WATCHED]["month"] == LAST and told["watches"]["moves_in"] == "企画調整局政策課"
