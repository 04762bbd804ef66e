"""Keeps a journal of the work as JSON lines: steps of runs with seconds and counts, red checks, ticks of sensors.

    log/work.jsonl, work.jsonl.1 … .7    the newest, and those before it; each some 4 MB

A line holds coordinates, codes and counts, as the metadata of the graph do, and nothing is decided by it: one that the
disk does not take is left out. Lines are whole, as each is one call of the system.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import PRIVATE_FILE, locked
from kobe_platform.errors import CustodyError

NAME = "work.jsonl"
LARGEST = 4_000_000
"""Bytes from which the next line begins a new file."""
KEPT = 7
"""Former files that stay."""
TICK_SECONDS = 60.0
"""A tick that asks for nothing is written at most so often for each sensor."""


class WorkJournal:
    """The journal of one installation, for any number of processes.

    Args:
        home: ``KOBE_HOME``.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "log" / NAME
        self._ticked: dict[str, float] = {}

    def tick(self, sensor: str, seconds: float, requests: int) -> None:
        """Write a sensor's tick, its seconds and how many runs it asked for."""
        now = time.monotonic()
        if requests or now - self._ticked.get(sensor, -TICK_SECONDS) >= TICK_SECONDS:
            self._ticked[sensor] = now
            self.write("tick", sensor=sensor, seconds=round(seconds, 3), requests=requests)

    def write(self, event: str, **told: object) -> None:
        """Add a line: ``time`` (UTC), ``event``, and coordinates, codes and counts."""
        record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **told}
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with contextlib.suppress(OSError, CustodyError):
            self._turned_over()
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, PRIVATE_FILE)
            try:
                os.write(handle, line)
            finally:
                os.close(handle)

    def lines(self, since: datetime) -> Iterator[Mapping[str, Any]]:
        """Lines from a moment on, of the newest file and the one before it; a torn one is left out."""
        moment = since.isoformat()
        for path in (self._former(1), self.path):
            try:
                if path.stat().st_mtime < since.timestamp():
                    continue
                written = path.read_bytes().split(b"\n")
            except OSError:
                continue
            for line in written:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    record = json.loads(line)
                    if record["time"] >= moment:
                        yield record

    def _former(self, number: int) -> Path:
        return self.path.with_name(f"{NAME}.{number}")

    def _turned_over(self) -> None:
        """Begin a new file where the present one is full."""
        if not self._is_full():
            return
        with locked(self.path.with_name("work.lock")):
            if self._is_full():
                for number in range(KEPT, 1, -1):
                    with contextlib.suppress(FileNotFoundError):
                        os.replace(self._former(number - 1), self._former(number))
                os.replace(self.path, self._former(1))

    def _is_full(self) -> bool:
        try:
            return self.path.stat().st_size >= LARGEST
        except FileNotFoundError:
            return False
