"""The reader's dark ground: followed by pages and charts at once, readable, and never on paper or in saved files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.tabs import PAGES, Visit

BAR = "figure:has-text('国籍・地域別') svg path[fill^='#']"

FOLLOWED = """old => {
  const drawn = document.querySelectorAll('.lounge-canvas svg path[fill^="#"]');
  return drawn.length > 0 && [...drawn].every((one) => !old.includes(one.getAttribute('fill')));
}"""


@pytest.fixture
def dark(browser, site) -> Iterator[Visit]:
    tab = Visit(browser, site, color_scheme="dark")
    yield tab
    tab.context.close()


def grounds(page) -> set[str]:
    """Colours behind page, cards and controls."""
    places = "body, .lounge-card, .lounge-filters, .lounge-filter select, .lounge-manual, tbody th"
    return set(page.locator(places).evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)"))


def fills(page) -> set[str]:
    page.locator(BAR).first.wait_for(state="attached")
    return set(page.locator(BAR).evaluate_all("all => all.map((one) => one.getAttribute('fill'))"))


def test_pages_on_dark_ground_have_no_serious_violation(dark):
    for name in PAGES:
        page = dark.open(f"{name}.html")
        for details in page.query_selector_all("details:not([open]) > summary"):
            details.evaluate("summary => summary.click()")
        page.mouse.wheel(0, 100_000)
        page.wait_for_load_state("networkidle")
        assert dark.violations() == [], name
    assert dark.faults == []


def test_a_change_of_the_readers_setting_is_followed_by_page_and_charts(dark):
    page = dark.open("ward_population.html")
    page.locator("figure", has_text="国籍・地域別").first.scroll_into_view_if_needed()
    on_dark = fills(page)
    assert grounds(page) == {"rgb(26, 26, 26)"}
    page.emulate_media(color_scheme="light")
    page.wait_for_function(FOLLOWED, arg=sorted(on_dark))
    assert grounds(page) == {"rgb(255, 255, 255)"}
    assert fills(page).isdisjoint(on_dark)


def test_paper_is_white_whatever_the_readers_ground(dark):
    page = dark.open("ward_population.html")
    page.locator("figure", has_text="国籍・地域別").first.scroll_into_view_if_needed()
    on_dark = fills(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert fills(page).isdisjoint(on_dark), "drawn before the printer asks"
    page.emulate_media(media="print", color_scheme="dark")
    assert grounds(page) == {"rgb(255, 255, 255)"}
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert fills(page) == on_dark
