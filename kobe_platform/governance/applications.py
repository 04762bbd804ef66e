"""データ利用申請書: a section applies for a use of data, the sections that own the data decide, and the approval ends.

::

    draft ──submit──▶ submitted ──approve (every owning section)──▶ approved ──(period over)──▶ expired
      ▲                  │  │
      │◀────return───────┘  └──reject──▶ rejected
    withdraw: the applicant, from draft, returned, submitted or approved

Nobody decides on an application of their own. An approval counts only on days of its period: whether one is live is
read from the dates, so a night's job that did not run makes nothing valid for longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person
from kobe_platform.governance.schema import application, application_page, application_source, application_step
from kobe_platform.governance.trail import PLATFORM, record

EDITABLE = ("draft", "returned")
WITHDRAWABLE = (*EDITABLE, "submitted", "approved")
STATES_JA = {
    "draft": "下書き",
    "submitted": "審査中",
    "approved": "承認",
    "returned": "差戻し",
    "rejected": "不承認",
    "expired": "期限切れ",
    "withdrawn": "取下げ",
}
ACTIONS_JA = {
    "create": "作成",
    "edit": "修正",
    "submit": "提出",
    "approve": "承認",
    "return": "差戻し",
    "reject": "不承認",
    "withdraw": "取下げ",
    "expire": "期限切れ",
}


@dataclass(frozen=True)
class Draft:
    """What an applicant writes.

    Attributes:
        purpose: what the figures are for; audience: who is to see them (a name of ``audiences.toml``).
        sources: contracts whose data is used; pages: slugs of the dashboards, which may not exist yet.
        first, last: days on which the use begins and ends, both included.
    """

    title: str
    purpose: str
    audience: str
    sources: tuple[str, ...]
    pages: tuple[str, ...]
    first: date
    last: date


@dataclass(frozen=True)
class Step:
    """One entry of an application's history; ``section``: the owning section that a decision speaks for."""

    at: datetime
    who: str
    action: str
    section: str
    state: str
    note: str


@dataclass(frozen=True)
class Application:
    """An application as it stands; :meth:`state_on` says what it is worth on a day."""

    number: str
    draft: Draft
    applicant: str
    section: str
    state: str
    version: int
    created_at: datetime
    steps: tuple[Step, ...] = field(repr=False, default=())

    def state_on(self, day: date) -> str:
        """The state, an approval past its end being ``expired`` whether or not that was recorded."""
        return "expired" if self.state == "approved" and day > self.draft.last else self.state

    def live(self, day: date) -> bool:
        """Whether the use is approved on this day."""
        return self.state == "approved" and self.draft.first <= day <= self.draft.last

    def approved_by(self) -> frozenset[str]:
        """Owning sections that approved since it was last submitted."""
        sections: set[str] = set()
        for step in self.steps:
            sections = (
                set() if step.action == "submit" else sections | ({step.section} if step.action == "approve" else set())
            )
        return frozenset(sections)


def today() -> date:
    """The day in Japan."""
    return datetime.now(ZoneInfo("Asia/Tokyo")).date()


def fiscal_number(day: date, running: int) -> str:
    """``R8-0001``: the fiscal year of the Reiwa era (from 1 April) and a running number in it."""
    year = day.year if day.month >= 4 else day.year - 1
    return f"R{year - 2018}-{running:04d}"


def create(
    engine: Engine, who: Person, draft: Draft, *, number: str | None = None, day: date | None = None
) -> Application:
    """A new application, as a draft.

    Args:
        number: one given by the section's own register (then it must be free); the next of the fiscal year by default.

    Raises:
        GovernanceError: something is left out, or the number is taken.
    """
    _complete(draft)
    day = day or today()
    with writing(engine) as connection:
        chosen = number or _next_number(connection, day)
        if connection.execute(select(application.c.number).where(application.c.number == chosen)).first():
            raise GovernanceError(
                "the number of the application is taken",
                code="application.number",
                at={"application": chosen},
                remedy="leave the number out",
                ja="この申請番号は使われています",
            )
        connection.execute(
            insert(application).values(
                number=chosen, applicant=who.login, section=who.section, state="draft", version=1,
                created_at=datetime.now(UTC), **_columns(draft),
            )
        )  # fmt: skip
        _name(connection, chosen, draft)
        _step(connection, chosen, who.login, "create", "draft")
        return _get(connection, chosen)


def _next_number(connection: Connection, day: date) -> str:
    prefix = fiscal_number(day, 0).split("-")[0]
    taken = connection.execute(
        select(func.max(application.c.number)).where(application.c.number.like(f"{prefix}-____"))
    ).scalar()
    return fiscal_number(day, int(taken.split("-")[1]) + 1 if taken else 1)


def edit(engine: Engine, who: Person, number: str, draft: Draft, version: int) -> Application:
    """Change a draft or a returned application.

    Args:
        version: the version that the editor saw; another one in between refuses the change.
    """
    _complete(draft)
    with writing(engine) as connection:
        present = _get(connection, number)
        _own(present, who)
        _allowed(present, "edit", EDITABLE)
        _advance(connection, present, present.state, version, **_columns(draft))
        connection.execute(delete(application_source).where(application_source.c.number == number))
        connection.execute(delete(application_page).where(application_page.c.number == number))
        _name(connection, number, draft)
        _step(connection, number, who.login, "edit", present.state)
        return _get(connection, number)


def submit(engine: Engine, who: Person, number: str, version: int) -> Application:
    """Hand a draft or a returned application to the sections that own the data."""
    with writing(engine) as connection:
        present = _get(connection, number)
        _own(present, who)
        _allowed(present, "submit", EDITABLE)
        return _move(connection, present, who, "submit", "submitted", version)


def withdraw(engine: Engine, who: Person, number: str, version: int) -> Application:
    """Take an application back; an approved use ends with the next release."""
    with writing(engine) as connection:
        present = _get(connection, number)
        _own(present, who)
        _allowed(present, "withdraw", WITHDRAWABLE)
        return _move(connection, present, who, "withdraw", "withdrawn", version)


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
        raise _refusal("decision", "a decision is approve, return or reject", number, "決定の種類が正しくありません")
    if decision != "approve" and not note.strip():
        raise _refusal("note", "a return or a rejection gives its reason", number, "差戻し・不承認には理由が必要です")
    with writing(engine) as connection:
        present = _get(connection, number)
        _allowed(present, decision, ("submitted",))
        needed = owning_sections(present, owners)
        if not who.has("decider") or who.section not in needed or who.login == present.applicant:
            raise _refusal(
                "decider",
                "only a decider of an owning section, and never the applicant, decides",
                number,
                "所管課の審査者だけが決定できます（申請者本人はできません）",
            )
        if decision != "approve":
            state = {"return": "returned", "reject": "rejected"}[decision]
            return _move(connection, present, who, decision, state, version, note, who.section)
        complete = present.approved_by() | {who.section} >= needed
        state = "approved" if complete else "submitted"
        return _move(connection, present, who, "approve", state, version, note, who.section)


def owning_sections(app: Application, owners: Mapping[str, str]) -> frozenset[str]:
    """The sections that own the sources of an application.

    Raises:
        GovernanceError: a source has no contract.
    """
    unknown = [source for source in app.draft.sources if source not in owners]
    if unknown:
        raise GovernanceError(
            "an application names a source without a contract",
            code="application.source",
            at={"application": app.number, "source": unknown[0]},
            remedy="return it, or add the contract",
            ja="契約のないデータが申請に含まれています",
        )
    return frozenset(owners[source] for source in app.draft.sources)


def expire(engine: Engine, day: date, *, by: str = PLATFORM) -> list[str]:
    """Record which approvals ended before a day; returns their numbers."""
    ended = []
    with writing(engine) as connection:
        query = select(application.c.number).where(
            application.c.state == "approved", application.c.period_to < day.isoformat()
        )
        for number in connection.execute(query).scalars().all():
            present = _get(connection, number)
            _advance(connection, present, "expired", present.version)
            _step(connection, number, by, "expire", "expired")
            ended.append(number)
    return ended


def get(engine: Engine, number: str) -> Application:
    """One application with its history.

    Raises:
        GovernanceError: there is none of this number.
    """
    with engine.connect() as connection:
        return _get(connection, number)


def applications(engine: Engine) -> list[Application]:
    """All applications, newest first."""
    with engine.connect() as connection:
        query = select(application.c.number).order_by(application.c.created_at.desc(), application.c.number.desc())
        return [_get(connection, number) for number in connection.execute(query).scalars().all()]


def live_on(engine: Engine, day: date) -> list[Application]:
    """Applications whose use is approved on a day."""
    return [app for app in applications(engine) if app.live(day)]


# -- the database ------------------------------------------------------------------------------------------------


def _columns(draft: Draft) -> dict[str, str]:
    return {
        "title": draft.title,
        "purpose": draft.purpose,
        "audience": draft.audience,
        "period_from": draft.first.isoformat(),
        "period_to": draft.last.isoformat(),
    }


def _name(connection: Connection, number: str, draft: Draft) -> None:
    for source in sorted(set(draft.sources)):
        connection.execute(insert(application_source).values(number=number, source=source))
    for slug in sorted(set(draft.pages)):
        connection.execute(insert(application_page).values(number=number, slug=slug))


def _get(connection: Connection, number: str) -> Application:
    row = connection.execute(select(application).where(application.c.number == number)).first()
    if row is None:
        raise _refusal("unknown", "there is no such application", number, "この番号の申請はありません")
    return _read(connection, row)


def _read(connection: Connection, row: Row) -> Application:
    def column(chosen, table) -> tuple[str, ...]:
        return tuple(connection.execute(select(chosen).where(table.c.number == row.number).order_by(chosen)).scalars())

    steps = connection.execute(
        select(application_step).where(application_step.c.number == row.number).order_by(application_step.c.id)
    )
    draft = Draft(
        row.title, row.purpose, row.audience,
        column(application_source.c.source, application_source), column(application_page.c.slug, application_page),
        date.fromisoformat(row.period_from), date.fromisoformat(row.period_to),
    )  # fmt: skip
    history = tuple(Step(s.at, s.who, s.action, s.section, s.state, s.note) for s in steps)
    return Application(row.number, draft, row.applicant, row.section, row.state, row.version, row.created_at, history)


def _move(
    connection: Connection, app: Application, who: Person, action: str, state: str, version: int, note: str = "",
    section: str = "",
) -> Application:  # fmt: skip
    _advance(connection, app, state, version)
    _step(connection, app.number, who.login, action, state, note, section)
    return _get(connection, app.number)


def _advance(connection: Connection, app: Application, state: str, version: int, **columns: str) -> None:
    changed = connection.execute(
        update(application)
        .where(application.c.number == app.number, application.c.version == version)
        .values(state=state, version=version + 1, **columns)
    )
    if changed.rowcount != 1:
        raise _refusal(
            "version",
            "somebody changed the application in between",
            app.number,
            "他の人が先に更新しました。開き直してください",
        )


def _step(
    connection: Connection, number: str, who: str, action: str, state: str, note: str = "", section: str = ""
) -> None:
    connection.execute(
        insert(application_step).values(
            number=number, at=datetime.now(UTC), who=who, action=action, section=section, state=state, note=note
        )
    )
    record(connection, who, f"application.{action}", number, detail={"state": state})


# -- rules -------------------------------------------------------------------------------------------------------


def _complete(draft: Draft) -> None:
    texts = {"title": draft.title, "purpose": draft.purpose, "audience": draft.audience}
    lists: dict[str, Iterable] = {"sources": draft.sources, "pages": draft.pages}
    missing = [name for name, text in texts.items() if not text.strip()] + [name for name, v in lists.items() if not v]
    if draft.last < draft.first:
        missing.append("period")
    if missing:
        raise GovernanceError(
            "an application is not complete",
            code="application.incomplete",
            at={"field": missing[0]},
            remedy="give title, purpose, audience, sources, dashboards and a period that does not end before it begins",
            ja="申請に書き漏れがあります",
        )


def _own(app: Application, who: Person) -> None:
    if app.applicant != who.login:
        raise _refusal("applicant", "only the applicant may do this", app.number, "申請者本人だけができます")


def _allowed(app: Application, action: str, states: tuple[str, ...]) -> None:
    if app.state not in states:
        raise _refusal(
            "state",
            f"an application that is {app.state} cannot be brought to {action}",
            app.number,
            f"「{STATES_JA[app.state]}」の申請に対しては、この操作はできません",
        )


def _refusal(code: str, message: str, number: str, ja: str) -> GovernanceError:
    return GovernanceError(
        message, code=f"application.{code}", at={"application": number}, remedy="see docs/governance.md", ja=ja
    )
