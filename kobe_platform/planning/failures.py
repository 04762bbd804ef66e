"""Stores failed attempts, a small file for each step, together with a digest of the inputs that failed.

A file is written before a step is tried and taken away when it succeeded, so a process that is killed leaves one too.
Nothing here says that work is outstanding (the plan compares), only whether the same input is worth another attempt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kobe_platform.code_version import engine_version
from kobe_platform.custody.durable import locked, private_folder, storage_errors, write_private
from kobe_platform.planning.facts import Failure, FailureKind
from kobe_platform.planning.steps import Cause

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
"""How long the daemon leaves a step alone after a failure of the installation: doubled each time, up to an hour."""
OF_INSTALLATION = ("custody.", "settings.", "inbox.", "keys.", "kms.", "governance.", "alerts.")
"""Beginnings of the error codes that a disk, a share, a key service or a database is to blame for."""
_TRANSIENT = frozenset({
    "OSError", "PermissionError", "FileNotFoundError", "BlockingIOError", "ConnectionError", "ConnectionRefusedError",
    "TimeoutError", "InterruptedError", "MemoryError", "OperationalError", "DatabaseError", "BrokenPipeError",
    "NotADirectoryError", "IsADirectoryError", "StaleFileHandle",
})  # fmt: skip
LOST = Cause(
    "plan.lost",
    "its process was lost again and again (memory, power, a crash in a library)",
    "look at the machine, then run `kobe retry`",
    "処理のプロセスが繰り返し失われました。機器を確かめてから `kobe retry` を実行してください",
)


def kind_of(code: str, error: str = "") -> FailureKind:
    """Whose failure an error is: of the installation, which uses up no attempt, or of the code.

    Args:
        code: of the platform's error; error: name of a library's exception, where its message was withheld.
    """
    transient = code.startswith(OF_INSTALLATION) or code == "delivery.absent" or error in _TRANSIENT
    return "installation" if transient else "code"


class Failures:
    """The failures of one installation.

    Args:
        home: ``KOBE_HOME``; files lie in its folder ``failures``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "failures"

    def read(self) -> dict[str, Failure]:
        """The last failure of each step; a file that a power cut left empty counts as none."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            failure = _of(path)
            if failure is not None:
                found[failure.step] = failure
        return found

    def begin(self, steps: Mapping[str, str]) -> None:
        """Write down that steps are being tried: what still stands there later was lost.

        Args:
            steps: id → inputs.
        """
        for step, inputs in steps.items():
            former, engine = _of(self._path(step)), engine_version()
            times, pauses = 1, 0
            if former is not None and former.inputs == inputs:
                pauses = former.pauses
                if former.kind == "lost" and former.engine == engine:
                    times = former.times + 1
            self._write(Failure(step, inputs, engine, "lost", times, _now(), LOST, pauses))

    def end(self, steps: Iterable[str]) -> None:
        """Forget steps: they succeeded, or somebody wants them tried again."""
        for step in steps:
            self._path(step).unlink(missing_ok=True)

    def keep(self, steps: Iterable[str]) -> None:
        """Forget all steps but these: the others are no longer outstanding."""
        self.end(self.read().keys() - set(steps))

    def fail(self, step: str, inputs: str, kind: FailureKind, cause: Cause, now: datetime | None = None) -> None:
        """Write down why a step failed."""
        moment, former = now or datetime.now(UTC), _of(self._path(step))
        pauses = former.pauses if former is not None and former.inputs == inputs else 0
        made = Failure(step, inputs, engine_version(), kind, 1, moment.isoformat(timespec="seconds"), cause)
        if kind == "installation":
            pause = min(FIRST_PAUSE * 2 ** min(pauses, 10), LONGEST_PAUSE)
            made = replace(made, pauses=pauses + 1, not_before=(moment + pause).isoformat(timespec="seconds"))
        self._write(made)

    def _path(self, step: str) -> Path:
        return self.folder / f"{step.replace(':', '~').replace('/', '+')}.json"

    def _write(self, failure: Failure) -> None:
        path = self._path(failure.step)
        with storage_errors(path.name):
            private_folder(path.parent)
            with locked(self.folder / ".lock"):
                write_private(path, json.dumps(asdict(failure), ensure_ascii=False).encode())


def _of(path: Path) -> Failure | None:
    try:
        told = json.loads(path.read_bytes())
        return Failure(**{**told, "cause": Cause(**told["cause"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
