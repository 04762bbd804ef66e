"""Asking as a person: role, quota, approval, answer, and a record of each question whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kobe_platform.custody.durable import locked
from kobe_platform.errors import PlatformError, QuestionError
from kobe_platform.governance.application_records import applications
from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import REFUSED, Event, events_of, note
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.answers import (
    OVERTAKEN,
    STAGE,
    UNANSWERABLE,
    UNREADY,
    UNSAFE,
    Answer,
    Progress,
    Unanswerable,
    answer,
)
from kobe_platform.ondemand.menu import Menu
from kobe_platform.ondemand.nearest import TRIED, changes_of, nearest
from kobe_platform.ondemand.question import Question, understood
from kobe_platform.ondemand.words import in_words
from kobe_platform.reception.steps import in_force
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.history import WINDOW
from kobe_platform.statistics.inputs import REFERENCE
from kobe_platform.vocabulary.clock import JAPAN, today
from kobe_platform.vocabulary.codes import Hierarchy, districts

if TYPE_CHECKING:
    from sqlalchemy import Engine

ACTION = "ondemand"
"""The trail's word for a question; its object is the answer's name and month."""
CANCEL = "ondemand.cancel"
"""The trail's word for a question that its person cancelled in the portal; its object is the job."""
ROLES = ("analyst", "operator")
UNCOUNTED = frozenset({OVERTAKEN, UNREADY, "lake.changed", "lake.absent", "ondemand.application"})
"""Refusals that tell of the month's data or of who may ask, and nothing of a figure: no questions of the quota."""


def month_begins() -> datetime:
    """The beginning of this calendar month in Japan, from which questions are counted."""
    return datetime.now(JAPAN).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def counted(questions: Iterable[Event]) -> int:
    """How many of these questions count against the quota: all but :data:`UNCOUNTED`."""
    return sum(event.detail.get("code") not in UNCOUNTED for event in questions)


@dataclass(frozen=True)
class Desk:
    """What is needed to answer: the rows, the published tables, the menu, and who may ask.

    Attributes:
        basis: of the release in force: ``synthetic`` for a made-up city, whose figures are nobody's data.
        window: months of former releases that are part of the attack.
    """

    store: PartitionStore
    statistics: Mapping[str, Statistic]
    menu: Menu
    governance: Engine
    basis: str = "register"
    window: int = WINDOW

    def months(self) -> list[str]:
        """Months that can be asked for, newest first: those with published tables."""
        found = {month for table in self.statistics for month in self.store.months("published", table)}
        counted = any(self.store.months("lake", measure.source) for measure in self.menu.measures.values())
        return sorted(found, reverse=True) if counted else []

    def areas(self, month: str) -> Hierarchy | None:
        """The month's districts, where they are known."""
        try:
            return districts(self.store.read(in_force(self.store, REFERENCE, month).id), month)
        except PlatformError:
            return None

    def ask(
        self,
        person: Person,
        asked: Mapping[str, object],
        application: str = "",
        progress: Progress | None = None,
        settled: Callable[[], None] = lambda: None,
        refused: Callable[[str], None] = lambda _: None,
    ) -> tuple[Question, Answer]:
        """Answer a person's question; one that is interrupted before it is known what becomes of it is not counted.

        Args:
            asked: see :func:`question.understood`.
            application: number of the データ利用申請書 under which the person asks; a made-up city needs none.
            progress: see :func:`answers.answer`.
            settled: called when it is known what became of the question, before that is noted; of a refusal, before
                nearer questions are tried, and again after that.
            refused: called with the refusal's words, in Japanese, once it is noted that there is no answer and before
                nearer questions are tried. However that search ends, the refusal stands and counts.

        Raises:
            QuestionError, DisclosureError, LakeError: what cannot be asked or answered; recorded as refused.
        """
        # One question of a person at a time: two at once could both be the last of the quota.
        with locked(self.store.root / f".{STAGE}.{person.login}.lock"):
            self._admit(person)
            return self._recorded(person, asked, application, progress, settled, refused)

    def _recorded(
        self,
        person: Person,
        asked: Mapping[str, object],
        application: str,
        progress: Progress | None,
        settled: Callable[[], None],
        refused: Callable[[str], None],
    ) -> tuple[Question, Answer]:
        """Answer, and note what became of the question."""
        question, areas, noted = None, self.areas(str(asked.get("month", ""))), False

        def refuse(code: str) -> None:
            nonlocal noted
            settled()
            if not noted:
                told = {"code": code, **(question.as_record() if question else {})}
                note(self.governance, person.login, ACTION, outcome=REFUSED, detail=told)
            noted = True

        def unanswerable() -> None:
            refuse(UNANSWERABLE)
            if question is not None:
                refused(self._advice(question, areas))

        try:
            question = understood(self.menu, asked, areas, self.months())
            self._approved(question, application)
            nearer = nearest(self.menu, question, areas)[:TRIED]
            given = answer(self.store, self.statistics, question, self.window, nearer, progress, unanswerable)
        except PlatformError as error:
            if isinstance(error, Unanswerable) and question is not None:
                self._advise(error, question, areas)
            refuse(error.code)
            raise
        settled()
        told = {**question.as_record(), "application": application, "kept": given.kept}
        note(self.governance, person.login, ACTION, f"{question.statistic.name}/{question.month}", detail=told)
        return question, given

    def _advise(self, error: Unanswerable, question: Question, areas: Hierarchy | None) -> None:
        """Say what to change, and name the nearest question that can be answered."""
        if error.offer is not None:
            near = error.offer.question
            offered = in_words(self.menu, near.measure, near.dimensions)
            error.ja = f"{UNSAFE}。次の集計なら回答できます：{offered}（{'、'.join(error.offer.changes)}）"
            error.remedy = f"ask by {', '.join(near.dimensions)}, which can be answered"
            return
        error.ja = self._advice(question, areas)

    def _advice(self, question: Question, areas: Hierarchy | None) -> str:
        """What to change in a question that cannot be answered, in Japanese."""
        changes = "、".join([*changes_of(self.menu, question, areas), "別の月を選ぶ"])
        return f"{UNSAFE}。区分を変えてください：{changes}"

    def asked_by(self, login: str) -> int:
        """Questions of a person in this calendar month of Japan."""
        return counted(events_of(self.governance, login, ACTION, month_begins()))

    def recall(self, person: Person, name: str, month: str) -> tuple[Question, Answer] | None:
        """An answer that the person was given before, as it was given; None where there is none."""
        if not person.has(*ROLES):
            return None
        beginning = datetime(2000, 1, 1, tzinfo=JAPAN)
        told = (e for e in events_of(self.governance, person.login, ACTION, beginning) if e.object == f"{name}/{month}")
        found = next(told, None)
        id = PartitionId(STAGE, name, month)
        held = self.store.current(id) if found is not None else None
        if found is None or held is None:
            return None
        asked = {key: found.detail[key] for key in ("month", "measure", "dimensions", "filters")}
        question = understood(self.menu, asked, self.areas(month), self.months())
        return question, Answer(self.store.read(id), True, held.facts)

    def _admit(self, person: Person) -> None:
        if not (person.active and person.has(*ROLES)):
            note(self.governance, person.login, ACTION, outcome=REFUSED, detail={"code": "ondemand.role"})
            raise QuestionError(
                "only analysts ask for statistics on demand",
                code="ondemand.role",
                at={"login": person.login},
                remedy="ask the administrator for the role",
                ja="オンデマンド集計は分析者だけが使えます",
            )
        if self.asked_by(person.login) >= self.menu.quota:
            note(self.governance, person.login, "ondemand.quota", outcome=REFUSED)
            raise QuestionError(
                "the month's questions are used up",
                code="ondemand.quota",
                at={"login": person.login, "quota": self.menu.quota},
                remedy="wait for next month, or let the operator make a statistic of it",
                ja=f"今月の上限（{self.menu.quota}回）に達しました",
            )

    def _approved(self, question: Question, application: str) -> None:
        """Rows about residents are asked under a live application for their source."""
        source = self.menu.measures[question.measure].source
        if self.basis == "synthetic":
            return
        held = next((app for app in applications(self.governance) if app.number == application), None)
        if held is None or not held.live(today()) or source not in held.draft.sources:
            raise QuestionError(
                "a question about residents is asked under a live application for their data",
                code="ondemand.application",
                at={"source": source},
                remedy="give the number of an approved データ利用申請書 for this source",
                ja="このデータの有効な利用申請の番号が必要です",
            )
