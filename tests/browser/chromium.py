"""The browser of all tests, which is started anew when it has stopped drawing.

Chromium without a screen has been seen to give a tab no frame for half a minute while its page answered. Whoever waits
for an element to stand still, or to be drawn, waits in vain then, and no page can do anything about it.
"""

from __future__ import annotations

from collections.abc import Callable

LOOK = 5_000
"""Milliseconds that a tab which draws may take for one frame."""
_FRAME = "() => new Promise((done) => requestAnimationFrame(() => done(true)))"


class StandsStill(Exception):
    """The browser gave no frame to a page that answers: the test is done again in another browser."""


class Chromium:
    """One browser, as long as it draws.

    Args:
        launch: starts it.
    """

    def __init__(self, launch: Callable) -> None:
        self.launch = launch
        self._browser = None
        self._former: list = []  # given up; tabs that several tests share may still be open in them
        self._silent: list = []  # profiles without scripts: nobody can ask their tabs for a frame

    def new_context(self, **options):
        """A fresh profile; the browser is started where there is none."""
        self._browser = self._browser or self.launch()
        context = self._browser.new_context(**options)
        if not options.get("java_script_enabled", True):
            self._silent.append(context)
        return context

    def stands_still(self, error: Exception) -> bool:
        """Whether a wait ended because a tab gets no frames; the next profile is another browser's then."""
        from playwright.sync_api import TimeoutError as Waited

        if not isinstance(error, (Waited, AssertionError)) or self._browser is None:
            return False
        asked = [context for context in self._browser.contexts if context not in self._silent]
        pages = [page for context in asked for page in context.pages]
        if still := any(no_frame(page) for page in pages):
            self._former.append(self._browser)
            self._browser, self._silent = None, []
        return still

    def close(self) -> None:
        """End all there are, with their tabs."""
        for browser in filter(None, (*self._former, self._browser)):
            browser.close()
        self._browser, self._former, self._silent = None, [], []


def no_frame(page, look: int = LOOK) -> bool:
    """Whether a page that answers gets no frame within so many milliseconds; none that is busy or crashed."""
    from playwright.sync_api import Error
    from playwright.sync_api import TimeoutError as Waited

    try:
        page.wait_for_function("() => true", polling=100, timeout=look)
    except Error:
        return False
    try:
        page.wait_for_function(_FRAME, polling=100, timeout=look)
    except Waited:
        return True
    except Error:
        return False
    return False
