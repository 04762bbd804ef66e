"""What is printed: figures and tables whole, nothing wider than the sheet, no pages of rows that nobody asked for."""

from __future__ import annotations

import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.synthesis.published import published
from kobe_platform.vocabulary.months import months_between
from tests.browser.tabs import PAGES, PROJECT, Visit
from tests.serving import serving

expect = pytest.importorskip("playwright.sync_api").expect
A4_LESS_MARGINS = 687
"""Pixels: 210 mm less 14 mm on either side."""


@pytest.fixture(scope="module")
def long_site(tmp_path_factory):
    """A site whose series are longer than a table on paper may be."""
    tables = published(1, tuple(months_between("2022-12", "2025-12")))
    release = assemble(*tables, PROJECT / "dashboards", tmp_path_factory.mktemp("long") / "releases")
    with serving(release.path.parent, "staff") as port:
        yield f"http://127.0.0.1:{port}"


def lay_out(page) -> None:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def test_paper_shows_every_table(visit):
    page = visit.open("district_moves.html")
    lay_out(page)
    assert page.locator("details.lounge-details").evaluate_all("all => all.every((d) => d.open)")
    expect(page.locator(".lounge-canvas svg")).to_have_count(page.locator("figure:has(.lounge-canvas)").count())
    assert page.locator(".lounge-empty:visible").count() == 0
    assert page.locator(".lounge-left-out").count() == 0


def test_nothing_is_wider_than_paper_and_shrinks_the_page(visit):
    visit.page.set_viewport_size({"width": A4_LESS_MARGINS, "height": 900})
    for name in PAGES:
        page = visit.open(f"{name}.html")
        lay_out(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= A4_LESS_MARGINS, name
        page.emulate_media(media="screen")


def test_white_words_keep_their_ground_on_paper(visit):
    page = visit.open("ward_moves.html")
    lay_out(page)
    for place in (".lounge-heatmap td", ".lounge-filters label", ".lounge-badge"):
        assert page.locator(place).first.evaluate("(at) => getComputedStyle(at).printColorAdjust") == "exact", place


def test_a_table_of_many_rows_goes_to_paper_only_where_a_reader_opened_it(browser, long_site):
    tab = Visit(browser, long_site)
    page = tab.open("ward_population.html")
    trend = page.locator("figure", has_text="人口の推移").first
    other = page.locator("figure", has_text="男女別人口の推移").first
    trend.locator("summary").click()
    lay_out(page)
    assert trend.locator("tbody tr").count() == 37 and trend.locator("table").is_visible()
    assert other.locator("table").is_hidden()
    assert other.locator(".lounge-left-out").inner_text() == "表（37行）は、画面で開いてから印刷すると付きます。"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".lounge-left-out").count() == 0
    assert page.locator("details.lounge-details[open]").count() == 1
    tab.context.close()
