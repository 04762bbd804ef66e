"""Keeps short links: a code that stands for the address of a page with a reader's choices.

A code is made from the address alone, so the same address always has the same code, and nothing is kept of who made or
opened it. The oldest in disuse make room once there are :data:`MOST`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import short_link
from kobe_platform.vocabulary.clock import today

LONGEST = 2000
"""Characters of an address that is kept."""
MOST = 50_000
"""Short links that are kept."""
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Digits and letters that are not mistaken for each other when they are read aloud or copied by hand."""
_SHORTEST, _LONGEST_CODE = 8, 16


def shorten(engine: Engine, address: str, *, most: int = MOST, on: date | None = None) -> str:
    """The code of an address, kept from now on.

    Args:
        address: path, query and fragment of a page of this portal; the caller has judged it.
        most: how many are kept; those longest in disuse go first.

    Raises:
        GovernanceError: the address is longer than :data:`LONGEST` characters.
    """
    if len(address) > LONGEST:
        raise GovernanceError(
            "the address is too long for a short link",
            code="short_link.long",
            at={"most": LONGEST},
            remedy="take some choices back, or copy the long address",
            ja="このURLは長すぎて短くできません。選択を減らすか、元のURLを使ってください",
        )
    day = (on or today()).isoformat()
    with writing(engine) as connection:
        for code in _codes(address):
            known = connection.execute(select(short_link.c.address).where(short_link.c.code == code)).scalar()
            if known is None:
                _make_room(connection, most)
                connection.execute(insert(short_link).values(code=code, address=address, used_on=day))
            if known in (None, address):
                return code
    raise AssertionError("two addresses share a digest")  # 79 bits: never


def lengthen(engine: Engine, code: str, *, on: date | None = None) -> str | None:
    """The address of a code, or None; the day of its use is noted, once a day."""
    with engine.connect() as connection:
        row = connection.execute(select(short_link).where(short_link.c.code == code)).first()
    if row is None:
        return None
    day = (on or today()).isoformat()
    if row.used_on != day:
        with writing(engine) as connection:
            connection.execute(update(short_link).where(short_link.c.code == code).values(used_on=day))
    return str(row.address)


def _codes(address: str) -> Iterator[str]:
    """Codes of an address, shortest first: a longer one serves where another address has the shorter."""
    number = int.from_bytes(hashlib.sha256(address.encode()).digest())
    letters = ""
    while len(letters) < _LONGEST_CODE:
        number, at = divmod(number, len(_LETTERS))
        letters += _LETTERS[at]
        if len(letters) >= _SHORTEST:
            yield letters


def _make_room(connection: Connection, most: int) -> None:
    kept = connection.execute(select(func.count()).select_from(short_link)).scalar_one()
    if kept < most:
        return
    oldest = select(short_link.c.code).order_by(short_link.c.used_on, short_link.c.code).limit(kept - most + 1)
    connection.execute(delete(short_link).where(short_link.c.code.in_(oldest)))
