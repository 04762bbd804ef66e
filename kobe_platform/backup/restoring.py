"""Takes snapshots of a home, makes a home from a snapshot, and looks whether a snapshot is whole."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from kobe_platform.backup.capture import captured
from kobe_platform.backup.vault import Kept, Snapshot, Vault, restore_file, store_file
from kobe_platform.custody.durable import PRIVATE_FOLDER, private_folder, storage_errors, sync_folder
from kobe_platform.errors import CustodyError
from kobe_platform.settings import Settings

Progress = Callable[[int, int], None]
"""Told how many files of how many are done."""


def back_up(settings: Settings, vault: Vault, *, keys: bool, progress: Progress) -> Snapshot:
    """Keep the present state of an installation, which may be at work, as a new snapshot.

    Args:
        keys: whether the key store is kept too; the vault must be sealed then.

    Raises:
        CustodyError: as :func:`~kobe_platform.backup.capture.captured`; keys are to go to a vault that is not sealed
            (``backup.keys_in_the_clear``); the place cannot be written.
    """
    if keys and vault.seal is None:
        raise CustodyError(
            "the key store does not go to a backup that is not sealed",
            code="backup.keys_in_the_clear",
            remedy="give --key FILE (`kobe backup key FILE` makes one), or --without-keys",
            ja="鍵は暗号化したバックアップにだけ入れられます",
        )
    known = vault.ids()
    former = {file.path: file for file in vault.snapshot(known[-1]).files} if known else {}
    with captured(settings, keys=keys) as held, storage_errors("backup"):
        paths = sorted(path for path in held.folder.rglob("*") if path.is_symlink() or path.is_file())
        links = {path.relative_to(held.folder).as_posix(): os.readlink(path) for path in paths if path.is_symlink()}
        files = [path for path in paths if not path.is_symlink()]
        kept = []
        for number, path in enumerate(files, 1):
            kept.append(store_file(vault, held.folder, path, former))
            progress(number, len(files))
        stamp = held.taken_at.replace("-", "").replace(":", "").removesuffix("+0000")
        id = f"{stamp}Z-{secrets.token_hex(3)}"
        snapshot = Snapshot(id, held.taken_at, held.anchor, keys, held.elsewhere, tuple(kept), links)
        vault.put_snapshot(snapshot)
    return snapshot


def restore(vault: Vault, snapshot: Snapshot, home: Path, *, progress: Progress) -> None:
    """Make a home from a snapshot; the home appears when all of it is there, and not otherwise.

    Raises:
        CustodyError: the home is not empty (``backup.home_not_empty``), an object is damaged or the snapshot names a
            path outside of a home (``backup.damaged``), or the disk does not take it.
    """
    if home.exists() and any(home.iterdir()):
        raise CustodyError(
            "the home is not empty",
            code="backup.home_not_empty",
            at={"home": home.name},
            remedy="restore into a folder that is not there yet; nothing is ever written over",
            ja="復元先が空ではありません",
        )
    aside = home.with_name(f".{home.name}.restoring")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with storage_errors("home"):
            private_folder(aside)
            for number, file in enumerate(snapshot.files, 1):
                target = _inside(aside, file.path)
                target.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
                restore_file(vault, file, target)
                progress(number, len(snapshot.files))
            for name, points in snapshot.links.items():
                _inside(aside, name).symlink_to(points)
            for folder in [aside, *(path for path in aside.rglob("*") if path.is_dir() and not path.is_symlink())]:
                folder.chmod(PRIVATE_FOLDER)
                sync_folder(folder)
            if home.exists():
                home.rmdir()
            aside.rename(home)
            sync_folder(home.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def faults(vault: Vault, snapshot: Snapshot, *, progress: Progress) -> list[str]:
    """Paths of a snapshot whose content is not there or not what it was; every object is read and opened."""
    found, judged = [], {}
    for number, file in enumerate(snapshot.files, 1):
        if file.object not in judged:
            judged[file.object] = _is_whole(vault, file)
        if not judged[file.object]:
            found.append(file.path)
        progress(number, len(snapshot.files))
    return found


def sizes(files: Iterable[Kept]) -> dict[str, int]:
    """Bytes by what lies directly in the home."""
    found: dict[str, int] = {}
    for file in files:
        name = file.path.split("/")[0]
        found[name] = found.get(name, 0) + file.size
    return found


def _is_whole(vault: Vault, file: Kept) -> bool:
    try:
        for _ in vault.content(file):
            pass
    except CustodyError as error:
        if error.code != "backup.damaged":
            raise
        return False
    return True


def _inside(home: Path, name: str) -> Path:
    """A path of a snapshot in a home; never one that leads out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise CustodyError(
            "a snapshot names a path outside of a home",
            code="backup.damaged",
            at={"object": "snapshot"},
            remedy="take another snapshot of this vault, or another vault",
            ja="バックアップが壊れています",
        )
    return home / path
