"""The process of a job: waits for its turn, has the question answered, and writes how far it is and how it ended."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kobe_platform.errors import PlatformError
from kobe_platform.ondemand.answers import UNANSWERABLE
from kobe_platform.ondemand.jobs import CANCELLED, DONE, FAILED, LONGEST, STARTING, WAITING, Job, JobOutcome, Jobs

if TYPE_CHECKING:
    from kobe_platform.ondemand.asking import Desk

POLL_SECONDS = 0.3
"""So often a job that waits looks whether its turn has come."""
GRACE_SECONDS = 60
"""So much longer than its limit a process lives at most, where a library does not come back to Python."""
_STOPS = {signal.SIGTERM: CANCELLED, signal.SIGALRM: LONGEST}


class Stopped(KeyboardInterrupt):
    """The job was cancelled, or has reached its time limit."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Brake:
    """Handles the signals that stop a job; while it is held, they wait.

    The mask of the system would not do: it is of one thread, and a signal may come by any other.
    """

    def __init__(self) -> None:
        self.held, self.waits = False, ""

    @property
    def pressed(self) -> bool:
        """Whether the job was told to stop where it could be stopped."""
        return bool(self.waits) and not self.held

    def __call__(self, number: int, _frame: object) -> None:
        self.waits = _STOPS[signal.Signals(number)]
        if not self.held:
            raise Stopped(self.waits)

    def hold(self) -> None:
        """Nothing stops the job from now on."""
        self.held = True

    def release(self) -> None:
        """The job can be stopped again; what came meanwhile stops it now."""
        self.held = False
        if self.waits:
            raise Stopped(self.waits)


@dataclass
class _Known:
    """The refusal that is noted already, while a nearer question is looked for."""

    refusal: JobOutcome | None = None


def work(jobs: Jobs, job: Job, open_desk: Callable[[], Desk]) -> None:
    """Answer a job's question and write its outcome.

    It can be stopped until it records: what is entered into the record of releases, or noted as a question of the
    quota, stands with its outcome. A refusal is noted before nearer questions are tried; what stops the job then stops
    that search alone.

    Args:
        open_desk: called when it is the job's turn, so that a job that waits takes up little memory.
    """
    brake, known = _Brake(), _Known()
    for number in _STOPS:
        signal.signal(number, brake)
    try:
        outcome = _worked(jobs, job, open_desk, brake, known)
    except PlatformError as error:
        outcome = _refused(error) if known.refusal is None or error.code == UNANSWERABLE else known.refusal
    except Stopped as stop:
        outcome = known.refusal or JobOutcome(stop.code)
    except Exception:
        if not brake.pressed:
            jobs.end(job, known.refusal or JobOutcome(FAILED))
            raise
        # A library may make an error of its own of what a signal raises within it, as a class body of Python 3.11 does.
        outcome = known.refusal or JobOutcome(brake.waits)
    brake.hold()
    jobs.end(job, outcome)


def _worked(jobs: Jobs, job: Job, open_desk: Callable[[], Desk], brake: _Brake, known: _Known) -> JobOutcome:
    job = jobs.tell(job, WAITING)
    found = jobs.find(job.id, job.owner)
    if found is not None and found.cancelling:  # before there was a handler: it may have started with TERM ignored
        raise Stopped(_STOPS[signal.SIGTERM])
    while not jobs.may_begin(job):
        time.sleep(POLL_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, job.limits.longest_seconds)
    faulthandler.dump_traceback_later(
        job.limits.longest_seconds + GRACE_SECONDS, exit=True, file=os.open(os.devnull, os.O_WRONLY)
    )
    job = jobs.tell(job, STARTING)
    desk = open_desk()

    def progress(step: str, _number: int, _of: int) -> None:
        nonlocal job
        if step == "recording":
            brake.hold()
        else:
            brake.release()
        job = jobs.tell(job, step)

    def refused(words: str) -> None:
        known.refusal = JobOutcome(UNANSWERABLE, words)
        jobs.refuse(job, known.refusal)
        brake.release()

    from kobe_platform.governance.people import active_person

    asked = job.asked
    application = str(asked.pop("application", ""))
    person = active_person(desk.governance, job.owner)
    question, _ = desk.ask(person, asked, application, progress, settled=brake.hold, refused=refused)
    return JobOutcome(DONE, answer=f"{question.statistic.name}/{question.month}")


def _refused(error: PlatformError) -> JobOutcome:
    offer = getattr(error, "offer", None)
    return JobOutcome(error.code, error.ja, offer=offer.question.as_record() if offer else None)
