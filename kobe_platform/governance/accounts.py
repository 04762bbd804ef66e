"""Writes an account as a whole, with roles, audiences and password, in one transaction."""

from __future__ import annotations

from sqlalchemy import Engine

from kobe_platform.governance.database import writing
from kobe_platform.governance.passwords import checked_hash, put_password
from kobe_platform.governance.people import Person, normal, put_person


def register(
    engine: Engine,
    login: str,
    name: str,
    section: str,
    *,
    roles: tuple[str, ...] = (),
    audiences: tuple[str, ...] = (),
    password: str | None = None,
    by: str,
) -> Person:
    """Register somebody, or replace their roles and audiences; with a password, if one is given.

    The password is checked before anything is written: a refused one leaves no account.

    Raises:
        GovernanceError: as in :func:`kobe_platform.governance.people.add_person` and
            :func:`kobe_platform.governance.passwords.set_password`.
    """
    login = normal(login)
    hashed = checked_hash(login, password) if password is not None else None
    with writing(engine) as connection:
        person = put_person(connection, login, name, section, roles=roles, audiences=audiences, by=by)
        if hashed is not None:
            put_password(connection, login, hashed, by=by)
        return person
