"""A year that lacks months says so on the screen: in choices, captions, axes, tables and the file that is saved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kobe_platform.lounge.release import assemble
from tests.browser.folders import dashboards_with
from tests.browser.tabs import Visit
from tests.lounge_tables import published
from tests.serving import serving

HALF = [f"2025-{number:02d}" for number in range(7, 13)]
LABEL = "2025年（7〜12月）"
PAGE = """---
title: 出生の見本
contents: [表]
category: その他
audience: staff
owner: 政策課
application: R7-1
manual: portal.md
---

```sql years
SELECT DISTINCT period FROM births_year ORDER BY period
```

```sql births
SELECT period, area_label AS 区, value AS 件数, status FROM births_year WHERE area_level = 1 ORDER BY area_sort
```

```sql city
SELECT period, value AS 件数, status FROM births_year WHERE area = '28100' ORDER BY period
```

```sql rows
SELECT period_label AS 年, value AS 件数, status FROM births_year WHERE area = '28100' ORDER BY period
```

<Period name=period data={years} value=period title="年"/>

<BarChart data={births} x=区 y=件数 filter="period" title="区別の出生" fmt=件/>
<LineChart data={city} x=period y=件数 title="出生の推移" fmt=件/>
<DataTable data={rows} title="出生の表" fmt=件/>
"""


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory) -> Iterator[Visit]:
    folder = tmp_path_factory.mktemp("half")
    dashboards = dashboards_with("births", PAGE, folder / "dashboards")
    frames, dims, facts = published(months=HALF)
    facts["tables"]["births_year"]["months"] = {"2025": HALF}
    made = assemble(frames, dims, facts, dashboards, folder / "releases")
    with serving(made.path.parent, "staff") as port:
        opened = Visit(browser, f"http://127.0.0.1:{port}")
        page = opened.open("births.html")
        for figure in page.query_selector_all("figure:has(.lounge-canvas)"):
            figure.scroll_into_view_if_needed()
            page.wait_for_function("f => f.querySelector('svg path, .lounge-undrawn:not([hidden])')", arg=figure)
        yield opened
        opened.context.close()


def test_the_choice_the_captions_and_the_table_name_the_months(tab):
    assert tab.page.locator("select option", has_text=LABEL).count() == 1
    assert LABEL in tab.page.locator("figure", has_text="区別の出生").locator("figcaption").inner_text()
    assert tab.page.locator("td", has_text=LABEL).count() >= 1
    assert tab.page.get_by_text("月がそろっていない年があります").count() == 1
    assert not tab.faults


def test_one_period_is_a_bar_whose_axis_names_the_months(tab):
    trend = tab.page.locator("figure", has_text="出生の推移")
    assert "7〜12月" in " ".join(trend.locator("svg text").all_text_contents())
    assert "1時点だけ" in trend.inner_text()


def test_the_file_for_spreadsheets_names_the_months(tab):
    table = tab.page.locator("figure, section, div", has=tab.page.get_by_role("button", name="CSVで保存")).last
    with tab.page.expect_download() as saved:
        table.get_by_role("button", name="CSVで保存").first.click()
    assert LABEL in saved.value.path().read_text("utf-8-sig")
