"""A tab of real Chromium that writes down what must not happen, and where the project's own pages lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = tuple(sorted(path.stem for path in (PROJECT / "dashboards/pages").glob("*.md")))
AXE = PROJECT / "dashboards/theme/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")


class Visit:
    """A tab that writes down console messages, failed answers and requests to elsewhere."""

    def __init__(self, browser, site: str, width: int = 1280, **options) -> None:
        self.site = site
        self.context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith((site, "blob:")) else self.faults.append(r.url))
        self.page.on("response", lambda r: None if r.status < 400 else self.faults.append(r.url))

    def open(self, path: str):
        self.page.goto(f"{self.site}/{path}")
        self.page.wait_for_load_state("networkidle")
        return self.page

    def follow(self, element) -> None:
        """Click what leads to another page, and wait until that has been read."""
        with self.page.expect_navigation():
            element.click()

    def shown(self) -> dict:
        """The choices that the figures on the screen belong to."""
        return json.loads(self.page.evaluate("document.documentElement.dataset.shown"))

    def wait_for(self, name: str, value: str) -> None:
        self.page.wait_for_function(
            "([n, v]) => JSON.parse(document.documentElement.dataset.shown ?? '{}')[n] === v", arg=[name, value]
        )

    def wait_until(self, there: Callable[[], object]) -> None:
        """Let the page go on until something is there that it has told the test of."""
        for _ in range(300):
            if there():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("it never came")

    def copied(self, wanted: Callable[[str], bool]) -> str:
        """The clipboard's text, as soon as it is what is wanted."""
        for _ in range(50):
            if wanted(text := self.page.evaluate("navigator.clipboard.readText()")):
                return text
            self.page.wait_for_timeout(100)
        raise AssertionError("nothing of the kind was copied")

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical, with the elements."""
        self.page.evaluate(AXE.read_text("utf-8") + "; undefined")
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [f"{v['id']}: {node['target']}" for v in found if v["impact"] in SERIOUS for node in v["nodes"]]
