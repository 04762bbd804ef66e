"""Brings an installation's home to the present version, step by step; each step may be killed and is then done again.

A step says what it will do by looking at the home, so one that is done says nothing and a home that is up to date is
left alone. The home's version is written after the last step of that version. There is no way back but a backup.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import is_locked, storage_errors
from kobe_platform.errors import CustodyError
from kobe_platform.governance.database import is_outdated, upgrade_database
from kobe_platform.home_format import FORMAT, refuse_later, version_of, write_version
from kobe_platform.planning.leases import TICKER, Leases, Owner
from kobe_platform.settings import Settings

OPEN_TO_OTHERS = 0o027
"""Bits that no file of a home has: writing for the group, anything for others."""


DAGSTER_FILES = {
    "runs": "history/runs.db",
    "event_log": "history/runs/index.db",
    "schedules": "schedules/schedules.db",
}
"""Dagster's storages and their files."""


@dataclass(frozen=True)
class UpgradeStep:
    """One step of an upgrade.

    Attributes:
        version: of the home after this step and all before it.
        always: whether a home of any version may need it, as what it changes may lie elsewhere.
        told: what it does, in Japanese, for people; empty where there is nothing to do.
        do: does it; again after a kill.
    """

    version: int
    name: str
    told: Callable[[Settings], str]
    do: Callable[[Settings], None]
    always: bool = False


@dataclass(frozen=True)
class Pending:
    """A step that has something to do, and what."""

    step: UpgradeStep
    told: str


def pending(settings: Settings) -> list[Pending]:
    """What an upgrade would do; nothing is changed.

    Raises:
        CustodyError, GovernanceError: a later version wrote the home or its database (``home.later``,
            ``governance.later``), or one of them cannot be read.
    """
    refuse_later(settings.root)
    if not settings.root.is_dir():
        return []
    version = version_of(settings.root)
    found = [Pending(step, step.told(settings)) for step in STEPS if step.always or step.version > version]
    return [one for one in found if one.told]


def upgrade(settings: Settings, say: Callable[[str], None], waiting: Callable[[Owner | None], object]) -> int:
    """Do all that is pending and write the home's version; how many steps there were.

    Args:
        waiting: told who works on the home, while this waits.

    Raises:
        CustodyError: a daemon or portal works on the home (``upgrade.at_work``); otherwise as :func:`pending`.
    """
    refuse_later(settings.root)
    if not settings.root.is_dir() or not (pending(settings) or version_of(settings.root) < FORMAT):
        return 0
    if is_locked(settings.root / "development.lock"):
        raise CustodyError(
            "the daemon works on this home",
            code="upgrade.at_work",
            at={"lock": "development.lock"},
            remedy="end `kobe dev` (systemctl stop kobe-daemon kobe-portal), then upgrade",
            ja="デーモンが動いています。止めてから実行してください",
        )
    with Leases(settings.root).holding(TICKER, waiting=waiting):
        return _done(settings, say)


def _done(settings: Settings, say: Callable[[str], None]) -> int:
    done = 0
    write_version(settings.root, version_of(settings.root))  # what tells a home without the file may be changed now
    for version in range(version_of(settings.root) + 1, FORMAT + 1):
        done += _taken([step for step in STEPS if step.version == version], settings, say)
        write_version(settings.root, version)
    return done + _taken([step for step in STEPS if step.always], settings, say)


def _taken(steps: list[UpgradeStep], settings: Settings, say: Callable[[str], None]) -> int:
    done = 0
    for step in steps:
        told = step.told(settings)
        if told:
            say(told)
            step.do(settings)
            done += 1
    return done


# -- version 2 ----------------------------------------------------------------------------------------------------


def _governance_told(settings: Settings) -> str:
    if is_outdated(settings.governance):
        return "管理データベース: 表を足して新しい形式にする（いまの記録と締め出しは引き継ぐ）"
    return ""


def _migrate_governance(settings: Settings) -> None:
    upgrade_database(settings.governance)


def open_to_others(home: Path) -> Iterator[Path]:
    """Files and folders of a home that others than its owner and group may use, or the group change."""
    yield from (
        path for path, told in _all_of(home) if not stat.S_ISLNK(told.st_mode) and told.st_mode & OPEN_TO_OTHERS
    )


def of_others(home: Path) -> Iterator[Path]:
    """Files and folders of a home that belong to another user, as a command that root gave leaves them."""
    yield from (path for path, told in _all_of(home) if told.st_uid != os.geteuid())


def _all_of(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a home with what it is; what goes meanwhile is left out."""
    for folder, names, files in os.walk(home):
        for name in (*names, *files):
            with contextlib.suppress(FileNotFoundError):
                yield Path(folder, name), os.lstat(Path(folder, name))


def _modes_told(settings: Settings) -> str:
    loose = sum(1 for _ in open_to_others(settings.root))
    return f"権限: {loose:,}個のファイルとフォルダーを、所有者とグループ以外から閉じる" if loose else ""


def _close_modes(settings: Settings) -> None:
    with storage_errors("home"):
        for path in [*open_to_others(settings.root)]:
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OPEN_TO_OTHERS)


# -- every version ------------------------------------------------------------------------------------------------


def _dagster_told(settings: Settings) -> str:
    if not (settings.dagster_home / "dagster.yaml").exists():
        return ""
    revisions = _of_postgres(settings) if settings.postgres_url else _of_files(settings.dagster_home)
    behind = sorted(name for name, (present, newest) in revisions.items() if present != newest)
    return f"Dagster の記録: {'、'.join(behind)} を新しい形式にする" if behind else ""


def _of_files(home: Path) -> dict[str, tuple[Any, Any]]:
    """Storage → its schema's revision and the newest that this Dagster knows; the files are only read."""
    from alembic.script import ScriptDirectory

    place = find_spec("dagster")
    if place is None or place.origin is None:
        return {}
    newest = ScriptDirectory(str(Path(place.origin).parent / "_core" / "storage" / "alembic")).get_current_head()
    files = {name: home / file for name, file in DAGSTER_FILES.items()}
    return {name: (_revision(file), newest) for name, file in files.items() if file.is_file()}


def _revision(file: Path) -> str | None:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error:
            return None
    return row[0] if row else None


def _of_postgres(settings: Settings) -> dict[str, tuple[Any, Any]]:
    from kobe_platform.privacy.instance import open_instance

    with open_instance(settings) as instance:
        told = {"runs": instance.run_storage.alembic_version(), "events": instance.event_log_storage.alembic_version()}
    return {name: one for name, one in told.items() if one is not None}


def _migrate_dagster(settings: Settings) -> None:
    from kobe_platform.privacy.instance import open_instance

    with open_instance(settings) as instance:
        instance.upgrade()


STEPS = (
    UpgradeStep(2, "governance", _governance_told, _migrate_governance, always=True),
    UpgradeStep(2, "dagster", _dagster_told, _migrate_dagster, always=True),
    UpgradeStep(2, "modes", _modes_told, _close_modes),
)
