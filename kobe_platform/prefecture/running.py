"""Runs one command for many municipalities, each in a process of its own; one that fails stops no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kobe_platform import lifeline
from kobe_platform.errors import ConfigurationError

MODULE = "kobe_platform.cli"
LIFELINE = Path(lifeline.__file__)
"""Ends a child with its parent, however that died."""
_STOPPING_SECONDS = 15.0
_LOOK_SECONDS = 1.0
_WRONG_SETTINGS = 2
"""Exit code of any command where settings are wrong."""
_NOT_STARTED = 127
"""What a shell gives for a command that could not be started."""


@dataclass(frozen=True)
class Task:
    """A command for one municipality.

    Attributes:
        code, name: of the municipality. arguments: of ``kobe``. environment: of its process. size: rough measure of
            its work, by which the order goes. holds: open files that its process keeps open as long as it lives, too.
    """

    code: str
    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    size: int = 0
    holds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a municipality's process ended.

    Attributes:
        exit_code: of the process; negative where a signal ended it.
        report: the JSON that it printed; empty where it printed none.
        error: the last line of its errors: a code, coordinates and a remedy, never a value.
    """

    code: str
    name: str
    exit_code: int
    report: Mapping[str, Any] = field(repr=False)
    error: str
    seconds: float

    @property
    def done(self) -> bool:
        """Whether nothing is left of it."""
        return self.exit_code == 0


def not_begun(code: str, name: str, error: ConfigurationError) -> Ending:
    """The ending of a municipality whose own settings keep it from being run; it stops no other."""
    return Ending(code, name, _WRONG_SETTINGS, {}, str(error), 0.0)


def run_all(
    tasks: Sequence[Task], workers: int, told: Callable[[Ending], None], stop: threading.Event | None = None
) -> list[Ending]:
    """Run every task, so many at a time; in the order in which they ended.

    One worker takes the smallest first. Of several, one takes the largest first and the others the smallest, so that
    no small municipality waits behind a large one and the largest does not begin last.

    Args:
        told: called for each as it ends, one at a time.
        stop: where it is set, the processes that are under way are ended, and no other is begun.

    An interruption ends the processes that are under way, then goes on as it came.
    """
    waiting = deque(sorted(tasks, key=lambda task: (task.size, task.code)))
    lock, endings = threading.Lock(), []
    processes: dict[str, subprocess.Popen] = {}
    stopped = stop or threading.Event()

    def work(takes_large: bool) -> None:
        while True:
            with lock:
                if stopped.is_set() or not waiting:
                    return
                task = waiting.pop() if takes_large else waiting.popleft()
                started = time.perf_counter()
                try:
                    process = processes[task.code] = _started(task)
                except OSError as error:
                    endings.append(Ending(task.code, task.name, _NOT_STARTED, {}, type(error).__name__, 0.0))
                    told(endings[-1])
                    continue
            ending = _ended(task, process, started, stopped)
            with lock:
                del processes[task.code]
                endings.append(ending)
                told(ending)

    count = max(1, min(workers, len(waiting)))
    threads = [threading.Thread(target=work, args=(count > 1 and number == 0,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        stopped.set()
        with lock:
            under_way = list(processes.values())
        for process in under_way:
            process.terminate()
        for thread in threads:
            thread.join(_STOPPING_SECONDS)
        raise
    return endings


def run_one(task: Task, told: str) -> Ending:
    """Run a task that reads ``told`` from its standard input, to its end."""
    started = time.perf_counter()
    process = _started(task, subprocess.PIPE)
    # Without a limit of time: what a limit leaves unsent, Python's ``communicate`` never sends (3.11).
    return _ending(task, process, started, process.communicate(told))


def _started(task: Task, given: int = subprocess.DEVNULL) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LIFELINE), str(os.getpid()), "-m", MODULE, *task.arguments],
        env=dict(task.environment),
        pass_fds=task.holds,
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _ended(task: Task, process: subprocess.Popen, started: float, stopped: threading.Event) -> Ending:
    return _ending(task, process, started, _output(process, stopped))


def _ending(task: Task, process: subprocess.Popen, started: float, printed: tuple[str, str]) -> Ending:
    output, errors = printed
    try:
        report = json.loads(output)
    except ValueError:
        report = {}
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    error = lines[-1] if lines and process.returncode and not report else ""
    seconds = time.perf_counter() - started
    kept = report if isinstance(report, dict) else {}
    return Ending(task.code, task.name, process.returncode, kept, error, seconds)


def _output(process: subprocess.Popen, stopped: threading.Event) -> tuple[str, str]:
    """What a process printed by its end; it is ended where ``stopped`` is set meanwhile."""
    while True:
        try:
            return process.communicate(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if not stopped.is_set():
                continue
        process.terminate()
        try:
            return process.communicate(timeout=_STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
