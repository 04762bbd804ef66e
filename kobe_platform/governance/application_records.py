"""Reads and writes applications in the database: adding, numbering, and changes of state with their history.

Functions that take a connection work inside a transaction of the caller's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, date, datetime

from sqlalchemy import Column, ColumnElement, Connection, Engine, Table, delete, insert, select, update

from kobe_platform.governance.application import Application, Decision, Draft, fiscal_number, refusal
from kobe_platform.governance.people import Person
from kobe_platform.governance.schema import application, application_page, application_source, application_step
from kobe_platform.governance.trail import record


def get(engine: Engine, number: str) -> Application:
    """One application with its history.

    Raises:
        GovernanceError: there is none of this number.
    """
    with engine.connect() as connection:
        return read(connection, number)


def applications(engine: Engine) -> list[Application]:
    """All applications, newest first."""
    with engine.connect() as connection:
        return _read(connection)


def read(connection: Connection, number: str) -> Application:
    """One application as the transaction sees it.

    Raises:
        GovernanceError: there is none of this number.
    """
    found = _read(connection, number)
    if not found:
        raise refusal("unknown", "there is no such application", number, "この番号の申請はありません")
    return found[0]


def ended_before(connection: Connection, day: date) -> list[Application]:
    """Approved applications whose period was over before a day."""
    ended = (application.c.state == "approved") & (application.c.period_to < day.isoformat())
    numbers = connection.execute(select(application.c.number).where(ended)).scalars().all()
    return [read(connection, number) for number in numbers]


def add(connection: Connection, number: str, who: Person, draft: Draft) -> Application:
    """A new application in state ``draft``.

    Raises:
        GovernanceError: the number is taken.
    """
    if connection.execute(select(application.c.number).where(application.c.number == number)).first():
        raise refusal("number", "the number of the application is taken", number, "この申請番号は使われています")
    connection.execute(
        insert(application).values(
            number=number, applicant=who.login, section=who.section, state="draft", version=1,
            created_at=datetime.now(UTC), **_columns(draft),
        )
    )  # fmt: skip
    _add_uses(connection, number, draft)
    _add_step(connection, number, who.login, "create", "draft")
    return read(connection, number)


def rewrite(connection: Connection, app: Application, who: Person, draft: Draft, version: int) -> Application:
    """Put another draft in the place of an application's; it stays in its state."""
    _advance(connection, app, app.state, version, **_columns(draft))
    for table in (application_source, application_page):
        connection.execute(delete(table).where(table.c.number == app.number))
    _add_uses(connection, app.number, draft)
    _add_step(connection, app.number, who.login, "edit", app.state)
    return read(connection, app.number)


def move(
    connection: Connection, app: Application, who: str, action: str, state: str, version: int, note: str = "",
    section: str = "",
) -> Application:  # fmt: skip
    """Bring an application to a state, with who did it, for which section, and why.

    Raises:
        GovernanceError: its version is another by now.
    """
    _advance(connection, app, state, version)
    _add_step(connection, app.number, who, action, state, note, section)
    return read(connection, app.number)


def next_number(connection: Connection, day: date) -> str:
    """The first free number of the fiscal year after the highest running one."""
    year = fiscal_number(day, 0).split("-")[0]
    query = select(application.c.number).where(application.c.number.startswith(f"{year}-", autoescape=True))
    running = [re.fullmatch(rf"{year}-([0-9]+)", number) for number in connection.execute(query).scalars()]
    return fiscal_number(day, max((int(match[1]) for match in running if match), default=0) + 1)


def _read(connection: Connection, number: str | None = None) -> list[Application]:
    def wanted(table: Table) -> ColumnElement[bool]:
        matches: ColumnElement[bool] = table.c.number.is_not(None) if number is None else table.c.number == number
        return matches

    def texts(column: Column[str]) -> dict[str, list[str]]:
        found = defaultdict(list)
        for owner, text in connection.execute(select(column.table.c.number, column).where(wanted(column.table))):
            found[owner].append(text)
        return found

    sources, pages = texts(application_source.c.source), texts(application_page.c.slug)
    history = defaultdict(list)
    for s in connection.execute(
        select(application_step).where(wanted(application_step)).order_by(application_step.c.id)
    ):
        history[s.number].append(Decision(s.at, s.who, s.action, s.section, s.state, s.note))
    newest_first = (application.c.created_at.desc(), application.c.number.desc())
    return [
        Application(
            row.number,
            Draft(
                row.title, row.purpose, row.audience,
                tuple(sorted(sources[row.number])), tuple(sorted(pages[row.number])),
                date.fromisoformat(row.period_from), date.fromisoformat(row.period_to),
            ),
            row.applicant, row.section, row.state, row.version, row.created_at, tuple(history[row.number]),
        )
        for row in connection.execute(select(application).where(wanted(application)).order_by(*newest_first))
    ]  # fmt: skip


def _columns(draft: Draft) -> dict[str, str]:
    return {
        "title": draft.title,
        "purpose": draft.purpose,
        "audience": draft.audience,
        "period_from": draft.first.isoformat(),
        "period_to": draft.last.isoformat(),
    }


def _add_uses(connection: Connection, number: str, draft: Draft) -> None:
    for source in sorted(set(draft.sources)):
        connection.execute(insert(application_source).values(number=number, source=source))
    for slug in sorted(set(draft.pages)):
        connection.execute(insert(application_page).values(number=number, slug=slug))


def _advance(connection: Connection, app: Application, state: str, version: int, **columns: str) -> None:
    changed = connection.execute(
        update(application)
        .where(application.c.number == app.number, application.c.version == version)
        .values(state=state, version=version + 1, **columns)
    )
    if changed.rowcount != 1:
        raise refusal(
            "version",
            "somebody changed the application in between",
            app.number,
            "他の人が先に更新しました。開き直してください",
        )


def _add_step(
    connection: Connection, number: str, who: str, action: str, state: str, note: str = "", section: str = ""
) -> None:
    connection.execute(
        insert(application_step).values(
            number=number, at=datetime.now(UTC), who=who, action=action, section=section, state=state, note=note
        )
    )
    record(connection, who, f"application.{action}", number, detail={"state": state})
