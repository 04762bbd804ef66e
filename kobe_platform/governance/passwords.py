"""Verifies passwords of local accounts (Argon2id); takes the same time for whoever is named."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, delete, insert, select

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.guesses import NOWHERE, Whence, count, is_locked, places_of, remember_address
from kobe_platform.governance.people import Person, find_person, normal, read_person
from kobe_platform.governance.schema import device, guess, password, session
from kobe_platform.governance.trail import DONE, REFUSED, record

SHORTEST = 12
AT_ONCE = threading.BoundedSemaphore(2)
"""Hashes computed at a time: each takes 64 MiB (RFC 9106, second recommended option)."""


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    """The hash of no password: what an unknown name is compared with, so that it takes as long."""
    return _hasher().hash("nobody's password, never accepted")


def set_password(engine: Engine, login: str, text: str, *, by: str) -> None:
    """Give a person a password; former failures and devices are forgotten, sessions under the old one end.

    Raises:
        GovernanceError: there is no such person, or the password is shorter than twelve characters or the login.
    """
    login = normal(login)
    hashed = checked_hash(login, text)
    with writing(engine) as connection:
        put_password(connection, login, hashed, by=by)


def checked_hash(login: str, text: str) -> str:
    """The hash of a password that the person of this login may have; takes a moment, so call it outside a transaction.

    Raises:
        GovernanceError: the password is shorter than twelve characters, holds the login, or is no text.
    """
    if len(text) < SHORTEST or login in text.lower() or not _is_text(text):
        raise GovernanceError(
            "a password has at least twelve characters and does not hold the login",
            code="people.password",
            remedy="choose a longer one; several words are good",
            ja="パスワードは12文字以上で、ログイン名を含まないものにしてください",
        )
    with AT_ONCE:
        return _hasher().hash(text)


def _is_text(text: str) -> bool:
    """False for what came from bytes that are not UTF-8: the hasher's own error would show them."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def put_password(connection: Connection, login: str, hashed: str, *, by: str) -> None:
    """:func:`set_password` within the caller's transaction, by the hash.

    Raises:
        GovernanceError: there is no such person in force.
    """
    person = read_person(connection, login)
    if person is None or not person.active:
        raise GovernanceError(
            "there is no such person", code="people.unknown", at={"login": login}, remedy="see `kobe people list`"
        )
    for table in (password, session, guess, device):
        connection.execute(delete(table).where(table.c.login == login))
    connection.execute(insert(password).values(login=login, hash=hashed, changed_at=datetime.now(UTC)))
    record(connection, by, "people.password", login)


def check_password(
    engine: Engine, login: str, text: str, now: datetime | None = None, *, whence: Whence = NOWHERE
) -> Person | None:
    """The person, if the password is theirs and neither the account is removed nor this way to it locked; else None.

    Five failures in a row lock an address out of an account for fifteen minutes; fifty from strange addresses lock out
    new devices at strange addresses. A device that signed in before is counted by itself. Unknown,
    locked, removed and wrong take one hash each and give one answer. The trail names known logins only: what else
    stands in that field may be a password.
    """
    moment = now or datetime.now(UTC)
    try:
        login = normal(login)
    except GovernanceError:
        login = ""
    with engine.connect() as connection:
        row = connection.execute(select(password).where(password.c.login == login)).first()
        places = places_of(connection, login, whence)
        locked = is_locked(connection, login, places, moment)
    person = find_person(engine, login) if login else None
    usable = bool(row and person and person.active and not locked)
    right = _matches(row.hash if row is not None and usable else _nobody(), text) and usable
    outcome = DONE if right else REFUSED
    with writing(engine) as connection:
        if row and usable:
            count(connection, login, places, right=right, moment=moment)
            if right:
                remember_address(connection, login, whence, moment)
        record(connection, login if person else "?", "sign_in.password", outcome=outcome, now=moment)
    return person if right else None


def _matches(hashed: str, text: str) -> bool:
    with AT_ONCE:
        try:
            return _hasher().verify(hashed, text[:1024])
        except (VerificationError, InvalidHashError):
            return False
