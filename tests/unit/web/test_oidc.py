"""Sign-in by OpenID Connect, against a provider that runs beside the tests."""

from __future__ import annotations

import warnings
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from kobe_platform.governance.people import find_person, remove_person
from kobe_platform.governance.trail import REFUSED, events
from kobe_platform.web import oidc
from kobe_platform.web.config import Oidc, SignIn
from tests.unit.web.conftest import registered, visitor

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oidc_provider_mock


@pytest.fixture(scope="module")
def provider():
    users = [
        oidc_provider_mock.User(sub=f"id-{login}", claims={"preferred_username": login})
        for login in ("clerk", "Member", "stranger", "removed")
    ]
    with oidc_provider_mock.run_server_in_thread(user_claims=users, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def app(build, provider, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("client-secret\n")
    known = Oidc(issuer=provider, client_id="lounge", client_secret_file=secret)
    return registered(build(sign_in=SignIn(local=False, oidc=known)))


def sent_back(browser, sub: str, target: str = "/people.html") -> str:
    """Go to the provider as ``sub`` and return the address to which it sends the browser back."""
    start = browser.get(f"/sign-in/oidc?next={target}")
    assert start.status_code == 303
    with httpx2.Client(follow_redirects=False) as at_provider:
        answer = at_provider.post(start.headers["location"], data={"sub": sub})
    assert answer.status_code in (302, 303), answer.text
    back = urlsplit(answer.headers["location"])
    assert back.path == "/sign-in/oidc/callback"
    return f"{back.path}?{back.query}"


@pytest.mark.parametrize(("sub", "login"), [("id-clerk", "clerk"), ("id-Member", "member")])
def test_whom_the_provider_vouches_for_is_in(sub, login, app):
    browser = visitor(app)
    answer = browser.get(sent_back(browser, sub))
    assert (answer.status_code, answer.headers["location"]) == (303, "/people.html")
    assert browser.get("/people.html").status_code == 200
    assert find_person(app.state.portal.database, login).active


@pytest.mark.parametrize("sub", ["id-stranger", "id-removed", "nobody-with-a-name"])
def test_whom_the_city_does_not_know_stays_out(sub, app):
    remove_person(app.state.portal.database, "removed", by="test")
    browser = visitor(app)
    answer = browser.get(sent_back(browser, sub))
    assert answer.status_code == 403 and "kobe" not in answer.cookies


def test_the_address_carries_state_nonce_and_a_challenge(app):
    asked = parse_qs(urlsplit(visitor(app).get("/sign-in/oidc").headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["code_challenge"] and asked["state"] and asked["nonce"]
    assert asked["response_type"] == ["code"] and asked["redirect_uri"] == ["http://lounge.test/sign-in/oidc/callback"]


def test_a_code_is_worth_nothing_in_another_browser(app):
    victim, attacker = visitor(app), visitor(app)
    place = sent_back(attacker, "id-clerk")
    victim.get("/sign-in/oidc")  # has a ticket of its own
    assert victim.get(place).status_code == 403
    assert visitor(app).get(place).status_code == 403


def test_a_code_is_worth_nothing_twice(app):
    browser = visitor(app)
    place, ticket = sent_back(browser, "id-clerk"), browser.cookies["kobe-oidc"]
    assert browser.get(place).status_code == 303
    again = visitor(app)
    again.cookies.set("kobe-oidc", ticket)
    assert again.get(place).status_code == 403


@pytest.mark.parametrize("change", ["state", "code"])
def test_a_changed_answer_is_refused(change, app):
    browser = visitor(app)
    place = sent_back(browser, "id-clerk")
    assert browser.get(place.replace(f"{change}=", f"{change}=x")).status_code == 403


def test_a_token_for_somebody_else_or_another_sign_in_is_refused(app):
    provider = app.state.provider
    browser = visitor(app)
    place = sent_back(browser, "id-clerk")
    known, provider.config = provider.config, provider.config.model_copy(update={"client_id": "another-client"})
    assert browser.get(place).status_code == 403
    provider.config = known
    browser = visitor(app)
    place = sent_back(browser, "id-clerk")
    ticket = browser.cookies["kobe-oidc"]
    provider._waiting[ticket] = replace(provider._waiting[ticket], nonce="another")
    assert browser.get(place).status_code == 403


def test_an_issuer_that_calls_itself_otherwise_is_not_believed(app, monkeypatch):
    real = oidc._fetched

    async def another(address: str) -> dict:
        return {**await real(address), "issuer": "http://evil.test"}

    monkeypatch.setattr(oidc, "_fetched", another)
    assert visitor(app).get("/sign-in/oidc").status_code == 502


def test_the_way_leads_nowhere_else(app):
    browser = visitor(app)
    assert browser.get(sent_back(browser, "id-clerk", "//evil.test")).headers["location"] == "/"


def test_a_refusal_is_in_the_trail(app):
    from datetime import UTC, datetime, timedelta

    visitor(app).get("/sign-in/oidc/callback?code=x&state=y")
    now = datetime.now(UTC)
    told = events(app.state.portal.database, now - timedelta(hours=1), now + timedelta(hours=1))
    assert ("sign_in.oidc", REFUSED) in [(event.action, event.outcome) for event in told]


def test_without_a_provider_there_is_no_such_way(build):
    app = registered(build())
    assert visitor(app).get("/sign-in/oidc").status_code == 404
    assert visitor(app).get("/sign-in/oidc/callback?code=x").status_code == 404
