"""A forecast's line is dashed inside its band, whose ends stand in the table; its pages fit a phone."""

import pytest

from tests.browser.tabs import Visit

PAGES = ("school_entry", "future_population", "moves_ahead", "forecast_scores", "unusual_changes", "monthly_moves")
TITLE = "小学校に入学する子どもの数（実績と見込み）"
BAND = "f => [...f.querySelectorAll('svg path')].filter(p => p.getAttribute('fill-opacity') === '0.16').length"
DASHED = "f => [...f.querySelectorAll('svg path')].filter(p => p.getAttribute('stroke-dasharray')).length"


def chart(visit: Visit):
    tab = visit.open("school_entry.html")
    made = tab.locator("figure", has=tab.locator("figcaption", has_text=TITLE))
    made.scroll_into_view_if_needed()
    made.locator("svg path").first.wait_for(state="attached")
    return made


def test_a_forecast_is_dashed_in_its_band_and_the_ends_stand_in_the_table(visit):
    made = chart(visit)
    assert made.evaluate(BAND) == 1
    assert made.evaluate(DASHED) >= 1
    words = made.locator("svg text").all_text_contents()
    assert "下限（80%区間）" not in words, "the band is no line of its own"
    heads = made.locator("table").first.locator("thead th").all_text_contents()
    assert {"下限（80%区間）", "上限（80%区間）"} <= set(heads)


def test_a_chart_drawn_for_a_wide_page_does_not_widen_a_narrow_one_before_it_is_drawn_anew(visit):
    visit.page.add_init_script("window.ResizeObserver = class { observe() {} unobserve() {} disconnect() {} }")
    chart(visit)
    visit.page.set_viewport_size({"width": 390, "height": 800})
    assert int(visit.page.locator(".lounge-canvas svg").first.get_attribute("width")) > 390, "still the wide chart"
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("page", PAGES)
def test_pages_over_many_months_fit_a_phone(visit, page):
    tab = visit.open(f"{page}.html")
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
