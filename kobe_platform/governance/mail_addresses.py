"""Keeps where readers want mail of changes: an address is theirs once they opened the link that was mailed to it.

Until then it is a claim, to which that one mail goes. The database has the link's hash; it holds for a day and once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import favourite, mail_claim, notice_mail, person

VALID = timedelta(hours=24)
"""How long after it was asked for a link holds."""
WAIT = timedelta(minutes=5)
"""Between two mails that one person may cause, to whatever address: nobody's box is filled from here."""
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
"""No ``=`` and no ``?``: with them a header can say another address in coded words (RFC 2047), and be read so."""


@dataclass(frozen=True)
class MailClaim:
    """An address that its reader has not confirmed yet."""

    login: str
    address: str
    asked_at: datetime

    def lapsed(self, now: datetime | None = None) -> bool:
        """Whether its link holds no more."""
        return (now or datetime.now(UTC)) - self.asked_at > VALID


def may_be_mailed(address: str, domains: Collection[str]) -> bool:
    """Whether mail may go to an address: it is a plain one of these domains."""
    return _ADDRESS.fullmatch(address) is not None and address.rpartition("@")[2].lower() in domains


def mail_address(engine: Engine, login: str) -> str:
    """Where a person gets mail of changes; empty where they get none."""
    with engine.connect() as connection:
        return _confirmed(connection, login)


def claimed_address(engine: Engine, login: str) -> MailClaim | None:
    """The address that a person has yet to confirm."""
    query = select(mail_claim.c.address, mail_claim.c.asked_at).where(mail_claim.c.login == login)
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return MailClaim(login, row.address, row.asked_at) if row and row.address else None


def claim_address(
    engine: Engine, login: str, address: str, domains: Collection[str], now: datetime | None = None
) -> bool:
    """Keep where a person wants mail, as a claim; an empty address ends mail and claim at once.

    The address that they get mail at stays in force until another is confirmed.

    Returns:
        Whether a mail to confirm it is due.

    Raises:
        GovernanceError: ``notices.address``: no plain address, or not of the city's domains; ``notices.often``.
    """
    moment = now or datetime.now(UTC)
    if address and not may_be_mailed(address, domains):
        raise GovernanceError(
            "the address is none of the city's",
            code="notices.address",
            remedy=f"give an address at {', '.join(sorted(domains))}",
            ja=f"{'・'.join(sorted(domains))} のメールアドレスを書いてください。",
        )
    own = mail_claim.c.login == login
    with writing(engine) as connection:
        if not address:
            connection.execute(delete(notice_mail).where(notice_mail.c.login == login))
        if not address or address == _confirmed(connection, login):
            connection.execute(update(mail_claim).where(own).values(address="", token_hash="", sent=True))
            return False
        last = connection.execute(select(mail_claim.c.asked_at).where(own)).scalar()
        if last is not None and moment - last < WAIT:
            raise GovernanceError(
                "a mail to confirm an address was asked for just now",
                code="notices.often",
                remedy="wait some minutes",
                ja=f"確認メールは{WAIT.seconds // 60}分に1回までです。しばらく待ってください。",
            )
        connection.execute(delete(mail_claim).where(own))
        values = {"login": login, "address": address, "token_hash": "", "sent": False, "asked_at": moment}
        connection.execute(insert(mail_claim).values(**values))
    return True


def unsent_claims(engine: Engine, now: datetime | None = None) -> list[MailClaim]:
    """Claims of people in force whose mail is due, the oldest first."""
    due = (mail_claim.c.sent.is_(False)) & (mail_claim.c.asked_at >= (now or datetime.now(UTC)) - VALID)
    query = select(mail_claim.c.login, mail_claim.c.address, mail_claim.c.asked_at).join(person)
    with engine.connect() as connection:
        rows = connection.execute(query.where(person.c.active, due).order_by(mail_claim.c.asked_at)).all()
    return [MailClaim(*row) for row in rows]


def issue_token(engine: Engine, claim: MailClaim) -> str:
    """A token for the link of a claim's mail, in place of any former one; empty where the claim is another by now."""
    token = secrets.token_urlsafe(32)
    with writing(engine) as connection:
        done = connection.execute(update(mail_claim).where(_same(claim)).values(token_hash=_hash(token))).rowcount
    return token if done else ""


def mark_sent(engine: Engine, claim: MailClaim) -> None:
    """Note that the server took, or will never take, a claim's mail."""
    with writing(engine) as connection:
        connection.execute(update(mail_claim).where(_same(claim)).values(sent=True))


def confirm_address(engine: Engine, login: str, token: str, release: int, now: datetime | None = None) -> str:
    """Take a person's claim as theirs, by the token of its mail; the address. Mail is of changes after ``release``.

    Raises:
        GovernanceError: ``notices.token``: it is not this person's, was used, replaced, or is too old.
    """
    with writing(engine) as connection:
        row = connection.execute(select(mail_claim).where(mail_claim.c.login == login).with_for_update()).first()
        wanted = row.token_hash if row else ""
        held = hmac.compare_digest(wanted, _hash(token))
        if row is None or not held or MailClaim(login, row.address, row.asked_at).lapsed(now):
            raise GovernanceError(
                "the link confirms nothing",
                code="notices.token",
                remedy="save the address again for a new link",
                ja="このリンクは使えません（使用済み、期限切れ、またはほかの人のもの）。アドレスをもう一度保存してください。",
            )
        if not connection.execute(delete(notice_mail).where(notice_mail.c.login == login)).rowcount:
            past = (favourite.c.login == login) & (favourite.c.mailed < release)
            connection.execute(update(favourite).where(past).values(mailed=release))
        connection.execute(insert(notice_mail).values(login=login, address=row.address))
        spent = update(mail_claim).where(mail_claim.c.login == login)
        connection.execute(spent.values(address="", token_hash="", sent=True))
    return str(row.address)


def _same(claim: MailClaim) -> ColumnElement[bool]:
    unchanged = (mail_claim.c.asked_at == claim.asked_at) & (mail_claim.c.address == claim.address)
    return unchanged & (mail_claim.c.login == claim.login)


def _confirmed(connection: Connection, login: str) -> str:
    held = connection.execute(select(notice_mail.c.address).where(notice_mail.c.login == login)).scalar()
    return str(held or "")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
