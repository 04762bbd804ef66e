"""Keeps the favourites of those who sign in, and up to which release they know of changes of these pages.

Of their reading the number of that release alone is kept, and of favourites only; neither a day nor how often.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select, update

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import favourite, notice_mail, person

MOST = 200
"""Favourites of one person."""


@dataclass(frozen=True)
class Subscriber:
    """Somebody who wants mail: login, address, and page → number of the last release that they had mail of."""

    login: str
    address: str
    pages: Mapping[str, int]


def favourites(engine: Engine, login: str) -> dict[str, int]:
    """A person's favourite pages → number of the release up to which they know of changes."""
    query = select(favourite.c.page, favourite.c.seen).where(favourite.c.login == login)
    with engine.connect() as connection:
        return {page: seen for page, seen in connection.execute(query.order_by(favourite.c.page))}


def change_favourites(
    engine: Engine, login: str, *, add: Collection[str] = (), remove: Collection[str] = (), release: int
) -> None:
    """Add and remove favourites of a person; changes of a page that is added count from ``release`` on.

    Raises:
        GovernanceError: ``favourites.many``: more than :data:`MOST`.
    """
    with writing(engine) as connection:
        mine = favourite.c.login == login
        connection.execute(delete(favourite).where(mine, favourite.c.page.in_(list(remove))))
        known = set(connection.execute(select(favourite.c.page).where(mine)).scalars())
        wanted = sorted(set(add) - known)
        if len(known) + len(wanted) > MOST:
            raise GovernanceError(
                "too many favourites",
                code="favourites.many",
                at={"most": MOST},
                remedy="remove some",
                ja=f"お気に入りは{MOST}件までです。",
            )
        for page in wanted:
            values = {"login": login, "page": page, "seen": release, "mailed": release}
            connection.execute(insert(favourite).values(**values))


def mark_seen(engine: Engine, login: str, pages: Collection[str], release: int) -> None:
    """Note that a person knows of the changes of these favourites up to a release."""
    mine = (favourite.c.login == login) & favourite.c.page.in_(list(pages)) & (favourite.c.seen < release)
    with writing(engine) as connection:
        connection.execute(update(favourite).where(mine).values(seen=release))


def subscribers(engine: Engine) -> list[Subscriber]:
    """Everybody in force who wants mail and has favourites."""
    wanted = select(notice_mail.c.login, notice_mail.c.address).join(person).where(person.c.active)
    with engine.connect() as connection:
        found = []
        for login, address in connection.execute(wanted.order_by(notice_mail.c.login)).all():
            pages = select(favourite.c.page, favourite.c.mailed).where(favourite.c.login == login)
            found.append(Subscriber(login, address, {page: mailed for page, mailed in connection.execute(pages)}))
    return [one for one in found if one.pages]


def mark_mailed(engine: Engine, login: str, release: int) -> None:
    """Note that a person had mail of all changes up to a release."""
    with writing(engine) as connection:
        connection.execute(update(favourite).where(favourite.c.login == login).values(mailed=release))
