"""Stacks, shares, lines and notes in real Chromium: what is hidden is seen to be hidden."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from kobe_platform.lounge.release import assemble
from tests.browser.folders import dashboards_with
from tests.browser.tabs import Visit
from tests.lounge_tables import published
from tests.serving import serving

PAGE = """---
title: グラフの見本
contents: [グラフ]
category: その他
audience: staff
owner: 政策課
application: R7-1
manual: portal.md
---

```sql wards
SELECT area_label AS 区, nationality_label AS 国籍, value AS 外国人, status FROM foreigners_nationality_ward
WHERE area_leaf AND period = '2025-12' AND nationality_leaf ORDER BY area_sort, nationality_sort
```

```sql whole
SELECT area_label AS 区, nationality_label AS 国籍, value AS 外国人, status FROM foreigners_nationality_ward
WHERE area_leaf AND period = '2025-12' AND (nationality_leaf OR nationality = 'total')
ORDER BY area_sort, nationality_sort
```

```sql people
SELECT period, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' ORDER BY period
```

```sql losses
SELECT period, -value AS 減, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' ORDER BY period
```

```sql still
SELECT period, -700 - (row_number() OVER (ORDER BY period)) % 2 AS 減, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area = '28100' ORDER BY period
```

```sql hiding
SELECT area_label AS 区, nationality_label AS 国籍, value AS 外国人, status FROM foreigners_nationality_ward
WHERE area_leaf AND period = '2025-12' AND nationality_leaf AND area IN (
  SELECT area FROM foreigners_nationality_ward WHERE period = '2025-12' AND nationality_leaf AND status = 'suppressed'
) ORDER BY area_sort, nationality_sort
```

```sql series
SELECT period, nationality_label AS 国籍, value AS 外国人, status FROM foreigners_nationality_ward
WHERE area = '28100' AND nationality_leaf ORDER BY period, nationality_sort
```

```sql many
SELECT area_label || age_label AS 区と年齢, sex_label AS 性別, value AS 人口, status FROM population_ward
WHERE area_leaf AND age_leaf AND sex_leaf AND period = '2025-12' ORDER BY area_sort, age_sort, sex_sort
```

```sql areas
SELECT code AS area, label FROM dim_ward ORDER BY sort
```

```sql each
SELECT period, area, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' ORDER BY period
```

```sql goals
SELECT area, CASE WHEN area = '28109' THEN NULL ELSE value END AS 人口,
  CASE WHEN area = '28109' THEN 'suppressed' ELSE status END AS status
FROM population_ward WHERE age = 'total' AND sex = 'total' AND period = '2025-12'
```

<Dropdown name=area data={areas} value=area label=label title="区"/>

<BarChart data={wards} x=区 y=外国人 series=国籍 stacked title="積み上げ" fmt=人/>
<BarChart data={many} x=区と年齢 y=人口 series=性別 stacked title="多くの棒" fmt=人/>
<AreaChart data={wards} x=区 y=外国人 series=国籍 title="面" fmt=人/>
<AreaChart data={hiding} x=区 y=外国人 series=国籍 title="どこにも秘匿" fmt=人/>
<LineChart data={people} x=period y=人口 title="元号" axis=和暦 fmt=人/>
<LineChart data={people} x=period y=人口 title="零から" base=zero fmt=人/>
<LineChart data={losses} x=period y=減 title="減るだけ" fmt=人/>
<LineChart data={still} x=period y=減 title="ほぼ同じ減" fmt=人/>
<LineChart data={series} x=period y=外国人 series=国籍 title="多くの系列" fmt=人/>
<BarChart data={whole} x=区 y=外国人 series=国籍 normalize=外国人計 title="構成比" fmt=人/>
<LineChart data={each} x=period y=人口 filter=area title="区ごと" fmt=人>
<ReferenceLine y={goals.人口} label="目安"/>
</LineChart>
<LineChart data={people} x=period y=人口 title="線" fmt=人>
<ReferenceLine y=150000 label="目標"/>
<ReferenceLine x=2025-09 label="調査"/>
<Annotation x=2025-10 to=2025-11 label="期間"/>
<Annotation x=2025-08 y=160000 label="節目"/>
</LineChart>
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charts")
    dashboards = dashboards_with("charts", PAGE, folder / "dashboards")
    return assemble(*published(), dashboards, folder / "releases")


@pytest.fixture(scope="module", params=[1280, 390])
def drawn(browser, made, request) -> Iterator[Visit]:
    with serving(made.path.parent, "staff") as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}", request.param)
        page = tab.open("charts.html")
        for figure in page.query_selector_all("figure:has(.lounge-canvas)"):
            figure.scroll_into_view_if_needed()
            page.wait_for_function("f => f.querySelector('svg path, .lounge-undrawn:not([hidden])')", arg=figure)
        yield tab
        tab.context.close()


def parts(made) -> pl.DataFrame:
    table = pl.read_parquet(made.path / "tables/foreigners_nationality_ward.parquet")
    return table.filter((pl.col("period") == "2025-12") & ~pl.col("area").is_in(["28100"]))


def wards_with_a_hidden_part(made) -> int:
    return (
        parts(made).filter((pl.col("status") == "suppressed") & (pl.col("nationality") != "total"))["area"].n_unique()
    )


def figure(tab: Visit, title: str):
    return tab.page.locator("figure", has=tab.page.locator("figcaption", has_text=title))


def test_the_line_around_a_part_of_a_stack_never_covers_its_colour(drawn):
    """A dozen years of months have two pixels each: with a line of the ground around them nothing would be left.

    Many thin bars of one colour are one path, which a line would go around bar by bar.
    """
    paths = figure(drawn, "多くの棒").locator("svg path:not([fill=none])")
    shapes = paths.evaluate_all(
        "all => all.map(p => [p.getAttribute('d').split('M').length - 1, p.getBBox().width, p.hasAttribute('stroke')])"
    )
    assert sum(bars for bars, _, _ in shapes) > 100
    assert [bars for bars, width, lined in shapes if lined and 0 < width / bars < 10] == []


CUT = "〜 0から始まらない目盛り"


def test_an_axis_that_does_not_begin_at_zero_says_so(drawn):
    for title in ("元号", "減るだけ", "ほぼ同じ減"):
        assert figure(drawn, title).locator("svg text").all_text_contents().count(CUT) == 1, title
    for title in ("零から", "積み上げ", "面"):
        assert CUT not in figure(drawn, title).first.locator("svg text").all_text_contents(), title


PALE = "f => [...f.querySelectorAll('svg path')].filter(p => p.getAttribute('fill-opacity') === '0.45').length"


def test_a_stack_with_a_hidden_part_is_pale_and_ends_in_x(drawn, made):
    hidden = wards_with_a_hidden_part(made)
    assert 0 < hidden < 9, "the made-up city shows both"
    stack = figure(drawn, "積み上げ")
    assert stack.locator("svg text").all_text_contents().count("X") == hidden
    shown = parts(made).filter((pl.col("status") == "published") & (pl.col("nationality") != "total"))
    bad = parts(made).filter((pl.col("status") == "suppressed") & (pl.col("nationality") != "total"))["area"]
    pale = shown.filter(pl.col("area").is_in(bad.unique().to_list())).height  # a part of none has a bar of no height
    assert stack.evaluate(PALE) == pale
    assert "合計ではありません" in stack.locator(".lounge-x").inner_text()


def test_a_screen_reader_hears_that_a_chart_holds_hidden_values_and_whose_table_follows(drawn):
    stack, line = figure(drawn, "積み上げ"), figure(drawn, "元号")
    told = "秘匿した値（X）があります。"
    assert stack.locator("[role=img]").get_attribute("aria-label").endswith(told)
    assert told not in line.locator("[role=img]").get_attribute("aria-label")
    assert stack.locator("details [role=region]").get_attribute("aria-label") == "積み上げの表"


def test_areas_and_shares_with_a_hidden_part_are_not_drawn_but_x(drawn, made):
    hidden = wards_with_a_hidden_part(made)
    for title, told in (("面", "積み上げ全体を描いていません"), ("構成比", "構成比を描いていません")):
        chart = figure(drawn, title)
        assert chart.locator("svg text").all_text_contents().count("X") == hidden
        assert told in chart.locator(".lounge-x").inner_text()
        assert chart.evaluate(PALE) == 0


def test_shares_are_of_the_published_total_and_keep_their_counts_in_the_tooltip_and_table(drawn, made):
    chart = figure(drawn, "構成比")
    bad = parts(made).filter(pl.col("status") == "suppressed")["area"].unique().to_list()
    area = next(code for code in parts(made)["area"].unique(maintain_order=True) if code not in bad)
    labels = {
        name: pl.read_parquet(made.path / f"tables/dim_{name}.parquet").select("code", "label")
        for name in ("ward", "nationality")
    }
    cells = dict(parts(made).filter(pl.col("area") == area).select("nationality", "value").iter_rows())
    code = max((code for code in cells if code != "total"), key=cells.get)
    ward = dict(labels["ward"].iter_rows())[area]
    box = chart.locator(".lounge-canvas").bounding_box()
    place = chart.locator("tbody th").all_text_contents().index(ward)
    wide = chart.locator("svg text", has_text="100%").bounding_box()
    left = wide["x"] + wide["width"] + 8
    x = left + (box["x"] + box["width"] - 16 - left) * (place + 0.5) / 9
    chart.scroll_into_view_if_needed()
    box = chart.locator(".lounge-canvas").bounding_box()
    drawn.page.mouse.move(x, box["y"] + box["height"] / 2)
    row = chart.locator(".lounge-tooltip div", has_text=dict(labels["nationality"].iter_rows())[code]).last
    row.wait_for()
    share = cells[code] / cells["total"] * 100
    assert row.locator("b").inner_text() == f"{share:.1f}%（{cells[code]:,}人）"
    assert "外国人計" not in chart.locator("svg text").all_text_contents()
    assert "外国人計" in chart.locator("thead th").all_text_contents()


def test_areas_hidden_everywhere_give_words_and_the_way_to_the_table(drawn):
    chart = figure(drawn, "どこにも秘匿")
    words = chart.locator(".lounge-undrawn")
    assert "グラフを描けません" in words.inner_text() and "表で見る" in words.inner_text()
    assert chart.locator(".lounge-canvas").is_hidden() and chart.locator("svg").is_hidden()
    assert "X" in chart.locator("tbody td").all_text_contents()
    assert chart.get_by_role("button", name="画像で保存").is_hidden()
    assert figure(drawn, "面").locator(".lounge-undrawn").is_hidden()


def test_an_axis_reads_in_eras_where_the_page_asks_for_it(drawn):
    chart = figure(drawn, "元号")
    texts = chart.locator("svg text").all_text_contents()
    assert "令和7年" in texts and not [text for text in texts if "2025" in text]
    chart.locator("summary").click()
    assert chart.locator("tbody th").first.inner_text() == "令和7年7月"
    assert "2025年" in figure(drawn, "線").locator("svg text").all_text_contents()


def test_no_two_of_many_series_look_alike(drawn):
    """Colour and dash of every line, as drawn."""
    chart = figure(drawn, "多くの系列")
    names = chart.locator("thead th").count() - 1
    looks = chart.evaluate(
        "f => [...f.querySelectorAll('svg path[stroke-width=\"2.5\"]')]"
        ".map(p => `${p.getAttribute('stroke')} ${p.getAttribute('stroke-dasharray')}`)"
    )
    assert names >= 5 and len(set(looks)) == names and "" not in {look.split()[0] for look in looks}


def test_lines_and_notes_stand_over_the_chart_inside_its_axis(drawn):
    chart = figure(drawn, "線")
    texts = chart.locator("svg text").all_text_contents()
    assert {"目標 150,000人", "調査", "期間", "節目"} <= set(texts)
    svg = chart.locator("svg").bounding_box()
    for text in ("目標 150,000人", "調査", "期間", "節目"):
        box = chart.locator("svg text", has_text=text).bounding_box()
        assert svg["x"] <= box["x"] and box["x"] + box["width"] <= svg["x"] + svg["width"]
        assert svg["y"] <= box["y"] and box["y"] + box["height"] <= svg["y"] + svg["height"]
    assert "基準線「目標」：150,000人" in chart.inner_text()


def test_a_line_at_a_querys_figure_follows_the_choice_of_its_chart(drawn, made):
    chart = figure(drawn, "区ごと")
    chart.scroll_into_view_if_needed()
    people = pl.read_parquet(made.path / "tables/population_ward.parquet").filter(
        (pl.col("period") == "2025-12") & (pl.col("age") == "total") & (pl.col("sex") == "total")
    )
    goal = dict(people.select("area", "value").iter_rows())
    assert len({goal["28100"], goal["28101"], goal["28102"]}) == 3
    for area in ("28101", "28102", "28109", "28100"):
        drawn.page.get_by_label("区", exact=True).select_option(area)
        drawn.wait_for("area", area)
        told = "秘匿のため描いていません" if area == "28109" else f"{goal[area]:,}人"
        assert f"基準線「目安」：{told}" in chart.inner_text()
        wanted = [] if area == "28109" else [f"目安 {goal[area]:,}人"]
        drawn.page.wait_for_function(
            "([f, w]) => JSON.stringify([...f.querySelectorAll('svg text')].map(t => t.textContent)"
            ".filter(t => t.startsWith('目安'))) === JSON.stringify(w)",
            arg=[chart.element_handle(), wanted],
        )


def test_pages_with_these_charts_are_accessible_and_quiet(drawn):
    assert drawn.violations() == []
    assert drawn.faults == []
