"""A partition is whole or not there, is what its manifest says, and never goes back unnoticed."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import LakeError, PlatformError
from kobe_platform.lake import PartitionId, PartitionStore

ID = PartitionId("lake", "resident_register", "2025-07")
OTHER = PartitionId("lake", "resident_register", "2025-08")


def frame(start=0, rows=1000):
    return pl.DataFrame({"person": range(start, start + rows), "ward": ["28101"] * rows})


def data_file(store, id, generation=1):
    return store.root / id.stage / id.source / id.month / f"g{generation:06d}" / "data.parquet"


def reopened(store):
    keys = LocalKeyStore.open(store.keys.path, log=store.keys.log.path)
    return PartitionStore(store.root, keys, municipality=store.municipality)


def test_what_was_written_is_read_with_its_facts(store):
    written = store.write(ID, frame(), facts={"rows": 1000, "set_aside": {"birth.future": 2}}, inputs={"raw": "ab"})
    again = reopened(store)
    assert again.current(ID) == written
    assert again.read(ID).equals(frame())
    assert again.read(ID, ["ward"]).columns == ["ward"]
    assert again.query(ID, lambda rows: rows.select(pl.col("person").max())).item() == 999
    assert again.months("lake", "resident_register") == ["2025-07"]


def test_a_lazy_frame_is_written_like_a_whole_one(store):
    assert store.write(ID, frame().lazy()).rows == 1000
    assert store.read(ID).sort("person").equals(frame())


def table(rows=1000):
    """A column by dictionary whose words come late and seldom, and one that never repeats."""
    words = pa.array([f"w{row // 100}" for row in range(rows)], pa.binary()).dictionary_encode()
    return pa.table({"word": words, "key": pa.array([str(row) for row in range(rows)], pa.binary())})


@pytest.mark.parametrize("together", [1 << 21, 130])
def test_columns_by_dictionary_are_written_and_read_as_they_are_held(store, monkeypatch, together):
    monkeypatch.setattr("kobe_platform.custody.parquet._TOGETHER", together)
    assert store.write(ID, table()).columns == {"word": "Binary", "key": "Binary"}
    held = store.columns(ID)
    assert held.column("word").num_chunks == 1 and pa.types.is_dictionary(held.schema.field("word").type)
    assert held.column("word").chunk(0).dictionary.to_pylist() == [f"w{number}".encode() for number in range(10)]
    assert not pa.types.is_dictionary(held.schema.field("key").type)
    assert held.to_pylist() == table().to_pylist() == store.read(ID).to_dicts()


def test_columns_of_a_partition_that_was_written_value_by_value_are_read_too(store):
    rows = frame().with_columns(pl.col("ward").cast(pl.Binary))
    store.write(ID, rows)
    assert store.columns(ID).to_pylist() == rows.to_dicts()


def test_columns_of_no_rows_are_columns(store):
    store.write(ID, table(0))
    assert (store.columns(ID).num_rows, store.columns(ID).column_names) == (0, ["word", "key"])


def test_a_new_generation_takes_over_and_old_ones_go(store):
    for start in range(4):
        store.write(ID, frame(start))
    assert [partition.generation for partition in store.history(ID)] == [3, 4]
    assert store.read(ID)["person"][0] == 3


def test_an_absent_partition_is_named(store):
    with pytest.raises(LakeError) as refusal:
        store.read(ID)
    assert refusal.value.at == {"stage": "lake", "source": "resident_register", "month": "2025-07"}


def test_another_library_opens_the_same_file(store):
    """pyarrow's direct-key decryption is the second opinion on the format."""
    partition = store.write(ID, frame())
    key = store.keys.unwrap("data/lake/resident_register", partition.key, f"28100/{ID}/1")
    properties = pe.create_decryption_properties(footer_key=key, aad_prefix=f"28100/{ID}/1".encode())
    table = pq.read_table(data_file(store, ID), decryption_properties=properties)
    assert pl.DataFrame(table).equals(frame())


def test_nothing_of_the_rows_or_columns_lies_in_clear(store):
    canary = "カナリア値QZ"
    store.write(ID, pl.DataFrame({"秘密の列": [canary] * 50, "n": [1] * 50}))
    for path in store.root.rglob("*.parquet"):
        data = path.read_bytes()
        assert data[:4] == data[-4:] == b"PARE"
        for text in (canary, "秘密の列"):
            for encoding in ("utf-8", "utf-16-le", "cp932"):
                assert text.encode(encoding) not in data, f"{encoding} in {path.name}"


def test_errors_carry_coordinates_and_no_values(store):
    store.write(ID, pl.DataFrame({"name": ["鏑木鳴門"] * 10}))
    path = data_file(store, ID)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(PlatformError) as refusal:
        store.read(ID, ["name"])
    assert "鏑木" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__suppress_context__


def test_several_partitions_are_read_with_an_entry_in_the_log_for_each(store):
    store.write(ID, frame())
    store.write(OTHER, frame(5))
    before = store.keys.log.path.read_text("utf-8").splitlines()
    one, other = store.read_all([ID, OTHER])
    assert one.equals(frame()) and other.equals(frame(5))
    added = [json.loads(line) for line in store.keys.log.path.read_text("utf-8").splitlines()[len(before) :]]
    assert [(entry["action"], entry["object"]) for entry in added] == [
        ("unwrap", f"28100/{ID}/1"),
        ("unwrap", f"28100/{OTHER}/1"),
    ]
    assert store.keys.log.verify().sound and store.read_all([]) == []


def test_of_several_partitions_none_is_read_where_one_is_absent_or_damaged(store):
    store.write(ID, frame())
    with pytest.raises(LakeError) as refusal:
        store.read_all([ID, OTHER])
    assert refusal.value.code == "lake.absent" and refusal.value.at["month"] == "2025-08"
    store.write(OTHER, frame())
    file = data_file(store, OTHER)
    file.write_bytes(file.read_bytes()[:-40] + bytes(40))
    with pytest.raises(PlatformError) as damaged:
        store.read_all([ID, OTHER])
    assert damaged.value.code.startswith("custody.")


def test_a_generation_that_newer_commits_took_away_meanwhile_is_read_as_it_is_now(store, monkeypatch):
    store.write(ID, frame())
    unwrap = store.keys.unwrap_all

    def slow(wanted):
        if len(wanted) > 1:
            for start in (1, 2, 3):
                store.write(ID, frame(start))
        return unwrap(wanted)

    store.write(OTHER, frame())
    monkeypatch.setattr(store.keys, "unwrap_all", slow)
    assert store.read_all([ID, OTHER])[0]["person"][0] == 3


def test_the_steady_shelf_is_read_once_and_is_another_after_any_commit(store, monkeypatch):
    """Also after one of another process; what was asked before stays for who holds the former shelf."""
    first = store.write(ID, frame())
    shelf, asked = store.steady(), []
    in_force = type(store.manifests).in_force
    monkeypatch.setattr(type(store.manifests), "in_force", lambda m, id: (asked.append(id), in_force(m, id))[1])
    assert [shelf.current(ID), store.steady().current(ID), shelf.current(OTHER)] == [first, first, None]
    assert store.steady().months("lake", "resident_register") == ["2025-07"] and asked == [ID, OTHER]
    second = reopened(store).write(OTHER, frame())
    assert store.steady().current(OTHER) == second and store.steady().months("lake", "resident_register") == [
        "2025-07",
        "2025-08",
    ]
    assert shelf.current(OTHER) is None


def test_the_steady_shelf_holds_a_commit_whose_head_a_crash_left_beside(store):
    """The log saw it, so that it is in force before its head stands."""
    store.write(ID, frame())
    other = reopened(store)
    put_in_force = other._put_in_force
    other._put_in_force = lambda folder: None
    second = other.write(ID, frame(rows=5))
    other._put_in_force = put_in_force
    assert store.steady().current(ID) == second
