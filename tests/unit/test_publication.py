"""Published tables are put together once for the pages and the release, from exactly the generations in force."""

from __future__ import annotations

import json

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.release.collect import collect, staged_tables
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics

NAME = "foreigners_stay_ward"
STATISTICS = {NAME: load_statistics(Settings().statistics)[NAME]}


def rows(month: str, value: int) -> pl.DataFrame:
    told = {"period": month, "area": "28100", "stay": "total", "value": value, "status": "published"}
    return pl.DataFrame([told])


@pytest.fixture
def store(tmp_path) -> PartitionStore:
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    made = PartitionStore(tmp_path / "store", keys, municipality="28100")
    for month, value in (("2025-06", 60), ("2025-07", 70)):
        made.write(PartitionId("published", NAME, month), rows(month, value), facts={"content": f"{month}{value}"})
    return made


def opened(store: PartitionStore) -> list[str]:
    """Files whose keys were used to read rows so far, as the log tells."""
    lines = store.keys.log.path.read_text("utf-8").splitlines()
    return [entry["object"] for entry in map(json.loads, lines) if entry["action"] == "unwrap"]


def test_pages_and_release_read_each_partition_once(store, tmp_path):
    directory, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    collected = collect(store, STATISTICS)
    assert opened(store) == [f"28100/published/{NAME}/{month}/1" for month in ("2025-06", "2025-07")]
    assert collected.tables[NAME]["value"].to_list() == [60, 70]
    assert pl.read_parquet(directory / f"{NAME}.parquet")["value"].to_list() == [60, 70]


def test_what_was_published_since_is_read(store, tmp_path):
    first, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    store.write(PartitionId("published", NAME, "2025-07"), rows("2025-07", 71), facts={"content": "2025-0771"})
    again, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    assert collect(store, STATISTICS).tables[NAME]["value"].to_list() == [60, 71]
    assert again != first and pl.read_parquet(again / f"{NAME}.parquet")["value"].to_list() == [60, 71]


def test_a_commit_whose_head_does_not_stand_yet_is_read_when_it_stands(store, tmp_path, monkeypatch):
    """Another process may ask between a commit's entry in the log and its head: it must ask again."""
    keys = LocalKeyStore.open(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    reader, put = PartitionStore(store.root, keys, municipality="28100"), PartitionStore._put_in_force
    between = []

    def slowly(own, folder):
        between.append(staged_tables(reader, STATISTICS, tmp_path / "staging")[0])
        put(own, folder)

    monkeypatch.setattr(PartitionStore, "_put_in_force", slowly)
    store.write(PartitionId("published", NAME, "2025-07"), rows("2025-07", 71), facts={"content": "2025-0771"})
    afterwards, _ = staged_tables(reader, STATISTICS, tmp_path / "staging")
    assert [afterwards] != between and pl.read_parquet(afterwards / f"{NAME}.parquet")["value"].to_list() == [60, 71]


def test_tables_of_one_installation_are_not_those_of_another(store, tmp_path):
    collect(store, STATISTICS)
    keys = LocalKeyStore.create(tmp_path / "other" / "keys", log=tmp_path / "other" / "key_use.jsonl")
    other = PartitionStore(tmp_path / "other" / "store", keys, municipality="28100")
    other.write(PartitionId("published", NAME, "2025-06"), rows("2025-06", 1), facts={"content": "other"})
    assert collect(other, STATISTICS).tables[NAME]["value"].to_list() == [1]


def test_too_much_is_not_kept_in_memory(store, monkeypatch):
    monkeypatch.setattr("kobe_platform.release.collect.MOST_ASSEMBLED", 10)
    collect(store, STATISTICS)
    collect(store, STATISTICS)
    assert len(opened(store)) == 4
