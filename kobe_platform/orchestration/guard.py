"""Ends a group of processes when the process that started them is gone; runs as a file with the standard library only.

``python guard.py FOLDER`` leads a process group. When its standard input ends (the supervisor closed it, or was killed)
it asks all others of the group to end, waits, kills what is left and takes the folder of their sockets away. Only a
process of the group itself can do this after ``kill -9``: the code server starts servers and runs of its own, which no
death signal of the supervisor reaches.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 4.0
"""Seconds between asking and killing."""


def members(group: int) -> list[int]:
    """Processes of a group that are alive (a zombie is not), by ``/proc``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _parent, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:  # it has ended meanwhile
                continue
            if int(its_group) == group and state not in "ZX":
                found.append(int(entry.name))
    return found


def others(group: int) -> bool:
    """Whether anybody but this process is left in the group; assumed where there is no ``/proc``."""
    return members(group) != [os.getpid()] if Path("/proc/self/stat").exists() else True


def main(folder: str) -> None:
    """Wait for the end of standard input, then end the group."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    group = os.getpid()
    if os.getpgrp() != group:
        sys.exit("the guard must lead its own process group")
    sys.stdin.buffer.read()
    os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while others(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not Path("/proc/self/stat").exists():
        shutil.rmtree(folder, ignore_errors=True)
        os.killpg(group, signal.SIGKILL)  # this process too
    while left := [number for number in members(group) if number != group]:
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)  # when nobody writes into it any more


if __name__ == "__main__":
    main(sys.argv[1])
