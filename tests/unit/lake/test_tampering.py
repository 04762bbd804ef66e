"""Whatever is done to the files of a partition is found, and named for what it is, before a row is used."""

import json
import shutil

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow.parquet.encryption import create_encryption_properties

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError, LakeError
from kobe_platform.lake import PartitionId, PartitionStore

ID = PartitionId("lake", "resident_register", "2025-07")
OTHER = PartitionId("lake", "resident_register", "2025-08")
NAMED = {"custody.not_authentic", "custody.truncated", "custody.swapped", "custody.wrong_key"}


def frame(start=0, rows=1000):
    return pl.DataFrame({"person": range(start, start + rows), "ward": ["28101"] * rows})


def folder_of(store, id=ID):
    return store.root / id.stage / id.source / id.month


def data_file(store, id=ID):
    return store.data_file(store.current(id))


def reopened(store):
    keys = LocalKeyStore.open(store.keys.path, log=store.keys.log.path)
    return PartitionStore(store.root, keys, municipality=store.municipality)


def code_of(call) -> str:
    with pytest.raises((CustodyError, LakeError)) as refusal:
        call()
    assert refusal.value.__cause__ is None
    return refusal.value.code


@pytest.fixture(scope="module")
def module_store(tmp_path_factory):
    root = tmp_path_factory.mktemp("flips")
    keys = LocalKeyStore.create(root / "keys", log=root / "log" / "key_use.jsonl")
    store = PartitionStore(root / "store", keys, municipality="28100")
    store.write(ID, frame(rows=20_000))
    return store


FLIPS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@FLIPS
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example(share=0.0, bit=0)  # the magic word
@example(share=0.9999, bit=3)  # the magic word at the end
@example(share=0.9995, bit=0)  # the length of the footer
@example(share=0.99, bit=5)  # the footer
def test_no_flipped_bit_anywhere_gives_another_row_and_verification_finds_every_one(module_store, share, bit):
    store, path = module_store, data_file(module_store)
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[int(len(sound) * share)] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        for ask in (
            lambda: store.read(ID),
            lambda: store.query(ID, lambda rows: rows.filter(pl.col("person") < 30_000)),
            lambda: pl.DataFrame(pl.from_arrow(store.columns(ID))),
        ):
            try:
                assert ask().equals(frame(rows=20_000)), "a byte that nothing reads may go unnoticed by a reader"
            except CustodyError as error:
                assert error.code == "custody.not_authentic"
        assert store.verify().faults == ((str(ID), "custody.not_authentic"),)
    finally:
        path.write_bytes(sound)
    assert store.verify().faults == ()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_a_changed_byte_among_the_rows_is_refused_before_a_row_is_used(store, share):
    store.write(ID, frame(rows=20_000))
    path = data_file(store)
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 1
    path.write_bytes(data)
    assert code_of(lambda: store.read(ID)) == "custody.not_authentic"
    assert code_of(lambda: store.columns(ID)) == "custody.not_authentic"


@pytest.mark.parametrize("footer", ["no key", "its key, and a footer for all to read"])
def test_rows_that_are_not_encrypted_are_not_read_in_a_files_place(store, footer):
    store.write(ID, frame())
    partition, path = store.current(ID), data_file(store)
    keys = store.keys.unwrap(ID.purpose, partition.key, store.manifests.identity(ID, partition.generation))
    properties = create_encryption_properties(keys, plaintext_footer=True) if footer != "no key" else None
    pq.write_table(frame(5).to_arrow(), path, encryption_properties=properties)
    for ask in (store.read, store.columns):
        assert code_of(lambda ask=ask: ask(ID)) == "custody.not_authentic"
    assert store.verify().faults == ((str(ID), "custody.not_authentic"),)


@FLIPS
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
def test_a_file_that_was_cut_anywhere_is_named_truncated(module_store, share):
    store, path = module_store, data_file(module_store)
    sound = path.read_bytes()
    path.write_bytes(sound[: int(len(sound) * share)])
    try:
        assert code_of(lambda: store.read(ID)) == "custody.truncated"
        assert code_of(lambda: store.columns(ID)) == "custody.truncated"
        assert store.verify().faults == ((str(ID), "custody.truncated"),)
    finally:
        path.write_bytes(sound)


def test_a_file_of_another_partition_is_named_with_its_owner(store):
    store.write(ID, frame())
    store.write(OTHER, frame(5))
    data_file(store).write_bytes(data_file(store, OTHER).read_bytes())
    with pytest.raises(CustodyError) as refusal:
        store.read(ID)
    assert refusal.value.code == "custody.swapped"
    assert refusal.value.at["holds"] == str(OTHER)


def test_a_file_of_a_former_generation_is_refused(store):
    store.write(ID, frame(0))
    former = data_file(store).read_bytes()
    store.write(ID, frame(1))
    data_file(store).write_bytes(former)
    assert code_of(lambda: store.read(ID)) in ("custody.swapped", "custody.truncated")


def test_a_whole_generation_under_anothers_name_is_refused(store):
    store.write(ID, frame(0))
    store.write(OTHER, frame(1))
    shutil.copytree(folder_of(store, OTHER) / "g000001", folder_of(store) / "g000001", dirs_exist_ok=True)
    assert code_of(lambda: store.read(ID)) == "custody.tampered_manifest"


def test_a_file_written_with_another_key_is_named(store, monkeypatch):
    """The manifest and the bytes agree, the key does not: what a writer that mixed up two keys would leave."""
    from kobe_platform.lake import store as module

    def mixed_up(rows, path, *, key, identity, original=module.write_encrypted):
        original(rows, path, key=key[::-1], identity=identity)

    monkeypatch.setattr(module, "write_encrypted", mixed_up)
    monkeypatch.setattr(module, "schema_encrypted", lambda *_, **__: ({"person": "Int64"}, 1000))
    store.write(ID, frame())
    assert code_of(lambda: store.read(ID)) == "custody.wrong_key"


def test_the_wrapped_key_of_another_file_does_not_open_this_one(store):
    store.write(ID, frame())
    other = store.write(OTHER, frame(1))
    with pytest.raises(CustodyError) as refusal:
        store.keys.unwrap(ID.purpose, other.key, f"28100/{ID}/1")
    assert refusal.value.code == "custody.swapped"


def test_a_key_store_of_another_installation_opens_nothing(store, tmp_path):
    store.write(ID, frame())
    keys = LocalKeyStore.create(tmp_path / "theirs", log=tmp_path / "theirs.jsonl")
    other = PartitionStore(store.root, keys, municipality="28100")
    assert code_of(lambda: other.read(ID)) in ("custody.tampered_manifest", "custody.unlogged")
    assert other.verify().faults


def test_a_partition_moved_to_another_month_is_refused(store):
    store.write(ID, frame())
    folder_of(store).rename(folder_of(store).with_name("2025-09"))
    assert code_of(lambda: store.current(PartitionId("lake", "resident_register", "2025-09"))) == (
        "custody.tampered_manifest"
    )
    assert code_of(lambda: store.current(ID)) == "custody.rolled_back"


def leaves(record, path=()):
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("name", ["head.json", "g000001/manifest.json"])
def test_an_edit_of_any_field_of_a_signed_file_is_refused(store, name):
    store.write(ID, frame(), facts={"rows": 1000}, inputs={"abstracted": "ab"})
    path = folder_of(store) / name
    sound = json.loads(path.read_text())
    fields = list(leaves(sound))
    assert len(fields) >= 4
    for field in fields:
        record = json.loads(json.dumps(sound))
        place = record
        for part in field[:-1]:
            place = place[part]
        value = place[field[-1]]
        place[field[-1]] = value + 1 if isinstance(value, int) else f"{value}x"
        path.write_text(json.dumps(record))
        assert code_of(lambda: store.current(ID)) == "custody.tampered_manifest", field
    for text in ("", "{}", "[]", "null", '{"mac": null}', "\x00\xff"):
        path.write_text(text)
        assert code_of(lambda: store.current(ID)) == "custody.tampered_manifest"


@pytest.mark.parametrize("also_next", [False, True])
def test_a_head_put_back_to_a_former_generation_is_refused(store, also_next):
    store.write(ID, frame(0))
    former = (folder_of(store) / "head.json").read_bytes()
    store.write(ID, frame(1))
    (folder_of(store) / "head.json").write_bytes(former)
    if also_next:
        (folder_of(store) / "head.next").write_bytes(former)
    for one in (store, reopened(store)):
        assert code_of(lambda one=one: one.read(ID)) == "custody.rolled_back"
    assert code_of(lambda: store.write(ID, frame(2))) == "custody.rolled_back", "nothing is built upon it"


def test_a_whole_month_put_back_to_a_former_backup_is_refused(store, tmp_path):
    store.write(ID, frame(0))
    shutil.copytree(folder_of(store), tmp_path / "backup")
    store.write(ID, frame(1))
    shutil.rmtree(folder_of(store))
    shutil.copytree(tmp_path / "backup", folder_of(store))
    assert code_of(lambda: reopened(store).read(ID)) == "custody.rolled_back"


def test_a_month_whose_head_is_gone_is_not_taken_for_new(store):
    store.write(ID, frame())
    (folder_of(store) / "head.json").unlink()
    assert code_of(lambda: store.current(ID)) == "custody.rolled_back"


def test_a_log_put_back_behind_the_partitions_is_refused(store):
    store.write(ID, frame(0))
    log = store.keys.log.path
    kept = [(path, path.read_bytes()) for path in (log, log.with_suffix(".head"))]
    store.write(ID, frame(1))
    for path, data in kept:
        path.write_bytes(data)
    assert code_of(lambda: reopened(store).read(ID)) == "custody.unlogged"
    assert code_of(lambda: store.read(ID)) in ("custody.unlogged", "custody.log_broken")


def test_a_query_that_fails_is_not_taken_for_tampering_and_tells_no_value(store):
    store.write(ID, pl.DataFrame({"name": ["鏑木鳴門"] * 10, "n": range(10)}))
    with pytest.raises(LakeError) as refusal:
        store.query(ID, lambda rows: rows.select(pl.col("name").cast(pl.Int64)))
    assert refusal.value.code == "lake.query"
    assert "鏑木" not in str(refusal.value) and refusal.value.__suppress_context__
    assert code_of(lambda: store.read(ID, ["nowhere"])) == "custody.column"


def test_a_missing_data_file_is_named_as_such(store):
    store.write(ID, frame())
    data_file(store).unlink()
    assert code_of(lambda: store.read(ID)) == "custody.absent"
    assert store.verify().faults == ((str(ID), "custody.absent"),)


def test_a_partition_that_was_taken_away_whole_is_missed(store):
    id = PartitionId("lake", "resident_register", "2025-01")
    for month in ("2025-01", "2025-02"):
        store.write(PartitionId("lake", "resident_register", month), pl.DataFrame({"a": [1]}))
    shutil.rmtree(store.manifests.folder(id))
    assert store.months("lake", "resident_register") == ["2025-01", "2025-02"], "it was there"
    assert (str(id), "custody.rolled_back") in store.verify().faults
    with pytest.raises(CustodyError) as refusal:
        store.read(id)
    assert refusal.value.code == "custody.rolled_back"


def test_a_generation_that_goes_while_the_store_is_verified_is_no_fault(store, monkeypatch):
    id = PartitionId("lake", "resident_register", "2025-01")
    for _ in range(2):
        store.write(id, pl.DataFrame({"a": [1]}))
    collected, calls = store.collected, []

    def slow(partition, *arguments):
        if not calls:
            calls.append(partition)
            store.write(id, pl.DataFrame({"a": [2]}))
        return collected(partition, *arguments)

    monkeypatch.setattr(store, "collected", slow)
    assert store.verify().faults == () and calls
