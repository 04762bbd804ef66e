"""A machine that is killed between any two calls, and lost answers: nothing is lost, and nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress

import polars as pl
import pytest

from kobe_platform.errors import PlatformError
from kobe_platform.lake import PartitionId
from kobe_platform.lake.maintenance import destroy
from kobe_platform.lake.verdicts import record, verdicts
from kobe_platform.objects.folder import FolderObjects
from tests.unit.sharing.conftest import Machine, Machines
from tests.unit.sharing.places import Killed, killed, lost
from tests.unit.sharing.test_partitions import LAKE, RAW, person, rows


def write(machine: Machine) -> None:
    machine.store.write(LAKE, rows(2))


def rotate(machine: Machine) -> None:
    keys = machine.store.keys
    for purpose in keys.begin_rotation([LAKE.purpose]):
        machine.store.rewrap(purpose)
        keys.rewrapped(purpose)


def expire(machine: Machine) -> None:
    destroy(machine.store, machine.store.current(RAW))


def judge(machine: Machine) -> None:
    record(machine.store, machine.store.current(LAKE), "second", passed=True, blocking=True, facts={})


def trials(local: Machines, action: Callable[[Machine], None], fault: Callable) -> list[tuple[Machine, Machine]]:
    """After each fault: the machine that met it, as a new process, and a machine that has nothing yet."""
    one = local.first()
    one.store.write(LAKE, rows(0))
    one.store.write(LAKE, rows(1))
    one.store.write(RAW, rows(1))
    record(one.store, one.store.current(LAKE), "first", passed=True, blocking=True, facts={})
    action_calls, found = None, []
    number = 0
    while action_calls is None or number < action_calls:
        number += 1
        place, home = local.root / f"place{number}", local.root / f"home{number}"
        shutil.copytree(local.root / "place", place)
        shutil.copytree(one.home, home)
        world = Machines(local.root / f"world{number}", FolderObjects(place))
        machine = world.at(home)
        begun = len(machine.faulty.calls)
        fault(machine, begun + number)
        with suppress(Killed, PlatformError):
            action(machine)
        if action_calls is None:
            plain = Machines(local.root / "plain", FolderObjects(local.root / "plain-place"))
            shutil.copytree(local.root / "place", local.root / "plain-place")
            shutil.copytree(one.home, local.root / "plain-home")
            whole = plain.at(local.root / "plain-home")
            before = len(whole.faulty.calls)
            action(whole)
            action_calls = len(whole.faulty.calls) - before
        found.append((world.at(home), world.another(one)))
    assert len(found) >= 2
    return found


def before(machine: Machine, number: int) -> None:
    machine.faulty.before = killed(number)


def after(machine: Machine, number: int) -> None:
    machine.faulty.after = killed(number)


def answer(machine: Machine, number: int) -> None:
    machine.faulty.after = lost(number)


FAULTS = pytest.mark.parametrize("fault", [before, after, answer])


@FAULTS
def test_a_writer_leaves_the_former_generation_or_the_new_one(local, fault):
    seen = []
    for same, other in trials(local, write, fault):
        values = person(same.store), person(other.store)
        assert values in {(1, 1), (2, 2)}
        assert same.store.verify().faults == other.store.verify().faults == ()
        seen.append(values[0])
        for number, machine in enumerate((same, other), 5):
            machine.store.write(LAKE, rows(number))
            assert person(machine.store) == number
        same.store.keys.log.refresh()
        assert person(same.store) == 6
        assert same.store.keys.log.verify().sound
        folders = {found.name.split("/")[4] for found in same.faulty.names(f"store/{LAKE}")}
        assert len(folders) == 2  # nothing that a fault left stays for ever
    assert set(seen) == {1, 2}


@FAULTS
def test_a_rotation_leaves_rows_that_open_and_can_be_finished(local, fault):
    for same, other in trials(local, rotate, fault):
        for machine in (same, other):
            assert person(machine.store) == 1
        rotate(other)
        assert other.store.keys.pending() == ()
        assert {partition.key.key_id for partition in other.store.history(LAKE)} == {
            max(record.key_id for record in other.store.keys.versions() if record.purpose == LAKE.purpose)
        }
        assert person(same.store) == person(other.store) == 1


@FAULTS
def test_a_destruction_can_be_finished_by_any_machine(local, fault):
    for same, other in trials(local, expire, fault):
        current = other.store.current(RAW)
        if not current.destroyed_at:
            assert other.store.read(RAW).height == 50
        destroy(other.store, current)
        assert not [one for one in other.faulty.names(f"store/{RAW}") if one.name.endswith(".parquet")]
        same.store.shared.sync()
        assert not list((same.home / "store" / "raw").rglob("data.parquet"))
        assert same.store.verify().faults == ()


@FAULTS
def test_a_verdict_is_there_or_not_and_the_former_one_is_never_lost(local, fault):
    for _same, other in trials(local, judge, fault):
        other.store.shared.sync()
        assert set(verdicts(other.store, LAKE)) in ({"first"}, {"first", "second"})
        judge(other)
        assert set(verdicts(other.store, LAKE)) == {"first", "second"}


@FAULTS
def test_a_first_write_makes_one_key_and_one_generation(local, fault):
    new = PartitionId("lake", "other", "2025-07")
    for same, other in trials(local, lambda machine: machine.store.write(new, rows(9)), fault):
        for machine in (same, other):
            if machine.store.current(new) is not None:
                assert machine.store.read(new)["person"].unique().item() == 9
        other.store.write(new, rows(10))
        made = [record.key_id for record in other.store.keys.versions() if record.purpose == new.purpose]
        assert made == ["data/lake/other#1"]
        same.store.keys.log.refresh()
        assert same.store.read(new)["person"].unique().item() == 10


def test_a_stale_list_hides_nothing_that_the_log_knows(local):
    one = local.first()
    one.store.write(LAKE, rows(1))
    stale = list(one.faulty.names("store"))
    one.store.write(LAKE, rows(2))
    two = local.another(one)
    two.faulty.names = lambda prefix: iter(found for found in stale if found.name.startswith(f"{prefix}/"))
    two.store.shared.sync()
    assert person(two.store) == 2
    two.store.write(LAKE, rows(3))  # clearing by a stale list takes nothing that is kept
    one.store.keys.log.refresh()
    assert person(one.store) == 3 and one.store.verify().faults == ()


def test_frames_are_what_they_were(local):
    one = local.first()
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    one.store.write(LAKE, frame)
    assert local.another(one).store.read_all([LAKE])[0].equals(frame)
