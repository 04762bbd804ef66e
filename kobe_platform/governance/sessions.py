"""Keeps sessions on the server: the browser has a random token, the database its hash; sign-out ends it at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person, read_person
from kobe_platform.governance.schema import session
from kobe_platform.governance.trail import record

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """A signed-in person's session; ``csrf`` is what forms send back."""

    person: Person
    method: str
    csrf: str

    def guards(self, token: str) -> bool:
        """Whether a form's token is this session's."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())


def begin(engine: Engine, person: Person, method: str, now: datetime | None = None) -> str:
    """A new session for somebody who has just been recognised; returns the token for the cookie."""
    moment, token = now or datetime.now(UTC), secrets.token_urlsafe(32)
    with writing(engine) as connection:
        connection.execute(delete(session).where(session.c.created_at < moment - LONGEST))
        connection.execute(
            insert(session).values(
                token_hash=_hash(token), login=person.login, method=method, csrf=secrets.token_urlsafe(24),
                created_at=moment, seen_at=moment,
            )
        )  # fmt: skip
        record(connection, person.login, "sign_in", method, now=moment)
    return token


def find(engine: Engine, token: str, now: datetime | None = None, *, active: bool = True) -> Session | None:
    """The session of a token; None when it ended, idled for half an hour, is ten hours old, or its person left.

    ``active``: this is something that the person does, and puts off the end of an idle session.
    """
    moment, hashed = now or datetime.now(UTC), _hash(token)
    with engine.connect() as connection:
        row = connection.execute(select(session).where(session.c.token_hash == hashed)).first()
        if row is None or moment - row.seen_at > IDLE or moment - row.created_at > LONGEST:
            return None
        person = read_person(connection, row.login)
    if person is None or not person.active:
        return None
    if active and moment - row.seen_at > _SEEN_EVERY:
        with writing(engine) as connection:
            connection.execute(update(session).where(session.c.token_hash == hashed).values(seen_at=moment))
    return Session(person, row.method, row.csrf)


def end(engine: Engine, token: str) -> None:
    """Sign out."""
    with writing(engine) as connection:
        own = session.c.token_hash == _hash(token)
        login = connection.execute(select(session.c.login).where(own)).scalar()
        if login:
            connection.execute(delete(session).where(own))
            record(connection, login, "sign_out")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
