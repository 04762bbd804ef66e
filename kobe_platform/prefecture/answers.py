"""Keeps what a municipality's process last answered when nothing was left of it, so that it is not asked again while
nothing has changed.

An answer (months that are released, and that nothing is outstanding) holds for the stamp of the home: settings,
definitions and code, the day, and name, time and size of every file that the plan looks at. So a look at a prefecture
at rest opens no key and starts no process. An answer that something is left is never kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import private_folder, write_private
from kobe_platform.errors import CustodyError
from kobe_platform.planning.observing import LEAST_FREE_BYTES
from kobe_platform.prefecture.homes import Home, folder_of
from kobe_platform.prefecture.machines.deliveries import defined
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.clock import today

FOLDER = Path("work") / "answers"
"""Folder of the answers in the prefecture's; may be thrown away at any time."""
_DEFINITIONS = tuple(
    f"KOBE_{name}" for name in ("CONTRACTS", "STATISTICS", "FORECASTS", "UNUSUAL", "DASHBOARDS", "ONDEMAND")
)
_ELSEWHERE = ("KOBE_STORE_URL", "KOBE_DATABASE_URL")
"""Settings by which something that is looked at lies outside the home."""
_UNSEEN = frozenset({"dagster", "log", "staging"})
"""Folders of a home that no plan reads, or that may be thrown away."""
_LISTED = frozenset({"releases", "work"})
"""Folders whose own folders count by name alone: a release does not change."""


class Answers:
    """The answers of a prefecture's municipalities.

    Args:
        settings: of the prefecture.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = folder_of(settings) / FOLDER
        self._told = settings.environment()

    @cached_property
    def _common(self) -> list[str]:
        vocabulary = self.settings.contracts.resolve().parent / "vocabulary"
        return [defined(self.settings), *_files(vocabulary, frozenset(), frozenset())]

    def stamp(self, home: Home, environment: Mapping[str, str]) -> str:
        """The stamp of a home as it is now; empty where answers of it are not kept.

        Args:
            environment: of the municipality's processes.
        """
        if any(environment.get(name) for name in _ELSEWHERE):
            return ""
        if any(environment.get(name) != self._told.get(name) for name in _DEFINITIONS):
            return ""
        own = sorted(f"{name}={value}" for name, value in environment.items() if name.startswith("KOBE_"))
        free = os.statvfs(home.path)
        has_room = free.f_bavail * free.f_frsize >= LEAST_FREE_BYTES
        inbox = Path(environment.get("KOBE_INBOX", "inbox"))
        digest = hashlib.sha256()
        for line in (*own, *self._common, str(has_room), str(today()), str(inbox.is_dir())):
            digest.update(f"{line}\n".encode())
        for place, unseen, listed in ((inbox / home.place.code, (), ()), (home.path, _UNSEEN, _LISTED)):
            for line in _files(place, frozenset(unseen), frozenset(listed)):
                digest.update(f"{line}\n".encode())
        return digest.hexdigest()

    def recall(self, home: Home, stamp: str) -> Mapping[str, Any] | None:
        """The answer that was kept under a stamp; None where there is none."""
        if not stamp:
            return None
        try:
            told = json.loads((self.folder / f"{home.place.code}.json").read_bytes())
            return told["answer"] if told["stamp"] == stamp else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, home: Home, stamp: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer; only where the home is still as it was when it was asked."""
        with suppress(OSError, CustodyError):
            private_folder(self.folder)
            write_private(
                self.folder / f"{home.place.code}.json", json.dumps({"stamp": stamp, "answer": answer}).encode()
            )


def _files(root: Path, unseen: frozenset[str], listed: frozenset[str]) -> Iterator[str]:
    """One line a file below a folder: its name, time, size and inode; of folders in ``listed`` what is in them."""
    waiting = [(os.fspath(root), "")]
    while waiting:
        place, name = waiting.pop()
        try:
            found = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError:
            yield f"{name} -"
            continue
        for entry in found:
            path = f"{name}/{entry.name}"
            if (name == "" and entry.name in unseen) or entry.name.endswith("-shm"):
                continue
            if entry.is_symlink():
                yield f"{path} {os.readlink(entry.path)}"
            elif not entry.is_dir():
                with suppress(OSError):
                    told = entry.stat()
                    yield f"{path} {told.st_mtime_ns} {told.st_size} {told.st_ino}"
            else:
                yield path
                if name.removeprefix("/") not in listed:
                    waiting.append((entry.path, path))
