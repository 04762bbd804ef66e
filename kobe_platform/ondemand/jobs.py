"""Questions that were asked in the portal: each is a job with a folder, which tells who asks what and how far it is.

    jobs/ID/question.toml    the question, as `kobe ask` reads it
            job.json         who asks, and the limits that were in force when the question was entered
            lock             locked by the process that works on it, as long as it lives; holds its process id
            progress.json    the step that it is at
            cancel           there once the person asked for the job to be cancelled
            refusal.json     there once it is noted that there is no answer, while a nearer question is looked for: how
                             the job ends if that search does not come to an end
            outcome.json     how it ended: a code, its words, and the name of the answer or the nearest question

That the lock is held, and nothing else, says that the process lives: the system gives it back however the process ends.
No figure is written here. Answers are in the lake, and what a person was given is in the trail.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

from kobe_platform.custody.durable import PRIVATE_FILE, is_locked, locked, private_folder, storage_errors, write_private
from kobe_platform.errors import QuestionError

WAITING, STARTING = "waiting", "starting"
"""The steps before those of :data:`answers.STEPS`: another's turn first, then what an answer needs is loaded."""
DONE = "done"
CANCELLED, LONGEST, FAILED, ENDED = "ondemand.cancelled", "ondemand.longest", "ondemand.failed", "ondemand.ended"
"""Codes of jobs that ended without an entry in the trail: cancelled, over the time limit, a fault, process gone."""
_ID = re.compile(r"^\d{20}-[0-9a-f]{12}$")
T = TypeVar("T")
Start = Callable[[Path, str, int], int]
"""Starts the process of a job (its question's file, the login, the locked handle that it inherits); its process id."""


@dataclass(frozen=True)
class Limits:
    """What holds for questions that are asked in the portal.

    Attributes:
        at_once: questions that are worked out at the same time, of all persons; each holds a month of rows.
        per_person: unfinished questions of one person; they are worked out one after another.
        longest_seconds: that a question may be worked out; waiting for its turn is not counted.
        kept_days: days after which the folder of a finished job is removed.
    """

    at_once: int = 2
    per_person: int = 3
    longest_seconds: int = 900
    kept_days: int = 7


@dataclass(frozen=True)
class JobProgress:
    """The step that a job is at; ``round`` counts from 1 how often it was worked out; ``since`` in UTC."""

    step: str
    round: int
    since: datetime

    @classmethod
    def of_record(cls, step: str, round: int, since: str) -> JobProgress:
        """As it was written."""
        return cls(step, round, datetime.fromisoformat(since))


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended.

    Attributes:
        code: :data:`DONE`, or the code of the refusal or of the end.
        words: of the refusal, in Japanese; errors of the platform carry no value (docs/architecture.md).
        answer: NAME/MONTH of the answer. offer: the nearest question that can be answered.
    """

    code: str
    words: str = ""
    answer: str = ""
    offer: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """One question as it stands.

    Attributes:
        id: name of its folder; sorts by the time at which it was entered.
        question: TOML. limits: in force when it was entered.
        progress: None until its process has begun. cancelling: whether the person asked for it to be cancelled.
        outcome: None while its process lives.
    """

    id: str
    owner: str
    question: str
    entered: datetime
    limits: Limits
    progress: JobProgress | None
    cancelling: bool
    outcome: JobOutcome | None

    @property
    def asked(self) -> dict[str, Any]:
        """The question's parts, as :func:`question.understood` takes them, and ``application``; none if unreadable."""
        try:
            return tomllib.loads(self.question)
        except tomllib.TOMLDecodeError:
            return {}

    @property
    def step(self) -> str:
        """The step that it is at, or was at last."""
        return self.progress.step if self.progress else WAITING


class Jobs:
    """The jobs of one installation.

    Args:
        home: ``KOBE_HOME``; jobs lie in its folder ``jobs``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "jobs"

    def enter(self, owner: str, question: str, limits: Limits, start: Start) -> Job:
        """Enter a question and start its process; the same question of the same person that is under way is taken up.

        Raises:
            QuestionError: ``ondemand.busy``: the person has too many unfinished questions.
            CustodyError: the folder cannot be written. OSError: the process cannot be started; no job is left then.
        """
        with storage_errors("jobs"), locked(self.folder / ".lock"):
            self._sweep(limits.kept_days)
            mine = [job for job in self.live() if job.owner == owner]
            same = next((job for job in mine if job.question == question and not job.cancelling), None)
            if same is not None:
                return same
            if len(mine) >= limits.per_person:
                raise _busy(owner, limits)
            path, handle = self._written(owner, question, limits)
        try:
            pid = start(path / "question.toml", owner, handle)
            os.pwrite(handle, str(pid).encode(), 0)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        finally:
            os.close(handle)
        return self._read(path)

    def find(self, id: str, owner: str) -> Job | None:
        """A job of a person; None where there is none, or where it is another's."""
        path = self.folder / id
        if not (_entered(id) and (path / "job.json").is_file()):
            return None
        found = self._read(path)
        return found if found.owner == owner else None

    def of(self, owner: str) -> list[Job]:
        """A person's jobs, newest first."""
        return [job for job in reversed(self._all()) if job.owner == owner]

    def live(self) -> list[Job]:
        """Jobs whose process lives, oldest first."""
        return [job for job in self._all() if job.outcome is None]

    def before(self, job: Job) -> list[Job]:
        """Unfinished jobs that were entered before this one."""
        return [other for other in self.live() if other.id < job.id]

    def may_begin(self, job: Job) -> bool:
        """Whether it is a job's turn: its owner has no earlier one, and earlier ones are of fewer persons than may be
        served at once. Once this is so it stays so, for jobs only come after it and go before it."""
        owners = {other.owner for other in self.before(job)}
        return job.owner not in owners and len(owners) < job.limits.at_once

    def cancel(self, job: Job) -> None:
        """Have a job's process end, if it can still be cancelled. It is never killed: it alone knows whether it can."""
        path = self.folder / job.id
        with storage_errors(job.id):
            write_private(path / "cancel", b"")
        _send(path / "lock", signal.SIGTERM)

    def tell(self, job: Job, step: str) -> Job:
        """Write the step that a job is at; counting for a second time is its second round."""
        again = job.progress is not None and step == "counting" and job.progress.step == "recording"
        round = (job.progress.round if job.progress else 1) + again
        progress = JobProgress(step, round, datetime.now(UTC))
        with storage_errors(job.id):
            _write(self.folder / job.id / "progress.json", {**asdict(progress), "since": progress.since.isoformat()})
        return replace(job, progress=progress)

    def refuse(self, job: Job, refusal: JobOutcome) -> None:
        """Write how a job ends if its process should be gone before :meth:`end`; called by its process."""
        with storage_errors(job.id):
            _write(self.folder / job.id / "refusal.json", asdict(refusal))

    def end(self, job: Job, outcome: JobOutcome) -> None:
        """Write how a job ended; called by its process."""
        with storage_errors(job.id):
            _write(self.folder / job.id / "outcome.json", asdict(outcome))

    def of_question(self, file: Path) -> Job:
        """The job that a question's file belongs to.

        Raises:
            QuestionError: ``ondemand.absent``: the file is no job's.
        """
        path = file.resolve().parent
        if path.parent != self.folder.resolve() or not (path / "job.json").is_file():
            raise QuestionError(
                "the file is not the question of a job",
                code="ondemand.absent",
                at={"file": file.name},
                remedy="leave --job out",
                ja="この集計はありません",
            )
        return self._read(path)

    def _all(self) -> list[Job]:
        if not self.folder.is_dir():
            return []
        folders = sorted(path for path in self.folder.iterdir() if _entered(path.name))
        return [self._read(path) for path in folders if (path / "job.json").is_file()]

    def _read(self, path: Path) -> Job:
        alive = is_locked(path / "lock")  # before the outcome, which the process writes while it lives
        told, outcome = _json(path / "job.json"), _json(path / "outcome.json")
        progress, cancelling = _json(path / "progress.json"), (path / "cancel").is_file()
        ended = _told(JobOutcome, outcome)
        if ended is None and not alive:
            refusal = _told(JobOutcome, _json(path / "refusal.json"))
            ended = refusal or JobOutcome(CANCELLED if cancelling else ENDED)
        return Job(
            id=path.name,
            owner=str(told.get("owner", "")),
            question=_text(path / "question.toml"),
            entered=_entered(path.name) or datetime.fromtimestamp(0, UTC),
            limits=_told(Limits, told.get("limits", {})) or Limits(),
            progress=_told(JobProgress.of_record, progress),
            cancelling=cancelling,
            outcome=ended,
        )

    def _written(self, owner: str, question: str, limits: Limits) -> tuple[Path, int]:
        """A new folder with the question, and the handle of its lock, which is held."""
        id = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}-{secrets.token_hex(6)}"
        aside, path = self.folder / f".{id}", self.folder / id
        private_folder(aside)
        write_private(aside / "question.toml", question.encode())
        _write(aside / "job.json", {"owner": owner, "limits": asdict(limits)})
        handle = os.open(aside / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
        fcntl.flock(handle, fcntl.LOCK_EX)
        aside.rename(path)
        return path, handle

    def _sweep(self, days: int) -> None:
        """Remove the folders of jobs that ended ``days`` ago, and what a kill left of one that was being entered."""
        for left in self.folder.glob(".*-*"):
            shutil.rmtree(left, ignore_errors=True)
        before = datetime.now(UTC) - timedelta(days=days)
        for job in self._all():
            path = self.folder / job.id
            if job.outcome is not None and _changed(path) < before:
                shutil.rmtree(path, ignore_errors=True)


def _busy(owner: str, limits: Limits) -> QuestionError:
    return QuestionError(
        "the person has too many unfinished questions",
        code="ondemand.busy",
        at={"login": owner, "unfinished": limits.per_person},
        remedy="wait until one of them has ended, or cancel one",
        ja=f"集計中のものが{limits.per_person}件あります。終わるのを待つか、とりやめてから集計してください",
    )


def _send(lock: Path, number: int) -> None:
    """Send a signal to the process that holds the lock; a process that has its number by chance gets none.

    The process is opened first. If the lock is held after that, the one that was opened is its holder.
    """
    told = _text(lock)
    if not told.isdecimal():
        return
    try:
        process = os.pidfd_open(int(told))
    except OSError:
        return
    try:
        if is_locked(lock):
            signal.pidfd_send_signal(process, number)
    finally:
        os.close(process)


def _changed(path: Path) -> datetime:
    """When a folder was last written into."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _write(path: Path, told: Mapping[str, Any]) -> None:
    write_private(path, json.dumps(told, ensure_ascii=False).encode())


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _json(path: Path) -> dict[str, Any]:
    """A file's record; empty where there is none, or where it cannot be read: one bad folder stops nobody's jobs."""
    try:
        told = json.loads(_text(path))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _told(make: Callable[..., T], told: Mapping[str, Any]) -> T | None:
    """What a record tells, without keys of another version; None where it lacks what is needed."""
    try:
        return make(**{key: told[key] for key in signature(make).parameters if key in told})
    except (TypeError, ValueError, AttributeError):
        return None


def _entered(id: str) -> datetime | None:
    """When a job was entered, by its number; None of a name that is none."""
    if not _ID.match(id):
        return None
    try:
        return datetime.strptime(id[:20], "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:  # digits that are no day
        return None
