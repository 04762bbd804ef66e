"""The portal's own screens in real Chromium: an auditor reads a busy month without scrolling through all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from kobe_platform.governance import sessions
from kobe_platform.governance.people import add_person, people
from kobe_platform.governance.schema import event
from kobe_platform.settings import Settings
from kobe_platform.web import deliveries
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.portal import build_portal
from tests.browser.tabs import Visit
from tests.serving import serving_app


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """A portal with an auditor and three thousand refusals, and the auditor's cookie."""
    root = tmp_path_factory.mktemp("portal")
    app = build_portal(Settings(home=root / "var", inbox=root / "inbox"), PortalConfig())
    app.state.portal.loopback = True
    database = app.state.portal.database
    auditor = add_person(database, "yamada", "山田 太郎", "監査課", roles=("auditor", "operator"), by="test")
    told = {"at": datetime.now(UTC), "who": "yamada", "action": "access", "outcome": "refused", "detail": ""}
    with database.begin() as connection:
        connection.execute(insert(event), [{**told, "object": f"/place-{number:04}"} for number in range(3_000)])
    cookie = {"name": "kobe", "value": sessions.begin(database, auditor, "password")}
    with serving_app(app) as port:
        yield f"http://127.0.0.1:{port}", cookie


@pytest.mark.parametrize("width", [1280, 390])
def test_three_thousand_refusals_are_pages_that_words_narrow_and_a_file_takes_away(portal, browser, width, tmp_path):
    address, cookie = portal
    tab = Visit(browser, address, width)
    tab.context.add_cookies([{**cookie, "url": address}])
    page = tab.open("audit-report")
    tab.follow(page.get_by_role("link", name="拒否したもの"))
    assert page.evaluate("document.documentElement.scrollHeight") < 6_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "山田 太郎（yamada）" in page.get_by_role("region", name="拒否したもの").inner_text()
    tab.follow(page.get_by_role("link", name="次の50件"))
    assert page.get_by_role("status").inner_text().endswith("3,000件（2/60ページ）")
    page.get_by_label("言葉でしぼる").fill("place-123")
    tab.follow(page.get_by_role("button", name="表示"))
    assert page.get_by_role("region", name="拒否したもの").locator("tbody tr").count() == 10
    with page.expect_download() as saved:
        page.get_by_role("link", name="この10件をCSVで保存").click()
    assert len(saved.value.path().read_text("utf-8-sig").splitlines()) == 11
    assert tab.violations() == [] and tab.faults == []
    tab.context.close()


def test_the_portals_screens_follow_the_readers_dark_ground(portal, browser):
    address, cookie = portal
    tab = Visit(browser, address, color_scheme="dark")
    tab.context.add_cookies([{**cookie, "url": address}])
    for path in ("audit-report", "applications", "ask", "no-such-page"):
        page = tab.page
        page.goto(f"{address}/{path}")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(26, 26, 26)", path
        assert tab.violations() == [], path
    tab.context.close()


@pytest.fixture
def reader(browser, release) -> Iterator[Visit]:
    """A tab of a member of staff who has signed in to the portal over the release."""
    app = build_portal(Settings(home=release.path.parent.parent), PortalConfig())
    app.state.portal.loopback = True
    database = app.state.portal.database
    name = f"reader{len(people(database))}"
    clerk = add_person(database, name, "北野 花子", "市民課", by="test")
    with serving_app(app) as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}")
        token = sessions.begin(database, clerk, "password")
        tab.context.add_cookies([{"name": "kobe", "value": token, "url": tab.site}])
        yield tab
        tab.context.close()


def test_a_release_is_read_by_its_address_and_draws(reader):
    page = reader.open("releases")
    assert reader.violations() == []
    page.get_by_role("link", name="第1版").click()
    page.wait_for_url("**/r/0001/")
    page.goto(f"{reader.site}/r/0001/ward_population.html?area=灘区")
    reader.wait_for("area", "28102")
    page.locator(".lounge-canvas svg path").first.wait_for(state="attached")
    assert page.get_by_text("第1版（").first.is_visible()
    page.get_by_role("link", name="今の版（第1版）を見る").click()
    page.wait_for_url("**/ward_population.html")
    assert "/r/" not in page.url
    page.get_by_role("link", name="第1版", exact=True).click()
    page.wait_for_url("**/releases.html")
    assert page.get_by_role("heading", name="版と訂正").is_visible() and reader.faults == []


def test_the_address_that_is_copied_is_short_and_leads_to_the_same_choices(reader):
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = reader.open("ward_population.html?area=灘区")
    reader.wait_for("area", "28102")
    page.locator(".lounge-actions").get_by_role("button", name="保存・引用").click()
    page.locator(".lounge-actions").get_by_role("button", name="画面のURLをコピー").click()
    short = reader.copied(lambda text: "/s/" in text)
    assert short.startswith(f"{reader.site}/s/") and len(short) - len(reader.site) == len("/s/") + 8
    page.goto(short)
    reader.wait_for("area", "28102")
    assert "ward_population.html" in page.url and reader.faults == []


def test_favourites_go_with_the_person_and_a_question_to_the_owning_section(reader, browser):
    page = reader.open("survey")  # nothing of the lounge's scripts runs here
    page.evaluate("localStorage.setItem('kobe-lounge-favourites', '[\"ward_moves\"]')")
    page = reader.open("ward_population.html")
    with page.expect_response("**/favourites"):
        page.locator("h1 .lounge-star").click()
    assert page.evaluate("localStorage.length") == 0, "what this browser kept has gone to the account"
    again = Visit(browser, reader.site, 390)
    again.context.add_cookies(reader.context.cookies())
    there = again.open("index.html")
    assert there.locator(".lounge-favourites li").count() == 2
    assert there.evaluate("document.documentElement.scrollWidth") <= 390
    there.locator(".site-nav").get_by_text("メニュー", exact=True).click()
    again.follow(there.get_by_role("link", name="お気に入りの更新"))
    assert there.locator("main .rows li").count() == 2
    reader.follow(page.locator(".lounge-actions").get_by_role("link", name="質問・意見"))
    page.get_by_label("質問・意見（1000字まで）").fill("世帯数の基準日はいつですか")
    reader.follow(page.get_by_role("button", name="送る"))
    assert page.get_by_text("世帯数の基準日はいつですか").is_visible() and page.get_by_text("回答待ち").is_visible()
    for screen in ("usage", "questions", "news"):
        assert again.open(screen).evaluate("document.documentElement.scrollWidth") <= 390, screen
        assert again.violations() == [], screen
    assert reader.faults == again.faults == []
    again.context.close()


def test_the_reason_of_a_refused_delivery_has_the_whole_width_of_a_phone(portal, browser, monkeypatch):
    """Beside month and source it had five characters a line."""
    address, cookie = portal
    reason = "マニフェストの年月がフォルダと一致しません。対象年月のフォルダへ置いてください（ファイル manifest.json）"
    row = {"month": "2026-01", "source": "town_districts", "outcome": "rejected", "reason": reason}
    monkeypatch.setattr(deliveries, "listed", lambda settings: [row])
    tab = Visit(browser, address, 390)
    tab.context.add_cookies([{**cookie, "url": address}])
    page = tab.open("deliveries")
    told, table = page.get_by_text(reason), page.locator("table.deliveries")
    assert told.bounding_box()["width"] > 0.9 * table.bounding_box()["width"] > 300
    assert tab.violations() == [] and tab.faults == []
    tab.context.close()
