"""Works the bodies of pages out in several processes at once, where there is enough to do for them.

Pages know nothing of each other, so it does not matter which process works one out, nor when. A further process is told
the folder of the published tables and that of the finished bodies when it starts; pages come to it and bodies go back
through a pipe. It opens no key, writes no file but the slices of a body in the making, and ends with this process.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from kobe_platform.errors import LoungeError
from kobe_platform.lifeline import end_with
from kobe_platform.lounge.bodies import Bodies, CompiledBody
from kobe_platform.lounge.compile import CompiledPage, Making, make_body
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import Page
from kobe_platform.settings import Settings

WORTH_SECONDS = 6.0
"""Work of so many seconds must be left for each further process: its start and its tables take one to two of them."""
_LOOKED_AT = 1
"""Pages after which what is left is estimated: rather too high, as the first ones load tables that many share.

Until a further process stands, this one leaves a third of two processors idle."""
MEMORY = 1 << 30
"""Bytes that a further process may come to: its libraries, the tables that its pages read, one page's matrices."""
LEAST_SHARE = 0.8
"""Processor seconds a second that this process must get with two threads: where others leave it less, one more process
would only share it."""
_THREADS = 2
_LOOK_SECONDS = 0.5
"""How often the waiting thread looks up: where a library handles a signal, it would go on sleeping."""


def most_processes() -> int:
    """How many processes may work on pages: as the setting says, else by processors and free memory."""
    if multiprocessing.current_process().daemon:
        return 1  # whose kind may start no others
    told = Settings().page_processes
    return told or max(1, min(_processors(), 1 + _free_memory() // MEMORY))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free_memory(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that the machine has left, and a container where it is bounded; none where nobody says."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError):
        return 0
    with suppress(OSError, ValueError):  # ValueError: max, no bound
        free = min(free, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(0, free)


class Makers:
    """Who works on the pages of a site: this process with two threads, then one thread and further processes.

    A further process begins with the last pages and works backwards, so that pages which stand beside each other and
    read the same tables mostly have them loaded in one process only.
    """

    def __init__(self, tables: ReleaseDatabase, bodies: Bodies | None, most: int | None = None) -> None:
        """Take no further process yet.

        Args:
            bodies: where finished bodies are kept; without them, and with tables that remember results for an author,
                everything is worked out in this process.
            most: processes, this one included; :func:`most_processes` by default.
        """
        self._tables, self._bodies = tables, bodies
        shared = bodies is not None and not tables.keeps
        self._most = (most_processes() if most is None else most) if shared else 1
        self._further: list[_Process] = []
        self._asked = self._ended = False
        self._lock = threading.Lock()

    def compile(self, pages: Sequence[Page], compiled: Callable[[Page, Making], CompiledPage]) -> list[CompiledPage]:
        """Each page compiled, in order.

        Args:
            compiled: compiles a page, whose body is worked out by what it is given.

        Raises:
            LoungeError: of the first page, in order, that does not compile, or ``site.process``: a further process was
                ended from outside.
        """
        turns, lanes = _Turns(len(pages)), list[Future[None]]()

        def lane(further: bool) -> None:
            process = self._begin() if further else None
            while (index := turns.take(last=process is not None)) is not None:
                try:
                    turns.done(index, compiled(pages[index], process.make if process else make_body))
                except _Lost:
                    turns.failed(_EVERYTHING, _lost())
                except Exception as error:
                    turns.failed(index, error)
                if wanted := 0 if further else self._wanted(turns):
                    lanes.extend(threads.submit(lane, True) for _ in range(wanted))
                    return  # in this process the other thread goes on alone: Python runs one at a time

        with ThreadPoolExecutor(_THREADS + self._most) as threads:
            lanes += [threads.submit(lane, False) for _ in range(_THREADS)]
            try:
                while waiting := [one for one in lanes if not one.done()]:  # further ones come in meanwhile
                    wait(waiting, timeout=_LOOK_SECONDS)
            finally:
                turns.stop()
                self._end()
        return turns.results()

    def _wanted(self, turns: _Turns) -> int:
        """Further processes that are worth their start now; not 0 once only."""
        with self._lock:
            if self._asked or self._most < 2 or turns.finished < _LOOKED_AT:
                return 0
            if turns.share() < LEAST_SHARE:
                return 0
            wanted = min(self._most - 1, int(turns.seconds_left() / WORTH_SECONDS))
            self._asked = wanted > 0
            return wanted

    def _begin(self) -> _Process | None:
        """A further process that is ready; None where it does not come up, so that this one works on alone."""
        assert self._bodies is not None
        with self._lock:
            if self._ended:
                return None
            process = _Process(self._tables, self._bodies)
            self._further.append(process)
        return process if process.is_ready() else None

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            further = self._further
        for process in further:
            process.end()


_EVERYTHING = -1
"""Place of a failure that is no page's own."""


class _Turns:
    """Who takes which page, what became of it, and how long the rest may take; for several threads."""

    def __init__(self, pages: int) -> None:
        self._left, self._lock = deque(range(pages)), threading.Lock()
        self._results: dict[int, CompiledPage] = {}
        self._failures: dict[int, Exception] = {}
        self._began, self._spent = time.monotonic(), time.process_time()

    def take(self, *, last: bool) -> int | None:
        """The first page that nobody took, or the last one; none after a page that failed."""
        with self._lock:
            first_failed = min(self._failures, default=len(self._left) + len(self._results))
            while self._failures and self._left and self._left[-1] > first_failed:
                self._left.pop()
            if not self._left:
                return None
            return self._left.pop() if last else self._left.popleft()

    def done(self, index: int, page: CompiledPage) -> None:
        with self._lock:
            self._results[index] = page

    def failed(self, index: int, error: Exception) -> None:
        with self._lock:
            self._failures[index] = error

    def stop(self) -> None:
        """Let nobody take any further page."""
        with self._lock:
            self._left.clear()

    @property
    def finished(self) -> int:
        """How many pages are compiled."""
        return len(self._results)

    def seconds_left(self) -> float:
        """How long the pages that nobody took would take at the pace so far."""
        with self._lock:
            return len(self._left) * (time.monotonic() - self._began) / max(1, len(self._results))

    def share(self) -> float:
        """Processor seconds of this process in each second so far."""
        return (time.process_time() - self._spent) / max(1e-9, time.monotonic() - self._began)

    def results(self) -> list[CompiledPage]:
        """The pages in order, or the failure of the first one that failed."""
        if self._failures:
            raise self._failures[min(self._failures)]
        return [page for _, page in sorted(self._results.items())]


class _Lost(Exception):
    """A further process ended while it was working."""


def _lost() -> LoungeError:
    return LoungeError(
        "a further process that worked on pages was ended from outside",
        code="site.process",
        remedy="look into the machine's log (memory?) and run it again; KOBE_PAGE_PROCESSES=1 needs one process",
        ja="ページを作成する処理が外から止められました",
    )


class _Process:
    """A further process, as this one sees it: for one thread, but for :meth:`end`."""

    def __init__(self, tables: ReleaseDatabase, bodies: Bodies) -> None:
        apart = multiprocessing.get_context("spawn")  # a fork would copy the locks of Polars' and DuckDB's threads
        self._here, there = apart.Pipe()
        given = (there, os.getpid(), tables.directory, tables.seconds, bodies.folder)
        self._process = apart.Process(target=_serve, args=given, name="pages", daemon=True)
        self._process.start()
        there.close()

    def is_ready(self) -> bool:
        """Wait until it has its libraries and has opened the tables; not where it ended before."""
        try:
            return self._here.recv() is None
        except (EOFError, OSError):
            return False

    def make(
        self, page: Page, tables: ReleaseDatabase, inserts: Mapping[str, str], bodies: Bodies, key: str
    ) -> CompiledBody:
        """Work a body out over there; see :func:`kobe_platform.lounge.compile.make_body`.

        Raises:
            _Lost: the process ended meanwhile.
        """
        try:
            self._here.send((page, dict(inserts), key))
            made = self._here.recv()
        except (EOFError, OSError):
            raise _Lost from None
        if isinstance(made, Exception):
            raise made
        return made

    def end(self) -> None:
        """End it at once, whatever it does: what it was making has a name of its own, and is swept away."""
        self._process.kill()
        self._process.join()


def _serve(asked: Connection, parent: int, directory: Path, seconds: float, folder: Path) -> None:
    """What a further process does: one body after another, until it is ended."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the process that began it decides
    bodies = Bodies(folder)
    gc.freeze()  # what was imported stays: nobody need look through it for garbage
    with ReleaseDatabase(directory, seconds=seconds) as tables:
        asked.send(None)
        while True:
            page, inserts, key = asked.recv()
            asked.send(_made(page, tables, inserts, bodies, key))


def _made(
    page: Page, tables: ReleaseDatabase, inserts: Mapping[str, str], bodies: Bodies, key: str
) -> CompiledBody | Exception:
    """A body, or what went wrong: it is raised where the page was asked for, as if it had happened there."""
    try:
        return make_body(page, tables, inserts, bodies, key)
    except Exception as error:
        return error
