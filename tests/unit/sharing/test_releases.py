"""Machines that share releases: one switch for all, one winner of two builds, and nothing served that is damaged."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from kobe_platform.errors import CustodyError, LoungeError
from kobe_platform.lounge.pruning import prune
from kobe_platform.lounge.release import RECORD, current, record_inputs, recorded_inputs, releases_of, rollback, verify
from kobe_platform.lounge.sharing import SharedReleases
from kobe_platform.objects.folder import FolderObjects
from tests.unit.sharing.places import Faulty, Killed, killed, lost

FILES = {"tables/people.csv": b"1,2", "sites/staff/index.html": b"<p>people</p>"}


class Copy:
    """A machine's copy of the releases."""

    def __init__(self, root, place) -> None:
        root.mkdir(exist_ok=True)
        self.path, self.faulty = root / "releases", Faulty(place)
        self.shared = SharedReleases(self.faulty, self.path)

    def make(self, number: int, letter: str = "a") -> str:
        """Build a release and publish it, as `assemble` does once all is built."""
        import hashlib

        from kobe_platform.lounge.release import switch

        self.shared.pull()
        id = f"{number:04d}-{letter * 12}"
        for name, data in FILES.items():
            (self.path / id / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / id / name).write_bytes(data + str(number).encode())
        record = {
            "id": id, "created_at": "", "content": letter * 64, "tables": {}, "sites": {}, "audiences": {}, "facts": {},
            "files": {name: hashlib.sha256((self.path / id / name).read_bytes()).hexdigest() for name in FILES},
        }  # fmt: skip
        (self.path / id / RECORD).write_text(json.dumps(record))
        self.shared.publish(id)
        switch(self.path, id)
        return id

    @property
    def now(self) -> str:
        release = current(self.path)
        return release.id if release else ""


@pytest.fixture
def copies(tmp_path, place) -> tuple[Copy, Copy]:
    return Copy(tmp_path / "one", place), Copy(tmp_path / "two", place)


def test_what_one_machine_publishes_another_serves(copies):
    one, two = copies
    id = one.make(1)
    record_inputs(one.path, current(one.path), {"tables": "abc"}, one.shared)
    two.shared.pull()
    assert two.now == id and verify(current(two.path)) == []
    assert recorded_inputs(two.path) == ({"tables": "abc"}, True)
    later = two.make(2)
    one.shared.pull()
    assert one.now == later


def test_going_back_holds_on_all_machines(copies):
    one, two = copies
    former, newest = one.make(1), one.make(2)
    two.shared.pull()
    assert two.now == newest
    rollback(one.path, former, one.shared)
    two.shared.pull()
    assert (one.now, two.now) == (former, former)
    assert (two.path / "held").read_text() == newest


def test_of_two_builds_one_comes_second_and_is_not_served(copies):
    one, two = copies
    one.make(1)
    two.shared.pull()
    two.faulty.before = lambda number, kind, name: (
        one.make(2) if kind == "put" and not one.now.startswith("0002") else None
    )
    with pytest.raises(LoungeError) as told:
        two.make(2, "b")
    assert told.value.code == "release.superseded"
    two.shared.pull()
    assert two.now == one.now == "0002-aaaaaaaaaaaa"
    assert [release.id for release in releases_of(two.path)] == ["0001-aaaaaaaaaaaa", "0002-aaaaaaaaaaaa"]


def test_a_release_that_is_not_as_it_was_written_is_not_served(copies, place):
    one, two = copies
    former = one.make(1)
    two.shared.pull()
    id = one.make(2)
    right = place.get(f"releases/{id}.tar.gz").data
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        (one.path / id / "sites/staff/index.html").write_bytes(b"<p>forged</p>")
        archive.add(one.path / id, arcname=id)
    for wrong in (right[: len(right) // 2], b"", packed.getvalue(), None):
        place.put(f"releases/{id}.tar.gz", wrong) if wrong is not None else place.remove(f"releases/{id}.tar.gz")
        with pytest.raises(LoungeError) as told:
            two.shared.pull()
        assert told.value.code == "release.damaged"
        assert two.now == former
        assert not list(two.path.glob(".copying-*"))
    place.put(f"releases/{id}.tar.gz", right)
    two.shared.pull()
    assert two.now == id


def test_pruned_releases_leave_the_shared_place(copies, place):
    one, _ = copies
    for number in (1, 2, 3, 4):
        one.make(number)
    prune(one.path, 2, shared=one.shared)
    assert sorted(found.name for found in place.names("releases")) == [
        "releases/0003-aaaaaaaaaaaa.tar.gz", "releases/0004-aaaaaaaaaaaa.tar.gz", "releases/pointer.json",
    ]  # fmt: skip


@pytest.mark.parametrize("fault", ["before", "after", "answer"])
def test_a_publication_that_fails_leaves_the_former_release_or_the_new_one(tmp_path, fault):
    seen = set()
    for number in range(1, 4):
        place = FolderObjects(tmp_path / f"place{number}")
        (tmp_path / str(number)).mkdir()
        one, two = Copy(tmp_path / str(number) / "one", place), Copy(tmp_path / str(number) / "two", place)
        former = one.make(1)
        at = len(one.faulty.calls) + number
        setattr(one.faulty, "before" if fault == "before" else "after", (lost if fault == "answer" else killed)(at))
        with pytest.raises((Killed, CustodyError)) if fault != "answer" or number < 3 else pytest.raises(CustodyError):
            one.make(2)
        same = Copy(tmp_path / str(number) / "one", place)
        same.shared.pull()
        two.shared.pull()
        assert same.now == two.now
        assert same.now in (former, "0002-aaaaaaaaaaaa")
        assert verify(current(same.path)) == [] == verify(current(two.path))
        seen.add(same.now)
        same.make(int(same.now[:4]) + 1, "c")
        two.shared.pull()
        assert two.now == same.now
    assert former in seen
