"""Places of objects for tests: a real S3 server, and a place between it and the platform that fails on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from kobe_platform.objects import ListedObject, Objects, StoredObject
from kobe_platform.objects.interface import unreachable


class Killed(BaseException):
    """The process ends here: nothing after it is done."""


class Faulty(Objects):
    """Hands everything on, counts it, and calls ``before`` and ``after`` each call with its number and name.

    What they raise is what the platform meets: before a call, it was not made; after it, its answer was lost.
    """

    def __init__(self, inner: Objects) -> None:
        self.inner = inner
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[int, str, str], None] = lambda number, kind, name: None
        self.after: Callable[[int, str, str], None] = lambda number, kind, name: None
        self.lists: list[ListedObject] | None = None

    def _call(self, kind: str, name: str, call: Callable):
        self.calls.append((kind, name))
        number = len(self.calls)
        self.before(number, kind, name)
        result = call()
        self.after(number, kind, name)
        return result

    def get(self, name: str) -> StoredObject | None:
        return self._call("get", name, lambda: self.inner.get(name))

    def fetch(self, name: str, path: Path) -> bool:
        return self._call("fetch", name, lambda: self.inner.fetch(name, path))

    def put(self, name: str, data: bytes | Path) -> None:
        self._call("put", name, lambda: self.inner.put(name, data))

    def names(self, prefix: str) -> Iterator[ListedObject]:
        return iter(self._call("names", prefix, lambda: list(self.inner.names(prefix))))

    def remove(self, name: str) -> None:
        self._call("remove", name, lambda: self.inner.remove(name))

    def _put_if(self, name: str, data: bytes, tag: str | None) -> str | None:
        return self._call("put_if", name, lambda: self.inner._put_if(name, data, tag))

    def _put_once_more(self, name: str, data: bytes, tag: str) -> str | None:
        return self._call("put_if", name, lambda: self.inner._put_once_more(name, data, tag))


def lost(number: int) -> Callable[[int, str, str], None]:
    """An ``after`` that loses the answer of the call ``number``."""

    def lose(at: int, kind: str, name: str) -> None:
        if at == number:
            raise unreachable(name)

    return lose


def killed(number: int) -> Callable[[int, str, str], None]:
    """A ``before`` or ``after`` that ends the process at the call ``number`` and lets nothing through afterwards."""

    def kill(at: int, kind: str, name: str) -> None:
        if at >= number:
            raise Killed

    return kill
