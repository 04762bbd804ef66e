"""データ利用申請書: every move that is allowed, and that all the others are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from kobe_platform.errors import GovernanceError
from kobe_platform.governance import applications as book
from kobe_platform.governance.application import Draft, fiscal_number
from kobe_platform.governance.application_records import get
from kobe_platform.governance.approvals import Use, reason_against, withheld
from kobe_platform.governance.database import writing
from kobe_platform.governance.people import add_person
from kobe_platform.governance.schema import application_step, event

OWNERS = {"resident_register": "市民課", "school_enrolment": "教育委員会"}
DRAFT = Draft(
    "区別人口", "施策の検討", "staff", ("resident_register",), ("ward_population",), date(2026, 4, 1), date(2027, 3, 31)
)


def submitted(database, staff, draft=DRAFT):
    app = book.create(database, staff["tanaka"], draft, day=date(2026, 5, 1))
    return book.submit(database, staff["tanaka"], app.number, app.version)


def approved(database, staff, draft=DRAFT):
    app = submitted(database, staff, draft)
    return book.decide(database, staff["sato"], app.number, "approve", OWNERS, app.version)


def refused(code):
    return pytest.raises(GovernanceError, match=rf"\[application\.{code}\]")


def test_numbers_run_within_the_fiscal_year(database, staff):
    numbers = [
        book.create(database, staff["tanaka"], DRAFT, day=day).number
        for day in (date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2), date(2027, 3, 31))
    ]
    assert numbers == ["R7-0001", "R8-0001", "R8-0002", "R8-0003"]
    assert fiscal_number(date(2019, 5, 1), 7) == "R1-0007"
    with refused("number"):
        book.create(database, staff["tanaka"], DRAFT, number="R8-0001")


def test_numbers_of_a_register_of_its_own_do_not_stop_the_counting(database, staff):
    for own in ("R8-市民", "R8-00x1", "R8-12345"):
        book.create(database, staff["tanaka"], DRAFT, number=own)
    assert book.create(database, staff["tanaka"], DRAFT, day=date(2026, 5, 1)).number == "R8-12346"


def test_an_application_goes_its_way_and_keeps_its_history(database, staff):
    app = submitted(database, staff)
    app = book.decide(database, staff["sato"], app.number, "return", OWNERS, app.version, "期間を短く")
    app = book.edit(database, staff["tanaka"], app.number, replace(DRAFT, last=date(2026, 9, 30)), app.version)
    app = book.submit(database, staff["tanaka"], app.number, app.version)
    app = book.decide(database, staff["sato"], app.number, "approve", OWNERS, app.version)
    assert [step.action for step in app.steps] == ["create", "submit", "return", "edit", "submit", "approve"]
    assert app.state == "approved" and app.steps[2].note == "期間を短く" and app.steps[-1].section == "市民課"
    assert app.live(date(2026, 9, 30)) and not app.live(date(2026, 10, 1)) and not app.live(date(2026, 3, 31))
    assert app.state_on(date(2026, 10, 1)) == "expired"


def test_every_owning_section_must_approve_since_the_last_submission(database, staff):
    both = replace(DRAFT, sources=("resident_register", "school_enrolment"))
    app = submitted(database, staff, both)
    app = book.decide(database, staff["sato"], app.number, "approve", OWNERS, app.version)
    assert app.state == "submitted"
    app = book.decide(database, staff["ito"], app.number, "return", OWNERS, app.version, "対象が広い")
    app = book.submit(database, staff["tanaka"], app.number, app.version)
    app = book.decide(database, staff["ito"], app.number, "approve", OWNERS, app.version)
    assert app.state == "submitted"  # the first approval was of another text
    app = book.decide(database, staff["sato"], app.number, "approve", OWNERS, app.version)
    assert app.state == "approved"


def test_who_may_not_decide(database, staff):
    app = submitted(database, staff)
    clerk = add_person(database, "mori", "森", "市民課", by="test")
    for person in (staff["tanaka"], staff["ito"], clerk):
        with refused("decider"):
            book.decide(database, person, app.number, "approve", OWNERS, app.version)
    own = book.create(database, staff["sato"], DRAFT)
    own = book.submit(database, staff["sato"], own.number, own.version)
    with refused("decider"):
        book.decide(database, staff["sato"], own.number, "approve", OWNERS, own.version)


ALLOWED = {
    "draft": {"edit", "submit", "withdraw"},
    "returned": {"edit", "submit", "withdraw"},
    "submitted": {"approve", "return", "reject", "withdraw"},
    "approved": {"withdraw"},
    "rejected": set(),
    "withdrawn": set(),
    "expired": set(),
}


def _brought_to(state, database, staff):
    if state == "draft":
        return book.create(database, staff["tanaka"], DRAFT)
    if state == "approved":
        return approved(database, staff)
    if state == "expired":
        app = approved(database, staff)
        book.expire(database, DRAFT.last + timedelta(days=1))
        return get(database, app.number)
    app = submitted(database, staff)
    if state in ("returned", "rejected"):
        decision = {"returned": "return", "rejected": "reject"}[state]
        return book.decide(database, staff["sato"], app.number, decision, OWNERS, app.version, "理由")
    return book.withdraw(database, staff["tanaka"], app.number, app.version) if state == "withdrawn" else app


@pytest.mark.slow
@pytest.mark.parametrize("state", ALLOWED)
def test_exactly_the_allowed_moves_are_possible(state, database, staff):
    moves = {
        "edit": lambda app: book.edit(database, staff["tanaka"], app.number, DRAFT, app.version),
        "submit": lambda app: book.submit(database, staff["tanaka"], app.number, app.version),
        "withdraw": lambda app: book.withdraw(database, staff["tanaka"], app.number, app.version),
        **{
            name: lambda app, name=name: book.decide(
                database, staff["sato"], app.number, name, OWNERS, app.version, "理由"
            )
            for name in ("approve", "return", "reject")
        },
    }
    for name, move in moves.items():
        app = _brought_to(state, database, staff)
        assert app.state == state
        if name in ALLOWED[state]:
            assert move(app).version == app.version + 1
        else:
            with refused("state"):
                move(app)
            assert get(database, app.number) == app


def test_two_editors_do_not_overwrite_each_other(database, staff):
    app = book.create(database, staff["tanaka"], DRAFT)
    book.edit(database, staff["tanaka"], app.number, DRAFT, app.version)
    with refused("version"):
        book.edit(database, staff["tanaka"], app.number, DRAFT, app.version)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [{"title": " "}, {"sources": ()}, {"pages": ()}, {"last": date(2026, 3, 31)}])
def test_an_incomplete_application_is_refused(left_out, database, staff):
    with refused("incomplete"):
        book.create(database, staff["tanaka"], replace(DRAFT, **left_out))


def test_a_decision_other_than_approval_gives_its_reason(database, staff):
    app = submitted(database, staff)
    with refused("note"):
        book.decide(database, staff["sato"], app.number, "reject", OWNERS, app.version, " ")


def test_history_and_trail_cannot_be_changed(database, staff):
    approved(database, staff)
    for table in (application_step, event):
        for change in (update(table).values(who="x"), table.delete()):
            with pytest.raises(DBAPIError, match="append only"), writing(database) as connection:
                connection.execute(change)


def test_expiry_is_recorded_once(database, staff):
    app = approved(database, staff)
    assert book.expire(database, DRAFT.last) == []
    assert book.expire(database, DRAFT.last + timedelta(days=1)) == [app.number]
    assert book.expire(database, DRAFT.last + timedelta(days=1)) == []


USE = Use("ward_population", "R8-0001", "staff", frozenset({"resident_register"}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use", "day", "reason"),
    [
        (USE, date(2026, 6, 1), None),
        (USE, date(2027, 4, 1), "application.not_live"),
        (USE, date(2026, 3, 31), "application.not_live"),
        (replace(USE, application="R8-9999"), date(2026, 6, 1), "application.none"),
        (replace(USE, slug="other"), date(2026, 6, 1), "application.page"),
        (replace(USE, sources=frozenset({"resident_register", "movements"})), date(2026, 6, 1), "application.source"),
        (replace(USE, audience="policy"), date(2026, 6, 1), "application.audience"),
        (replace(USE, application="", sources=frozenset()), date(2026, 6, 1), None),
    ],
)
def test_a_dashboard_needs_a_live_approval_for_all_that_it_draws_from(use, day, reason, database, staff):
    app = approved(database, staff)
    assert app.number == "R8-0001"
    assert reason_against(use, {app.number: app}, day) == reason
    assert withheld([use], {app.number: app}, day) == ({use.slug: reason} if reason else {})
