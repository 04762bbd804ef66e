"""Figures that stand out are rings on a chart's line; the portal's first page tells how many there are."""

import re

from tests.browser.tabs import Visit

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
