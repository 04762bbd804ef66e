"""Every page of the lounge as axe-core and the security policy see it, and the workshop's pages likewise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.release import assemble
from kobe_platform.lounge.serve import POLICY
from kobe_platform.lounge.workshop.server import build_app
from kobe_platform.lounge.workshop.site import WorkshopSite
from tests.lounge_tables import published
from tests.serving import fetch, serving, serving_app

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (PROJECT / "dashboards/pages").glob("*.md"))
AXE = PROJECT / "dashboards/theme/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SERIOUS = ("serious", "critical")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return assemble(*published(), PROJECT / "dashboards", tmp_path_factory.mktemp("axe") / "releases")


@pytest.fixture(scope="module")
def site(release) -> Iterator[str]:
    with serving(release.path.parent, "staff") as port:
        assert fetch(port, "/").headers["content-security-policy"] == POLICY
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


class Tab:
    """A page that notes console messages and requests to elsewhere."""

    def __init__(self, browser, site: str, width: int = 1280) -> None:
        self.site = site
        self.page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        self.faults: list[str] = []
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith(site) else self.faults.append(r.url))

    def open(self, path: str):
        self.page.goto(f"{self.site}/{path}")
        self.page.wait_for_load_state("networkidle")
        return self.page

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical, with the elements."""
        self.page.evaluate(AXE.read_text("utf-8") + "; undefined")
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [f"{v['id']}: {node['target']}" for v in found if v["impact"] in SERIOUS for node in v["nodes"]]


@pytest.fixture
def tab(browser, site) -> Iterator[Tab]:
    one = Tab(browser, site)
    yield one
    one.page.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_violation_a_console_message_or_a_request_to_elsewhere(tab, name):
    page = tab.open(f"{name}.html")
    for details in page.query_selector_all("details:not([open]) > summary"):
        details.evaluate("summary => summary.click()")
    page.mouse.wheel(0, 100_000)
    page.wait_for_load_state("networkidle")
    assert tab.violations() == []
    assert tab.faults == []


def test_a_violation_would_be_seen(tab):
    page = tab.open("index.html")
    page.evaluate("document.querySelector('.lounge').append(document.createElement('button'))")
    assert any(text.startswith("button-name") for text in tab.violations())


def test_the_policy_stops_inline_scripts_styles_and_other_hosts(tab):
    """A canary for the test above: what a page must not do is refused, and noted."""
    page = tab.open("index.html")
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          const image = document.createElement('img');
          image.src = 'https://example.invalid/x.png';
          document.body.append(script, image);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.ran") is None
    assert sum("Content Security Policy" in text for text in tab.faults) >= 2


def test_the_workshop_follows_a_save_and_shows_a_fault_in_plain_japanese(browser, release, tmp_path):
    folder = tmp_path / "dashboards"
    shutil.copytree(PROJECT / "dashboards", folder, ignore=shutil.ignore_patterns("node_modules", "src"))
    for path in folder.glob("pages/*.md"):
        path.unlink()
    (folder / "pages/index.md").write_text(_SMALL.format(title="入口"), "utf-8")
    page_file, good = folder / "pages/small.md", _SMALL.format(title="小さな画面")
    page_file.write_text(good, "utf-8")
    with ReleaseDatabase(release.path / "tables", keep=True) as database:
        site = WorkshopSite(folder, database, tmp_path / "scratch", "synthetic")
        site.refresh()
        assert site.faults == []
        with serving_app(build_app(site)) as port:
            one = Tab(browser, f"http://127.0.0.1:{port}")
            page = one.page
            page.goto(f"{one.site}/small.html")
            page.locator("figure svg path").first.wait_for(state="attached")
            page_file.write_text(good.replace("y=人口", "y=人工"), "utf-8")
            site.refresh()
            page.get_by_role("heading", name="small.md:19").wait_for()
            assert page.get_by_text("「人口」ではありませんか。").is_visible()
            assert "y=人工" in page.locator(".at-fault").inner_text()
            assert one.violations() == []
            page_file.write_text(good.replace("## 見出し", "## 直した見出し"), "utf-8")
            site.refresh()
            page.get_by_role("heading", name="直した見出し").wait_for()
            assert one.faults == []
            page.close()


_SMALL = """---
title: {title}
contents: [人口]
category: 人口
audience: staff
owner: 政策課
manual: portal.md
---

```sql people
SELECT period, value AS 人口, status FROM estimated_population
WHERE series = 'population' AND area = '28100' ORDER BY period
```

## 見出し



<LineChart data={{people}} x=period y=人口 title="人口の推移" fmt=人/>
"""
