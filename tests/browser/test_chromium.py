"""A browser that draws nothing is told from a page that is busy."""

from __future__ import annotations

from tests.browser.chromium import no_frame

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
