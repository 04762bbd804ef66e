"""Published tables are put together once for the pages and the release, from exactly the generations in force."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from weakref import WeakKeyDictionary

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.release import collect as collecting
from kobe_platform.release.assembled import FOLDER
from kobe_platform.release.collect import collect, staged_tables
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.vocabulary import codes
from tests.unit.statistics.lake_frames import REFERENCE

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


TOWNS = REFERENCE.with_columns(town_code=pl.col("district_code"), lot_from=pl.lit(""), lot_to=pl.lit(""))
BY_DISTRICT = load_statistics(Settings().statistics)["foreigners_district"]


def deliver_districts(store: PartitionStore, reference: pl.DataFrame, content: str) -> None:
    store.write(PartitionId("raw", "town_districts", "2025-07"), reference, facts={"content": content})


def test_districts_that_arrive_without_a_published_month_are_seen_by_the_pages(store, tmp_path):
    statistics = {**STATISTICS, BY_DISTRICT.name: BY_DISTRICT}
    found = []
    for rows_there in (1, 2, TOWNS.height):
        deliver_districts(store, TOWNS.head(rows_there), f"{rows_there} towns")
        directory, _ = staged_tables(store, statistics, tmp_path / "staging")
        found.append((directory, pl.read_parquet(directory / "dim_district.parquet")["code"].to_list()))
    assert len(set(map(str, found))) == len({directory for directory, _ in found}) == 3
    assert found[-1][1] == collect(store, statistics).dims["district"]["code"].to_list()


def test_districts_stage_nothing_anew_for_tables_that_know_none(store, tmp_path):
    first, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    deliver_districts(store, TOWNS, "all towns")
    assert staged_tables(store, STATISTICS, tmp_path / "staging")[0] == first


def test_a_code_list_whose_words_change_is_seen_by_the_pages(store, tmp_path, monkeypatch):
    """A process that starts with another list of codes must not read what one with the former list staged."""
    first, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    lists = dict(codes.hierarchies())
    renamed = [replace(code, label="在留期間の合計") if code.code == "total" else code for code in lists["stay"].codes]
    lists["stay"] = replace(lists["stay"], codes=tuple(renamed))
    monkeypatch.setattr(collecting, "hierarchies", lambda: lists)
    monkeypatch.setattr(collecting, "_LAST", WeakKeyDictionary())
    again, _ = staged_tables(store, STATISTICS, tmp_path / "staging")
    assert again != first and "在留期間の合計" in pl.read_parquet(again / "dim_stay.parquet")["label"].to_list()


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


# ── rows that are kept from one release to the next ──────────────────────────────────────────────────────────────


@pytest.fixture
def later(store, tmp_path):
    """What another process collects, and the files that it opened: memory is empty, the folder is as it was left."""

    def process() -> tuple[list[int], list[str]]:
        collecting._ASSEMBLED.clear()
        keys = LocalKeyStore.open(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
        own, before = PartitionStore(store.root, keys, municipality="28100"), len(opened(store))
        values = collect(own, STATISTICS, tmp_path / "staging").tables[NAME]["value"].to_list()
        return values, [name.removeprefix(f"28100/published/{NAME}/") for name in opened(store)[before:]]

    return process


def correct(store: PartitionStore, month: str, value: int) -> None:
    store.write(PartitionId("published", NAME, month), rows(month, value), facts={"content": f"{month}{value}"})


def test_another_process_opens_only_what_came_since(store, later):
    assert later() == ([60, 70], ["2025-06/1", "2025-07/1"])
    assert later() == ([60, 70], [])
    correct(store, "2025-08", 80)
    correct(store, "2026-01", 10)
    assert later() == ([60, 70, 80, 10], ["2025-08/1", "2026-01/1"])
    correct(store, "2025-06", 61)
    assert later() == ([61, 70, 80, 10], ["2025-06/2"])
    assert later() == ([61, 70, 80, 10], [])


def test_only_years_that_changed_are_written_again(store, later, tmp_path):
    correct(store, "2026-01", 10)
    later()
    files = sorted((tmp_path / "staging" / FOLDER).iterdir())
    assert [path.name for path in files] == [f"{NAME}.2025", f"{NAME}.2026"]
    before = [path.stat().st_ino for path in files]
    correct(store, "2026-02", 20)
    later()
    assert [path.stat().st_ino == was for path, was in zip(files, before, strict=True)] == [True, False]


def _turned(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def _of_own_making(data: bytes) -> bytes:
    """Other figures under the same heading, with the old signature."""
    signature, told, rest = data.split(b"\n", 2)
    out = io.BytesIO()
    pl.read_parquet(io.BytesIO(rest)).with_columns(value=pl.lit(1, dtype=pl.Int64)).write_parquet(out)
    return signature + b"\n" + told + b"\n" + out.getvalue()


@pytest.mark.parametrize(
    "spoil", [_turned, _of_own_making, lambda data: data[:100], lambda data: b"", lambda data: b"\n\n"]
)
def test_a_kept_file_that_this_installation_did_not_sign_is_passed_over(later, tmp_path, spoil):
    later()
    path = tmp_path / "staging" / FOLDER / f"{NAME}.2025"
    path.write_bytes(spoil(path.read_bytes()))
    assert later() == ([60, 70], ["2025-06/1", "2025-07/1"])
    assert later() == ([60, 70], [])


def test_an_older_kept_file_gives_nothing_that_was_corrected_since(store, later, tmp_path):
    later()
    path = tmp_path / "staging" / FOLDER / f"{NAME}.2025"
    older = path.read_bytes()
    correct(store, "2025-07", 71)
    later()
    path.write_bytes(older)
    assert later() == ([60, 71], ["2025-07/2"])


def test_the_file_of_another_year_or_installation_gives_nothing(store, later, tmp_path):
    correct(store, "2026-01", 10)
    later()
    folder = tmp_path / "staging" / FOLDER
    (folder / f"{NAME}.2025").write_bytes((folder / f"{NAME}.2026").read_bytes())
    assert later() == ([60, 70, 10], ["2025-06/1", "2025-07/1"])
    keys = LocalKeyStore.create(tmp_path / "other" / "keys", log=tmp_path / "other" / "key_use.jsonl")
    other = PartitionStore(tmp_path / "other" / "store", keys, municipality="28100")
    for month in ("2025-06", "2025-07"):
        other.write(PartitionId("published", NAME, month), rows(month, 1), facts={"content": "other"})
    assert collect(other, STATISTICS, tmp_path / "staging").tables[NAME]["value"].to_list() == [1, 1]


def test_rows_that_were_replaced_while_they_were_read_are_not_kept_as_what_they_replaced(
    store, later, tmp_path, monkeypatch
):
    read = PartitionStore.read_all

    def meanwhile(own, ids):
        monkeypatch.setattr(PartitionStore, "read_all", read)
        correct(store, "2025-07", 71)
        return read(own, ids)

    monkeypatch.setattr(PartitionStore, "read_all", meanwhile)
    assert later()[0] == [60, 71]
    told = json.loads((tmp_path / "staging" / FOLDER / f"{NAME}.2025").read_bytes().split(b"\n")[1])
    assert [name.split()[0].rpartition("/")[2] for name in told] == ["2025-06"]
    assert later() == ([60, 71], ["2025-07/2"])


def test_what_is_kept_is_for_the_owner_only_and_leaves_with_its_table(store, later, tmp_path, monkeypatch):
    later()
    folder = tmp_path / "staging" / FOLDER
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    (folder / "gone_table.2024").write_bytes(b"")
    correct(store, "2025-08", 80)
    later()
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.2025"]
