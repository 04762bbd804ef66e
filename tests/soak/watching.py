"""Sees files come and go below a folder, in their order, by Linux' inotify: nothing in the product helps the tests."""

from __future__ import annotations

import ctypes
import os
import re
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path

_MODIFY, _CLOSED, _MOVED, _CREATED, _DELETED, _FOLDER = 0x2, 0x8, 0x80, 0x100, 0x200, 0x40000000
_KINDS = {_MODIFY: "changed", _CLOSED: "closed", _MOVED: "moved", _CREATED: "made", _DELETED: "gone"}
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Events below a folder as lines ``made store/raw/…``; folders that come later are watched, too.

    Kinds are ``made``, ``changed``, ``closed`` (after writing), ``moved`` (renamed to this name), ``gone``. What a new
    folder held before its watch began is told as ``made``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._handle = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._folders: dict[int, str] = {}
        for _ in self._add(root):
            pass

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)

    def events(self, seconds: float) -> Iterator[str]:
        """What happens within so many seconds; ends early where nothing does."""
        if select.select([self._handle], [], [], seconds)[0]:
            yield from self._read()

    def _read(self) -> Iterator[str]:
        data, place = os.read(self._handle, 1 << 20), 0
        while place < len(data):
            number, mask, _, size = _HEAD.unpack_from(data, place)
            name = data[place + _HEAD.size : place + _HEAD.size + size].rstrip(b"\0").decode(errors="replace")
            place += _HEAD.size + size
            folder = self._folders.get(number)
            if folder is None or not name:
                continue
            path = os.path.join(folder, name)
            kind = next((word for bit, word in _KINDS.items() if mask & bit), "")
            yield self._told(kind, path)
            if mask & _FOLDER and kind in ("made", "moved"):
                yield from self._add(Path(path))

    def _add(self, folder: Path) -> Iterator[str]:
        mask = _MODIFY | _CLOSED | _MOVED | _CREATED | _DELETED
        number = _libc.inotify_add_watch(self._handle, os.fsencode(folder), mask)
        if number < 0:
            return
        self._folders[number] = os.fspath(folder)
        try:
            found = list(os.scandir(folder))
        except OSError:
            return
        for entry in found:
            yield self._told("made", entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from self._add(Path(entry.path))

    def _told(self, kind: str, path: str) -> str:
        return f"{kind} {os.path.relpath(path, self.root)}"


def wait_for(watch: Watch, process, pattern: str, count: int, seconds: float) -> bool:
    """Whether the ``count``-th event that a pattern fits came before the process ended or the time was over."""
    wanted, seen = re.compile(pattern), 0
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for line in watch.events(0.2):
            if wanted.match(line):
                seen += 1
                if seen >= count:
                    return True
        if process.poll() is not None:
            return False
    return False
