"""Keeps what sections say of unusual changes (いつもと違う動き): entries are added, the last one of a change counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, insert, select

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person
from kobe_platform.governance.schema import RESPONSES, unusual_response
from kobe_platform.governance.trail import REFUSED, note, record

ACTION = "unusual.response"
LONGEST = 200
"""Characters of a section's word."""

Change = tuple[str, str, str]
"""Month, series and area of a listed figure."""


@dataclass(frozen=True)
class SectionResponse:
    """What a section said of a change, when and by whom (login)."""

    at: datetime
    who: str
    section: str
    state: str
    note: str


def respond(engine: Engine, person: Person, change: Change, owner: str, state: str, word: str) -> None:
    """Keep what the owning section says of a change, with its entry in the trail, which does not hold the word.

    Args:
        owner: section that answers for the series.

    Raises:
        GovernanceError: ``response.section`` (noted as refused), ``response.state``, ``response.note``.
    """
    place = "/".join(change)
    if not person.active or not owner or person.section != owner:
        note(engine, person.login, ACTION, place, outcome=REFUSED)
        raise _refusal("section", "another section answers for this series", "この系列の所管課の人だけが書けます。")
    if state not in RESPONSES:
        raise _refusal("state", "there is no such state", "「既知」「調査中」「業務対応」のどれかを選んでください。")
    if len(word) > LONGEST or not word.strip():
        raise _refusal("note", "a word is missing, or too long", f"一言を{LONGEST}字までで書いてください。")
    month, series, area = change
    values = {"at": datetime.now(UTC), "who": person.login, "section": person.section, "month": month,
              "series": series, "area": area, "state": state, "note": word.strip()}  # fmt: skip
    with writing(engine) as connection:
        connection.execute(insert(unusual_response).values(**values))
        record(connection, person.login, ACTION, place, detail={"state": state})


def responses(engine: Engine, months: Iterable[str]) -> dict[Change, list[SectionResponse]]:
    """All that was said of the changes of some months, the newest first."""
    found: dict[Change, list[SectionResponse]] = {}
    query = select(unusual_response).where(unusual_response.c.month.in_(list(months)))
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(unusual_response.c.id.desc())):
            said = SectionResponse(row.at, row.who, row.section, row.state, row.note)
            found.setdefault((row.month, row.series, row.area), []).append(said)
    return found


def _refusal(code: str, message: str, ja: str) -> GovernanceError:
    return GovernanceError(message, code=f"response.{code}", remedy="see docs/unusual.md, Responses", ja=ja)
