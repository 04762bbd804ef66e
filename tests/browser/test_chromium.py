"""A browser that draws nothing is told from a page that is busy."""

from __future__ import annotations

import pytest

from tests.browser.chromium import Chromium, no_frame

NO_FRAMES = "window.requestAnimationFrame = () => 0"
BUSY = "setTimeout(() => { const end = performance.now() + 3000; while (performance.now() < end); })"


def test_a_page_that_draws_has_frames(visit):
    assert not no_frame(visit.open("ward_population.html"))


def test_a_page_that_answers_and_gets_no_frame_is_found(visit):
    page = visit.open("ward_population.html")
    page.evaluate(NO_FRAMES)
    assert no_frame(page, 1000)


def test_a_page_that_is_busy_itself_is_not_excused(visit):
    page = visit.open("ward_population.html")
    page.evaluate(BUSY)
    page.wait_for_timeout(100)
    assert not no_frame(page, 1000)


def test_a_tab_without_scripts_is_not_asked_for_frames(browser, site):
    chromium = Chromium(browser.launch)
    try:
        page = chromium.new_context(java_script_enabled=False).new_page()
        page.goto(f"{site}/ward_population.html")
        assert not chromium.stands_still(AssertionError())
    finally:
        chromium.close()


def test_after_a_stand_still_the_next_profile_is_another_browsers(browser, site):
    chromium = Chromium(browser.launch)
    try:
        former = chromium.new_context()
        page = former.new_page()
        page.goto(f"{site}/ward_population.html")
        page.evaluate(NO_FRAMES)
        assert chromium.stands_still(AssertionError())
        assert chromium.new_context().browser is not former.browser
    finally:
        chromium.close()


def test_a_crashed_tab_is_not_excused(browser, site):
    chromium = Chromium(browser.launch)
    try:
        page = chromium.new_context().new_page()
        with pytest.raises(Exception, match="crash"):
            page.goto("chrome://crash")
        assert not no_frame(page, 1000)
    finally:
        chromium.close()
