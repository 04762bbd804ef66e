"""Records what people did: sign-ins, refusals, decisions, launches, releases; entries are added and never changed.

The database itself refuses an update or a deletion of an event (migration 0001). ``detail`` holds coordinates and
counts only, as every message of the platform does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select

from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import event

DONE, REFUSED = "done", "refused"
PLATFORM = "platform"
"""Who acts where no person does."""


@dataclass(frozen=True)
class Event:
    """One entry: when, who, what was done to which object, with which outcome (``done`` or ``refused``)."""

    at: datetime
    who: str
    action: str
    object: str
    outcome: str
    detail: Mapping[str, Any]


def record(
    connection: Connection,
    who: str,
    action: str,
    object: str = "",
    *,
    outcome: str = DONE,
    detail: Mapping[str, object] | None = None,
    now: datetime | None = None,
) -> None:
    """Add an entry within the caller's transaction, so that no act stands without its record."""
    connection.execute(
        insert(event).values(
            at=now or datetime.now(UTC),
            who=who[:64],
            action=action,
            object=object[:200],
            outcome=outcome,
            detail=json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else "",
        )
    )


def note(engine: Engine, who: str, action: str, object: str = "", **told: Any) -> None:
    """:func:`record` in a transaction of its own."""
    with writing(engine) as connection:
        record(connection, who, action, object, **told)


def events_of(engine: Engine, who: str, action: str, since: datetime) -> list[Event]:
    """One person's entries of one action from ``since`` on, newest first."""
    wanted = (event.c.who == who) & (event.c.action == action) & (event.c.at >= since)
    with engine.connect() as connection:
        rows = connection.execute(select(event).where(wanted).order_by(event.c.at.desc(), event.c.id.desc())).all()
    return [_entry(row) for row in rows]


def events(engine: Engine, since: datetime, until: datetime) -> list[Event]:
    """Entries from ``since`` up to before ``until``, oldest first."""
    query = select(event).where(event.c.at >= since, event.c.at < until).order_by(event.c.at, event.c.id)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [_entry(row) for row in rows]


def _entry(row: Row[Any]) -> Event:
    return Event(row.at, row.who, row.action, row.object, row.outcome, json.loads(row.detail) if row.detail else {})
