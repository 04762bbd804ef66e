"""Brings a home and what machines share (``KOBE_STORE_URL``) together: lake, receipts and releases.

The lake's commits and the releases' pointer are put down where they happen. What other machines put down is copied here
before anybody plans by it, and receipts go both ways: what became of a delivery is known to all machines.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from kobe_platform.custody.durable import locked, private_folder, storage_errors, write_private
from kobe_platform.errors import PlatformError
from kobe_platform.lake.opening import open_partitions
from kobe_platform.lounge.sharing import shared_releases
from kobe_platform.objects import Objects, open_objects

if TYPE_CHECKING:
    from kobe_platform.lake import PartitionStore
    from kobe_platform.settings import Settings

FRESH_SECONDS = 5.0
"""So long what was brought together serves planning, which looks again and again."""
SERVING_SECONDS = 30.0
"""How often a machine that serves looks for another release."""
FOLDER, STATE = "receipts", "shared-receipts.json"


def bring_together(settings: Settings, *, anew: bool = True) -> None:
    """Copy what other machines put down, and put this machine's receipts down; nothing for a machine alone.

    Args:
        anew: also where that was done :data:`FRESH_SECONDS` ago or less.

    Raises:
        PlatformError: the store does not answer, or what lies there is not authentic.
    """
    if settings.store_url and (settings.keys / "root.json").exists():
        _shared_home(settings).bring_together(anew=anew)


def bring_receipts_together(url: str, home: Path) -> None:
    """Bring the receipts of a home and of a place that machines share together; no key is opened."""
    SharedReceipts(open_objects(url), home / FOLDER, home / "staging" / STATE).bring_together()


def hold_whole(settings: Settings) -> None:
    """Have all that a backup takes in this home, data files included; nothing for a machine alone."""
    if settings.store_url:
        home = _shared_home(settings)
        home.bring_together(anew=True)
        if home.partitions.shared is not None:
            home.partitions.shared.fetch_all()


def follow_releases(settings: Settings, failed: Callable[[str], None]) -> None:
    """Have the release in force here from now on, and whenever another machine makes one while this process lives.

    Args:
        failed: called with the code of an error each time the look-up begins to fail: what is here is served on.
    """
    if not settings.store_url:
        return
    shared = shared_releases(settings.store_url, settings.releases)
    waiting, former = threading.Event(), ""

    def look() -> str:
        try:
            if shared is not None:
                shared.pull()
        except PlatformError as error:
            return error.code
        return ""

    def follow() -> None:
        nonlocal former
        while not waiting.wait(SERVING_SECONDS):
            code = look()
            if code and code != former:
                failed(code)
            former = code

    former = look()
    if former:
        failed(former)
    threading.Thread(target=follow, name="releases", daemon=True).start()


class SharedReceipts:
    """The receipts of one installation among the objects that machines share.

    A receipt belongs to one content of a delivery and one status, so two machines that write the same one say the same.

    Args:
        objects: what the machines share.
        folder: the receipts of this machine.
        state: file that remembers what both sides looked like when they were last brought together.
    """

    def __init__(self, objects: Objects, folder: Path, state: Path) -> None:
        self.objects, self.folder, self.state = objects, folder, state

    def bring_together(self) -> None:
        """Copy what is new on either side, and take away what was taken away on the other."""
        with storage_errors(FOLDER), locked(self.state.with_suffix(".lock")):
            state = self._state()
            here = {f"{FOLDER}/{path.relative_to(self.folder).as_posix()}": path for path in self._files()}
            there = {one.name: one.tag for one in self.objects.names(FOLDER)}
            for name in sorted(state.keys() | here.keys() | there.keys()):
                known, path = state.get(name), here.get(name)
                stamp = _stamp(path) if path else None
                if path is not None and (known is None or stamp != known[1:]):
                    state[name] = [self._put(name, path), *_stamp(path)]
                elif path is None and known is not None and there.get(name) == known[0]:
                    self.objects.remove(name)
                    del state[name]
                elif name not in there:
                    self._take_away(name, path, state)
                elif known is None or there[name] != known[0]:
                    self._take(name, state)
            self._keep(state)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*.json") if path.is_file() and not path.name.startswith(".")]

    def _put(self, name: str, path: Path) -> str:
        self.objects.put(name, path.read_bytes())
        found = self.objects.get(name)
        return found.tag if found is not None else ""

    def _take(self, name: str, state: dict[str, list]) -> None:
        found = self.objects.get(name)
        if found is None:
            return
        path = self.folder / name.removeprefix(f"{FOLDER}/")
        private_folder(path.parent)
        write_private(path, found.data)
        state[name] = [found.tag, *_stamp(path)]

    def _take_away(self, name: str, path: Path | None, state: dict[str, list]) -> None:
        """Take a receipt away that another machine took away: a list alone, which may be old, is not believed."""
        if self.objects.get(name) is None:
            if path is not None:
                path.unlink(missing_ok=True)
            del state[name]

    def _state(self) -> dict[str, list]:
        try:
            return dict(json.loads(self.state.read_bytes()))
        except (OSError, ValueError, TypeError):
            return {}

    def _keep(self, state: dict[str, list]) -> None:
        private_folder(self.state.parent)
        write_private(self.state, json.dumps(state).encode())


class _SharedHome:
    """One home, with what was brought together last."""

    def __init__(self, settings: Settings) -> None:
        self.partitions: PartitionStore = open_partitions(settings)
        objects = open_objects(settings.store_url)
        self._releases = shared_releases(settings.store_url, settings.releases)
        self._receipts = SharedReceipts(objects, settings.receipts, settings.root / "staging" / STATE)
        self._at = -FRESH_SECONDS

    def bring_together(self, *, anew: bool) -> None:
        if not anew and monotonic() - self._at < FRESH_SECONDS:
            return
        if self.partitions.shared is not None:
            self.partitions.shared.sync()
        self._receipts.bring_together()
        if self._releases is not None:
            self._releases.pull()
        self._at = monotonic()


@cache
def _shared_home(settings: Settings) -> _SharedHome:
    return _SharedHome(settings)


def _stamp(path: Path) -> list[int]:
    with suppress(FileNotFoundError):
        found = path.stat()
        return [found.st_mtime_ns, found.st_size]
    return [0, 0]
