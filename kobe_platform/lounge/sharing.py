"""Keeps releases where several machines share them; the folder ``releases`` is then this machine's copy.

    releases/0007-0123456789ab.tar.gz    a release, all of its files
    releases/pointer.json                which one is in force, which is the newest, and what that was made from

A release is put down whole, and then the pointer is exchanged: only where it is still the one that this machine knew. A
release that never was the newest one is taken out of the copy. What is served is always the copy on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tarfile
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import drop_abandoned, held_folder, locked, storage_errors, write_private
from kobe_platform.errors import LoungeError
from kobe_platform.objects import Objects, open_objects

FOLDER, POINTER = "releases", "releases/pointer.json"
_COPYING, _PACKING = ".copying-", ".packing-"
_LOCK = ".sharing.lock"


@dataclass(frozen=True)
class Pointer:
    """What the pointer says.

    Attributes:
        newest: id of the release that was made last; empty before the first.
        in_force: id of the one that is served.
        held: id of the newest release when an operator went back from it; empty where nobody did.
        inputs: what the newest one was made from, as :func:`~kobe_platform.lounge.release.record_inputs` writes it.
    """

    newest: str = ""
    in_force: str = ""
    held: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)


class SharedReleases:
    """The releases of one installation among the objects that machines share.

    Args:
        objects: what the machines share.
        folder: this machine's copy.
    """

    def __init__(self, objects: Objects, folder: Path) -> None:
        self.objects, self.folder = objects, folder
        self._tag: str | None = None
        self._pointer = Pointer()

    def pull(self) -> Pointer:
        """Make the copy what the pointer says.

        Raises:
            LoungeError: a release among the objects is not as it was written (``release.damaged``): the copy stays as
                it was. CustodyError: the store does not answer, or the disk refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with storage_errors(FOLDER), locked(self.folder / _LOCK):
            found = self.objects.get(POINTER)
            if found is None:
                self._tag, self._pointer = None, Pointer()
            else:
                told = json.loads(found.data)
                self._tag, self._pointer = found.tag, Pointer(**told["pointer"])
            self._make_copy(self._pointer)
        return self._pointer

    def publish(self, id: str) -> None:
        """Put a release of the copy down and put it in force, as the one that follows the newest.

        Raises:
            LoungeError: another machine made one meanwhile (``release.superseded``).
        """
        with storage_errors(FOLDER), held_folder(self.folder, _PACKING) as aside:
            packed = aside / "release.tar.gz"
            with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
                archive.add(self.folder / id, arcname=id)
            self.objects.put(_archive(id), packed)
        self._exchange(Pointer(id, id, "", {}))

    def knows(self, id: str) -> bool:
        """Whether a release is the newest that machines share."""
        return self._pointer.newest == id

    def drop(self, id: str) -> None:
        """Take a release that is neither in force nor the newest away; the copy is left alone."""
        self.objects.remove(_archive(id))

    def switch(self, id: str, *, held: str = "") -> None:
        """Put a release in force that machines share already; errors as :meth:`publish`.

        Args:
            held: see :class:`Pointer`.
        """
        self._exchange(replace(self._pointer, in_force=id, held=held))

    def record_inputs(self, record: dict[str, Any]) -> None:
        """Write down what the newest release was made from; errors as :meth:`publish`."""
        self._exchange(replace(self._pointer, inputs=record))

    def _exchange(self, pointer: Pointer) -> None:
        data = json.dumps({"pointer": asdict(pointer), "writer": secrets.token_hex(16)}).encode()
        tag = self.objects.exchange(POINTER, data, self._tag)
        if tag is None:
            raise LoungeError(
                "another machine changed the releases meanwhile: what it put in force stays",
                code="release.superseded",
                remedy="run the step again: it goes on from the release that is in force now",
                ja="ほかの機械が先に公開の版を変更しました",
            )
        self._tag, self._pointer = tag, pointer

    def _make_copy(self, pointer: Pointer) -> None:
        from kobe_platform.lounge import release as releases

        self._drop_unpublished(pointer)
        for id in dict.fromkeys(filter(None, (pointer.newest, pointer.in_force))):
            if not (self.folder / id / releases.RECORD).is_file():
                self._fetch(id)
        if pointer.inputs:
            _write(self.folder / releases.INPUTS, json.dumps(pointer.inputs).encode())
        if pointer.held:
            _write(self.folder / releases.HELD, pointer.held.encode())
        now = releases.current(self.folder)
        if pointer.in_force and (now is None or now.id != pointer.in_force):
            releases.switch(self.folder, pointer.in_force)

    def _drop_unpublished(self, pointer: Pointer) -> None:
        """Take releases out of the copy that were built here and never became the newest one.

        Where nothing is shared yet, the copy is left as it is: its newest release is then the first to be shared.
        """
        from kobe_platform.lounge.release import number_of_id, releases_of

        if not pointer.newest:
            return
        newest = number_of_id(pointer.newest)
        for release in releases_of(self.folder):
            number = number_of_id(release.id)
            if number > newest or (number == newest and release.id != pointer.newest):
                shutil.rmtree(release.path, ignore_errors=True)

    def _fetch(self, id: str) -> None:
        from kobe_platform.lounge import release as releases

        drop_abandoned(self.folder.glob(f"{_COPYING}*"))
        with held_folder(self.folder, _COPYING) as aside:
            packed = aside / "release.tar.gz"
            packed.touch(0o600)
            if not self.objects.fetch(_archive(id), packed):
                raise _damaged(id)
            try:
                with tarfile.open(packed) as archive:
                    archive.extractall(aside / "unpacked", filter="data")
                found = releases.read_release(aside / "unpacked" / id)
            except (OSError, ValueError, KeyError, TypeError, tarfile.TarError, EOFError):
                raise _damaged(id) from None
            if found.id != id or releases.verify(found):
                raise _damaged(id)
            releases.flush(found.path)
            with contextlib.suppress(FileExistsError):
                os.rename(found.path, self.folder / id)


@cache
def shared_releases(url: str, folder: Path) -> SharedReleases | None:
    """The releases at an address (``KOBE_STORE_URL``); None where it is empty: the folder is then all there is."""
    return SharedReleases(open_objects(url), folder) if url else None


def _archive(id: str) -> str:
    return f"{FOLDER}/{id}.tar.gz"


def _write(path: Path, data: bytes) -> None:
    if not path.is_file() or path.read_bytes() != data:
        write_private(path, data)


def _damaged(id: str) -> LoungeError:
    return LoungeError(
        "a release in the store is missing or not as it was written",
        code="release.damaged",
        at={"release": id},
        remedy="build the pages again on a machine that has its tables: kobe site build",
        ja="共有の保管場所にある公開の版が壊れています",
    )
