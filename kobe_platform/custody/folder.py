"""Creates and opens the folder of a key store; refused are folders that others could reach."""

from __future__ import annotations

from pathlib import Path

from kobe_platform.custody.durable import PRIVATE_FOLDER, check_private, private_folder
from kobe_platform.errors import CustodyError


def check_store(path: Path) -> None:
    """Refuse a key store that is absent, that others own or may read, or that only points elsewhere.

    Raises:
        CustodyError: ``custody.no_store``, ``custody.permissions``, ``custody.owner``, ``custody.symlink``.
    """
    if not (path / "root.json").exists():
        raise CustodyError(
            "there is no key store",
            code="custody.no_store",
            at={"folder": path.name},
            remedy="run `kobe keys init`",
            ja="鍵ストアがありません",
        )
    for file in (path, *path.glob("*.json"), *path.glob("*.key")):
        check_private(file)


def new_folder(path: Path) -> None:
    """Make the folder of a new key store.

    Raises:
        CustodyError: there is a key store already (``custody.exists``).
    """
    if (path / "root.json").exists():
        raise CustodyError(
            "there is a key store already",
            code="custody.exists",
            at={"folder": path.name},
            remedy="use it, or move it away: without it nothing that it protects can be read again",
            ja="鍵ストアはすでにあります",
        )
    private_folder(path)
    path.chmod(PRIVATE_FOLDER)
