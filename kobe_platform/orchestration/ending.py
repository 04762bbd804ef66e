"""Ending by INT or TERM: a run stops at once where it can, and within seconds where a library does not listen."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_SECONDS = 8.0
"""How long a computation that heeds no signal may go on; whatever it leaves is what a kill leaves, and heals."""


@contextmanager
def ending_soon() -> Iterator[None]:
    """Within this context INT and TERM end the process within :data:`GRACE_SECONDS`, with exit code 128 + signal."""

    def end(number: int, _frame: object) -> None:
        sys.stderr.write("ending …; the next `kobe run` goes on from here\n")
        timer = threading.Timer(GRACE_SECONDS, os._exit, (128 + number,))
        timer.daemon = True
        timer.start()
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, signal.SIG_IGN)
        raise Ended(number)

    former = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Ended as ended:
        sys.stderr.flush()
        os._exit(128 + ended.number)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Ended(BaseException):
    """A signal asked this process to end; no step's ``except Exception`` catches it.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
