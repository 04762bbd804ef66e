"""Every page of the lounge as axe-core and the security policy see it, and the workshop's pages likewise."""

from __future__ import annotations

import shutil

import pytest

from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.serve import POLICY
from kobe_platform.lounge.workshop.server import build_app
from kobe_platform.lounge.workshop.site import WorkshopSite
from tests.browser.tabs import PAGES, PROJECT, Visit
from tests.serving import fetch, serving_app


def test_the_policy_is_the_one_of_the_portal(site):
    assert fetch(int(site.rsplit(":", 1)[1]), "/").headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_violation_a_console_message_or_a_request_to_elsewhere(visit, name):
    page = visit.open(f"{name}.html")
    for details in page.query_selector_all("details:not([open]) > summary"):
        details.evaluate("summary => summary.click()")
    page.mouse.wheel(0, 100_000)
    page.wait_for_load_state("networkidle")
    assert visit.violations() == []
    assert visit.faults == []


def test_a_violation_would_be_seen(visit):
    page = visit.open("index.html")
    page.evaluate("document.querySelector('.lounge').append(document.createElement('button'))")
    assert any(text.startswith("button-name") for text in visit.violations())


def test_the_policy_stops_inline_scripts_styles_and_other_hosts(visit):
    """A canary for the test above: what a page must not do is refused, and noted."""
    page = visit.open("index.html")
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          const image = document.createElement('img');
          image.src = 'https://example.invalid/x.png';
          document.body.append(script, image);
        }"""
    )
    visit.wait_until(lambda: sum("Content Security Policy" in text for text in visit.faults) >= 2)
    assert page.evaluate("() => window.ran") is None


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
            one = Visit(browser, f"http://127.0.0.1:{port}")
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
            one.context.close()


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
