"""Areas side by side, ranges, indices and orders in real Chromium: in the address, undone by Back, and X stays X."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.synthesis.published import published
from kobe_platform.vocabulary.months import months_between
from tests.browser.tabs import PROJECT, Visit
from tests.serving import serving

WARDS = {"神戸市": "28100", "灘区": "28102", "垂水区": "28108"}
LARGEST_TICKS = r"""all => all.map((panel) => {
  const texts = [...panel.querySelectorAll('text')].map((one) => one.textContent);
  return texts.filter((text) => /^[\d,]+$/.test(text)).at(-1);
})"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The project's own pages over four months."""
    tables = published(1, tuple(months_between("2025-09", "2025-12")))
    return assemble(*tables, PROJECT / "dashboards", tmp_path_factory.mktemp("compare") / "releases")


@pytest.fixture
def tab(browser, made, request) -> Iterator[Visit]:
    with serving(made.path.parent, "staff") as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}", getattr(request, "param", 1280))
        yield tab
        tab.context.close()


def figure(page, title: str):
    return page.locator("figure", has=page.locator("figcaption", has_text=title)).first


def rows(chart) -> list[list[str]]:
    """The chart's table, opened: heads first."""
    if not chart.locator("details").evaluate("d => d.open"):
        chart.locator("summary").click()
    return chart.locator("tr").evaluate_all("all => all.map((r) => [...r.cells].map((c) => c.textContent))")


def people(made, ward: str, month: str) -> int:
    found = pl.read_parquet(made.path / "tables/population_ward.parquet").filter(
        (pl.col("area") == WARDS[ward]) & (pl.col("period") == month)
        & (pl.col("age") == "total") & (pl.col("sex") == "total")
    )  # fmt: skip
    return found["value"][0]


def test_pinned_areas_stand_beside_the_choice_and_back_takes_them_away(tab, made):
    page = tab.open("ward_population.html?area=垂水区")
    page.get_by_role("button", name="垂水区をくらべる区に加える").click()
    assert "ほかの区を選ぶと" in page.locator(".lounge-pins").inner_text()
    page.get_by_role("radio", name="灘区", exact=True).check()
    tab.wait_for("area", "28102")
    trend = figure(page, "人口の推移")
    page.wait_for_function("() => document.querySelectorAll('.lounge-beside').length === 4")
    table = rows(trend)
    assert table[0][1:] == ["灘区", "垂水区"]
    assert table[-1][1:] == [f"{people(made, ward, '2025-12'):,}" for ward in ("灘区", "垂水区")]
    pyramid = figure(page, "人口ピラミッド")
    pyramid.scroll_into_view_if_needed()
    pyramid.locator(".lounge-panel svg path").first.wait_for(state="attached")
    assert pyramid.locator(".lounge-panel > p:first-child").all_inner_texts() == ["灘区", "垂水区"]
    assert "area_with=" in page.url
    page.reload()
    page.wait_for_load_state("networkidle")
    assert rows(trend)[0][1:] == ["灘区", "垂水区"], "the address holds it"
    assert tab.violations() == []
    page.get_by_role("button", name="垂水区をくらべるのをやめる").click()
    page.wait_for_function("() => !document.querySelector('.lounge-beside')")
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('.lounge-beside').length === 4")
    assert tab.faults == []


def test_an_index_and_a_range_are_told_in_title_table_and_address(tab, made):
    page = tab.open("ward_population.html?span=2025-10..2025-12")
    trend = figure(page, "人口の推移")
    trend.get_by_role("button", name="指数").click()
    trend.get_by_text("指数（2025年10月＝100）").wait_for()
    table = rows(trend)
    assert len(table) == 4 and table[1] == ["2025年10月", "100.0"]
    share = people(made, "神戸市", "2025-12") / people(made, "神戸市", "2025-10") * 100
    assert float(table[-1][1].replace(",", "")) == pytest.approx(share, abs=0.051)
    assert ".view=index" in page.url and "span=2025-10..2025-12" in page.url
    with page.expect_download() as saved:
        trend.get_by_role("button", name="CSVで保存").click()
    assert "指数（2025年10月＝100）" in saved.value.path().read_text("utf-8-sig")
    page.get_by_role("button", name="全期間").click()
    trend.get_by_text("指数（2025年9月＝100）").wait_for()
    page.go_back()
    trend.get_by_text("指数（2025年10月＝100）").wait_for()


def test_small_multiples_stand_on_one_scale_and_a_hidden_figure_stays_x_in_an_index(tab, made):
    page = tab.open("ward_population.html")
    charts = figure(page, "各区の外国人住民の推移")
    charts.scroll_into_view_if_needed()
    charts.locator(".lounge-panel svg path").first.wait_for(state="attached")
    assert charts.locator(".lounge-panel").count() == 9
    tops = charts.locator(".lounge-panel").evaluate_all(LARGEST_TICKS)
    assert len(set(tops)) == 1
    plain = rows(charts)
    charts.get_by_role("button", name="指数").click()
    charts.get_by_text("＝100").wait_for()
    index = rows(charts)
    for at in range(1, 10):
        hidden = [line[at] == "X" for line in plain[1:]]
        told = [line[at] == "X" for line in index[1:]]
        assert told == ([True] * len(told) if hidden[0] else hidden)
    with page.expect_download() as saved:
        charts.get_by_role("button", name="画像で保存").click()
    assert saved.value.path().stat().st_size > 20_000


def test_an_order_by_size_puts_hidden_places_last(tab):
    page = tab.open("ward_population.html")
    wards = figure(page, "区の比較")
    wards.get_by_role("button", name="大きい順").click()
    wards.locator(".lounge-told").wait_for()
    values = [line[1] for line in rows(wards)[1:]]
    numbers = [int(value.replace(",", "")) for value in values if value != "X"]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) > 5


def test_a_point_stands_for_two_published_figures(tab):
    page = tab.open("ward_population.html")
    points = figure(page, "区の人口と平均年齢")
    points.scroll_into_view_if_needed()
    points.locator("svg path").first.wait_for(state="attached")
    table = rows(points)
    assert table[0] == ["区", "人口（人）", "平均年齢（歳）"] and len(table) == 10
    named = {line[0] for line in table[1:]} & set(points.locator("svg text").all_text_contents())
    assert named == {line[0] for line in table[1:] if "X" not in line} and len(named) > 5


@pytest.mark.parametrize("tab", [1280, 390], indirect=True)
def test_compared_charts_fit_the_page(tab):
    page = tab.open("ward_population.html?area=垂水区&area_with=灘区&area_with=北区&area_with=西区")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.violations() == [] and tab.faults == []
