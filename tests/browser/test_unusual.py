"""Figures that stand out are rings on a chart's line; the portal's first page tells how many there are."""

import re

import pytest

from kobe_platform.governance import sessions
from kobe_platform.governance.people import add_person
from kobe_platform.settings import Settings
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.portal import build_portal
from tests.browser.tabs import Visit
from tests.serving import serving_app
from tests.unit.web.test_responses import OWNER, release

RINGS = "svg path[fill='none'][transform^='matrix(7,']"
LISTED = "rows => rows.filter(row => /[0-9]/.test(row.cells[4].textContent)).length"


def test_a_listed_month_is_a_ring_on_the_line(visit: Visit):
    tab = visit.open("unusual_changes.html")
    rows = tab.locator("figure", has_text="いつもの範囲を大きく外れた値").locator("tbody tr")
    series, area = (rows.first.locator("td, th").nth(column).text_content().strip() for column in (1, 2))
    tab.get_by_label("系列", exact=True).select_option(label=series)
    tab.get_by_label("区", exact=True).select_option(label=area)
    chart = tab.locator("figure", has=tab.locator("figcaption", has_text="値といつもの範囲"))
    chart.scroll_into_view_if_needed()
    chart.locator(RINGS).first.wait_for(state="attached")
    chart.locator("summary", has_text="表で見る").click()
    table = chart.locator("table").first
    assert table.locator("thead th").all_text_contents()[4] == "大きく外れた月"
    table.locator("tbody td:nth-child(5)", has_text=re.compile("[0-9]")).first.wait_for()
    assert chart.locator(RINGS).count() == table.locator("tbody tr").evaluate_all(LISTED) >= 1


def test_the_portal_tells_how_many_stand_out_and_leads_there(visit: Visit):
    tab = visit.open("index.html")
    link = tab.locator(".lounge-notices a", has_text="いつもと違う動きが3件あります")
    assert link.get_attribute("href") == "unusual_changes.html"


@pytest.fixture
def sections(tmp_path):
    """A portal with one change that stands out: its address, and a cookie of its owning section and of another one."""
    app = build_portal(Settings(home=tmp_path / "var", inbox=tmp_path / "inbox"), PortalConfig())
    app.state.portal.loopback = True
    release(app.state.portal.settings)
    database, cookies = app.state.portal.database, {}
    for login, section in (("owner", OWNER), ("other", "健康局総務課")):
        person = add_person(database, login, f"職員 {login}", section, by="test")
        cookies[login] = {"name": "kobe", "value": sessions.begin(database, person, "password")}
    with serving_app(app) as port:
        yield f"http://127.0.0.1:{port}", cookies


def test_the_owning_section_marks_a_change_and_another_section_reads_it(sections, browser):
    address, cookies = sections
    owner, other = Visit(browser, address), Visit(browser, address)
    for tab, login in ((owner, "owner"), (other, "other")):
        tab.context.add_cookies([{**cookies[login], "url": address}])
    page = owner.open("responses.html")
    for state, words in (("既知", "大型マンションの入居開始"), ("業務対応", "窓口を一つ増やした")):
        page.get_by_text("対応を書く").first.click()
        page.get_by_label(state, exact=True).first.check()
        page.locator("[name=note]").first.fill(words)
        page.locator("form", has=page.locator("[name=note]")).first.get_by_role("button").click()
        page.get_by_text(words).wait_for()
    read = other.open("responses.html")
    told = read.locator("main").inner_text()
    assert told.index("業務対応：窓口を一つ増やした") < told.index("既知：大型マンションの入居開始")
    assert read.locator("[name=note]").count() == 0
    assert owner.violations() == [] and owner.faults == [] and other.faults == []
    owner.context.close()
    other.context.close()
