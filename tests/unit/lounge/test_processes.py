"""Pages worked out in several processes are the same ones; errors, signals and kills are as in one."""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import processes
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.compile import make_body
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.processes import Makers, most_processes
from kobe_platform.lounge.site import compile_pages, garbage_of_its_own
from tests.unit.lounge.test_bodies import BODY, written

SLOW = """
```sql slow
SELECT max(a.value + b.value + c.value) AS 最大
FROM population_district a CROSS JOIN population_district b CROSS JOIN population_district c
```

<BigValue data={slow} value=最大 title="最大" fmt=人/>
"""


@pytest.fixture
def at_once(monkeypatch):
    """A further process is begun after the first page, however little there is to do; gives the pages they made."""
    monkeypatch.setattr(processes, "WORTH_SECONDS", 0.0001)
    monkeypatch.setattr(processes, "_LOOKED_AT", 1)
    monkeypatch.setattr(processes, "LEAST_SHARE", 0.0)
    made: list[str] = []
    make = processes._Process.make

    def noted(self, page, *given):
        made.append(page.file)
        return make(self, page, *given)

    monkeypatch.setattr(processes._Process, "make", noted)
    return made


@pytest.fixture
def in_company(monkeypatch, at_once):
    """This process goes on with its third page when a further one has taken its first."""
    begun: list[str] = []

    def waiting(page, *given):
        begun.append(page.file)
        until = time.monotonic() + 60
        while len(begun) > 2 and not at_once and time.monotonic() < until:
            time.sleep(0.02)
        return make_body(page, *given)

    monkeypatch.setattr(processes, "make_body", waiting)
    return at_once


def folder_of(write_page, bodies: dict[str, str]) -> Path:
    for slug, body in bodies.items():
        folder = write_page(body, slug=slug, title=slug)
    return folder


def many(count: int = 12) -> dict[str, str]:
    return {f"page_{number:02d}": f"{BODY}\n{number} 番目。\n" for number in range(count)}


def compiled(folder: Path, tables: Path, out: Path, most: int, monkeypatch) -> list:
    monkeypatch.setattr(processes, "most_processes", lambda: most)
    with ReleaseDatabase(tables) as database:
        return compile_pages(
            list(load_pages(folder).values()), database, out / "work", out / "data",
            basis="register", inserts={}, bodies=Bodies(out / "bodies"),
        )  # fmt: skip


def no_children() -> bool:
    """Whether this process has no further process of pages left; other tests may have servers of their own in it."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [pid for task in tasks for pid in task.read_text().split()]
    return not [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_several_processes_write_the_same_bytes_as_one(write_page, tables, tmp_path, in_company, monkeypatch):
    folder = folder_of(write_page, many())
    several = compiled(folder, tables, tmp_path / "several", 3, monkeypatch)
    assert in_company, "no further process made anything"
    in_company[:] = ["none"]
    one = compiled(folder, tables, tmp_path / "one", 1, monkeypatch)
    assert in_company == ["none"]
    assert several == one
    assert written(None, tmp_path / "several") == written(None, tmp_path / "one")
    assert no_children()


def test_few_pages_or_a_busy_machine_begin_no_process(write_page, tables, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(processes, "_Process", lambda *given: begun.append(given))
    folder = folder_of(write_page, many(8))
    compiled(folder, tables, tmp_path / "few", 2, monkeypatch)
    monkeypatch.setattr(processes, "WORTH_SECONDS", 0.0001)
    monkeypatch.setattr(processes, "LEAST_SHARE", 1000.0)
    compiled(folder, tables, tmp_path / "busy", 2, monkeypatch)
    assert begun == []


def test_a_further_process_starts_without_what_counts_and_protects():
    heavy = ("scipy", "kobe_platform.disclosure", "kobe_platform.contracts", "kobe_platform.statistics.definition")
    told = f"import sys, kobe_platform.lounge.processes; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_author_keeps_every_result_in_one_process(write_page, tables, tmp_path, at_once):
    with ReleaseDatabase(tables, keep=True) as database:
        assert Makers(database, Bodies(tmp_path), 4)._most == 1
    with ReleaseDatabase(tables) as database:
        assert Makers(database, None, 4)._most == 1
        assert Makers(database, Bodies(tmp_path), 4)._most == 4


def test_the_first_page_that_fails_is_told_with_its_place(write_page, tables, tmp_path, in_company, monkeypatch):
    pages = many(12)
    for slug in ("page_03", "page_10", "page_11"):
        pages[slug] = pages[slug].replace("SELECT period, area", "SELECT period, aria", 1)
    folder = folder_of(write_page, pages)
    told = []
    for most in (3, 1):
        with pytest.raises(LoungeError) as caught:
            compiled(folder, tables, tmp_path / str(most), most, monkeypatch)
        told.append(caught.value.as_record())
    assert "page_11.md" in in_company, "the last page is the first that a further process takes"
    assert told[0] == told[1]
    assert told[0]["at"]["file"] == "page_03.md" and told[0]["at"]["line"] == 13
    assert no_children()


def test_a_further_process_that_is_killed_is_told_and_leaves_nothing_half_made(write_page, tables, tmp_path):
    folder = folder_of(write_page, {"people": SLOW})
    with ReleaseDatabase(tables) as database:
        bodies = Bodies(tmp_path / "bodies")
        further = processes._Process(database, bodies)
        assert further.is_ready()
        threading.Timer(1.0, os.kill, (further._process.pid, signal.SIGKILL)).start()
        with pytest.raises(processes._Lost):
            further.make(load_pages(folder)["people"], database, {}, bodies, "k" * 32)
    assert [path.name[0] for path in bodies.folder.iterdir()] == ["."]
    bodies.drop_unused()
    assert list(bodies.folder.iterdir()) == []


def test_a_killed_process_ends_the_whole_with_an_error_of_its_own(
    write_page, tables, tmp_path, in_company, monkeypatch
):
    make = processes._Process.make

    def killed(self, *given):
        self._process.kill()
        return make(self, *given)

    monkeypatch.setattr(processes._Process, "make", killed)
    with pytest.raises(LoungeError) as caught:
        compiled(folder_of(write_page, many()), tables, tmp_path, 2, monkeypatch)
    assert caught.value.code == "site.process" and "KOBE_PAGE_PROCESSES=1" in caught.value.remedy


def test_a_process_that_does_not_come_up_costs_nothing_but_time(write_page, tables, tmp_path, at_once, monkeypatch):
    begin, begun = processes._Process.__init__, []

    def stillborn(self, *given):
        begin(self, *given)
        begun.append(self._process.pid)
        self._process.kill()

    monkeypatch.setattr(processes._Process, "__init__", stillborn)
    assert len(compiled(folder_of(write_page, many(6)), tables, tmp_path, 2, monkeypatch)) == 7
    assert begun and at_once == []


def test_a_full_disk_over_there_is_a_full_disk_here(write_page, tables, tmp_path):
    # A file may not grow here: what the system then says is told like a full disk (custody.disk_full).
    page = load_pages(folder_of(write_page, {"people": BODY}))["people"]
    with ReleaseDatabase(tables) as database:
        bodies, former = Bodies(tmp_path / "bodies"), resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
        try:
            further = processes._Process(database, bodies)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
        try:
            assert further.is_ready()
            with pytest.raises(OSError) as caught:
                further.make(page, database, {}, bodies, "k" * 32)
        finally:
            further.end()
    assert caught.value.errno == errno.EFBIG
    assert list(bodies.folder.iterdir()) == []


_BUILD = """
import sys
from pathlib import Path
from kobe_platform.lounge import processes
from kobe_platform.lounge.bodies import Bodies
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.site import compile_pages

def wait(page, *given):
    # This process is busy with a page while another one works on a query without end.
    import time
    time.sleep(2)
    return processes_make(page, *given)

if __name__ == "__main__":
    processes_make, processes.make_body = processes.make_body, wait
    processes.WORTH_SECONDS, processes._LOOKED_AT, processes.LEAST_SHARE = 0.001, 1, 0.0
    processes.most_processes = lambda: 2
    folder, tables, out = map(Path, sys.argv[1:4])
    pages = list(load_pages(folder).values())
    with ReleaseDatabase(tables) as database:
        kept = Bodies(out / "b")
        compile_pages(pages, database, out / "work", out / "data", basis="register", inserts={}, bodies=kept)
"""


def _lasting(bodies: Path) -> set[str]:
    """Bodies that have been in the making for a second: the one that waits for the query without end."""
    before = {path.name for path in bodies.glob(".*")}
    time.sleep(1)
    return before & {path.name for path in bodies.glob(".*")}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_further_processes_end_within_seconds_with_the_one_that_began_them(with_signal, write_page, tables, tmp_path):
    pages = {**many(40), "page_99": SLOW}
    folder, script = folder_of(write_page, pages), tmp_path / "build.py"
    script.write_text(_BUILD)
    (tmp_path / "out").mkdir()
    build = subprocess.Popen([sys.executable, script, folder, tables, tmp_path / "out"], stderr=subprocess.PIPE)
    further, until = set[int](), time.monotonic() + 120
    while time.monotonic() < until and len(further) < 2:  # the further process, and what watches over shared things
        time.sleep(0.1)
        for task in Path(f"/proc/{build.pid}/task").glob("*/children"):
            further |= {int(pid) for pid in task.read_text().split()}
    assert len(further) == 2, "no further process was begun"
    while time.monotonic() < until and not _lasting(tmp_path / "out" / "b"):
        pass
    build.send_signal(with_signal)
    build.communicate(timeout=30)
    assert build.returncode != 0
    until = time.monotonic() + 5
    while time.monotonic() < until and any(Path(f"/proc/{pid}").exists() for pid in further):
        time.sleep(0.1)
    assert not [pid for pid in further if Path(f"/proc/{pid}").exists()]


def test_how_many_processes_there_are_is_a_setting_or_follows_from_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_processors", lambda: 8)
    monkeypatch.setattr(processes, "_free_memory", lambda: 5 * processes.MEMORY // 2)
    assert most_processes() == 3
    monkeypatch.setattr(processes, "_free_memory", lambda: 0)
    assert most_processes() == 1
    monkeypatch.setenv("KOBE_PAGE_PROCESSES", "5")
    assert most_processes() == 5


def test_free_memory_is_that_of_the_machine_or_of_the_container(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9 kB\nMemAvailable:    4096 kB\n")

    def told() -> int:
        return processes._free_memory(meminfo, tmp_path)

    assert told() == 4 << 20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert told() == 4 << 20
    (tmp_path / "memory.max").write_text("3000\n")
    assert told() == 2000
    (tmp_path / "memory.max").write_text("10\n")
    assert told() == 0
    meminfo.unlink()
    assert told() == 0


def test_garbage_is_looked_for_among_what_a_site_makes_and_not_among_what_was_there():
    gc.unfreeze()  # what an earlier test of this process has set aside
    with garbage_of_its_own():
        with garbage_of_its_own():
            assert gc.get_freeze_count() > 0
        assert gc.get_freeze_count() > 0, "whoever sets objects aside brings them back"
    assert gc.get_freeze_count() == 0
