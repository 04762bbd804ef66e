"""Measures the lounge in Chromium for ``kobe bench lounge``: times in the browser, bytes transferred, faults."""

from __future__ import annotations

import os
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEARCHED = ("たるみ", "垂水区 人口", "べとなむ", "こうれいか", "西区")
_SEARCH = """(text) => new Promise((done) => {
  const [input, list] = [document.querySelector('#catalogue-search'), document.querySelector('.lounge-results ol')];
  const began = performance.now();
  const seen = new MutationObserver(() => { seen.disconnect(); done(performance.now() - began); });
  seen.observe(list, { childList: true });
  input.value = text;
  input.dispatchEvent(new Event('input', { bubbles: true }));
})"""
"""Milliseconds from a typed word to the list of its results, the index being there."""
FIRST, NEXT = "district_population", "ward_population"
"""The dashboard that a reader opens cold, and the one that follows."""
ROUNDS = 5
_FIRST_CHART = """
new MutationObserver((changes, self) => {
  if (document.querySelector('.lounge-canvas svg path')) { window.firstChart = performance.now(); self.disconnect(); }
}).observe(document, { childList: true, subtree: true });
"""
# From the choice to the frame after the one in which the page says that its figures are the new ones.
_CHOOSE = """
([place, value]) => new Promise((done) => {
  const started = performance.now();
  const root = document.documentElement;
  const seen = () => JSON.parse(root.dataset.shown)[place.name] === value;
  const finish = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));
  const watch = new MutationObserver(() => { if (seen()) { watch.disconnect(); finish(); } });
  watch.observe(root, { attributes: true, attributeFilter: ['data-shown'] });
  const control = document.querySelector(place.selector);
  control.value = value;
  control.dispatchEvent(new Event('change', { bubbles: true }));
})
"""
_AXE = "axe.run(document, { resultTypes: ['violations'] })"
SERIOUS = ("serious", "critical")


class Tab:
    """A fresh browser profile that counts bytes, and notes what must not happen."""

    def __init__(self, browser: Any, site: str) -> None:
        """Open it; nothing is cached."""
        self.site = site
        self.context = browser.new_context(viewport={"width": 1280, "height": 1400}, reduced_motion="reduce")
        self.context.add_init_script(_FIRST_CHART)
        self.page = self.context.new_page()
        self.bytes = 0
        self.console: list[str] = []
        self.outside: list[str] = []
        wire = self.context.new_cdp_session(self.page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", self._loaded)
        self.page.on("console", lambda m: self.console.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith(site) else self.outside.append(r.url))

    def _loaded(self, event: dict) -> None:
        self.bytes += int(event["encodedDataLength"])

    def open(self, path: str) -> tuple[float, float]:
        """Open a page; seconds until its first chart stands, and kilobytes that came over the wire."""
        before = self.bytes
        self.page.goto(f"{self.site}/{path}")
        self.page.wait_for_function("() => window.firstChart !== undefined")
        self.page.wait_for_load_state("networkidle")
        return self.page.evaluate("window.firstChart") / 1000, (self.bytes - before) / 1024


@contextmanager
def served(releases: Path) -> Iterator[str]:
    """The release behind the lounge's own server, on a free port."""
    import uvicorn

    from kobe_platform.lounge.serve import build_app

    server = uvicorn.Server(uvicorn.Config(build_app(releases, "staff"), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and server.servers):
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def visit(releases: Path, dashboards: Path) -> dict[str, Any]:
    """Measure the site of a release.

    Returns:
        ``seconds`` (medians of :data:`ROUNDS`), ``kilobytes`` and ``counts``.

    Raises:
        SystemExit: there is no Chromium or no playwright here.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        raise SystemExit("Chromium or playwright is missing: make test installs both; or use --no-browser")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with served(releases) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        try:
            rounds = [_round(browser, site) for _ in range(ROUNDS)]
            faults = _inspect(browser, site, dashboards)
        finally:
            browser.close()
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return {
        "seconds": {name: round(value, 3) for name, value in middle.items() if not name.endswith("_kb")},
        "kilobytes": {name[:-3]: round(value) for name, value in middle.items() if name.endswith("_kb")},
        "counts": faults,
    }


def _round(browser: Any, site: str) -> dict[str, float]:
    tab = Tab(browser, site)
    first, first_kb = tab.open(f"{FIRST}.html")
    options = tab.page.locator("[data-filter=area] option").evaluate_all("all => all.map((o) => o.value)")
    place = {"name": "area", "selector": "[data-filter=area] select"}
    area = [tab.page.evaluate(_CHOOSE, [place, value]) for value in options[20 : 20 + ROUNDS]]
    again = [tab.page.evaluate(_CHOOSE, [place, value]) for value in options[20 : 20 + ROUNDS]]
    periods = tab.page.locator("[data-filter=period] option").evaluate_all("all => all.map((o) => o.value)")
    month = {"name": "period", "selector": "[data-filter=period] select"}
    period = [tab.page.evaluate(_CHOOSE, [month, value]) for value in periods[3 : 3 + ROUNDS]]
    following, following_kb = tab.open(f"{NEXT}.html")
    tab.page.goto(f"{site}/index.html")
    tab.page.fill("#catalogue-search", SEARCHED[0])
    tab.page.wait_for_selector(".lounge-results a")
    found = [tab.page.evaluate(_SEARCH, text) for text in SEARCHED]
    tab.context.close()
    return {
        "first_chart_cold": first,
        "first_chart_next_page": following,
        "filter_district_fetched": statistics.median(area) / 1000,
        "filter_district_known": statistics.median(again) / 1000,
        "filter_period": statistics.median(period) / 1000,
        "search": statistics.median(found) / 1000,
        "first_load_kb": first_kb,
        "next_page_kb": following_kb,
    }


def _inspect(browser: Any, site: str, dashboards: Path) -> dict[str, int]:
    """Open every page of the project once: outside requests, console messages, axe-core's serious findings."""
    axe = dashboards / "theme" / "node_modules" / "axe-core" / "axe.min.js"
    tab = Tab(browser, site)
    found = 0
    slugs = sorted(path.stem for path in (dashboards / "pages").glob("*.md"))
    for slug in slugs:
        tab.page.goto(f"{site}/{slug}.html")
        tab.page.wait_for_load_state("networkidle")
        if axe.is_file():
            tab.page.evaluate(axe.read_text("utf-8") + "; undefined")
            violations = tab.page.evaluate(_AXE)["violations"]
            found += sum(len(v["nodes"]) for v in violations if v["impact"] in SERIOUS)
    counts = {"external_requests": len(tab.outside), "console_errors": len(tab.console), "pages_visited": len(slugs)}
    tab.context.close()
    return counts | ({"axe_serious": found} if axe.is_file() else {})
