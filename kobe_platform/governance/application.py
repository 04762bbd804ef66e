"""Defines an application for the use of data: its fields, when it is complete, and who may do what with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.people import Person

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
class Decision:
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
    steps: tuple[Decision, ...] = field(repr=False, default=())

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


def fiscal_number(day: date, running: int) -> str:
    """``R8-0001``: the fiscal year of the Reiwa era (from 1 April) and a running number in it."""
    year = day.year if day.month >= 4 else day.year - 1
    return f"R{year - 2018}-{running:04d}"


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


def complete(draft: Draft) -> None:
    """Refuse a draft with something left out.

    Raises:
        GovernanceError: the first field that is missing.
    """
    texts = {"title": draft.title, "purpose": draft.purpose, "audience": draft.audience}
    lists: dict[str, Sequence[str]] = {"sources": draft.sources, "pages": draft.pages}
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


def own(app: Application, who: Person) -> None:
    """Refuse everybody but the applicant.

    Raises:
        GovernanceError: the person is somebody else.
    """
    if app.applicant != who.login:
        raise refusal("applicant", "only the applicant may do this", app.number, "申請者本人だけができます")


def allowed(app: Application, action: str, states: tuple[str, ...]) -> None:
    """Refuse an action that the application's state does not admit.

    Raises:
        GovernanceError: the state is none of ``states``.
    """
    if app.state not in states:
        raise refusal(
            "state",
            f"an application that is {app.state} cannot be brought to {action}",
            app.number,
            f"「{STATES_JA[app.state]}」の申請に対しては、この操作はできません",
        )


def refusal(code: str, message: str, number: str, ja: str) -> GovernanceError:
    """The error of an application that something cannot be done with."""
    return GovernanceError(
        message, code=f"application.{code}", at={"application": number}, remedy="see docs/governance.md", ja=ja
    )
