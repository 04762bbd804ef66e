"""Binds accounts to people at an identity provider: issuer and subject say who somebody is, whatever they are called.

OpenID Connect Core 1.0, 5.7: only issuer and subject together are a stable identifier; names may change, and may be
given to somebody else later. The claim that names the login is believed once, when an account is bound.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, delete, insert, select

from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person, find_person, normal, read_person
from kobe_platform.governance.schema import identity
from kobe_platform.governance.schema import person as registered
from kobe_platform.governance.trail import REFUSED, record

LONGEST_ISSUER, LONGEST_SUBJECT = 200, 255


def person_of(engine: Engine, issuer: str, subject: str, login: str) -> Person | None:
    """The active person whom a provider's subject is; a registered account that is not bound yet is bound.

    Args:
        login: as the provider's claim names it; asked only where the subject is not known.

    Returns:
        None where nobody is registered so, the account was removed, or it belongs to another subject.
    """
    if not subject or len(subject) > LONGEST_SUBJECT or len(issuer) > LONGEST_ISSUER:
        return None
    with writing(engine) as connection:
        mine = identity.c.issuer == issuer
        row = connection.execute(select(identity.c.login).where(mine, identity.c.subject == subject)).first()
        if row is None:
            connection.execute(select(registered.c.login).where(registered.c.login == login).with_for_update())
            person = read_person(connection, login)
            if person is None or not person.active:
                return None
            if connection.execute(select(identity.c.login).where(mine, identity.c.login == login)).first():
                record(connection, login, "sign_in.subject", outcome=REFUSED)
                return None
            values = {"issuer": issuer, "subject": subject, "login": login, "bound_at": datetime.now(UTC)}
            connection.execute(insert(identity).values(**values))
            record(connection, login, "people.bind", login)
            return person
    found = find_person(engine, row.login)
    return found if found and found.active else None


def unbind(engine: Engine, login: str, *, by: str) -> int:
    """Forget whom a provider knows an account by; the next sign-in binds it again. How many there were.

    Raises:
        GovernanceError: the login cannot be one.
    """
    login = normal(login)
    with writing(engine) as connection:
        gone = connection.execute(delete(identity).where(identity.c.login == login)).rowcount
        record(connection, by, "people.unbind", login, detail={"identities": gone})
    return gone
