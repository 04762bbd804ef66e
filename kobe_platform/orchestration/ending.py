"""Ends a process on INT or TERM: at once where a run can stop, within seconds where a library does not listen."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE_SECONDS = 8.0
"""How long a computation that heeds no signal may go on; whatever it leaves is what a kill leaves, and heals."""
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_soon() -> Iterator[None]:
    """Within this context INT and TERM end the process within :data:`GRACE_SECONDS`, with exit code 128 + signal.

    Dagster puts handlers of its own in place while it executes a run, so a thread listens, too: the system also
    reports the signal to it, and it ends the process after the grace period.
    """
    asked: list[int] = []
    raised: list[int] = []
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    former_writer = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_later, args=(reader, asked), daemon=True).start()

    def end(number: int, _frame: object) -> None:
        for again in _ENDINGS:
            signal.signal(again, signal.SIG_IGN)
        raised.append(number)
        raise Ended

    former = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    except BaseException as error:
        # Also an error that a library made of what the signal raised within it, as a class body of Python 3.11 does.
        if not raised and not asked and not isinstance(error, KeyboardInterrupt):
            raise
        sys.stderr.flush()
        os._exit(128 + next(iter(raised or asked), signal.SIGINT))
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(former_writer)
        os.close(writer)


def _end_later(reader: int, asked: list[int]) -> None:
    """Wait for INT or TERM, say so, and end the process when it has not ended by itself."""
    while told := os.read(reader, 1):
        if told[0] in _ENDINGS:
            asked.append(told[0])
            sys.stderr.write("ending …; the next `kobe run` goes on from here\n")
            time.sleep(GRACE_SECONDS)
            os._exit(128 + told[0])
    os.close(reader)


class Ended(BaseException):
    """A signal asked this process to end; no step's ``except Exception`` catches it."""
