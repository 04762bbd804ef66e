"""Erases the words of a question or an answer that should not stand, as where they name a person.

The row stays, with its page, its day and why; its words are gone from the database, and the trail says only that it
happened. The database refuses every other change (migration 0007).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, update

from kobe_platform.governance.database import sweep, writing
from kobe_platform.governance.people import Person
from kobe_platform.governance.questions import PageQuestion, refusal
from kobe_platform.governance.schema import page_answer, page_question
from kobe_platform.governance.trail import REFUSED, note, record

AUTHOR = "author"


@dataclass(frozen=True)
class Withdrawal:
    """What a person may withdraw: the question and its answers, and for which reasons (keys of ``WITHDRAWN``)."""

    question: tuple[str, ...]
    answer: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether there is anything that they may withdraw."""
        return bool(self.question or self.answer)


def may_withdraw(person: Person, asked: PageQuestion, owner: str) -> Withdrawal:
    """Who asked may take the question back; the owning section and administrators may withdraw question and answers.

    Args:
        owner: section that owns the page; empty where there is no such page any more: then a section that answered
            stands for it, which it owned the page to do.
    """
    owns = person.section == owner if owner else person.section in {one.section for one in asked.answers}
    question: tuple[str, ...] = (AUTHOR,) if person.login == asked.who else ()
    answer: tuple[str, ...] = ()
    if person.has("administrator") or (person.section and owns):
        question += ("person", "unfit")
        answer = ("person", "mistaken")
    return Withdrawal(question, answer) if person.active else Withdrawal((), ())


def withdraw(
    engine: Engine, person: Person, question: PageQuestion, owner: str, reason: str, answer: int | None = None
) -> bool:
    """Erase the words of a question and of all its answers, or of one answer, from the database's files too.

    Args:
        answer: its number; None for the question.

    Returns:
        Whether the files were swept as well; if not, somebody was reading, and :func:`~.database.sweep` is due.

    Raises:
        GovernanceError: ``question.withdraw`` (noted as refused): not this person's to withdraw, or not for that
            reason; ``question.withdrawn``: somebody did already.
    """
    place = f"{question.page}/{question.id}" + (f"/{answer}" if answer is not None else "")
    allowed = may_withdraw(person, question, owner)
    if reason not in (allowed.question if answer is None else allowed.answer):
        note(engine, person.login, "question.withdraw", place, outcome=REFUSED)
        ja = "取り下げられるのは、書いた人・所管課・管理者です。"
        raise refusal("withdraw", "this is not theirs to withdraw", ja)
    gone = {"text": "", "withdrawn": reason, "withdrawn_at": datetime.now(UTC)}
    asked = (page_question.c.id == question.id) & (page_question.c.withdrawn == "")
    answers = (page_answer.c.question == question.id) & (page_answer.c.withdrawn == "")
    if answer is not None:
        answers &= page_answer.c.id == answer
    with writing(engine) as connection:
        erased = connection.execute(update(page_answer).where(answers).values(**gone)).rowcount
        if answer is None:
            erased = connection.execute(update(page_question).where(asked).values(**gone)).rowcount
        if not erased:
            raise refusal("withdrawn", "it was withdrawn already", "すでに取り下げられています。")
        record(connection, person.login, "question.withdraw", place)
    return sweep(engine)
