"""Whose a session is is remembered for the files of a page, and never longer than it is true."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from kobe_platform.governance import sessions
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person, find_person, remove_person, sign_out
from kobe_platform.governance.sessions import Session
from kobe_platform.web import recall
from kobe_platform.web.config import Proxy, SignIn
from kobe_platform.web.recall import KEPT, KEPT_UNSEEN, Recall
from tests.unit.web.conftest import registered, visitor


@pytest.fixture
def asked(app, monkeypatch) -> list[str]:
    """The tokens that the database was asked for."""
    seen, find = [], sessions.find

    def finding(engine, token, *given, **more):
        seen.append(token)
        return find(engine, token, *given, **more)

    monkeypatch.setattr(sessions, "find", finding)
    return seen


def test_the_files_of_a_page_ask_once(app, asked):
    browser = visitor(app, "clerk")
    assert [browser.get(f"/{name}").status_code for name in ("index.html", "people.html", "search.json")] == [200] * 3
    assert len(asked) == 1


def test_a_form_is_never_taken_on_what_is_remembered(app, asked):
    browser = visitor(app, "clerk")
    browser.get("/people.html")
    browser.post("/sign-out", data={"csrf": "wrong"})
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda database: sign_out(database, "member", by="test"), 401),
        (lambda database: remove_person(database, "member", by="test"), 401),
        (lambda database: add_person(database, "member", "名", "課", by="test"), 404),
    ],
)
def test_what_another_process_takes_away_is_gone_with_the_next_file(app, settings, change, status):
    browser = visitor(app, "member")
    assert browser.get("/secret.html").status_code == 200
    change(open_database(settings.governance))
    assert browser.get("/secret.html").status_code == status


def test_a_session_by_the_proxy_is_not_remembered_for_another_name(build):
    proxy = Proxy(header="X-Reader", peers=(ip_network("203.0.113.0/24"),))
    app = registered(build(sign_in=SignIn(local=False, proxy=proxy)))
    database, browser = app.state.portal.database, visitor(app)
    browser.cookies.set("kobe", sessions.begin(database, find_person(database, "member"), "proxy"))
    answers = [browser.get("/secret.html", headers={"x-reader": name}) for name in ("member", "clerk", "member")]
    assert [answer.status_code for answer in answers] == [200, 401, 200]
    assert browser.get("/secret.html").status_code == 401


@pytest.fixture
def clerk(app) -> Session:
    return Session(find_person(app.state.portal.database, "clerk"), "password", "form")


@pytest.mark.parametrize(("told", "kept"), [(1, KEPT), (None, KEPT_UNSEEN)])
def test_it_is_forgotten_after_a_few_seconds(app, clerk, monkeypatch, told, kept):
    now = [100.0]
    monkeypatch.setattr(recall, "change_mark", lambda engine: lambda: told)
    found = Recall(app.state.portal.database, clock=lambda: now[0])
    found.put("key", clerk, found.mark())
    now[0] += kept - 0.1
    assert found.get("key") == clerk
    now[0] += 0.1
    assert found.get("key") is None


def test_what_changed_while_the_database_was_asked_is_not_remembered(app, clerk):
    found = Recall(app.state.portal.database)
    before = found.mark()
    sign_out(app.state.portal.database, "clerk", by="test")
    found.put("key", clerk, before)
    assert found.get("key") is None


def test_memory_has_an_end(app, clerk, monkeypatch):
    monkeypatch.setattr(recall, "MOST", 3)
    found = Recall(app.state.portal.database)
    for key in range(5):
        found.put(key, clerk, found.mark())
    assert [key for key in range(5) if found.get(key)] == [3, 4]
