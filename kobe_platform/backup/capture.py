"""Holds the state of a home at one moment while the platform works, as a crash at that moment could have left it.

Files of a home are replaced by a rename and never changed in place, so a hard link holds a file as it is; the log of
key use and the governance database, which do change in place, are copied under their locks. What is derived goes first
and what it derives from last: governance, receipts, failures, releases, then the store, then key ring and log together.
An older receipt or release is what a crash leaves too, and the plan makes up for it; a partition older than the log
would be none, so partitions whose commits the log shows meanwhile are taken again until there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from kobe_platform.custody.durable import (
    PRIVATE_FOLDER,
    drop_abandoned,
    held_folder,
    locked,
    private_folder,
    storage_errors,
    write_private,
)
from kobe_platform.custody.keyring import only_rotation
from kobe_platform.errors import CustodyError
from kobe_platform.lounge.release import LOCK
from kobe_platform.release.sharing import hold_whole
from kobe_platform.settings import Settings

KEYS, STORE, RELEASES, GOVERNANCE = "keys", "store", "releases", "governance.sqlite"
LEFT_OUT = frozenset({"dagster", "staging", "work", "development.lock"})
"""What a home works with and can do without: Dagster's records, scratch, locks of runs."""
ROUNDS = 20
"""How often partitions that were committed meanwhile are taken again."""
_CHANGES = {"commit", "destroy", "destroyed"}
"""Actions in the log of key use after which a partition's folder is another."""


@dataclass(frozen=True)
class Captured:
    """A home's state, held in ``folder``.

    Attributes:
        folder: files by their paths in the home; they may share their bytes with those of the home.
        taken_at: when the last of it was taken (UTC, ISO 8601).
        anchor: ``SEQ:HASH`` of the last entry of the log of key use.
        elsewhere: what the installation keeps in other places, which this does not hold.
    """

    folder: Path
    taken_at: str
    anchor: str
    elsewhere: tuple[str, ...]


@contextlib.contextmanager
def captured(settings: Settings, *, keys: bool) -> Iterator[Captured]:
    """Hold the home of an installation until the block ends.

    Args:
        keys: whether the key store is held too.

    Raises:
        CustodyError: there is no installation (``backup.no_home``), keys are being rotated
            (``custody.rotation_under_way``), commits went on through all attempts (``backup.busy``), or the disk
            refuses (``custody.*``).
    """
    home = settings.root
    if not settings.key_log.is_file():
        raise CustodyError(
            "there is no installation to back up",
            code="backup.no_home",
            at={"home": home.name},
            remedy="set KOBE_HOME",
            ja="バックアップする環境がありません",
        )
    with contextlib.ExitStack() as held:
        with storage_errors("work"):
            drop_abandoned((home / "work").glob("backup-*"))  # what a killed backup left there
            folder = held.enter_context(held_folder(home / "work", "backup-"))
        hold_whole(settings)
        with storage_errors("home"), _no_rotation(settings.keys):
            elsewhere = _capture_governance(settings, folder)
            for name in sorted(path.name for path in home.iterdir()):
                if name not in LEFT_OUT | {KEYS, STORE, "log"} and not name.startswith(GOVERNANCE):
                    _link_named(home / name, folder / name)
            anchor = _capture_lake(settings, folder, keys)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        yield Captured(folder, now, anchor, elsewhere)


def _no_rotation(keys: Path) -> contextlib.AbstractContextManager[None]:
    """Hold back a rotation: partitions wrapped by one key and a ring with the next do not belong together."""
    return only_rotation(keys) if keys.is_dir() else contextlib.nullcontext()


def _capture_governance(settings: Settings, folder: Path) -> tuple[str, ...]:
    """Copy the governance database where it is a file; else say that it lies elsewhere."""
    url = make_url(settings.governance)
    if url.get_backend_name() != "sqlite":
        return ("governance database",)
    source = Path(url.database or "")
    if source.is_file():
        target = folder / GOVERNANCE
        target.touch(0o600)
        with contextlib.closing(sqlite3.connect(source)) as now, contextlib.closing(sqlite3.connect(target)) as copy:
            now.backup(copy)
    return ()


def _link_named(source: Path, target: Path) -> None:
    """Hold one of the home's files or folders; releases while none is pruned."""
    if source.name == RELEASES:
        with locked(source / LOCK):
            _link(source, target)
    else:
        _link(source, target)


def _link(source: Path, target: Path) -> None:
    """Hold a file, a folder with all below it, or where a link points; what disappears meanwhile is left out."""
    with contextlib.suppress(FileNotFoundError):
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            target.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
                if not _is_passing(entry.name):
                    _link(source / entry.name, target / entry.name)
        else:
            os.link(source, target)


def _is_passing(name: str) -> bool:
    """Whether a name is a lock, or a file or build on its way to its place."""
    return name.endswith((".lock", ".new", ".gone")) or name.startswith((".building-", ".current-"))


def _capture_lake(settings: Settings, folder: Path, keys: bool) -> str:
    """Hold every partition, then ring and log; partitions that were committed meanwhile again. Returns the anchor."""
    since, wanted = _head(settings.key_log)["seq"], _partitions(settings.store)
    for _ in range(ROUNDS):
        hold_whole(settings)  # the log goes on to name what other machines commit
        for place in sorted(wanted):
            _capture_partition(settings.store, place, folder / STORE)
        head, changed = _capture_log(settings, folder, since, keys)
        wanted = {settings.store / place for place in changed}
        if not wanted:
            return f"{head['seq']}:{head['hash']}"
        since = head["seq"]
    raise CustodyError(
        "the platform committed partitions all the time",
        code="backup.busy",
        at={"attempts": ROUNDS},
        remedy="make the backup when less is going on",
        ja="書き込みが続いているためバックアップできませんでした",
    )


def _partitions(store: Path) -> set[Path]:
    return {path.parent for path in store.glob("*/*/*/.lock")}


def _capture_partition(store: Path, place: Path, target: Path) -> None:
    """Hold a partition as it is between two commits."""
    held = target / place.relative_to(store)
    shutil.rmtree(held, ignore_errors=True)
    if place.is_dir():
        with locked(place / ".lock"):
            private_folder(held.parent)
            _link(place, held)


def _capture_log(settings: Settings, folder: Path, since: int, keys: bool) -> tuple[dict[str, Any], set[str]]:
    """Copy the log up to its signed end, and hold the key ring that belongs to it.

    Returns:
        The log's head, and the partitions (``stage/source/month``) that changed after entry ``since``.
    """
    with contextlib.ExitStack() as held:
        if keys and settings.keys.is_dir():
            held.enter_context(locked(settings.keys / ".lock"))
        held.enter_context(locked(settings.key_log.with_suffix(".lock")))
        head = _head(settings.key_log)
        with settings.key_log.open("rb") as file:
            data = file.read(head["size"])
        place = folder / "log"
        private_folder(place)
        write_private(place / settings.key_log.name, data)
        write_private(place / settings.key_log.with_suffix(".head").name, _head_file(settings.key_log).read_bytes())
        if keys:
            shutil.rmtree(folder / KEYS, ignore_errors=True)
            _link(settings.keys, folder / KEYS)
    lines = data.split(b"\n")[since:-1]
    entries = [entry for line in lines if (entry := json.loads(line))["action"] in _CHANGES]
    return head, {"/".join(entry["object"].split("/")[1:4]) for entry in entries}


def _head_file(log: Path) -> Path:
    return log.with_suffix(".head")


def _head(log: Path) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(_head_file(log).read_bytes())
    return head
