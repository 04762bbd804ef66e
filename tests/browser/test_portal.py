"""The portal in real Chromium: words find pages, favourites stay, wards and periods are chosen, choices travel."""

from __future__ import annotations

import re

import polars as pl
import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.synthesis.published import published
from tests.browser.tabs import PAGES, PROJECT, Visit
from tests.serving import serving

WARDS = ["神戸市", "東灘区", "灘区", "中央区", "兵庫区", "北区", "長田区", "須磨区", "垂水区", "西区"]


def cards(page) -> list[str]:
    """Slugs of the cards that are shown, in order."""
    return page.locator(".lounge-entry:visible").evaluate_all("all => all.map((c) => c.dataset.slug)")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("人口ピラミッド", {"ward_population", "district_population"}),
        ("区別の人口", {"ward_population", "district_population"}),
        ("転入・転出", {"ward_moves", "district_moves", "monthly_moves"}),
        ("５歳階級", {"ward_population", "district_population"}),
        ("ぴらみっど", {"ward_population", "district_population"}),
        ("外国人　在留資格", {"district_foreigners"}),
        ("政令市", {"city_comparison"}),
        ("存在しない言葉", set()),
    ],
)
def test_the_catalogue_finds_what_staff_type(visit, typed, found):
    page = visit.open("index.html")
    page.get_by_label("ダッシュボードを探す").fill(typed)
    page.wait_for_function("document.querySelector('.lounge-count').textContent !== '7件中 7件'")
    shown = set(cards(page))
    assert found <= shown
    assert bool(found) == bool(shown)
    assert page.locator(".lounge-catalogue > .lounge-empty").is_visible() == (not found)


def test_a_search_is_an_address(visit):
    page = visit.open("index.html?q=ぴらみっど")
    assert "ward_population" in cards(page)
    assert "monthly_moves" not in cards(page)


def test_categories_and_purposes_narrow_the_catalogue(visit):
    page = visit.open("index.html")
    purpose = page.get_by_role("button", name="他都市比較 1")
    purpose.click()
    assert purpose.get_attribute("aria-pressed") == "true"
    assert cards(page) == ["city_comparison"]
    purpose.click()
    page.get_by_role("button", name="多様性 1").click()
    assert cards(page) == ["district_foreigners"]
    page.get_by_role("button", name=re.compile(r"^すべて \d+$")).click()
    newest = page.get_by_role("button", name=re.compile(r"^新着 \d+$"))
    newest.click()
    assert len(cards(page)) == int(newest.inner_text().split()[-1]) < len(PAGES) - 1


def test_favourites_come_first_and_stay(visit):
    page = visit.open("index.html")
    assert page.locator(".lounge-favourites").is_hidden()
    star = page.get_by_role("button", name="お気に入り：住基人口 月別の移動推移")
    star.focus()
    page.keyboard.press("Enter")
    assert star.get_attribute("aria-pressed") == "true"
    assert star.evaluate("star => star === document.activeElement")
    assert cards(page)[0] == "monthly_moves"
    page = visit.open("ward_population.html")
    page.get_by_role("button", name="お気に入り：住基人口 区別の人口").click()
    page = visit.open("index.html")
    assert set(cards(page)[:2]) == {"ward_population", "monthly_moves"}
    strip = page.get_by_role("navigation", name="お気に入り")
    assert strip.get_by_role("link").all_inner_texts() == ["住基人口 区別の人口", "住基人口 月別の移動推移"]
    page.get_by_role("button", name="★ お気に入り 2").click()
    assert len(cards(page)) == 2
    page.locator('[data-star="ward_population"]').click()
    assert cards(page) == ["monthly_moves"]
    assert visit.faults == []


def test_favourites_do_no_harm_where_storage_is_blocked(visit):
    visit.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    page = visit.open("index.html")
    page.locator('[data-star="ward_moves"]').click()
    assert cards(page)[0] == "ward_moves"
    assert visit.faults == []


def test_wards_stand_in_the_citys_order(visit):
    page = visit.open("index.html")
    assert page.locator('[data-filter="area"] label').all_inner_texts() == WARDS
    assert page.locator("table").nth(2).locator("tbody tr td:first-child").all_inner_texts() == WARDS[1:]


def test_the_headline_follows_ward_and_period(visit, release):
    table = pl.read_parquet(release.path / "tables/estimated_population.parquet")
    page = visit.open("index.html")
    page.get_by_role("radio", name="北区").check()
    visit.wait_for("area", "28109")
    page.get_by_label("年月（スライダー）").press("ArrowLeft")
    visit.wait_for("period", "2025-11")
    of = table.filter((pl.col("area") == "28109") & (pl.col("series") == "population"))
    values = dict(of.select("period", "value").iter_rows())
    assert page.locator("#c1 .lounge-figure").inner_text() == f"{values['2025-11']:,}"
    change = values["2025-11"] - values["2025-10"]
    assert page.locator("#c1 .lounge-change b").inner_text().replace("−", "-").replace(",", "") == f"{change:+}人"


def test_choices_travel_to_related_pages_and_up_from_a_district(visit):
    page = visit.open("index.html?area=西区&period=2025-09")
    related = page.get_by_role("navigation", name="関連する画面")
    related.get_by_role("link", name="小学校区別の人口").click()
    page.wait_for_url("**/district_population.html?*")
    visit.wait_for("area", "28111")
    assert visit.shown() == {"area": "28111", "period": "2025-09"}
    page.locator("#filter-area").select_option("0902")
    visit.wait_for("area", "0902")
    page.get_by_role("link", name="住基人口 区別の人口").last.click()
    page.wait_for_url("**/ward_population.html?*")
    visit.wait_for("area", "28111")
    assert visit.shown() == {"area": "28111", "period": "2025-09"}
    page.get_by_role("radio", name="灘区", exact=True).check()
    visit.wait_for("area", "28102")
    assert "area_in" not in page.url
    page.get_by_role("link", name="住基人口 区別の異動").last.click()
    page.wait_for_url("**/ward_moves.html?*")
    visit.wait_for("area", "28102")
    assert visit.shown()["period"] == "2025"


def test_a_month_without_a_figure_is_a_gap(browser, tmp_path):
    tables, dims, facts = published()
    estimate = tables["estimated_population"]
    tables["estimated_population"] = estimate.filter(pl.col("period") != "2025-09")
    made = assemble(tables, dims, facts, PROJECT / "dashboards", tmp_path / "releases")
    with serving(made.path.parent, "staff") as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}")
        page = tab.open("index.html?period=2025-10")
        assert page.locator("#c1 .lounge-change b").inner_text() == "…"
        figure = page.locator("figure", has=page.locator("figcaption", has_text="推計人口の推移")).first
        figure.locator("summary").click()
        row = figure.locator("tr", has=page.locator("th", has_text="2025年9月"))
        assert row.locator("td").inner_text() == "…"
        assert tab.faults == []
        tab.context.close()


def test_the_comparison_comes_with_the_first_figures_that_are_brought(browser, tmp_path):
    tables, dims, facts = published()
    nothing = {**tables, "city_comparison": tables["city_comparison"].clear()}
    assert "city_comparison" not in assemble(nothing, dims, facts, PROJECT / "dashboards", tmp_path / "before").pages
    leaves = {column: dims[f"compared_{column}"].filter(pl.col("level") == 1)["code"] for column in ("city", "figure")}
    grid = pl.DataFrame({"period": ["2024-10", "2025-10"]})
    for column, codes in leaves.items():
        grid = grid.join(pl.DataFrame({column: codes}), how="cross")
    rows = grid.with_columns(value=pl.int_range(pl.len()) * 37 + 100_000, status=pl.lit("published"))
    tables["city_comparison"] = rows.with_columns(pl.col("value").cast(pl.Int64))
    made = assemble(tables, dims, facts, PROJECT / "dashboards", tmp_path / "releases")
    with serving(made.path.parent, "staff") as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}")
        page = tab.open("city_comparison.html")
        page.get_by_label("比べる都市", exact=True).select_option(label="西宮市")
        tab.wait_for("city", "28204")
        for figure in page.query_selector_all("figure:has(.lounge-canvas)"):
            figure.scroll_into_view_if_needed()
            page.wait_for_function("f => f.querySelector('svg path')", arg=figure)
        assert page.get_by_text("まだ取り込まれていません").count() == 0
        assert tab.faults == []
        tab.context.close()
