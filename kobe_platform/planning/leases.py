"""Records what is under way by locks, which the operating system frees however a process ends.

    work/tabulate_2025-07.lock     held by the process that executes that run; names its owner
    work/runs/RUN_ID.lock          held for one run of Dagster's, so that a run whose process is gone is recognised
    work/ticker.lock               held by `kobe run`: while it works, the daemon's sensors request nothing

Locks are ``flock``s of one machine. The owner (host, process, boot, start) stands in the file for people to read; that
the lock is held, and nothing else, says that the owner lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from kobe_platform.custody.durable import PRIVATE_FILE, is_locked, private_folder, storage_errors, take_lock

TICKER = "ticker"
_POLL_SECONDS = 0.2
_BEGINNING_SECONDS = 10.0


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: host, process, boot of the machine, since when (UTC, ISO 8601), and what it does."""

    host: str
    pid: int
    boot: str
    since: str
    what: str

    @classmethod
    def this(cls, what: str) -> Owner:
        """This process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), boot_id(), now, what)

    @property
    def mine(self) -> bool:
        """Whether this process is the owner."""
        return (self.host, self.pid, self.boot) == (socket.gethostname(), os.getpid(), boot_id())


def boot_id() -> str:
    """Names the machine's present boot: process ids are reused after the next one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class Leases:
    """The locks of one installation.

    Args:
        home: ``KOBE_HOME``; locks lie in its folder ``work``.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "work"

    @contextmanager
    def holding(
        self,
        name: str,
        *,
        waiting: Callable[[Owner | None], object] | None = None,
        left: Callable[[], bool] = lambda: False,
    ) -> Iterator[int]:
        """Hold the lock ``name``, after waiting for the process that has it; its file is gone afterwards.

        Yields the open file: a process that inherits it holds the lock, too.

        Args:
            waiting: called with the owner each time that it is looked at while another one holds the lock.
            left: asked at the end: whether the file stays, free, as a dead process leaves it.
        """
        path = self._path(name)
        with storage_errors(path.name):
            private_folder(path.parent)
            handle = self._acquired(path, waiting)
        try:
            with storage_errors(path.name):
                told = json.dumps(asdict(Owner.this(name))).encode()
                os.ftruncate(handle, 0)
                os.pwrite(handle, told, 0)
            yield handle
        finally:
            if not left():
                with contextlib.suppress(OSError):
                    path.unlink()
            os.close(handle)

    def owner(self, name: str) -> Owner | None:
        """Who holds the lock; None where nobody does."""
        return self._held(self._path(name))

    def under_way(self) -> dict[str, Owner | None]:
        """Names of the work that is under way, with its owner (None where it has not said yet)."""
        found = {}
        for path in self._files(self.folder):
            name = path.stem.replace("~", ":")
            if name != TICKER and is_locked(path):
                found[name] = _told(path)
        return found

    def runs(self) -> dict[str, bool]:
        """Runs that have a lock file → whether their process lives; one that is about to lock its file does."""
        return {path.stem: is_locked(path) or _beginning(path) for path in self._files(self.folder / "runs")}

    def forget(self, run: str) -> None:
        """Take away the lock file of a run whose process is gone."""
        path = self._path(f"runs/{run}")
        if not is_locked(path) and not _beginning(path):
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Take away the lock files that dead processes left, those of runs left out."""
        for path in self._files(self.folder):
            handle = None
            with contextlib.suppress(OSError):
                handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                if take_lock(handle, path.name) and _same(handle, path):
                    path.unlink()
            if handle is not None:
                os.close(handle)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace(':', '~')}.lock"

    def _files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.glob("*.lock") if path.is_file())

    def _acquired(self, path: Path, waiting: Callable[[Owner | None], object] | None) -> int:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
            try:
                if not take_lock(handle, path.name):
                    if waiting is not None:
                        waiting(_told(path))
                    time.sleep(_POLL_SECONDS)
                elif _same(handle, path):
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # somebody holds it, or took the file away while this process waited for it

    def _held(self, path: Path) -> Owner | None:
        return _told(path) if is_locked(path) else None


def _same(handle: int, path: Path) -> bool:
    """Whether the file that was locked is the one that the name means now."""
    try:
        named = path.stat()
    except OSError:
        return False
    held = os.fstat(handle)
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _beginning(path: Path) -> bool:
    """Whether a lock file was made just now, by a process that has not locked it and said who it is yet."""
    try:
        found = path.stat()
    except OSError:
        return False
    return not found.st_size and time.time() - found.st_mtime < _BEGINNING_SECONDS


def _told(path: Path) -> Owner | None:
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
