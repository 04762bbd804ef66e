"""Counts failed sign-ins by account and by where they came from, and remembers the devices that signed in.

A lock by account alone would let anybody who knows a login keep its owner out. So failures are counted for the address
that they came from; for all strange addresses together with a higher limit, as a guesser may have many; and for a
device that signed in before by that device alone (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). An
address from which its owner signed in before is none of the strange ones: guesses from elsewhere do not lock a new
device there. For a new device at a new address an operator lifts the locks (:func:`forgive`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update

from kobe_platform.governance.database import writing
from kobe_platform.governance.people import normal
from kobe_platform.governance.schema import device, guess, password
from kobe_platform.governance.trail import record

MOST_FAILURES = 5
MOST_ELSEWHERE = 50
"""Failures from all strange addresses together that lock out new devices at addresses that are strange, too."""
LOCKED = timedelta(minutes=15)
FORGOTTEN = timedelta(days=1)
"""After so long without another failure, former ones no longer count."""
MOST_DEVICES = 20
"""Devices and addresses that are remembered of an account, the newest."""
DEVICE_DAYS = 400
"""Days that they are remembered after their last sign-in; browsers keep no cookie longer."""
_ELSEWHERE = "elsewhere"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,}")
"""Device tokens; what an address is remembered by has spaces, so that no cookie passes for it."""


@dataclass(frozen=True)
class Whence:
    """Where a sign-in comes from: the network address, and the token of a device that signed in before."""

    address: str = ""
    device: str = ""


NOWHERE = Whence()


def places_of(connection: Connection, login: str, whence: Whence) -> tuple[str, ...]:
    """What a failure of this sign-in is counted for."""
    known = _hash(whence.device) if _TOKEN.fullmatch(whence.device) else ""
    row = select(device.c.token_hash).where(device.c.token_hash == known, device.c.login == login)
    if known and connection.execute(row).first():
        return (f"device {known[:32]}",)
    here = f"address {whence.address}"[:80]
    row = select(device.c.token_hash).where(device.c.token_hash == _address(login, whence))
    return (here,) if whence.address and connection.execute(row).first() else (here, _ELSEWHERE)


def is_locked(connection: Connection, login: str, places: tuple[str, ...], moment: datetime) -> bool:
    """Whether one of the places is locked out of an account."""
    row = select(guess.c.place).where(guess.c.login == login, guess.c.place.in_(places), guess.c.locked_until > moment)
    return connection.execute(row).first() is not None


def count(connection: Connection, login: str, places: tuple[str, ...], *, right: bool, moment: datetime) -> None:
    """Count a sign-in in the database itself, so that parallel guesses are all counted; a right one clears its places.

    The caller's transaction writes, and the account has a password.
    """
    own = guess.c.login == login
    connection.execute(select(password.c.login).where(password.c.login == login).with_for_update())  # one at a time
    connection.execute(delete(guess).where(own, guess.c.at < moment - FORGOTTEN))
    if right:
        connection.execute(delete(guess).where(own, guess.c.place.in_(places)))
        return
    for place in places:
        here = update(guess).where(own, guess.c.place == place)
        if not connection.execute(here.values(failures=guess.c.failures + 1, at=moment)).rowcount:
            connection.execute(insert(guess).values(login=login, place=place, failures=1, at=moment))
        most = MOST_ELSEWHERE if place == _ELSEWHERE else MOST_FAILURES
        connection.execute(here.where(guess.c.failures >= most).values(failures=0, locked_until=moment + LOCKED))


def remember_address(connection: Connection, login: str, whence: Whence, moment: datetime) -> None:
    """Note, as a hash, that the account's owner signed in from here; the caller's transaction writes."""
    if not whence.address:
        return
    here = update(device).where(device.c.token_hash == _address(login, whence)).values(seen_at=moment)
    if not connection.execute(here).rowcount:
        connection.execute(insert(device).values(token_hash=_address(login, whence), login=login, seen_at=moment))


def forgive(engine: Engine, login: str, *, by: str) -> int:
    """Lift every lock of an account and forget its failures; how many places there were. The trail tells who did it.

    Raises:
        GovernanceError: the login cannot be one.
    """
    login = normal(login)
    with writing(engine) as connection:
        gone = connection.execute(delete(guess).where(guess.c.login == login)).rowcount
        record(connection, by, "people.admit", login, detail={"places": gone})
    return gone


def remembered(engine: Engine, login: str, token: str, now: datetime | None = None) -> str:
    """The token of the device that signed in now: the one it has, or a new one. The newest are kept."""
    moment, own = now or datetime.now(UTC), device.c.login == login
    with writing(engine) as connection:
        connection.execute(delete(device).where(own, device.c.seen_at < moment - timedelta(days=DEVICE_DAYS)))
        here = update(device).where(own, device.c.token_hash == _hash(token)).values(seen_at=moment)
        if _TOKEN.fullmatch(token) and connection.execute(here).rowcount:
            return token
        made = secrets.token_urlsafe(32)
        connection.execute(insert(device).values(token_hash=_hash(made), login=login, seen_at=moment))
        newest = select(device.c.token_hash).where(own).order_by(device.c.seen_at.desc()).limit(MOST_DEVICES)
        kept = [row.token_hash for row in connection.execute(newest)]
        connection.execute(delete(device).where(own, device.c.token_hash.not_in(kept)))
    return made


def _address(login: str, whence: Whence) -> str:
    return _hash(f"address {whence.address} {login}")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
