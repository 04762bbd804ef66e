"""A kill at any durable step, and a disk that fills up at any, leave the former state or the new one, and no alarm."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.errors import CustodyError, LakeError
from kobe_platform.lake.maintenance import destroy
from tests.faults import full_at
from tests.killing import LAKE, RAW, create, expire, open_home, rotate, write

PROJECT = Path(__file__).resolve().parents[3]


def rows(number: int) -> pl.DataFrame:
    return pl.DataFrame({"person": [number] * 500})


@pytest.fixture
def tmp_path(tmp_path) -> Iterator[Path]:
    """In memory where the machine lets us: the steps are what matters here, not how long a disk takes for them."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="kobe-test-") as folder:
        yield Path(folder)


@pytest.fixture
def base(tmp_path) -> Path:
    home = tmp_path / "base"
    create(home)
    store = open_home(home)
    store.write(RAW, rows(0))
    store.write(LAKE, rows(0))
    store.write(LAKE, rows(1))
    return home


def asides(home: Path) -> list[str]:
    """Files that a kill left half-way: they could hold wrapped keys."""
    return [str(path.relative_to(home)) for path in home.rglob(".*.new") if path.parent.name != "log"]


def newest(store) -> int:
    """The highest version of any key."""
    return max(int(record.key_id.split("#")[1]) for record in store.keys.versions())


def homes_killed(action: str, base: Path, out: Path) -> list[Path]:
    """The home after each kill."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", action, str(base), str(out)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [out / str(number) for number in range(1, int(done.stdout) + 1)]


def person(store) -> int:
    return store.read(LAKE)["person"].unique().item()


@pytest.mark.slow
def test_a_writer_killed_at_any_step_leaves_the_former_generation_or_the_new_one(base, tmp_path):
    homes = homes_killed("write", base, tmp_path / "out")
    assert len(homes) > 25
    seen = []
    for home in homes:
        store = open_home(home)
        generation = store.current(LAKE).generation
        assert f'"commit","purpose":"data/lake/register","key":"","object":"28100/{LAKE}/{generation}"' in (
            (home / "log" / "key_use.jsonl").read_text()
        ), "no generation is ever in force without its entry in the log"
        seen.append(person(store))
        assert [part.generation for part in store.history(LAKE)][-1] == store.current(LAKE).generation
        assert store.keys.log.verify().sound and store.verify().faults == ()
        store.write(LAKE, rows(3))
        assert person(store) == 3
        folder = store.root / "lake" / "register" / "2025-07"
        assert sorted(path.name for path in folder.iterdir() if path.is_dir())[-2:] == [
            f"g{part.generation:06d}" for part in store.history(LAKE)
        ]
        assert not list(folder.glob(".g*")) and not (folder / "head.next").exists()
    assert seen == sorted(seen) and set(seen) == {1, 2}, "the switch is one step"


@pytest.mark.slow
def test_a_rotation_killed_at_any_step_is_gone_on_with_while_readers_read(base, tmp_path):
    homes = homes_killed("rotate", base, tmp_path / "out")
    assert len(homes) > 40
    for home in homes:
        store = open_home(home)
        assert person(store) == 1 and store.read(RAW)["person"][0] == 0
        before = [path.read_bytes() for path in sorted(store.root.rglob("data.parquet"))]
        pending, former = store.keys.pending(), newest(store)
        rotate(home)
        versions = {record.key_id: record.state for record in store.keys.versions()}
        assert newest(store) == (former if pending else former + 1), "an interrupted rotation does not begin another"
        in_use = {part.key.key_id for id in store.ids() for part in store.history(id)}
        assert {versions[key] for key in in_use} == {"active"}
        assert [path.read_bytes() for path in sorted(store.root.rglob("data.parquet"))] == before
        assert store.verify().faults == () and store.keys.log.verify().sound
        assert asides(home) == []


def test_a_destruction_killed_at_any_step_is_gone_on_with(base, tmp_path):
    homes = homes_killed("expire", base, tmp_path / "out")
    assert len(homes) > 10
    for home in homes:
        store = open_home(home)
        assert person(store) == 1
        expire(home)
        with pytest.raises(LakeError) as refusal:
            store.read(RAW)
        assert refusal.value.code == "lake.destroyed"
        assert not store.data_file(store.current(RAW)).exists()
        assert store.verify().faults == () and store.keys.log.verify().sound
        assert asides(home) == []


def test_a_first_installation_killed_at_any_step_can_be_made_again(tmp_path):
    (tmp_path / "empty").mkdir()
    homes = homes_killed("create", tmp_path / "empty", tmp_path / "out")
    assert len(homes) > 10
    for home in homes:
        try:
            create(home)
        except CustodyError as refusal:
            assert refusal.code == "custody.exists"
        open_home(home).write(LAKE, rows(1))


@pytest.mark.slow
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("action", [write, rotate, expire])
def test_a_disk_that_is_full_at_any_step_leaves_the_former_state_or_the_new_one(base, tmp_path, action, for_good):
    for number in range(1, 400):
        home = tmp_path / f"full-{number}"
        shutil.copytree(base, home)
        refused = None
        with full_at(number, for_good=for_good) as steps:
            try:
                action(home)
            except CustodyError as error:
                refused = error
        store = open_home(home)
        assert store.keys.log.verify().sound
        assert store.verify().faults == () or action is expire
        assert person(store) in ((1,) if action is not write else (1, 2))
        if steps.count < number:
            break
        if refused is not None:
            assert refused.code == "custody.disk_full", number
            assert refused.__cause__ is None
            action(home)
        assert store.verify().faults == ()
        assert person(store) == (2 if action is write else 1)
        shutil.rmtree(home)
    else:
        raise AssertionError("the action never got through")
    assert number > 15


SMALL_DISK = """
import os, subprocess, sys
from pathlib import Path
import polars as pl
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", sys.argv[1]], check=True)
from kobe_platform.errors import CustodyError
from tests.killing import LAKE, create, open_home
home = Path(sys.argv[1])
create(home)
store = open_home(home)
store.write(LAKE, pl.DataFrame({"person": [1] * 500}))
noise = pl.DataFrame({"person": [int.from_bytes(os.urandom(7)) for _ in range(100_000)]})
for frame in (noise, noise.lazy()):
    try:
        store.write(LAKE, frame)
    except CustodyError as error:
        print(error.code)
print(store.read(LAKE)["person"].unique().item(), len(store.verify().faults), store.keys.log.verify().sound)
store.write(LAKE, pl.DataFrame({"person": [2] * 500}))
print(store.read(LAKE)["person"].unique().item())
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare for a file system of its own")
def test_a_data_file_that_fills_a_real_disk_leaves_the_former_generation(tmp_path):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a file system of his own")
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", SMALL_DISK, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["custody.disk_full"] * 2 + ["1 0 True", "2"], done.stderr[-2000:]


def test_a_full_disk_a_missing_file_and_a_missing_right_are_told_apart_from_tampering(base, monkeypatch):
    store = open_home(base)
    path = store.data_file(store.current(LAKE))
    codes = {errno.EACCES: "custody.permission", errno.EIO: "custody.io", errno.ENOENT: "custody.absent"}
    for number, code in codes.items():

        def failing(self, *arguments, number=number, original=Path.open, **options):
            if self == path:
                raise OSError(number, os.strerror(number), str(self))
            return original(self, *arguments, **options)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", failing)
            with pytest.raises(CustodyError) as refusal:
                store.read(LAKE)
        assert refusal.value.code == code
        assert str(base) not in str(refusal.value)


def test_a_reader_goes_on_when_newer_commits_take_its_generation_away(base, monkeypatch):
    store, other = open_home(base), open_home(base)
    calls = []

    def slow(partition, build, original=store.collected):
        if not calls:
            calls.append(1)
            other.write(LAKE, rows(5))
            other.write(LAKE, rows(6))
        return original(partition, build)

    monkeypatch.setattr(store, "collected", slow)
    assert person(store) == 6


def test_destroying_twice_records_once(base):
    store = open_home(base)
    destroy(store, store.current(RAW))
    entries = store.keys.log.verify().entries
    destroy(store, store.current(RAW))
    assert store.keys.log.verify().entries == entries
