"""Machines that share partitions: what one commits the others read, and of two that commit at once one wins."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.errors import CustodyError, LakeError
from kobe_platform.lake import PartitionId
from kobe_platform.lake.heads import HeadIndex
from kobe_platform.lake.maintenance import destroy, is_destroyed
from kobe_platform.lake.verdicts import green, record

LAKE = PartitionId("lake", "register", "2025-07")
RAW = PartitionId("raw", "register", "2025-07")
CANARY = "KOBECANARYPERSON"


def rows(number: int) -> pl.DataFrame:
    return pl.DataFrame({"person": [number] * 50, "name": [CANARY] * 50})


def person(store) -> int:
    return store.read(LAKE, ["person"])["person"].unique().item()


def test_what_one_machine_commits_another_reads_and_continues(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    two = machines.another(one)
    assert person(two.store) == 1
    two.store.write(LAKE, rows(2))
    one.store.keys.log.refresh()
    assert (person(one.store), one.store.current(LAKE).generation) == (2, 2)
    assert one.store.keys.log.verify().sound and two.store.keys.log.verify().sound
    assert one.store.verify().faults == two.store.verify().faults == ()


def test_a_home_whose_copy_was_lost_is_whole_again(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    again = machines.another(one)
    again.store.shared.sync()
    assert [entry.generation for entry in HeadIndex(again.home / "store").read().entries.values()] == [1]
    assert person(again.store) == 1


def test_of_two_machines_that_commit_at_once_one_is_told_that_it_came_second(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    two = machines.another(one)
    assert person(two.store) == 1

    def meanwhile(number: int, kind: str, name: str) -> None:
        if kind == "put" and name.endswith("manifest.json"):
            one.faulty.after = lambda *call: None
            two.store.write(LAKE, rows(2))

    one.faulty.after = meanwhile
    with pytest.raises(CustodyError) as told:
        one.store.write(LAKE, rows(3))
    assert told.value.code == "custody.superseded"
    assert person(one.store) == person(two.store) == 2
    one.store.write(LAKE, rows(4))
    two.store.keys.log.refresh()
    assert person(one.store) == person(two.store) == 4
    kept = {name.name.split("/")[4] for name in machines.place.names("store")}
    assert {folder.partition("-")[0] for folder in kept} == {"g000002", "g000003"} and len(kept) == 2
    assert one.store.verify().faults == two.store.verify().faults == ()


def test_the_same_purpose_has_one_key_on_all_machines(machines):
    one = machines.first()
    two = machines.another(one)
    one.store.write(LAKE, rows(1))
    two.store.write(PartitionId("lake", "register", "2025-08"), rows(2))
    keys = [record.key_id for record in two.store.keys.versions()]
    assert keys == ["data/lake/register#1"]
    assert two.store.keys.pseudonym_key("resident") == one.store.keys.pseudonym_key("resident")


def test_a_rotation_and_a_revocation_on_one_machine_hold_on_the_other(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    two = machines.another(one)
    assert person(two.store) == 1
    one.store.keys.begin_rotation([LAKE.purpose])
    assert one.store.rewrap(LAKE.purpose) == 1
    one.store.keys.rewrapped(LAKE.purpose)
    one.store.keys.revoke("data/lake/register#1")
    later = machines.at(two.home)
    assert person(later.store) == 1  # its copy of the manifest still named the revoked key
    assert later.store.current(LAKE).key.key_id == "data/lake/register#2"
    one.store.keys.revoke("data/lake/register#2")
    with pytest.raises(CustodyError) as told:
        person(machines.at(two.home).store)
    assert told.value.code == "custody.revoked"


def test_rows_that_one_machine_destroys_are_gone_everywhere(machines):
    one = machines.first()
    one.store.write(RAW, rows(1))
    two = machines.another(one)
    two.store.read(RAW)
    assert list(two.home.rglob("data.parquet"))
    assert destroy(one.store, one.store.current(RAW)) == 1
    assert not [name for name in machines.place.names("store") if name.name.endswith(".parquet")]
    two.store.shared.sync()
    assert not list(two.home.rglob("data.parquet"))
    assert is_destroyed(two.store, RAW) and two.store.current(RAW).key.wrapped == ""
    with pytest.raises(LakeError) as told:
        two.store.read(RAW)
    assert told.value.code == "lake.destroyed"


def test_a_verdict_of_one_machine_counts_on_the_other_and_none_is_lost(machines):
    one = machines.first()
    partition = one.store.write(LAKE, rows(1))
    two = machines.another(one)
    record(one.store, partition, "first", passed=True, blocking=True, facts={})
    record(two.store, two.store.current(LAKE), "second", passed=True, blocking=True, facts={})
    one.store.shared.sync()
    assert green(one.store, partition) == green(two.store, partition) == {"first", "second"}


def test_a_changed_object_is_told_and_mended_by_nothing_but_the_right_one(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    name = next(found.name for found in machines.place.names("store") if found.name.endswith("data.parquet"))
    right = machines.place.get(name).data
    for wrong, code in ((right[:-9] + b"x" + right[-8:], "not_authentic"), (right[:-1], "truncated")):
        machines.place.put(name, wrong)
        with pytest.raises(CustodyError) as told:
            machines.another(one).store.read(LAKE)
        assert told.value.code == f"custody.{code}"
        assert dict(one.store.verify().faults) == {str(LAKE): f"custody.{code}"}
    machines.place.put(name, right)
    assert one.store.verify().faults == () and person(one.store) == 1


def test_a_damaged_copy_is_made_anew(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    (path,) = one.home.rglob("data.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    assert person(one.store) == 1


def test_no_object_holds_a_row_or_a_key(machines):
    one = machines.first()
    one.store.write(RAW, rows(1))
    one.store.write(LAKE, rows(1))
    root = (one.home / "keys" / "root.key").read_bytes()
    everything = {found.name: machines.place.get(found.name).data for found in machines.place.names("")}
    assert len(everything) > 6
    for name, data in everything.items():
        for canary in (CANARY.encode(), root, bytes.fromhex(root.decode())):
            assert canary not in data, name


def test_a_store_that_has_an_installation_is_not_begun_a_second_time(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    with pytest.raises(CustodyError) as told:
        machines.first()
    assert told.value.code == "store.taken"
    assert person(machines.another(one).store) == 1


def test_a_shared_log_that_was_cut_or_edited_is_found_by_who_has_read_it(machines):
    one = machines.first()
    one.store.write(LAKE, rows(1))
    assert one.store.keys.log.verify().sound
    name = max(found.name for found in machines.place.names("log"))
    right = machines.place.get(name).data
    machines.place.remove(name)
    assert "not the one" in one.store.keys.log.verify().fault
    machines.place.put(name, right.replace(b"commit", b"kommit"))
    assert "not the one" in one.store.keys.log.verify().fault
    with pytest.raises(CustodyError) as told:
        machines.another(one).store.read(LAKE)
    assert told.value.code == "custody.log_broken"
    machines.place.put(name, right)
    assert one.store.keys.log.verify().sound
