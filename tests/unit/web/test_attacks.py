"""What an attacker would try at the portal's own doors."""

from __future__ import annotations

import statistics
import time
from ipaddress import ip_network

import pytest

from kobe_platform.governance import sessions
from kobe_platform.governance.people import add_person, find_person, remove_person
from kobe_platform.governance.schema import survey_answer
from kobe_platform.web.access import local_path
from kobe_platform.web.config import Proxy, SignIn
from kobe_platform.web.state import Throttle
from tests.unit.web.conftest import FILES, ORIGIN, SECRET, give_password, post, registered, visitor, write_release


def sign_in(browser, login="clerk", password=SECRET, target="/", **headers):
    values = {"login": login, "password": password, "next": target}
    return browser.post("/sign-in", data=values, headers={"origin": ORIGIN, **headers})


def test_a_session_begins_with_a_token_of_its_own_and_the_former_one_ends(app):
    give_password(app, "clerk")
    planted = "attackers-choice"
    browser = visitor(app)
    browser.cookies.set("kobe", planted)
    answer = sign_in(browser)
    token = answer.cookies["kobe"]
    assert answer.status_code == 303 and token != planted
    assert sessions.find(app.state.portal.database, planted) is None
    second = visitor(app)
    second.cookies.set("kobe", token)
    assert sign_in(second).cookies["kobe"] != token
    assert sessions.find(app.state.portal.database, token) is None


def test_the_cookie_is_out_of_scripts_and_other_sites_reach(build):
    app = registered(build())
    give_password(app, "clerk")
    cookie = sign_in(visitor(app)).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie and "domain" not in cookie


def test_over_tls_the_cookie_is_bound_to_the_host(settings):
    from starlette.testclient import TestClient

    from kobe_platform.web.config import PortalConfig
    from kobe_platform.web.portal import build_portal

    app = registered(build_portal(settings, PortalConfig(origin="https://lounge.test")))
    give_password(app, "clerk")
    browser = TestClient(app, base_url="https://lounge.test", follow_redirects=False)
    answer = sign_in(browser, origin="https://lounge.test")
    assert answer.headers["set-cookie"].startswith("__Host-kobe=") and "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


FORGERIES = [
    {},
    {"origin": "http://evil.test"},
    {"origin": "null"},
    {"origin": ORIGIN + ".evil.test"},
    {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", FORGERIES)
def test_a_form_from_elsewhere_changes_nothing(headers, app):
    browser = visitor(app, "clerk")
    token = sessions.find(app.state.portal.database, browser.cookies["kobe"]).csrf
    answer = browser.post("/survey", data={"csrf": token, "rating": "5"}, headers=headers)
    assert answer.status_code == 403
    with app.state.portal.database.connect() as connection:
        assert connection.execute(survey_answer.select()).all() == []


@pytest.mark.parametrize("token", ["", "wrong", "名"])
def test_a_form_without_the_sessions_token_changes_nothing(token, app):
    browser = visitor(app, "clerk")
    answer = browser.post("/survey", data={"csrf": token, "rating": "5"}, headers={"origin": ORIGIN})
    assert answer.status_code == 403


def test_another_persons_token_is_no_use(app):
    other = sessions.find(app.state.portal.database, visitor(app, "member").cookies["kobe"]).csrf
    answer = visitor(app, "clerk").post("/survey", data={"csrf": other, "rating": "5"}, headers={"origin": ORIGIN})
    assert answer.status_code == 403


def test_a_true_form_is_kept(app):
    assert post(app, visitor(app, "clerk"), "/survey", {"rating": "4"}).status_code == 200
    with app.state.portal.database.connect() as connection:
        assert [row.rating for row in connection.execute(survey_answer.select())] == [4]


@pytest.mark.slow
@pytest.mark.parametrize("headers", FORGERIES[1:])
def test_nobody_is_signed_in_from_elsewhere(headers, app):
    give_password(app, "clerk")
    answer = visitor(app).post("/sign-in", data={"login": "clerk", "password": SECRET}, headers=headers)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


TRAVERSALS = [
    "../policy/secret.html",
    "..%2fpolicy%2fsecret.html",
    "%2e%2e/policy/secret.html",
    "%2e%2e%2fpolicy%2fsecret.html",
    "..%252fpolicy%252fsecret.html",
    "..%5cpolicy%5csecret.html",
    "..\\policy\\secret.html",
    "%c0%ae%c0%ae/policy/secret.html",
    "....//policy/secret.html",
    "people.html/../../policy/secret.html",
    "%00secret.html",
    "people.html%00",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "./../policy/secret.html",
    ".hidden",
    "..;/policy/secret.html",
    "a" * 5000,
    "link/secret.html",
    "%ef%bc%8e%ef%bc%8e/policy/secret.html",
    "../../release.json",
    "..%2f..%2f..%2fgovernance.sqlite",
]


@pytest.mark.slow
@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_way_leads_out_of_the_readers_site(path, app):
    import http.client
    import threading

    import uvicorn

    releases = app.state.portal.settings.releases
    (releases / "current/sites/staff/link").symlink_to(releases / "current/sites/policy")
    (releases / "current/sites/staff/.hidden").write_text("restricted page")
    browser = visitor(app, "clerk")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and server.servers):
        time.sleep(0.005)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest("GET", f"/{path}", skip_host=True)
        connection.putheader("Host", "lounge.test")
        connection.putheader("Cookie", f"kobe={browser.cookies['kobe']}")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
    finally:
        server.should_exit = True
        thread.join(timeout=10)
    assert answer.status in (400, 404) and b"restricted" not in body and b"SQLite" not in body


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "led_to"),
    [
        ("/people.html?area=28101", "/people.html?area=28101"),
        ("//evil.test", "/"), ("https://evil.test", "/"), ("/\\evil.test", "/"), ("\\\\evil.test", "/"), ("", "/"),
        ("/a\r\nset-cookie: x=1", "/"), ("javascript:alert(1)", "/"), ("/\t/evil.test", "/"), ("///evil.test", "/"),
    ],
)  # fmt: skip
def test_sign_in_leads_nowhere_else(target, led_to, app):
    give_password(app, "clerk")
    assert local_path(target) == led_to
    assert sign_in(visitor(app), target=target).headers["location"] == led_to


PROXY = SignIn(local=False, proxy=Proxy(header="X-Remote-User", peers=(ip_network("10.0.0.5/32"),)))


def test_the_trusted_proxy_names_who_comes(build):
    app = registered(build(sign_in=PROXY))
    browser = visitor(app, client="10.0.0.5")
    answer = browser.get("/sign-in", headers={"x-remote-user": "clerk"})
    assert answer.status_code == 303
    assert browser.get("/people.html", headers={"x-remote-user": "clerk"}).status_code == 200
    # The cookie alone, or with another name, is worth nothing.
    assert browser.get("/people.html").status_code == 401
    assert browser.get("/people.html", headers={"x-remote-user": "member"}).status_code == 401


@pytest.mark.parametrize("name", ["nobody-known", "removed", "", "clerk, member", "../clerk"])
def test_a_proxy_that_names_nobody_lets_nobody_in(name, build):
    app = registered(build(sign_in=PROXY))
    remove_person(app.state.portal.database, "removed", by="test")
    answer = visitor(app, client="10.0.0.5").get("/sign-in", headers={"x-remote-user": name})
    assert answer.status_code == 200 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        [("x-remote-user", "operator")],
        [("x-remote-user", "operator"), ("x-forwarded-for", "10.0.0.5")],
        [("x-remote-user", "operator"), ("forwarded", "for=10.0.0.5"), ("x-real-ip", "10.0.0.5")],
        [("X_Remote_User", "operator")],
    ],
)
def test_the_header_is_worth_nothing_from_anywhere_else(headers, build):
    app = registered(build(sign_in=PROXY))
    answer = visitor(app, client="10.0.0.6").get("/sign-in", headers=headers)
    assert answer.status_code == 200 and "set-cookie" not in answer.headers
    trusted_twice = visitor(app, client="10.0.0.5").get(
        "/sign-in", headers=[("x-remote-user", "clerk"), ("x-remote-user", "operator")]
    )
    assert "set-cookie" not in trusted_twice.headers


def test_the_header_is_off_by_default(app):
    assert (
        "set-cookie" not in visitor(app, client="127.0.0.1").get("/sign-in", headers={"x-remote-user": "clerk"}).headers
    )


@pytest.mark.slow
def test_guessing_is_slowed_and_told_alike(app):
    give_password(app, "clerk")
    told = {sign_in(visitor(app), login, "wrong-wrong-wrong").text for login in ("clerk", "nobody-known", "removed")}
    assert len(told) == 1
    browser = visitor(app, client="198.51.100.7")
    app.state.portal.throttle = Throttle(3)
    assert [sign_in(browser, password="x").status_code for _ in range(4)] == [403, 403, 403, 429]
    assert sign_in(visitor(app, client="198.51.100.8")).status_code == 303
    throttle = Throttle(2)
    assert [throttle.admits("a", t) for t in (0, 1, 2, 60.5, 61.5)] == [True, True, False, True, True]


@pytest.mark.slow
def test_unknown_names_take_as_long_as_known_ones(app):
    give_password(app, "clerk")
    database = app.state.portal.database
    from kobe_platform.governance.passwords import check_password

    times = {"clerk": [], "nobody-known": []}
    for _ in range(4):  # fewer than lock the account
        for login, taken in times.items():
            began = time.process_time()
            check_password(database, login, "wrong-wrong-wrong")
            taken.append(time.process_time() - began)
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert 0.5 < known / unknown < 2


def test_who_was_removed_is_out_at_the_next_request(app):
    browser = visitor(app, "member")
    assert browser.get("/secret.html").status_code == 200
    remove_person(app.state.portal.database, "member", by="test")
    assert browser.get("/secret.html").status_code == 401


def test_who_left_a_group_loses_its_pages_at_the_next_request(app):
    browser = visitor(app, "member")
    add_person(app.state.portal.database, "member", "名", "市民課", by="test")
    assert browser.get("/secret.html").status_code == 404
    assert browser.get("/people.html").status_code == 200


def test_a_new_release_is_served_from_the_next_request_on(app):
    browser = visitor(app, "clerk")
    assert browser.get("/people.html").text == "people page"
    files = {**FILES, "staff": {**FILES["staff"], "people.html": "newer page"}}
    write_release(app.state.portal.settings.releases, files, "0002-0123456789ab")
    assert browser.get("/people.html").text == "newer page"


def test_another_host_is_refused(app):
    assert visitor(app, "clerk").get("/people.html", headers={"host": "evil.test"}).status_code == 421


def test_every_answer_carries_the_strict_headers(app):
    for who, path in (("nobody", "/sign-in"), ("nobody", "/x"), ("clerk", "/people.html"), ("clerk", "/nothing.html")):
        headers = visitor(app, who).get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in str(headers)
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


def test_pages_of_one_reader_are_kept_by_no_shared_cache(app):
    assert "private" in visitor(app, "member").get("/secret.html").headers["cache-control"]
    assert visitor(app).get("/sign-in").headers["cache-control"] == "no-store"


def test_what_people_write_is_escaped(app):
    browser = visitor(app, "clerk")
    hostile = "<script>alert(1)</script>"
    data = {"title": hostile, "purpose": hostile, "audience": "staff", "sources": "resident_register",
            "pages": "ward_population", "first": "2026-04-01", "last": "2027-03-31"}  # fmt: skip
    place = post(app, browser, "/applications", data).headers["location"]
    for path in (place, f"{place}/print", f"{place}/edit", "/applications"):
        text = browser.get(path).text
        assert "<script>" not in text and "&lt;script&gt;" in text
    assert "<script>" not in visitor(app).get("/sign-in?next=/%22%3E%3Cscript%3E").text


def test_a_stranger_sees_nothing_of_an_application(app):
    data = {"title": "件名", "purpose": "目的", "audience": "staff", "sources": "resident_register",
            "pages": "ward_population", "first": "2026-04-01", "last": "2027-03-31"}  # fmt: skip
    place = post(app, visitor(app, "clerk"), "/applications", {**data, "then": "submit"}).headers["location"]
    assert visitor(app, "clerk").get(place).status_code == visitor(app, "decider").get(place).status_code == 200
    assert visitor(app, "auditor").get(place).status_code == 200
    for who in ("member", "operator", "analyst"):
        assert visitor(app, who).get(place).status_code == 404
        assert post(app, visitor(app, who), f"{place}/approve", {"version": "2"}).status_code == 404
    assert post(app, visitor(app, "auditor"), f"{place}/approve", {"version": "2"}).status_code == 409
    assert post(app, visitor(app, "decider"), f"{place}/approve", {"version": "2"}).status_code == 303
    assert "承認" in visitor(app, "clerk").get(place).text
    assert find_person(app.state.portal.database, "clerk").login == "clerk"


def test_a_page_is_packed_once_and_not_sent_again(app):
    browser = visitor(app, "clerk")
    first = browser.get("/people.html", headers={"accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip" and first.text == "people page"
    again = browser.get("/people.html", headers={"accept-encoding": "gzip", "if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content
    assert visitor(app).get("/people.html", headers={"if-none-match": first.headers["etag"]}).status_code == 401
