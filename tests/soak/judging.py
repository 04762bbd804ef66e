"""What a home must look like after a kill and the next `kobe run`: all of it is looked at without asking the product's
own bookkeeping where files can be counted."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.lake import PartitionStore
from kobe_platform.planning.observing import Observer
from tests.soak.homes import Place

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


def problems(place: Place, figures: str) -> list[str]:
    """Everything that is not as it should be; empty for a home that has healed.

    Args:
        figures: digest of the figures that an undisturbed run publishes.
    """
    found = []
    plan = Observer(place.settings).plan()
    found += [f"outstanding: {step.id} {step.state}" for step in plan.outstanding]
    found += [f"fault: {fault.code}" for fault in plan.faults]
    if place.figures() != figures:
        found.append("the published figures are not those of an undisturbed run")
    return [*found, *custody_problems(place), *(f"left: {name}" for name in leftovers(place)), *dagster_problems(place)]


def custody_problems(place: Place) -> list[str]:
    """What `kobe lake verify` and `kobe log verify` would say."""
    settings = place.settings
    keys = open_key_service(KeyPlace.of(settings))
    report = PartitionStore(settings.store, keys, municipality=settings.municipality).verify()
    verdict = keys.log.verify(None)
    found = [f"lake verify: {name} {code}" for name, code in report.faults]
    return found if verdict.sound else [*found, f"log verify: line {verdict.line} {verdict.fault}"]


def leftovers(place: Place) -> Iterator[str]:
    """Files that are there only while something is being written, and locks that nobody holds."""
    for path in sorted(place.home.rglob("*")):
        name, told = path.name, str(path.relative_to(place.home))
        if told.startswith("dagster/"):
            continue
        aside = name.endswith((".new", ".gone", ".tmp")) or name == "head.next"
        building = name.startswith((".building-", ".current-", ".tables-", ".heads.json.", ".g0"))
        body = told.startswith("staging/bodies/.")
        if aside or building or body:
            yield told
        if told.startswith("work/") and path.is_file() and not _held(path):
            yield f"{told} (a lock that nobody holds)"
        if told.startswith("failures/") and name != ".lock":
            yield f"{told} (a failure that is over)"


def _held(path: Path) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def dagster_problems(place: Place) -> list[str]:
    """Runs that have not ended, and slots of pools that are taken."""
    history = place.home / "dagster" / "history"
    found = []
    for file, query in (
        ("runs.db", "select status from runs"),
        ("runs/index.db", "select 'slot of ' || concurrency_key from concurrency_slots where run_id is not null"),
        ("runs/index.db", "select 'pending step of ' || concurrency_key from pending_steps"),
    ):
        if not (history / file).exists():
            continue
        with closing(sqlite3.connect(history / file)) as database:
            tables = {name for (name,) in database.execute("select name from sqlite_master")}
            if query.rpartition(" from ")[2].split()[0] in tables:
                found += [f"dagster: {told}" for (told,) in database.execute(query) if told not in ENDED]
    return found
