"""What belongs together is written together: a kill half-way leaves all of it or none."""

from __future__ import annotations

import io
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event, select
from typer.testing import CliRunner

from kobe_platform.errors import GovernanceError
from kobe_platform.governance import applications as book
from kobe_platform.governance import commands, schema
from kobe_platform.governance.accounts import register
from kobe_platform.governance.application import Draft
from kobe_platform.governance.application_records import applications
from kobe_platform.governance.database import open_database
from kobe_platform.governance.passwords import check_password, set_password
from kobe_platform.governance.people import add_person, find_person, remove_person
from kobe_platform.governance.trail import events
from kobe_platform.settings import Settings

SECRET = "sea-and-mountains-7"
RIGHTS = {"roles": ("operator",), "audiences": ("policy",)}


class Killed(BaseException):
    """The process ends here."""


class Kill:
    """Ends the work on a database with the statement that adds a row to ``table`` for the ``number``-th time."""

    def __init__(self, engine, table, number=1):
        self.engine, self.start, self.left = engine, f"INSERT INTO {table} ", number

    def _watch(self, _connection, _cursor, statement, *_):
        self.left -= statement.startswith(self.start)
        if not self.left:
            raise Killed

    def __enter__(self):
        event.listen(self.engine, "before_cursor_execute", self._watch)

    def __exit__(self, *_):
        event.remove(self.engine, "before_cursor_execute", self._watch)


def everything(engine):
    """Every row of every table."""
    with engine.connect() as connection:
        return {name: connection.execute(select(table)).all() for name, table in schema.metadata.tables.items()}


# ── an account, its roles and its password ───────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_an_account_is_registered_with_its_roles_and_its_password(database):
    person = register(database, "Tanaka", "田中", "政策課", **RIGHTS, password=SECRET, by="test")
    assert person.roles == {"operator"} and check_password(database, "tanaka", SECRET) == person
    told = [(entry.who, entry.action, entry.object) for entry in _trail(database)]
    assert told[:2] == [("test", "people.add", "tanaka"), ("test", "people.password", "tanaka")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "number"), [("person_role", 1), ("person_group", 1), ("event", 1), ("password", 1), ("event", 2)]
)
@pytest.mark.parametrize("known", [False, True])
def test_a_registration_that_is_killed_leaves_what_was_there_before(table, number, known, database):
    if known:
        register(database, "tanaka", "田中", "政策課", roles=("analyst",), password=SECRET, by="test")
    before = everything(database)
    with Kill(database, table, number), pytest.raises(Killed):
        register(database, "tanaka", "田中 花子", "市民課", **RIGHTS, password=f"{SECRET}-new", by="test")
    assert everything(database) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "weak", ["", "short", "tanaka-tanaka-tanaka", "\udc83" * 20], ids=["none", "short", "the login", "no text"]
)
def test_a_refused_password_leaves_no_account_and_does_not_appear_in_the_refusal(weak, database):
    before = everything(database)
    with pytest.raises(GovernanceError, match=r"\[people\.password\]") as caught:
        register(database, "tanaka", "田中", "政策課", **RIGHTS, password=weak, by="test")
    assert everything(database) == before and not (weak and weak in str(caught.value))


@pytest.mark.parametrize("refused", [{"login": "../x"}, {"roles": ("king",)}])
def test_a_refused_account_leaves_no_password(refused, database):
    before = everything(database)
    with pytest.raises(GovernanceError):
        register(
            database, **{"login": "tanaka", "name": "田中", "section": "課", "password": SECRET, "by": "t"} | refused
        )
    assert everything(database) == before


def test_an_account_registered_again_without_a_password_keeps_the_one_it_has(database):
    register(database, "tanaka", "田中", "政策課", password=SECRET, by="test")
    person = register(database, "tanaka", "田中", "市民課", **RIGHTS, by="test")
    assert check_password(database, "tanaka", SECRET) == person and person.section == "市民課"


def test_nobody_who_left_gets_a_password(database):
    add_person(database, "tanaka", "田中", "政策課", by="test")
    remove_person(database, "tanaka", by="test")
    for login in ("tanaka", "nobody"):
        with pytest.raises(GovernanceError, match=r"\[people\.unknown\]"):
            set_password(database, login, SECRET, by="test")
    assert not everything(database)["password"]


# ── the commands ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The database that the commands work on."""
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    monkeypatch.delenv("KOBE_DATABASE_URL", raising=False)
    return open_database(Settings().governance)


def add(*, login="tanaka", audience=()):
    commands.add(login, "田中", "政策課", role=["operator"], audience=list(audience), password_stdin=True)


def test_while_the_password_is_awaited_there_is_no_account(home, monkeypatch):
    class Awaited(io.StringIO):
        def readline(self, *_):
            assert find_person(home, "tanaka") is None
            raise Killed

    monkeypatch.setattr(sys, "stdin", Awaited())
    with pytest.raises(Killed):
        add()
    assert find_person(home, "tanaka") is None


@pytest.mark.parametrize(
    "given", [b"", b"short\n", b"\x90\x5f\x8c\xcb-sea-and-mountains\n"], ids=["nothing", "short", "not UTF-8"]
)
def test_a_password_that_cannot_be_taken_from_standard_input_leaves_no_account(given, home, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8"))
    with pytest.raises(GovernanceError, match=r"\[people\.password\]"):
        add()
    assert find_person(home, "tanaka") is None


def test_a_password_from_standard_input_opens_the_account(home, monkeypatch):
    words = ["add", "tanaka", "--name", "田中", "--section", "政策課", "--role", "operator", "--password-stdin"]
    result = CliRunner().invoke(commands.people_app, words, input=f"{SECRET}\n")
    assert result.exit_code == 0 and SECRET not in result.output
    assert check_password(home, "tanaka", SECRET).roles == {"operator"}


# ── siblings ─────────────────────────────────────────────────────────────────────────────────────────────────────

DRAFT = Draft(
    "人口の動き", "計画の見直し", "staff", ("resident_register",), ("population",), date(2026, 4, 1), date(2027, 3, 31)
)


@pytest.mark.parametrize("table", ["application_step", "event"])
def test_an_application_filed_to_be_handed_in_is_handed_in_or_not_there(table, database, staff):
    before = everything(database)
    with Kill(database, table, 2), pytest.raises(Killed):
        book.create(database, staff["tanaka"], DRAFT, hand_in=True)
    assert everything(database) == before
    app = book.create(database, staff["tanaka"], DRAFT, hand_in=True)
    assert app.state == "submitted" and [step.action for step in app.steps] == ["create", "submit"]


def test_a_change_to_be_handed_in_is_handed_in_or_not_made(database, staff):
    present = book.create(database, staff["tanaka"], DRAFT)
    before = everything(database)
    with Kill(database, "application_step", 2), pytest.raises(Killed):
        book.edit(database, staff["tanaka"], present.number, DRAFT, present.version, hand_in=True)
    assert everything(database) == before
    app = book.edit(database, staff["tanaka"], present.number, DRAFT, present.version, hand_in=True)
    assert app.state == "submitted" and [step.action for step in app.steps] == ["create", "edit", "submit"]


def test_the_command_that_files_and_hands_in_does_both(home, tmp_path):
    add_person(home, "tanaka", "田中", "政策課", by="test")
    file = tmp_path / "application.toml"
    file.write_text(
        'title = "t"\npurpose = "p"\naudience = "staff"\nsources = ["resident_register"]\npages = ["population"]\n'
        "from = 2026-04-01\nto = 2027-03-31\n",
        "utf-8",
    )
    assert CliRunner().invoke(commands.apply_app, ["new", str(file), "--as", "tanaka", "--submit"]).exit_code == 0
    assert [app.state for app in applications(home)] == ["submitted"]


@pytest.mark.slow
@pytest.mark.parametrize("guess", [SECRET, "wrong"])
def test_a_sign_in_is_counted_and_recorded_or_neither(guess, database):
    register(database, "tanaka", "田中", "政策課", password=SECRET, by="test")
    check_password(database, "tanaka", "wrong")
    before = everything(database)
    with Kill(database, "event"), pytest.raises(Killed):
        check_password(database, "tanaka", guess)
    assert everything(database) == before


def _trail(engine):
    now = datetime.now(UTC)
    return events(engine, now - timedelta(days=1), now + timedelta(days=1))
