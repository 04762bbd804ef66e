"""Keeps the log of key use where several machines share it, as objects that follow one another.

    log/000000000001      entry 1 and those that were entered together with it
    log/000000000004      entry 4 …

An object is named after its first entry, so whoever knows the log's end knows the only name under which it goes on.
It is written only where there is none: of two writers that go on from the same end, one succeeds, and the other reads
what was entered and goes on from there. So the objects are one chain, and their order is the order of commits. The
first line is a random number, by which a writer whose answer was lost recognises its own object.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from kobe_platform.objects import Objects

FOLDER = "log"
AT_ONCE = 16
"""Objects that are read at the same time where many are missing."""
_MANY = 8


class LogSegments:
    """The objects of one log.

    Args:
        objects: where they lie.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def add(self, first: int, lines: bytes) -> bool:
        """Enter lines, of which the first is entry ``first``; False where another writer went on from there."""
        return self._objects.put_new(_name(first), secrets.token_hex(16).encode() + b"\n" + lines)

    def after(self, seq: int) -> Iterator[bytes]:
        """The lines that follow entry ``seq``, object by object; the caller may stop at any."""
        ahead: dict[int, bytes] = {}
        read = 0
        while True:
            lines = ahead.pop(seq + 1, None)
            if lines is None:
                lines = self._read(_name(seq + 1))
            if lines is None:
                return
            yield lines
            seq, read = seq + lines.count(b"\n"), read + 1
            if read == _MANY:  # a machine that comes to a long log: names are a hint, the chain decides
                ahead = self._ahead(seq)

    def _ahead(self, seq: int) -> dict[int, bytes]:
        names = sorted(one.name for one in self._objects.names(FOLDER) if one.name > _name(seq))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = zip(names, pool.map(self._read, names), strict=True)
            return {int(name.rpartition("/")[2]): lines for name, lines in found if lines is not None}

    def _read(self, name: str) -> bytes | None:
        found = self._objects.get(name)
        return None if found is None else found.data.partition(b"\n")[2]


def _name(first: int) -> str:
    return f"{FOLDER}/{first:012d}"
