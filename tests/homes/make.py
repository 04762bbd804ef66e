"""Makes the archive of a small home as the present version writes it: ``python -m tests.homes.make``.

Every version of the home's format keeps one, ``N.tar.xz``, which is never made again once the next format is there: all
later versions must bring it up to date. Everybody and everything in it is made up; its keys protect nothing else.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from sqlalchemy import insert

from kobe_platform.custody.opening import KeyPlace, create_key_service
from kobe_platform.governance import applications, sessions
from kobe_platform.governance.accounts import register
from kobe_platform.governance.application import Draft
from kobe_platform.governance.database import open_database, writing
from kobe_platform.governance.passwords import check_password
from kobe_platform.governance.people import find_person
from kobe_platform.governance.schema import survey_answer
from kobe_platform.home_format import FORMAT, mark_new
from kobe_platform.lake import PartitionId, PartitionStore, verdicts
from kobe_platform.privacy.instance import open_instance
from kobe_platform.settings import Settings
from tests.unit.web.conftest import write_release

HOMES = Path(__file__).parent
PASSWORD = "sea-and-mountains-7"
PARTITION = PartitionId("lake", "resident_register", "2025-07")
ROWS = pl.DataFrame({"ward": ["28101", "28102", "28101"], "age": [3, 40, 71]})


def fill(settings: Settings) -> None:
    """Write a little of everything that a home holds."""
    keys = create_key_service(KeyPlace.of(settings))
    store = PartitionStore(settings.store, keys, municipality=settings.municipality)
    for _ in range(2):
        store.write(PARTITION, ROWS, facts={"content_hash": "0" * 64, "basis": "synthetic"}, inputs={"delivery": "0"})
    verdicts.record(store, store.present(PARTITION), "accepted", passed=True, blocking=True, facts={"rows": 3})
    write_release(settings.releases, basis="synthetic")
    receipt = (
        settings.receipts / settings.municipality / PARTITION.source / PARTITION.month / f"{'0' * 12}.accepted.json"
    )
    receipt.parent.mkdir(parents=True)
    receipt.write_text('{"at": "2025-08-01T00:00:00+00:00"}')
    _people(settings)
    open_instance(settings).dispose()
    mark_new(settings.root)


def _people(settings: Settings) -> None:
    database = open_database(settings.governance)
    for login, roles in (("sato", ("operator",)), ("suzuki", ("decider",)), ("takahashi", ())):
        register(database, login, f"{login}（架空）", "市民課", roles=roles, password=PASSWORD, by="made-up")
    draft = Draft("件名", "目的", "staff", (PARTITION.source,), ("people",), date(2025, 4, 1), date(2026, 3, 31))
    applications.create(database, find_person(database, "takahashi"), draft, hand_in=True)
    sessions.begin(database, find_person(database, "sato"), "password")
    for _ in range(5):
        check_password(database, "takahashi", "a wrong password")
    check_password(database, "suzuki", "a wrong password")
    with writing(database) as connection:
        values = {"at": datetime.now(UTC), "page": "people", "rating": 4, "comment": ""}
        connection.execute(insert(survey_answer).values(**values))
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()


def make(target: Path) -> None:
    """Write the archive."""
    os.umask(0o027)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(home=Path(scratch) / "home", inbox=Path(scratch) / "inbox")
        fill(settings)
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(settings.root, "home", filter=_plain)
        print(target.name, target.stat().st_size, "bytes")


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return None if entry.name.endswith(".lock") and "store" not in entry.name else entry


if __name__ == "__main__":
    make(HOMES / f"{FORMAT}.tar.xz")
