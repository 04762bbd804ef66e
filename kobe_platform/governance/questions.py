"""Keeps readers' questions and comments about a page, and what the owning section answers.

Both are only added to, but that words can be erased (:mod:`kobe_platform.governance.withdrawals`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Select, func, insert, select

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.database import writing
from kobe_platform.governance.people import Person
from kobe_platform.governance.schema import page_answer, page_question
from kobe_platform.governance.trail import REFUSED, note, record

LONGEST = 1000
"""Characters of a question or an answer."""
SHOWN = 200
"""Questions that are listed, the newest first."""


@dataclass(frozen=True)
class PageAnswer:
    """What the owning section said; ``withdrawn`` says why its words were erased, empty where they stand."""

    id: int
    at: datetime
    section: str
    text: str
    withdrawn: str


@dataclass(frozen=True)
class PageQuestion:
    """A question about a page, by whom (login and section), and its answers, oldest first.

    ``withdrawn`` says why its words were erased; empty where they stand.
    """

    id: int
    at: datetime
    who: str
    section: str
    page: str
    text: str
    withdrawn: str
    answers: tuple[PageAnswer, ...]


def ask_section(engine: Engine, person: Person, page: str, text: str) -> None:
    """Keep a question, with its entry in the trail, which does not hold the words.

    Raises:
        GovernanceError: ``question.text``.
    """
    values = {"at": datetime.now(UTC), "who": person.login, "section": person.section, "page": page,
              "text": _plain(text)}  # fmt: skip
    with writing(engine) as connection:
        connection.execute(insert(page_question).values(**values))
        record(connection, person.login, "question.ask", page)


def answer_question(engine: Engine, person: Person, question: PageQuestion, owner: str, text: str) -> None:
    """Keep what the owning section answers.

    Raises:
        GovernanceError: ``question.section`` (noted as refused), ``question.text``, ``question.withdrawn``.
    """
    place = f"{question.page}/{question.id}"
    if not person.active or not owner or person.section != owner:
        note(engine, person.login, "question.answer", place, outcome=REFUSED)
        raise refusal("section", "another section owns this page", "この画面の所管課の人だけが回答できます。")
    values = {"at": datetime.now(UTC), "who": person.login, "section": person.section, "question": question.id,
              "text": _plain(text)}  # fmt: skip
    with writing(engine) as connection:
        asked = select(page_question.c.withdrawn).where(page_question.c.id == question.id).with_for_update()
        if connection.execute(asked).scalar_one():
            raise refusal("withdrawn", "the question was withdrawn", "この質問は取り下げられました。")
        connection.execute(insert(page_answer).values(**values))
        record(connection, person.login, "question.answer", place)


def questions(engine: Engine, pages: Collection[str], before: int | None = None) -> list[PageQuestion]:
    """Questions about some pages, the newest :data:`SHOWN` first; with ``before``, of those older than that number."""
    query = select(page_question).where(page_question.c.page.in_(list(pages)))
    if before is not None:
        query = query.where(page_question.c.id < before)
    return _with_answers(engine, query.order_by(page_question.c.id.desc()).limit(SHOWN))


def question_of(engine: Engine, number: int) -> PageQuestion | None:
    """One question by its number, of whatever page and age."""
    return next(iter(_with_answers(engine, select(page_question).where(page_question.c.id == number))), None)


def _with_answers(engine: Engine, query: Select[Any]) -> list[PageQuestion]:
    with engine.connect() as connection:
        rows = connection.execute(query).all()
        told = select(page_answer).where(page_answer.c.question.in_([row.id for row in rows]))
        answers: dict[int, list[PageAnswer]] = {}
        for row in connection.execute(told.order_by(page_answer.c.id)):
            answer = PageAnswer(row.id, row.at, row.section, row.text, row.withdrawn)
            answers.setdefault(row.question, []).append(answer)
    return [
        PageQuestion(r.id, r.at, r.who, r.section, r.page, r.text, r.withdrawn, tuple(answers.get(r.id, ())))
        for r in rows
    ]


def questions_elsewhere(
    engine: Engine, pages: Collection[str], person: Person, owners: Mapping[str, str], before: int | None = None
) -> list[PageQuestion]:
    """Questions whose words stand about pages other than these, that a person may withdraw; the newest first.

    Administrators see them all, others those that they asked, those about pages that their section owns, and, of pages
    that nobody owns any more, those that their section answered: it owned the page then.

    Args:
        owners: page → section, of the pages that there are.
    """
    query = select(page_question).where(page_question.c.page.not_in(list(pages)), page_question.c.withdrawn == "")
    if not person.has("administrator"):
        answered = select(page_answer.c.question).where(page_answer.c.section == person.section)
        owned = [page for page, owner in owners.items() if owner == person.section]
        gone = page_question.c.page.not_in(list(owners)) & page_question.c.id.in_(answered)
        query = query.where((page_question.c.who == person.login) | page_question.c.page.in_(owned) | gone)
    if before is not None:
        query = query.where(page_question.c.id < before)
    return _with_answers(engine, query.order_by(page_question.c.id.desc()).limit(SHOWN))


def unanswered(engine: Engine, pages: Collection[str]) -> int:
    """How many questions about some pages wait: neither withdrawn nor given an answer that stands."""
    answered = select(page_answer.c.question).where(page_answer.c.withdrawn == "")
    waiting = (page_question.c.withdrawn == "") & page_question.c.id.not_in(answered)
    query = select(func.count()).where(page_question.c.page.in_(list(pages)), waiting)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n")  # forms send two characters for a new line
    if not text.strip() or len(text) > LONGEST:
        raise refusal("text", "the words are missing, or too long", f"{LONGEST}字までで書いてください。")
    return text.strip()


def refusal(code: str, message: str, ja: str) -> GovernanceError:
    """An error about questions: ``question.`` and its code."""
    return GovernanceError(message, code=f"question.{code}", remedy="see docs/governance.md, Readers", ja=ja)
