"""Tells of which version an installation's home is, and refuses one that this platform cannot work on.

A home is what lies under ``KOBE_HOME``: keys, store, releases, receipts, governance database, Dagster's records. Its
version stands in ``format.json``; homes from before that file are told by their governance database. Versions:

- 1: until the file came; failed sign-ins were counted by account, and only the home's own mode kept others out.
- 2: governance revision 0004; every file closed to others by its own mode.
- 3: governance revision 0006.
- 4: governance revision 0007.
- 5: governance revision 0008, its file written anew (homes of version 4 may have words in unused parts of its pages).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path

from kobe_platform.custody.durable import check_private, storage_errors, write_private
from kobe_platform.errors import ConfigurationError, CustodyError

FORMAT = 5
"""The version that this platform writes."""
FILE = "format.json"
_FIRST = ("0001", "0002")
"""Revisions of the governance database in homes of version 1."""


def version_of(home: Path) -> int:
    """The version of a home; the present one where there is no home yet.

    Raises:
        ConfigurationError: the file does not say it (``home.format``).
        CustodyError: the file cannot be read.
    """
    with storage_errors(FILE):
        try:
            told = (home / FILE).read_bytes()
        except FileNotFoundError:
            return 1 if _is_of_the_first(home / "governance.sqlite") else FORMAT
    try:
        version = json.loads(told)["version"]
    except (ValueError, KeyError, TypeError):
        version = None
    if not isinstance(version, int) or version < 1:
        raise ConfigurationError(
            "the file of the home's version does not say one",
            code="home.format",
            at={"file": FILE},
            remedy=f'restore it from the backup, or write {{"version": {FORMAT}}} if this version made the home',
            ja="KOBE_HOME の版のファイルを読めません",
        )
    return version


def write_version(home: Path, version: int) -> None:
    """Say of which version a home is."""
    with storage_errors(FILE):
        write_private(home / FILE, json.dumps({"version": version}).encode())


def mark_new(home: Path) -> None:
    """Say the version of a home that has keys and no word of its version yet, where it is the present one."""
    with contextlib.suppress(CustodyError):
        if (home / "keys" / "root.json").exists() and not (home / FILE).exists() and version_of(home) == FORMAT:
            write_version(home, FORMAT)


def refuse_later(home: Path) -> None:
    """Refuse a home that a later version of the platform wrote.

    Raises:
        CustodyError: ``home.later``.
    """
    version = version_of(home)
    if version > FORMAT:
        raise CustodyError(
            "a later version of the platform wrote this home",
            code="home.later",
            at={"version": version, "known": FORMAT},
            remedy="use that version again; there is no way back but a backup from before the upgrade",
            ja="KOBE_HOME は、この基盤より新しい版のものです",
        )


def check_version(home: Path) -> None:
    """Refuse a home that is not of the present version.

    Raises:
        CustodyError: ``home.later``, or ``home.outdated`` where ``kobe upgrade`` is needed.
    """
    refuse_later(home)
    version = version_of(home)
    if version < FORMAT:
        raise CustodyError(
            "an earlier version of the platform wrote this home",
            code="home.outdated",
            at={"version": version, "needed": FORMAT},
            remedy="make a backup, look at `kobe upgrade --dry-run`, then run `kobe upgrade`",
            ja="KOBE_HOME は前の版のものです。kobe upgrade を実行してください",
        )


def refuse_foreign(home: Path) -> None:
    """Refuse to work on another user's home: what root writes there, the platform's own user cannot use any more.

    Raises:
        CustodyError: ``custody.owner``.
    """
    if home.is_dir() and home.stat().st_uid != os.geteuid():
        raise CustodyError(
            "KOBE_HOME belongs to another user",
            code="custody.owner",
            at={"home": home.name},
            remedy="run the command as the owner of KOBE_HOME (sudo -u OWNER kobe …)",
            ja="KOBE_HOME の所有者が違います",
        )


def refuse_loose(*places: Path) -> None:
    """Refuse to work where others may read the key store, the partitions or the accounts; what is absent is left out.

    Raises:
        CustodyError: ``custody.permissions``, ``custody.owner`` or ``custody.symlink``.
    """
    for place in places:
        if place.exists():
            for path in (place, *(place.glob("*.json") if place.is_dir() else ()), *place.glob("*.key")):
                check_private(path)


def _is_of_the_first(database: Path) -> bool:
    if not database.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return False
    return row is not None and row[0] in _FIRST
