"""A backup of a home that shares its store is whole, and becomes a home on a disk."""

from __future__ import annotations

import shutil

import pytest

from kobe_platform.backup.capture import captured
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import CustodyError
from kobe_platform.lake import PartitionStore
from kobe_platform.objects.folder import FolderObjects
from kobe_platform.settings import Settings
from tests.unit.sharing.conftest import Machines
from tests.unit.sharing.test_partitions import LAKE, RAW, person, rows


def test_a_backup_holds_what_other_machines_committed_and_is_a_home_on_a_disk(local, tmp_path):
    one = local.first()
    one.store.write(LAKE, rows(1))
    two = local.another(one)
    two.store.write(RAW, rows(2))
    one.store.write(LAKE, rows(3))
    settings = Settings(home=two.home, store_url=f"file://{tmp_path / 'place'}")
    assert not list((two.home / "store" / "lake").rglob("data.parquet"))
    with captured(settings, keys=True) as held:
        shutil.copytree(held.folder, tmp_path / "restored", symlinks=True)
    home = tmp_path / "restored"
    for name in ("keys", "log", "store"):
        (home / name).chmod(0o700)
    keys = LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl")
    store = PartitionStore(home / "store", keys, municipality="28100")
    assert person(store) == 3 and store.read(RAW)["person"].unique().item() == 2
    assert store.verify().faults == ()
    store.write(LAKE, rows(4))
    assert person(store) == 4


def test_a_home_that_exists_is_not_taken_into_a_store(tmp_path):
    home = tmp_path / "home"
    keys = LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")
    PartitionStore(home / "store", keys, municipality="28100").write(LAKE, rows(1))
    with pytest.raises(CustodyError) as told:
        Machines(tmp_path, FolderObjects(tmp_path / "place")).at(home)
    assert told.value.code == "store.no_ring"
    again = PartitionStore(
        home / "store", LocalKeyStore.open(home / "keys", log=home / "log" / "key_use.jsonl"), municipality="28100"
    )
    assert person(again) == 1
