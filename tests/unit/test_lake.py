"""A partition is whole or not there, is what its manifest says, and never goes back unnoticed."""

import json
import os
import signal
import subprocess
import sys

import polars as pl
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from kobe_platform import lake
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError, LakeError, PlatformError
from kobe_platform.lake import PartitionId, PartitionStore

ID = PartitionId("lake", "resident_register", "2025-07")
OTHER = PartitionId("lake", "resident_register", "2025-08")


@pytest.fixture
def store(tmp_path):
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return PartitionStore(tmp_path / "store", keys, municipality="28100")


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
    assert again.scan(ID).select(pl.col("person").max()).collect().item() == 999
    assert again.months("lake", "resident_register") == ["2025-07"]


def test_a_lazy_frame_is_written_like_a_whole_one(store):
    assert store.write(ID, frame().lazy()).rows == 1000
    assert store.read(ID).sort("person").equals(frame())


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


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x01
    path.write_bytes(data)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_flipped_bit_is_found_before_a_row_is_used(store, share):
    store.write(ID, frame(rows=20_000))
    path = data_file(store, ID)
    flip(path, int(path.stat().st_size * share))
    with pytest.raises(CustodyError) as refusal:
        store.read(ID)
    assert refusal.value.code == "custody.not_authentic"
    assert store.verify().faults == ((str(ID), "custody.not_authentic"),)


def test_a_truncated_file_is_found(store):
    store.write(ID, frame())
    path = data_file(store, ID)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CustodyError):
        store.read(ID)


def test_a_file_in_anothers_place_does_not_open(store):
    store.write(ID, frame())
    store.write(OTHER, frame(5))
    data_file(store, ID).write_bytes(data_file(store, OTHER).read_bytes())
    with pytest.raises(CustodyError) as refusal:
        store.read(ID)
    assert refusal.value.code == "custody.not_authentic"


def test_a_partition_moved_to_another_month_is_refused(store):
    store.write(ID, frame())
    folder = store.root / "lake" / "resident_register"
    (folder / "2025-07").rename(folder / "2025-09")
    with pytest.raises(CustodyError) as refusal:
        store.current(PartitionId("lake", "resident_register", "2025-09"))
    assert refusal.value.code == "custody.tampered_manifest"
    with pytest.raises(CustodyError):
        store.current(ID)


@pytest.mark.parametrize("name", ["head.json", "g000001/manifest.json"])
def test_an_edited_manifest_is_refused(store, name):
    store.write(ID, frame(), facts={"rows": 1000})
    path = data_file(store, ID).parent.parent / name
    record = json.loads(path.read_text())
    record["generation" if name == "head.json" else "rows"] = 7
    path.write_text(json.dumps(record))
    with pytest.raises(CustodyError) as refusal:
        store.current(ID)
    assert refusal.value.code == "custody.tampered_manifest"


def test_a_head_put_back_to_a_former_generation_is_refused(store):
    store.write(ID, frame(0))
    head = data_file(store, ID).parent.parent / "head.json"
    former = head.read_bytes()
    store.write(ID, frame(1))
    head.write_bytes(former)
    for one in (store, reopened(store)):
        with pytest.raises(CustodyError) as refusal:
            one.read(ID)
        assert refusal.value.code == "custody.rolled_back"


STEPS = ["write_encrypted", "sync_file", "sync_folder", "write_private"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("call", [1, 2])
def test_a_failure_at_any_step_leaves_the_former_partition_or_the_new_one(store, monkeypatch, step, call):
    store.write(ID, frame(0))
    original, calls = getattr(lake, step), []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            raise OSError("no space left on device")
        return original(*args, **kwargs)

    monkeypatch.setattr(lake, step, failing)
    reached = True
    try:
        store.write(ID, frame(1))
        reached = len(calls) >= call
    except OSError:
        pass
    monkeypatch.undo()
    first = reopened(store).read(ID)["person"][0]
    assert first in ((0, 1) if reached else (1,))
    store.write(ID, frame(2))
    assert store.read(ID)["person"][0] == 2
    assert not list(store.root.rglob("*.new/data.parquet"))


KILLED = """
import sys
from pathlib import Path
import polars as pl
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
home = Path(sys.argv[1])
store = PartitionStore(home / "store", LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl"),
                       municipality="28100")
print("ready", flush=True)
number = 0
while True:
    number += 1
    store.write(PartitionId("lake", "resident_register", "2025-07"), pl.DataFrame({"person": [number] * 5000}))
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_whole_partition(store, tmp_path):
    store.write(ID, frame())
    for pause in (3, 5, 8):
        writer = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(pause):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        done = [line for line in writer.communicate()[0].split() if line.isdigit()]
        again = reopened(store)
        people = again.read(ID)["person"]
        assert people.n_unique() == 1
        assert people[0] >= max([int(line) for line in done], default=1)
        assert again.keys.log.verify().sound


def test_rotation_rewraps_manifests_and_leaves_data_files_alone(store):
    store.write(ID, frame())
    before = data_file(store, ID).read_bytes()
    store.keys.rotate("data/lake/resident_register")
    assert store.rewrap("data/lake/resident_register") == 1
    assert store.rewrap("data/lake/resident_register") == 0
    store.keys.revoke("data/lake/resident_register#1")
    assert store.read(ID).equals(frame())
    assert data_file(store, ID).read_bytes() == before


def test_errors_carry_coordinates_and_no_values(store):
    store.write(ID, pl.DataFrame({"name": ["鏑木鳴門"] * 10}))
    flip(data_file(store, ID), 40)
    with pytest.raises(PlatformError) as refusal:
        store.read(ID, ["name"])
    assert "鏑木" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__suppress_context__
