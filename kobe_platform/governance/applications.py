"""Handles データ利用申請書: a section applies, the sections that own the data decide, and an approval expires.

::

    draft ──submit──▶ submitted ──approve (every owning section)──▶ approved ──(period over)──▶ expired
      ▲                  │  │
      │◀────return───────┘  └──reject──▶ rejected
    withdraw: the applicant, from draft, returned, submitted or approved

Nobody decides on an application of their own. An approval counts only on days of its period: whether one is live is
read from the dates, so a night's job that did not run makes nothing valid for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Connection, Engine

from kobe_platform.governance.application import (
    EDITABLE,
    WITHDRAWABLE,
    Application,
    Draft,
    allowed,
    complete,
    own,
    owning_sections,
    refusal,
)
from kobe_platform.governance.application_records import add, ended_before, move, next_number, read, rewrite
from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import PLATFORM
from kobe_platform.vocabulary.clock import today


def create(
    engine: Engine,
    who: Person,
    draft: Draft,
    *,
    number: str | None = None,
    day: date | None = None,
    hand_in: bool = False,
) -> Application:
    """A new application, as a draft.

    Args:
        number: one given by the section's own register (then it must be free); the next of the fiscal year by default.
        hand_in: also submit it, in the same transaction.

    Raises:
        GovernanceError: something is left out, or the number is taken.
    """
    complete(draft)
    with writing(engine) as connection:
        made = add(connection, number or next_number(connection, day or today()), who, draft)
        return _submitted(connection, who, made, made.version) if hand_in else made


def edit(engine: Engine, who: Person, number: str, draft: Draft, version: int, *, hand_in: bool = False) -> Application:
    """Change a draft or a returned application.

    Args:
        version: the version that the editor saw; another one in between refuses the change.
        hand_in: also submit it, in the same transaction.
    """
    complete(draft)
    with writing(engine) as connection:
        present = read(connection, number)
        own(present, who)
        allowed(present, "edit", EDITABLE)
        made = rewrite(connection, present, who, draft, version)
        return _submitted(connection, who, made, made.version) if hand_in else made


def submit(engine: Engine, who: Person, number: str, version: int) -> Application:
    """Hand a draft or a returned application to the sections that own the data."""
    with writing(engine) as connection:
        return _submitted(connection, who, read(connection, number), version)


def _submitted(connection: Connection, who: Person, present: Application, version: int) -> Application:
    own(present, who)
    allowed(present, "submit", EDITABLE)
    return move(connection, present, who.login, "submit", "submitted", version)


def withdraw(engine: Engine, who: Person, number: str, version: int) -> Application:
    """Take an application back; an approved use ends with the next release."""
    with writing(engine) as connection:
        present = read(connection, number)
        own(present, who)
        allowed(present, "withdraw", WITHDRAWABLE)
        return move(connection, present, who.login, "withdraw", "withdrawn", version)


def decide(
    engine: Engine, who: Person, number: str, decision: str, owners: Mapping[str, str], version: int, note: str = ""
) -> Application:
    """Approve, return or reject in the name of the decider's section.

    Args:
        decision: ``approve``, ``return`` or ``reject``; the latter two need a ``note``.
        owners: source → the section that owns it (from the contracts).

    Raises:
        GovernanceError: the person may not decide here, or the application is not under review.
    """
    if decision not in ("approve", "return", "reject"):
        raise refusal("decision", "a decision is approve, return or reject", number, "決定の種類が正しくありません")
    if decision != "approve" and not note.strip():
        raise refusal("note", "a return or a rejection gives its reason", number, "差戻し・不承認には理由が必要です")
    with writing(engine) as connection:
        present = read(connection, number)
        allowed(present, decision, ("submitted",))
        needed = owning_sections(present, owners)
        if not who.has("decider") or who.section not in needed or who.login == present.applicant:
            raise refusal(
                "decider",
                "only a decider of an owning section, and never the applicant, decides",
                number,
                "所管課の審査者だけが決定できます（申請者本人はできません）",
            )
        if decision != "approve":
            state = {"return": "returned", "reject": "rejected"}[decision]
            return move(connection, present, who.login, decision, state, version, note, who.section)
        state = "approved" if present.approved_by() | {who.section} >= needed else "submitted"
        return move(connection, present, who.login, "approve", state, version, note, who.section)


def expire(engine: Engine, day: date, *, by: str = PLATFORM) -> list[str]:
    """Record which approvals ended before a day; returns their numbers."""
    with writing(engine) as connection:
        ended = ended_before(connection, day)
        for present in ended:
            move(connection, present, by, "expire", "expired", present.version)
    return [present.number for present in ended]
