"""Every route for everybody: generated from the route tables, so a route without a rule fails here."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from kobe_platform.web.access import GuardedRoute
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.portal import ROUTES, build_portal
from tests.unit.web.conftest import FILES, KINDS, ORIGIN, post, register, registered, settings_in, visitor

STAFF = set(KINDS) - {"nobody", "removed"}
EVERYBODY = set(KINDS)
EXPECTED = {
    ("/healthz", "GET"): EVERYBODY,
    ("/readyz", "GET"): EVERYBODY,
    ("/metrics", "GET"): EVERYBODY,
    ("/-/portal.css", "GET"): EVERYBODY,
    ("/-/icon.svg", "GET"): EVERYBODY,
    ("/sign-in", "GET"): EVERYBODY,
    ("/sign-in", "POST"): EVERYBODY,
    ("/sign-in/oidc", "GET"): EVERYBODY,
    ("/sign-in/oidc/callback", "GET"): EVERYBODY,
    ("/sign-out", "POST"): STAFF,
    ("/applications", "GET"): STAFF,
    ("/applications", "POST"): STAFF,
    ("/applications/new", "GET"): STAFF,
    ("/applications/{number}", "GET"): STAFF,
    ("/applications/{number}", "POST"): STAFF,
    ("/applications/{number}/edit", "GET"): STAFF,
    ("/applications/{number}/print", "GET"): STAFF,
    ("/applications/{number}/{action}", "POST"): STAFF,
    ("/survey", "GET"): STAFF,
    ("/survey.html", "GET"): STAFF,
    ("/survey", "POST"): STAFF,
    ("/responses", "GET"): STAFF,
    ("/responses.html", "GET"): STAFF,
    ("/responses", "POST"): STAFF,
    ("/ondemand", "GET"): {"analyst", "operator"},
    ("/ondemand", "POST"): {"analyst", "operator"},
    ("/ondemand/jobs/{job}", "GET"): {"analyst", "operator"},
    ("/ondemand/jobs/{job}/cancel", "POST"): {"analyst", "operator"},
    ("/ondemand/{name}/{month}", "GET"): {"analyst", "operator"},
    ("/condition", "GET"): {"operator"},
    ("/deliveries", "GET"): {"operator"},
    ("/deliveries/{source}/{month}", "GET"): {"operator"},
    ("/deliveries/{source}/{month}/{decision}", "POST"): {"operator"},
    ("/audit-report", "GET"): {"auditor"},
    ("/audit-report.csv", "GET"): {"auditor"},
    ("/releases", "GET"): STAFF,
    ("/releases.html", "GET"): STAFF,
    ("/reader.json", "GET"): STAFF,
    ("/favourites", "POST"): STAFF,
    ("/news", "GET"): STAFF,
    ("/news", "POST"): STAFF,
    ("/news/confirm", "GET"): STAFF,
    ("/news/confirm", "POST"): STAFF,
    ("/questions", "GET"): STAFF,
    ("/questions", "POST"): STAFF,
    ("/questions/{question}", "POST"): STAFF,
    ("/questions/{question}/withdraw", "POST"): STAFF,
    ("/usage", "GET"): STAFF,
    ("/usage.csv", "GET"): STAFF,
    ("/s", "POST"): STAFF,
    ("/s/{code}", "GET"): STAFF,
    ("/r/{number}/{path:path}", "GET"): STAFF,
    ("/{path:path}", "GET"): STAFF,
}
"""Who may take each route: written here a second time, by hand."""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """One portal for all cells: none of them changes what another one is told."""
    return registered(build_portal(settings_in(tmp_path_factory.mktemp("matrix")), PortalConfig(origin=ORIGIN)))


@pytest.fixture
def door(app):
    """A new browser of somebody; whoever was removed is there again first, to be removed once more."""

    def open_as(who: str):
        if who == "removed":
            register(app, who)
        return visitor(app, who)

    return open_as


CELLS = [(r.path, m, who) for r in ROUTES for m in sorted(r.methods - {"HEAD"}) for who in KINDS]


def test_every_route_has_a_rule_and_an_expectation(app):
    assert all(isinstance(route, GuardedRoute) for route in app.routes if isinstance(route, Route))
    assert len(app.routes) == len(ROUTES)
    assert {(route.path, m) for route in ROUTES for m in route.methods - {"HEAD"}} == set(EXPECTED)


@pytest.mark.parametrize(("path", "method", "who"), CELLS)
def test_a_route_admits_exactly_whom_it_should(path, method, who, app, door):
    browser = door(who)
    parts = {"{number}": "R8-0001", "{action}": "submit", "{path:path}": "people.html", "{name}": "x", "{month}": "y"}
    parts |= {"{source}": "resident_register", "{decision}": "approve"}
    parts |= {"{question}": "1"}
    parts["{job}"] = "20250101000000000000-0123456789ab"
    place = path
    for part, word in parts.items():
        place = place.replace(part, word)
    if method == "GET":
        answer = browser.get(place, headers={"accept": "text/html"})
    elif who in STAFF:
        answer = post(app, browser, place)
    else:
        answer = browser.post(place, headers={"origin": ORIGIN})
    sent_to_sign_in = answer.headers.get("location", "").startswith("/sign-in?")
    turned_away = sent_to_sign_in or (answer.status_code in (401, 403) and place != "/sign-in" and "oidc" not in place)
    assert turned_away != (who in EXPECTED[path, method]), answer.status_code
    if sent_to_sign_in:
        assert answer.status_code == 303


@pytest.mark.parametrize("who", KINDS)
@pytest.mark.parametrize(
    "path", ["people.html", "search.json", "secret.html", "data/secret.json", "sites/policy/secret.html"]
)
def test_pages_data_and_search_go_to_those_who_may_see_them(path, who, door):
    answer = door(who).get(f"/{path}")
    if who in ("nobody", "removed"):
        assert answer.status_code == 401 and "people" not in answer.text
        return
    site = FILES["policy" if who == "member" else "staff"]
    nothing = (404, "アドレスが違うか、見る権限がありません。")
    assert (answer.status_code, answer.text) == ((200, site[path]) if path in site else nothing)


def test_nobody_learns_which_pages_exist(app):
    browser = visitor(app)
    answers = [browser.get(f"/{path}") for path in ("people.html", "secret.html", "not-there.html")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, "サインインが必要です。")}


@pytest.mark.parametrize(("path", "status"), [("/audit-report", 403), ("/nowhere.html", 404)])
def test_a_reader_who_is_turned_away_finds_a_way_back_and_whom_to_ask(path, status, build):
    app = registered(build(contact="情報政策課（内線1234）"))
    answer = visitor(app, "clerk").get(path, headers={"accept": "text/html"})
    assert answer.status_code == status and answer.headers["content-type"].startswith("text/html")
    assert 'href="/">ポータルへ戻る' in answer.text and "情報政策課（内線1234）" in answer.text
    assert visitor(app, "clerk").get(path).headers["content-type"].startswith("text/plain"), "programs get the sentence"
