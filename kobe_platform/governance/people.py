"""Keeps the accounts of the city's staff: names, roles, and the audiences that they belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import (
    ROLES,
    device,
    favourite,
    guess,
    identity,
    notice_mail,
    password,
    person,
    person_group,
    person_role,
    session,
)
from kobe_platform.governance.trail import record

STAFF = "staff"
"""The audience that every active person belongs to."""
_LOGIN = re.compile(r"^[a-z0-9][a-z0-9._@-]{0,63}$")


@dataclass(frozen=True)
class Person:
    """A member of staff.

    Attributes:
        login: name at sign-in, lower case.
        section: 所属, as contracts name owning sections.
        roles: of :data:`kobe_platform.governance.schema.ROLES`.
        audiences: names of ``audiences.toml``; ``staff`` for everybody.
    """

    login: str
    name: str
    section: str
    active: bool
    roles: frozenset[str]
    audiences: frozenset[str]

    def has(self, *roles: str) -> bool:
        """Whether the person has one of the roles."""
        return bool(self.roles & set(roles))


def normal(login: str) -> str:
    """A login as it is stored.

    Raises:
        GovernanceError: it cannot be one.
    """
    text = login.strip().lower()
    if not _LOGIN.match(text):
        raise GovernanceError(
            "a login is one to sixty-four letters, digits and . _ @ -",
            code="people.login",
            remedy="use the login of the city's directory",
            ja="ログイン名には英小文字・数字・. _ @ - だけが使えます",
        )
    return text


def add_person(
    engine: Engine,
    login: str,
    name: str,
    section: str,
    *,
    roles: tuple[str, ...] = (),
    audiences: tuple[str, ...] = (),
    by: str,
) -> Person:
    """Register somebody, or put a person who left in force again with these roles and audiences.

    Raises:
        GovernanceError: the login is none, or a role is unknown.
    """
    with writing(engine) as connection:
        return put_person(connection, login, name, section, roles=roles, audiences=audiences, by=by)


def put_person(
    connection: Connection,
    login: str,
    name: str,
    section: str,
    *,
    roles: tuple[str, ...] = (),
    audiences: tuple[str, ...] = (),
    by: str,
) -> Person:
    """:func:`add_person` within the caller's transaction."""
    login = normal(login)
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise GovernanceError(
            "an unknown role", code="people.role", at={"role": unknown[0]}, remedy=f"roles are: {', '.join(ROLES)}"
        )
    told = {"name": name, "section": section, "active": True}
    if connection.execute(select(person.c.login).where(person.c.login == login)).first():
        connection.execute(update(person).where(person.c.login == login).values(**told))
    else:
        connection.execute(insert(person).values(login=login, created_at=datetime.now(UTC), **told))
    _replace(connection, login, roles, audiences)
    detail = {"roles": sorted(roles), "audiences": sorted(audiences), "section": section}
    record(connection, by, "people.add", login, detail=detail)
    return _read(connection, login)


def _replace(connection: Connection, login: str, roles: tuple[str, ...], audiences: tuple[str, ...]) -> None:
    connection.execute(delete(person_role).where(person_role.c.login == login))
    connection.execute(delete(person_group).where(person_group.c.login == login))
    for role in sorted(set(roles)):
        connection.execute(insert(person_role).values(login=login, role=role))
    for audience in sorted(set(audiences) - {STAFF}):
        connection.execute(insert(person_group).values(login=login, audience=audience))


def remove_person(engine: Engine, login: str, *, by: str) -> None:
    """Take away every right at once: all but the name, which stays in the records.

    Raises:
        GovernanceError: there is no such person.
    """
    login = normal(login)
    with writing(engine) as connection:
        _read(connection, login)
        connection.execute(update(person).where(person.c.login == login).values(active=False))
        _replace(connection, login, (), ())
        for table in (password, session, guess, device, identity, favourite, notice_mail):
            connection.execute(delete(table).where(table.c.login == login))
        record(connection, by, "people.remove", login)


def sign_out(engine: Engine, login: str, *, by: str) -> int:
    """End all of a person's sessions at once, and nothing else; how many there were.

    Raises:
        GovernanceError: there is no such person.
    """
    login = normal(login)
    with writing(engine) as connection:
        _read(connection, login)
        ended = connection.execute(delete(session).where(session.c.login == login)).rowcount
        record(connection, by, "people.sign_out", login, detail={"sessions": ended})
    return ended


def find_person(engine: Engine, login: str) -> Person | None:
    """A person by login; None where there is none."""
    with engine.connect() as connection:
        return read_person(connection, login)


def active_person(engine: Engine, login: str) -> Person:
    """A person in force, by login.

    Raises:
        GovernanceError: there is none, or they left.
    """
    found = find_person(engine, normal(login))
    if found is None or not found.active:
        raise _unknown(login)
    return found


def people(engine: Engine) -> list[Person]:
    """Everybody, by login."""
    with engine.connect() as connection:
        logins = connection.execute(select(person.c.login).order_by(person.c.login)).scalars().all()
        return [_read(connection, login) for login in logins]


def names(engine: Engine) -> dict[str, str]:
    """Login → name of everybody, those who left among them, as records are read by."""
    with engine.connect() as connection:
        return {row.login: row.name for row in connection.execute(select(person.c.login, person.c.name))}


def read_person(connection: Connection, login: str) -> Person | None:
    """A person within the caller's transaction."""
    row = connection.execute(select(person).where(person.c.login == login)).first()
    if row is None:
        return None
    roles = connection.execute(select(person_role.c.role).where(person_role.c.login == login)).scalars()
    audiences = connection.execute(select(person_group.c.audience).where(person_group.c.login == login)).scalars()
    own = frozenset({STAFF, *audiences}) if row.active else frozenset()
    return Person(row.login, row.name, row.section, row.active, frozenset(roles) if row.active else frozenset(), own)


def _read(connection: Connection, login: str) -> Person:
    found = read_person(connection, login)
    if found is None:
        raise _unknown(login)
    return found


def _unknown(login: str) -> GovernanceError:
    return GovernanceError(
        "there is no such person",
        code="people.unknown",
        at={"login": login},
        remedy="see `kobe people list`",
        ja="登録されていない利用者です",
    )
