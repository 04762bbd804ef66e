"""Says how much processor time this process used between two moments, so that the steps of a run can be told apart."""

from __future__ import annotations

import threading
import time

import numpy as np

EVERY = 0.01
"""Seconds between two looks at the clocks."""


class ProcessorClock:
    """Looks at both clocks all the while, in a thread of its own; as a context manager."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self._moments: list[float] = []
        self._used: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessorClock:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()

    def used(self, start: float, end: float) -> float:
        """Processor seconds of all threads between two moments (seconds since 1970)."""
        before, after = np.interp([start, end], self._moments, self._used)
        return float(after - before)

    def _watch(self) -> None:
        while not self._end.wait(EVERY):
            self._look()

    def _look(self) -> None:
        self._moments.append(time.time())
        self._used.append(time.process_time())
