"""What strangers, silence and proxies may not bring about: found by a critical read, each broken once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from kobe_platform.errors import ConfigurationError
from kobe_platform.governance.passwords import set_password
from kobe_platform.governance.people import remove_person
from kobe_platform.governance.trail import events
from kobe_platform.lounge.serve import build_app
from kobe_platform.web import commands, dagster_gate
from kobe_platform.web.state import Throttle
from tests.unit.web.conftest import ORIGIN, SECRET, give_password, registered, visitor, write_release


def guess(browser, login="clerk", password="wrong-wrong-wrong", **headers):
    data = {"login": login, "password": password}
    return browser.post("/sign-in", data=data, headers={"origin": ORIGIN, **headers}).status_code


def trail(app, action):
    now = datetime.now(UTC)
    told = events(app.state.portal.database, now - timedelta(hours=1), now + timedelta(hours=1))
    return [event for event in told if event.action == action]


def test_who_is_removed_is_told_nothing_more_however_silent(build, dagster, monkeypatch):
    monkeypatch.setattr(dagster_gate, "RECHECK", 0.05)
    app = registered(build(dagster=dagster))
    place = f"ws://lounge.test{dagster_gate.PREFIX}/graphql"
    with visitor(app, "auditor").websocket_connect(place, ["graphql-ws"], headers={"origin": ORIGIN}) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json()["type"] == "connection_ack"
        remove_person(app.state.portal.database, "auditor", by="test")
        with pytest.raises(WebSocketDisconnect) as closed:
            for _ in range(100):
                socket.receive_json()
    assert closed.value.code == 1008


@pytest.mark.slow
def test_limits_are_of_readers_and_not_of_the_proxy_before(build):
    app = registered(build(forwarded={"peers": ["10.0.0.0/8"]}, sign_in={"attempts": 2}))
    proxy = visitor(app, client="10.0.0.1")
    told = [guess(proxy, **{"x-forwarded-for": "198.51.100.7, 10.0.0.9"}) for _ in range(3)]
    assert told == [403, 403, 429]
    assert guess(proxy, **{"x-forwarded-for": "198.51.100.8"}) == 403
    assert guess(proxy, **{"x-forwarded-for": "198.51.100.8, 198.51.100.7"}) == 429, "the hop that our proxy saw counts"
    told = [guess(proxy, **{"x-forwarded-for": f"192.0.2.{n}, 198.51.100.9:4444"}) for n in range(3)]
    assert told == [403, 403, 429], "a hop that cannot be read makes no room for one that the guesser wrote"
    stranger = visitor(app, client="203.0.113.5")
    told = [guess(stranger, **{"x-forwarded-for": f"198.51.100.{n}"}) for n in range(3)]
    assert told == [403, 403, 429], "a header from anybody else is not believed"


def test_only_failures_count_and_a_network_of_ipv6_is_one_address(app):
    give_password(app, "clerk")
    app.state.portal.throttle = Throttle(2)
    browser = visitor(app, client="198.51.100.9")
    assert [guess(browser, password=SECRET) for _ in range(4)] == [303] * 4
    throttle = Throttle(1)
    assert throttle.admits("2001:db8::1", 0) and not throttle.admits("2001:db8::2", 0)
    assert throttle.admits("2001:db8:0:1::1", 0)


def test_a_new_password_ends_the_sessions_of_the_old_one(app):
    browser = visitor(app, "clerk")
    assert browser.get("/applications").status_code == 200
    set_password(app.state.portal.database, "clerk", SECRET, by="test")
    assert browser.get("/applications", headers={"accept": "text/html"}).status_code == 303


def test_strangers_do_not_fill_the_trail(build, app):
    for _ in range(5):
        visitor(app).get("/sign-in/oidc/callback?code=x&state=y")
    assert trail(app, "sign_in.oidc") == []
    app.state.portal.throttle = Throttle(1)
    for _ in range(6):
        guess(visitor(app, client="198.51.100.4"))
    assert len(trail(app, "sign_in.throttled")) == 1


def test_a_password_typed_as_a_login_is_nowhere(app):
    guess(visitor(app), login="sea-and-mountains-9", password="clerk")
    guess(visitor(app), login="clerk")
    assert [event.who for event in trail(app, "sign_in.password")] == ["?", "clerk"]


@pytest.mark.parametrize("query", ["to=9999-12-31", "from=0001-01-01", "to=0001-01-01", "from=x"])
def test_days_far_off_are_the_days_of_the_last_month(app, query):
    assert visitor(app, "auditor").get(f"/audit-report?{query}").status_code == 200


def test_dagsters_pages_are_in_nobodys_frame(build, dagster):
    app = registered(build(dagster=dagster))
    answer = visitor(app, "operator").get(f"{dagster_gate.PREFIX}/", headers={"accept": "text/html"})
    policies = answer.headers.get_list("content-security-policy")
    assert len(policies) == 2 and "nonce-" in policies[0] and "frame-ancestors 'none'" in policies[1]
    assert answer.headers["x-frame-options"] == "DENY"


# -- without sign-in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8000", "127.0.0.1.evil.test", "", "[", "localhost.evil.test"])
def test_a_page_elsewhere_cannot_lead_its_name_here(settings, host):
    browser = TestClient(build_app(settings.releases, "policy"), base_url="http://127.0.0.1:8000")
    assert browser.get("/secret.html").status_code == 200
    assert browser.get("/secret.html", headers={"host": host}).status_code == 421


def test_a_workstations_portal_knows_its_own_names_only(settings):
    from kobe_platform.web.config import PortalConfig
    from kobe_platform.web.portal import build_portal

    app = build_portal(settings, PortalConfig())
    app.state.portal.loopback = True
    assert TestClient(app, base_url="http://localhost:8000").get("/sign-in").status_code == 200
    assert TestClient(app, base_url="http://evil.test").get("/sign-in").status_code == 421


def test_a_real_release_is_not_handed_out_as_a_made_up_one(settings):
    browser = TestClient(build_app(settings.releases, "staff", made_up=True), base_url="http://127.0.0.1")
    assert browser.get("/people.html").status_code == 403
    write_release(settings.releases, release_id="0002-0123456789ab", basis="synthetic")
    assert browser.get("/people.html").status_code == 200


def test_a_portal_for_others_names_its_address(settings):
    with pytest.raises(ConfigurationError) as refusal:
        commands._portal(settings, "0.0.0.0", 0)
    assert refusal.value.code == "serve.origin"


@pytest.mark.parametrize("who", [None, "clerk"])
def test_an_address_that_is_asked_for_in_another_way_says_so_in_words(app, who):
    answer = visitor(app, who).put("/people.html", headers={"accept": "text/html"})
    assert answer.status_code == 405 and "画面のボタンから" in answer.text and "Method" not in answer.text
    assert "GET" in answer.headers["allow"]
