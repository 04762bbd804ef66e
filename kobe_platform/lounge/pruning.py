"""Takes the pages and tables of old releases away, and keeps their records: number, day, tables, digests of files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.custody.durable import locked, storage_errors, sync_folder, write_private
from kobe_platform.errors import LoungeError
from kobe_platform.lounge.release import LOCK, RECORD, Release, current, releases_of

if TYPE_CHECKING:
    from kobe_platform.lounge.sharing import SharedReleases

LEAST = 2
"""Releases that stay whatever is asked: the one in force, and one to go back to."""


def to_prune(known: Sequence[Release], in_force: str, keep: int) -> list[Release]:
    """The releases that lose their pages and tables, oldest first.

    Args:
        known: every release, oldest first.
        in_force: id of the release in force; those that are newer (rolled back from) are never pruned.
        keep: how many stay with their pages, the one in force counted.

    Raises:
        LoungeError: ``release.keep``, where ``keep`` is below :data:`LEAST`.
    """
    if keep < LEAST:
        raise LoungeError(
            "at least the release in force and one to go back to must stay",
            code="release.keep",
            at={"keep": keep},
            remedy=f"keep {LEAST} or more",
            ja="公開中の版と、戻るための版は残してください",
        )
    place = next((number for number, release in enumerate(known) if release.id == in_force), 0)
    return list(known[: max(place + 1 - keep, 0)])


def prune(releases: Path, keep: int, *, now: datetime | None = None, shared: SharedReleases | None = None) -> list[str]:
    """Take away all but the records of old releases; see :func:`to_prune`.

    A record says that its release is pruned before the first file goes, so a crash leaves either a whole release or a
    pruned one whose remains the next call takes away.

    Returns:
        Ids of the releases that had anything left to take away.

    Raises:
        LoungeError: ``keep`` is too small.
        CustodyError: the file system does not let files be taken away.
    """
    if not releases.is_dir():
        return []
    with locked(releases / LOCK), storage_errors("releases"):
        in_force = current(releases)
        found = to_prune(releases_of(releases), in_force.id if in_force else "", keep)
        at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        pruned = [release.id for release in found if _prune(release, at)]
        if shared is not None:
            for id in pruned:
                shared.drop(id)
        return pruned


def _prune(release: Release, at: str) -> bool:
    if not release.pruned_at:
        record = json.loads((release.path / RECORD).read_text("utf-8"))
        record["pruned_at"] = at
        write_private(release.path / RECORD, json.dumps(record, ensure_ascii=False, indent=1).encode())
    left = [path for path in release.path.iterdir() if path.name != RECORD]
    for path in left:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    sync_folder(release.path)
    return bool(left)
