"""Accounts, passwords, sessions: rights end at once, guesses are counted, nothing tells who exists."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from kobe_platform.errors import ConfigurationError, GovernanceError
from kobe_platform.governance import passwords, sessions
from kobe_platform.governance.database import open_database
from kobe_platform.governance.guesses import (
    LOCKED,
    MOST_ELSEWHERE,
    MOST_FAILURES,
    Whence,
    forgive,
    places_of,
    remember_address,
    remembered,
)
from kobe_platform.governance.passwords import check_password, set_password
from kobe_platform.governance.people import add_person, find_person, remove_person, sign_out
from kobe_platform.governance.schema import password, session
from kobe_platform.governance.trail import events

SECRET = "sea-and-mountains-7"
NOW = datetime(2026, 11, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def tanaka(database):
    person = add_person(database, "Tanaka ", "田中", "政策課", roles=("analyst",), audiences=("policy",), by="test")
    set_password(database, "tanaka", SECRET, by="test")
    return person


@pytest.mark.slow
def test_a_person_has_what_was_given_and_loses_all_of_it_at_once(database, tanaka):
    assert tanaka.audiences == {"staff", "policy"} and tanaka.roles == {"analyst"}
    token = sessions.begin(database, tanaka, "password")
    assert sessions.find(database, token).person == tanaka
    remove_person(database, "tanaka", by="test")
    assert sessions.find(database, token) is None
    assert check_password(database, "tanaka", SECRET) is None
    gone = find_person(database, "tanaka")
    assert not gone.active and not gone.roles and not gone.audiences


def test_rights_are_read_at_every_request(database, tanaka):
    token = sessions.begin(database, tanaka, "password")
    add_person(database, "tanaka", "田中", "政策課", by="test")
    assert sessions.find(database, token).person.audiences == {"staff"}


@pytest.mark.slow
def test_five_failures_lock_even_the_right_password_out_for_a_quarter_of_an_hour(database, tanaka):
    for _ in range(MOST_FAILURES):
        assert check_password(database, "tanaka", "wrong", NOW) is None
    assert check_password(database, "tanaka", SECRET, NOW) is None
    assert check_password(database, "tanaka", SECRET, NOW + LOCKED - timedelta(seconds=1)) is None
    assert check_password(database, "tanaka", SECRET, NOW + LOCKED + timedelta(seconds=1)) == tanaka


@pytest.mark.slow
def test_parallel_guesses_are_all_counted(database, tanaka):
    guesses = [threading.Thread(target=check_password, args=(database, "tanaka", "wrong", NOW)) for _ in range(5)]
    for guess in guesses:
        guess.start()
    for guess in guesses:
        guess.join()
    assert check_password(database, "tanaka", SECRET, NOW) is None


@pytest.mark.slow
def test_unknown_locked_and_wrong_cost_one_hash_each(database, tanaka, monkeypatch):
    counted = []
    real = passwords._matches
    monkeypatch.setattr(passwords, "_matches", lambda hashed, text: counted.append(hashed[:9]) or real(hashed, text))
    for login in ("nobody", "tanaka", "not a login!"):
        check_password(database, login, "wrong", NOW)
    assert counted == ["$argon2id"] * 3


def test_passwords_and_tokens_are_stored_as_hashes_only(database, tanaka):
    token = sessions.begin(database, tanaka, "password")
    with database.connect() as connection:
        stored = repr(connection.execute(select(password)).all()) + repr(connection.execute(select(session)).all())
    assert SECRET not in stored and token not in stored
    told = repr(events(database, NOW - timedelta(days=999), datetime.now(UTC) + timedelta(days=1)))
    assert SECRET not in told and token not in told


@pytest.mark.slow
@pytest.mark.parametrize("weak", ["short", "tanaka-tanaka-tanaka"])
def test_weak_passwords_are_refused(weak, database, tanaka):
    with pytest.raises(GovernanceError, match=r"\[people\.password\]"):
        set_password(database, "tanaka", weak, by="test")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("since_seen", "since_begun", "alive"),
    [
        (timedelta(minutes=29), timedelta(minutes=29), True),
        (timedelta(minutes=31), timedelta(minutes=31), False),
        (timedelta(minutes=1), timedelta(hours=11), False),
    ],
)
def test_a_session_ends_when_idle_or_old(since_seen, since_begun, alive, database, tanaka):
    token = sessions.begin(database, tanaka, "password", NOW - since_begun)
    moment = NOW - since_begun
    while moment < NOW - since_seen:
        moment = min(moment + timedelta(minutes=20), NOW - since_seen)
        sessions.find(database, token, moment)
    assert bool(sessions.find(database, token, NOW)) == alive


def test_signing_out_ends_the_session_and_no_other(database, tanaka):
    first, second = (sessions.begin(database, tanaka, "password") for _ in range(2))
    sessions.end(database, first)
    assert sessions.find(database, first) is None and sessions.find(database, second)


@pytest.mark.slow
@pytest.mark.parametrize("login", ["", "a b", "x" * 65, "../x", "名前", "-a"])
def test_logins_are_plain(login, database):
    with pytest.raises(GovernanceError, match=r"\[people\.login\]"):
        add_person(database, login, "名", "課", by="test")


def test_a_database_that_cannot_be_opened_is_told_without_its_url():
    with pytest.raises(ConfigurationError) as refusal:
        open_database("postgresql+nothing://kobe:hidden-secret@host/x")  # pragma: allowlist secret
    assert "hidden-secret" not in str(refusal.value)
    with pytest.raises(GovernanceError) as refusal:
        open_database("postgresql+psycopg2://kobe:hidden-secret@127.0.0.1:1/x")
    assert "hidden-secret" not in str(refusal.value)


def test_a_second_opening_changes_nothing_and_the_file_is_private(tmp_path):
    url = f"sqlite:///{tmp_path / 'g' / 'governance.sqlite'}"
    add_person(open_database(url), "tanaka", "田中", "政策課", by="test")
    assert find_person(open_database(url), "tanaka").name == "田中"
    assert (tmp_path / "g" / "governance.sqlite").stat().st_mode & 0o077 == 0


def test_signing_somebody_out_ends_their_sessions_and_nothing_else(database, tanaka):
    suzuki = add_person(database, "suzuki", "鈴木", "政策課", by="test")
    tokens = [sessions.begin(database, tanaka, "password") for _ in range(2)]
    others = sessions.begin(database, suzuki, "oidc")
    assert sign_out(database, "Tanaka", by="admin") == 2
    assert [sessions.find(database, token) for token in tokens] == [None, None]
    assert sessions.find(database, others) and check_password(database, "tanaka", SECRET) == tanaka
    with pytest.raises(GovernanceError, match="no such person"):
        sign_out(database, "nobody", by="admin")


@pytest.mark.slow
def test_a_stranger_cannot_lock_the_owner_out(database, tanaka):
    """Neither from an address of their own, nor from many: the owner's address and device stay free."""
    for _ in range(MOST_FAILURES):
        check_password(database, "tanaka", "wrong", NOW, whence=Whence("203.0.113.1"))
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("203.0.113.1")) is None
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("192.0.2.7")) == tanaka
    known = remembered(database, "tanaka", "", NOW)
    for number in range(MOST_ELSEWHERE):
        check_password(database, "tanaka", "wrong", NOW, whence=Whence(f"198.51.100.{number % 10}.{number}"))
    strange, own = Whence("192.0.2.200"), Whence("192.0.2.7")
    assert check_password(database, "tanaka", SECRET, NOW, whence=strange) is None, "many addresses lock strange ones"
    assert check_password(database, "tanaka", SECRET, NOW, whence=own) == tanaka, "a new device at the owner's address"
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("192.0.2.200", known)) == tanaka
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("192.0.2.201", "a made-up token")) is None
    assert forgive(database, "Tanaka", by="operator") >= 1
    assert check_password(database, "tanaka", SECRET, NOW, whence=strange) == tanaka, "an operator lifts the locks"


def test_a_cookie_that_spells_a_remembered_address_is_no_known_device(database, tanaka):
    home = Whence("192.0.2.7")
    made_up = f"address {home.address} tanaka"
    with database.begin() as connection:
        remember_address(connection, "tanaka", home, NOW)
        strange = places_of(connection, "tanaka", Whence("192.0.2.200", made_up))
        assert strange == places_of(connection, "tanaka", Whence("192.0.2.200"))
    assert remembered(database, "tanaka", made_up, NOW) != made_up


@pytest.mark.slow
def test_a_device_is_locked_by_its_own_failures_and_is_one_accounts(database, tanaka):
    add_person(database, "sato", "佐藤", "市民課", by="test")
    passwords.set_password(database, "sato", SECRET, by="test")
    known = remembered(database, "tanaka", "", NOW)
    assert remembered(database, "tanaka", known, NOW) == known != remembered(database, "sato", known, NOW)
    for _ in range(MOST_FAILURES):
        check_password(database, "tanaka", "wrong", NOW, whence=Whence("192.0.2.7", known))
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("192.0.2.7", known)) is None
    assert check_password(database, "tanaka", SECRET, NOW, whence=Whence("192.0.2.7")) == tanaka


def test_a_subject_is_bound_to_one_account_and_an_account_to_one_subject(database, tanaka):
    from kobe_platform.governance.identities import person_of, unbind

    issuer = "https://id.city.example"
    assert person_of(database, issuer, "1", "tanaka") == tanaka
    assert person_of(database, issuer, "1", "another-name") == tanaka, "the subject says who it is, not the name"
    assert person_of(database, issuer, "2", "tanaka") is None, "the name was given to somebody else"
    assert person_of(database, issuer, "2", "unknown") is None
    assert unbind(database, "tanaka", by="test") == 1
    assert person_of(database, issuer, "2", "tanaka") == tanaka
    remove_person(database, "tanaka", by="test")
    assert person_of(database, issuer, "2", "tanaka") is None
