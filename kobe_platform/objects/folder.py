"""Keeps objects in a folder of this machine (0700, files 0600): for trials, and for homes that share one disk."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from kobe_platform.custody.durable import (
    PRIVATE_FILE,
    locked,
    private_folder,
    storage_errors,
    sync_file,
    sync_folder,
    write_synced,
)
from kobe_platform.objects.interface import ListedObject, Objects, StoredObject

_LOCK, _ASIDE = ".lock", ".aside"


class FolderObjects(Objects):
    """Objects as files; conditional writes take turns by a lock of the machine.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, name: str) -> StoredObject | None:
        """See :class:`Objects`."""
        with storage_errors(name):
            try:
                data = (self.root / name).read_bytes()
            except FileNotFoundError:
                return None
        return StoredObject(data, _tag(data))

    def fetch(self, name: str, path: Path) -> bool:
        """See :class:`Objects`."""
        with storage_errors(name):
            try:
                with (self.root / name).open("rb") as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
            except FileNotFoundError:
                return False
        return True

    def put(self, name: str, data: bytes | Path) -> None:
        """See :class:`Objects`; on the disk when it returns."""
        path = self.root / name
        with storage_errors(name):
            private_folder(path.parent)
            aside = path.with_name(f"{_ASIDE}-{secrets.token_hex(8)}")
            try:
                if isinstance(data, Path):
                    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
                    shutil.copyfile(data, aside)
                    sync_file(aside)
                else:
                    write_synced(aside, data)
                os.replace(aside, path)
            finally:
                aside.unlink(missing_ok=True)
            sync_folder(path.parent)

    def names(self, prefix: str) -> Iterator[ListedObject]:
        """See :class:`Objects`."""
        for path in sorted((self.root / prefix).rglob("*")):
            with storage_errors(prefix):
                try:
                    if path.is_file() and not path.name.startswith((_ASIDE, _LOCK)):
                        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                        yield ListedObject(path.relative_to(self.root).as_posix(), _tag(path.read_bytes()), at)
                except FileNotFoundError:
                    continue

    def remove(self, name: str) -> None:
        """See :class:`Objects`."""
        with storage_errors(name):
            (self.root / name).unlink(missing_ok=True)

    def _put_if(self, name: str, data: bytes, tag: str | None) -> str | None:
        with storage_errors(name), locked(self.root / _LOCK):
            stands = self.get(name)
            if (stands.tag if stands else None) != tag:
                return None
            self.put(name, data)
            return _tag(data)


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
