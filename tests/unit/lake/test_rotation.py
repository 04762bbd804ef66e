"""Keys are exchanged under running readers without touching a data file; what a revoked key protected stays closed."""

import json
import threading

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.custody.commands import keys_app, log_app
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.maintenance import wrapped_by

ID = PartitionId("lake", "resident_register", "2025-07")
RAW = PartitionId("raw", "resident_register", "2025-07")
PURPOSE = "data/lake/resident_register"


def frame(start=0, rows=1000):
    return pl.DataFrame({"person": range(start, start + rows)})


def reopened(store):
    keys = LocalKeyStore.open(store.keys.path, log=store.keys.log.path)
    return PartitionStore(store.root, keys, municipality=store.municipality)


def actions(store) -> list[str]:
    return [json.loads(line)["action"] for line in store.keys.log.path.read_text().splitlines()]


def test_rotation_rewraps_manifests_and_leaves_data_files_alone(store):
    store.write(ID, frame())
    before = store.data_file(store.current(ID)).read_bytes()
    store.keys.begin_rotation([PURPOSE])
    assert store.rewrap(PURPOSE) == 1
    store.keys.rewrapped(PURPOSE)
    store.keys.revoke(f"{PURPOSE}#1")
    assert store.read(ID).equals(frame())
    assert store.data_file(store.current(ID)).read_bytes() == before


def test_what_the_active_key_wraps_already_is_not_opened_again(store):
    store.write(ID, frame())
    store.keys.begin_rotation([PURPOSE])
    store.rewrap(PURPOSE)
    entries = actions(store)
    assert store.rewrap(PURPOSE) == 0
    assert actions(store) == entries, "no key was used"


def test_a_kept_generation_whose_key_is_revoked_does_not_stop_the_others(store):
    store.write(ID, frame(0))
    store.keys.begin_rotation([PURPOSE])
    store.keys.rewrapped(PURPOSE)
    store.write(ID, frame(1))
    store.keys.revoke(f"{PURPOSE}#1")
    store.keys.begin_rotation([PURPOSE])
    assert store.rewrap(PURPOSE) == 1
    assert store.read(ID)["person"][0] == 1


def test_an_interrupted_rotation_is_finished_and_no_other_is_begun(store):
    store.write(ID, frame())
    store.write(RAW, frame())
    purposes = [PURPOSE, "data/raw/resident_register"]
    assert store.keys.begin_rotation(purposes) == tuple(purposes)
    store.rewrap(PURPOSE)
    store.keys.rewrapped(PURPOSE)
    again = reopened(store)
    assert again.keys.begin_rotation(purposes) == ("data/raw/resident_register",)
    assert {record.key_id.split("#")[1] for record in again.keys.versions()} == {"1", "2"}


def test_readers_read_all_through_rotations(store):
    store.write(ID, frame())
    failed, reads, done = [], [], threading.Event()

    def read():
        own = reopened(store)
        while not done.is_set() or not reads:
            try:
                reads.append(own.read(ID).height)
            except CustodyError as error:
                failed.append(error.code)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    while not reads:
        done.wait(0.01)
    for _ in range(4):
        store.keys.begin_rotation([PURPOSE])
        store.rewrap(PURPOSE)
        store.keys.rewrapped(PURPOSE)
    done.set()
    for reader in readers:
        reader.join()
    assert failed == [] and set(reads) == {1000}
    assert store.keys.log.verify().sound


def test_what_a_key_protects_is_named_by_partition_and_generation(store):
    store.write(ID, frame(0))
    store.write(ID, frame(1))
    store.write(RAW, frame())
    lost = [(str(part.id), part.generation) for part in wrapped_by(store, f"{PURPOSE}#1")]
    assert lost == [(str(ID), 1), (str(ID), 2)]


@pytest.fixture
def home(tmp_path, monkeypatch, store):
    """The command line's installation is the fixture's store."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    return store


def test_revoke_says_what_it_would_destroy_and_waits_for_yes(home):
    home.write(ID, frame())
    told = CliRunner().invoke(keys_app, ["revoke", f"{PURPOSE}#1"])
    assert told.exit_code == 1
    assert f"unreadable for ever: {ID} (generation 1)" in told.output and "--yes" in told.output
    assert home.read(ID).equals(frame())
    assert "revoke" not in actions(home)
    done = CliRunner().invoke(keys_app, ["revoke", f"{PURPOSE}#1", "--yes", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output) == {
        "key": f"{PURPOSE}#1",
        "state": "revoked",
        "unreadable": [f"{ID} (generation 1)"],
    }
    with pytest.raises(CustodyError) as refusal:
        home.read(ID)
    assert refusal.value.code == "custody.revoked"
    assert "revoke" in actions(home)


def test_revoke_of_an_unknown_key_is_bad_usage(home):
    assert CliRunner().invoke(keys_app, ["revoke", "data/lake/nothing#1", "--yes"]).exit_code == 2


def test_rotate_as_a_command_rotates_all_data_keys_and_says_so(home):
    home.write(ID, frame())
    home.write(RAW, frame())
    home.keys.pseudonym_key("resident")
    said = json.loads(CliRunner().invoke(keys_app, ["rotate", "--json"]).output)
    assert said == {"purposes": 2, "manifests": 2, "resumed": False}
    states = {record.key_id: record.state for record in home.keys.versions()}
    assert states == {
        f"{PURPOSE}#1": "retired",
        f"{PURPOSE}#2": "active",
        "data/raw/resident_register#1": "retired",
        "data/raw/resident_register#2": "active",
        "pseudonym/resident#1": "active",
    }
    home.keys.begin_rotation([PURPOSE])
    said = json.loads(CliRunner().invoke(keys_app, ["rotate", "data/raw/resident_register", "--json"]).output)
    assert said == {"purposes": 1, "manifests": 2, "resumed": True}
    assert home.keys.pending() == ()


def test_log_verify_prints_an_anchor_that_a_later_call_can_ask_for(home):
    home.write(ID, frame())
    anchor = json.loads(CliRunner().invoke(log_app, ["verify", "--json"]).output)["anchor"]
    home.read(ID)
    assert CliRunner().invoke(log_app, ["verify", "--anchor", anchor]).exit_code == 0
    number, _, last = anchor.partition(":")
    other = CliRunner().invoke(log_app, ["verify", "--anchor", f"{number}:{last[::-1]}"])
    assert other.exit_code == 1 and "written down" in other.output
    assert CliRunner().invoke(log_app, ["verify", "--anchor", f"9999:{last}"]).exit_code == 1
    assert CliRunner().invoke(log_app, ["verify", "--anchor", "nonsense"]).exit_code == 2


def test_a_rotation_whose_new_key_was_revoked_is_gone_on_with_by_another(store):
    id = PartitionId("lake", "resident_register", "2025-01")
    store.write(id, pl.DataFrame({"a": [1]}))
    store.keys.begin_rotation([id.purpose])
    store.keys.revoke(f"{id.purpose}#2")
    assert store.keys.begin_rotation([id.purpose]) == (id.purpose,)
    store.rewrap(id.purpose)
    assert store.current(id).key.key_id == f"{id.purpose}#3" and store.read(id).height == 1


def test_every_folder_of_the_store_is_the_owners(store):
    store.write(PartitionId("lake", "resident_register", "2025-01"), pl.DataFrame({"a": [1]}))
    for folder in (store.root, *(path for path in store.root.rglob("*") if path.is_dir())):
        assert folder.stat().st_mode & 0o777 == 0o700, folder.name


def test_a_damaged_purpose_hinders_the_rotation_of_no_other(store):
    from kobe_platform.custody import commands

    for source in ("aaa", "bbb"):
        store.write(PartitionId("raw", source, "2025-01"), pl.DataFrame({"a": [1]}))
    (store.manifests.folder(PartitionId("raw", "aaa", "2025-01")) / "head.json").write_text("{}")
    with pytest.raises(CustodyError):
        commands._rewrapped(store, ["data/raw/aaa", "data/raw/bbb"], True)
    assert store.current(PartitionId("raw", "bbb", "2025-01")).key.key_id == "data/raw/bbb#2"
    assert store.keys.pending() == ("data/raw/aaa",)


HOLDER = """
import sys, time
from pathlib import Path
from kobe_platform.custody.keyring import only_rotation
with only_rotation(Path(sys.argv[1])):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_second_rotation_is_refused_until_the_first_ends_or_is_killed(home):
    import subprocess
    import sys

    home.write(ID, frame())
    command = [sys.executable, "-c", HOLDER, str(home.keys.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "holding\n"
            result = CliRunner().invoke(keys_app, ["rotate"])
            assert isinstance(result.exception, CustodyError)
            assert result.exception.code == "custody.rotation_under_way"
            assert home.keys.pending() == () and home.current(ID).key.key_id == f"{PURPOSE}#1"
        finally:
            other.kill()
    assert CliRunner().invoke(keys_app, ["rotate"]).exit_code == 0
    assert home.current(ID).key.key_id == f"{PURPOSE}#2"
