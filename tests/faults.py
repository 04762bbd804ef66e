"""Faults at every durable step: a process killed before its n-th one, a disk that fills up at its n-th one."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

STEPS = ("write", "fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "ftruncate")
"""Functions of ``os`` by which Python changes what lies on a disk."""
GROWING = ("write", "mkdir")


@dataclass
class Steps:
    """How many steps there were."""

    count: int = 0


@contextmanager
def before_each_step(act: Callable[[str, int], None]) -> Iterator[Steps]:
    """Call ``act(step, number)`` before every step of this process, from 1 on; what it raises, the step raises."""
    originals = {step: getattr(os, step) for step in STEPS}
    taken = Steps()

    def interposed(step: str) -> Callable:
        def call(*arguments, **options):
            taken.count += 1
            act(step, taken.count)
            return originals[step](*arguments, **options)

        return call

    for step in STEPS:
        setattr(os, step, interposed(step))
    try:
        yield taken
    finally:
        for step, original in originals.items():
            setattr(os, step, original)


def killed_before(number: int):
    """The process dies, as by ``kill -9``, before its step ``number``."""

    def act(_: str, count: int) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return before_each_step(act)


def full_at(number: int, *, for_good: bool):
    """Step ``number`` finds the disk full; ``for_good``, everything after it that needs room does too."""

    def act(step: str, count: int) -> None:
        if count == number or (for_good and count > number and step in GROWING):
            raise OSError(errno.ENOSPC, "made up")

    return before_each_step(act)


def kill_everywhere(action: Callable[[int], None], before: Callable[[int], object], most: int = 500) -> int:
    """Run ``action(n)`` in a forked process that dies before its n-th step, for n = 1, 2 … until it gets through.

    ``before(n)`` runs first, in this process, and prepares what the action works on.

    To be called where Polars has not computed anything yet: its threads do not survive a fork.

    Returns:
        how many were killed.
    """
    for number in range(1, most):
        before(number)
        child = os.fork()
        if not child:
            try:
                with killed_before(number):
                    action(number)
                os._exit(0)
            finally:
                os._exit(3)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"the action failed before step {number}")
            return number - 1
    raise SystemExit("the action does not end")
