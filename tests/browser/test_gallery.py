"""The gallery in real Chromium: tables, cascades, comparisons, downloads and paper work by pointer and by key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.lounge.workshop.new import write_new
from tests.browser.tabs import PROJECT, Visit
from tests.lounge_tables import published
from tests.serving import serving
from tests.unit.lounge.test_authoring import ERAS

PAPER = 42 * 16
"""Width of what is printed, in pixels; A4 less its margins is a little wider."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The project's dashboards with the gallery among them."""
    root = tmp_path_factory.mktemp("gallery")
    ignored = shutil.ignore_patterns("node_modules", "src")
    shutil.copytree(PROJECT / "dashboards", root / "dashboards", ignore=ignored)
    day = date(2026, 1, 9)
    write_new(root / "dashboards", "部品の見本", "gallery", owner="政策課", application="R7-1", today=day, gallery=True)
    (root / "dashboards/manuals/gallery.md").write_text("- **部品**: この画面の見本です。\n", encoding="utf-8")
    second = '\n<DataTable data={listed} total=合計 search rows=10 filter="period" title="二つ目の表"/>\n'
    with (root / "dashboards/pages/gallery.md").open("a", encoding="utf-8") as page:
        page.write(second)
    return root


@pytest.fixture(scope="module")
def made(folder):
    """A release whose listed districts hold a few hidden ones."""
    tables, dims, facts = published()
    few = pl.col("area").is_in(["0101", "0201", "0301"]) & (pl.col("age") == "total") & (pl.col("sex") == "total")
    tables["population_district"] = tables["population_district"].with_columns(
        value=pl.when(few).then(None).otherwise("value"),
        status=pl.when(few).then(pl.lit("suppressed")).otherwise("status"),
    )
    return assemble(tables, dims, facts, folder / "dashboards", folder / "releases")


@pytest.fixture(scope="module")
def gallery(made) -> Iterator[str]:
    with serving(made.path.parent, "staff") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def tab(browser, gallery) -> Iterator[Visit]:
    one = Visit(browser, gallery)
    yield one
    assert one.faults == []
    one.context.close()


def listed(page):
    return page.locator("figure", has=page.locator("figcaption", has_text="小学校区の一覧"))


def column(figure, number: int) -> list[str]:
    return figure.locator(f".lounge-rows tr td:nth-child({number})").all_inner_texts()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_gallery_is_sound(browser, gallery, width):
    one = Visit(browser, gallery, width)
    page = one.open("gallery.html")
    page.mouse.wheel(0, 100_000)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert one.violations() == []
    assert one.faults == []
    one.context.close()


def test_a_heading_sorts_by_key_and_hidden_figures_stay_last(tab):
    page = tab.open("gallery.html")
    figure = listed(page)
    assert "X" not in figure.locator(".lounge-totals td").all_inner_texts()
    heading = figure.get_by_role("button", name="人口（人）")
    for way, reverse in (("ascending", False), ("descending", True)):
        heading.press("Enter")
        assert figure.locator("th", has_text="人口（人）").get_attribute("aria-sort") == way
        for _ in range(2):
            shown = column(figure, 3)
            numbers = [int(text.replace(",", "")) for text in shown if text != "X"]
            assert numbers == sorted(numbers, reverse=reverse) and numbers
            figure.get_by_role("button", name="次へ").click()
        assert column(figure, 3)[-3:] == ["X", "X", "X"][-len(column(figure, 3)) :]
        assert figure.locator(".lounge-totals td").first.inner_text() == "神戸市"
    hidden = [name for name, text in zip(column(figure, 1), column(figure, 3), strict=True) if text == "X"]
    heading.press("Enter")
    assert figure.locator("th", has_text="人口（人）").get_attribute("aria-sort") == "none"
    assert len(hidden) <= 3


def test_a_search_folds_kana_and_keeps_the_published_total(tab):
    page = tab.open("gallery.html")
    figure = listed(page)
    everything = figure.locator(".lounge-pager span").inner_text()
    figure.get_by_label("表の中をさがす").fill("こうﾍﾞ")
    assert column(figure, 1) == ["こうべ"]
    total = figure.locator(".lounge-totals td").nth(2).inner_text()
    assert figure.get_by_role("status").first.inner_text().endswith("1行")
    figure.get_by_label("表の中をさがす").fill("")
    assert figure.locator(".lounge-totals td").nth(2).inner_text() == total
    assert figure.locator(".lounge-pager span").inner_text() == everything


def test_sort_and_search_stand_in_the_address_apart_for_each_table(tab):
    page = tab.open("gallery.html")
    tables = page.locator("figure.lounge-datatable")
    assert tables.count() > 1
    one = listed(page)
    mine = one.get_attribute("id")
    page.get_by_label("区", exact=True).select_option("28109")
    tab.wait_for("area", "28109")
    word = column(one, 1)[0][:1]
    for _ in range(2):
        one.get_by_role("button", name="人口（人）").click()
    one.get_by_label("表の中をさがす").fill(word)
    page.wait_for_function("([n, w]) => new URLSearchParams(location.search).get(n) === w", arg=[f"{mine}.find", word])
    shown = column(one, 3)
    assert shown and all(word in name for name in column(one, 1))
    address = page.url
    query = parse_qs(urlsplit(address).query)
    assert set(query) == {"area", "district", f"{mine}.sort", f"{mine}.order", f"{mine}.find"}
    assert query[f"{mine}.sort"] == ["人口（人）"] and query[f"{mine}.order"] == ["desc"]
    page.goto("about:blank")
    page.goto(address)
    tab.wait_for("area", "28109")
    assert listed(page).get_by_label("表の中をさがす").input_value() == word
    assert column(listed(page), 3) == shown
    sorts = [th for table in tables.all() for th in table.locator("th[aria-sort=descending]").all()]
    assert [th.inner_text() for th in sorts] == ["人口（人）"], "no other table follows"
    listed(page).get_by_role("button", name="人口（人）").click()
    listed(page).get_by_label("表の中をさがす").fill("")
    page.wait_for_function("() => [...new URLSearchParams(location.search).keys()].join() === 'area,district'")


def test_an_address_that_asks_for_a_column_that_is_no_more_shows_the_table_as_it_is(tab):
    page = tab.open("gallery.html")
    mine, first = listed(page).get_attribute("id"), column(listed(page), 1)
    page = tab.open(f"gallery.html?{mine}.sort=なし&{mine}.order=desc")
    assert column(listed(page), 1) == first
    assert listed(page).locator("th[aria-sort=descending]").count() == 0


def test_pages_turn_and_end(tab):
    page = tab.open("gallery.html")
    figure = listed(page)
    first = column(figure, 1)
    assert len(first) == 10 and figure.get_by_role("button", name="前へ").is_disabled()
    figure.get_by_role("button", name="次へ").press("Enter")
    assert not set(column(figure, 1)) & set(first)
    figure.get_by_role("button", name="次へ").press("Enter")
    assert figure.get_by_role("button", name="次へ").is_disabled()


def test_periods_read_in_eras_as_the_compiler_writes_them(browser, gallery):
    plain = Visit(browser, gallery, java_script_enabled=False)
    written = listed(plain.open("gallery.html")).locator("tbody td:nth-child(2)").first.inner_text()
    plain.context.close()
    live = Visit(browser, gallery)
    page = live.open("gallery.html")
    assert listed(page).locator("tbody td:nth-child(2)").first.inner_text() == written == "令和7年12月"
    assert page.get_by_text("最新のデータは令和7年12月分です。").is_visible()
    assert page.get_by_label("年月", exact=True).locator("option").first.inner_text() == "令和7年7月"
    live.context.close()


def test_a_lower_choice_follows_its_upper_one_and_the_address_restores_both(tab):
    page = tab.open("gallery.html")
    wards, districts = page.get_by_label("区", exact=True), page.get_by_label("小学校区", exact=True)
    wards.select_option("28102")
    tab.wait_for("area", "28102")
    assert tab.shown()["district"] == "28102"
    offered = districts.locator("option").evaluate_all("all => all.map((o) => o.value)")
    assert offered[0] == "28102" and all(code.startswith("02") for code in offered[1:]) and len(offered) > 1
    districts.focus()
    page.keyboard.press("ArrowDown")
    tab.wait_for("district", offered[1])
    address = page.url
    page.reload()
    tab.wait_for("district", offered[1])
    assert tab.shown()["area"] == "28102" and page.url == address
    wards.select_option("28109")
    tab.wait_for("area", "28109")
    assert tab.shown()["district"] == "28109"


def test_a_lower_choice_alone_brings_its_upper_one_and_a_stray_one_is_reset(tab):
    tab.open("gallery.html?district=0202")
    assert (tab.shown()["area"], tab.shown()["district"]) == ("28102", "0202")
    tab.open("gallery.html?area=北区&district=0202")
    assert (tab.shown()["area"], tab.shown()["district"]) == ("28109", "28109")


def test_a_figure_is_compared_with_month_year_and_column_and_hidden_ones_are_x(tab):
    page = tab.open("gallery.html?area=灘区&district=0201")
    changes = page.locator("#c1 .lounge-change")
    assert changes.locator("span").all_inner_texts() == ["前月比", "前年同月比"]
    assert changes.locator("b").nth(1).inner_text() == "…"
    assert page.locator("#c2 .lounge-figure").inner_text() == "X"
    assert page.locator("#c2 .lounge-change b").inner_text() == "X"
    assert page.locator("#c2 .lounge-x").is_visible() and page.locator("#c1 .lounge-x").is_hidden()
    assert page.locator("#c3 .lounge-change span").inner_text() == "男との差"


def test_an_author_places_downloads(tab):
    page = tab.open("gallery.html")
    with page.expect_download() as saving:
        page.get_by_role("button", name="小学校区の一覧を CSV で保存").click()
    saved = Path(saving.value.path()).read_bytes()
    frame = pl.read_csv(saved, infer_schema=False)
    assert saved.startswith(b"\xef\xbb\xbf") and frame.columns[0] == "地域" and frame["人口"].to_list().count("X") == 3
    assert set(frame["時点"]) == {"令和7年12月"}
    with page.expect_download() as saving:
        page.get_by_role("button", name="人口の推移（画像）").click()
    assert Path(saving.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as saving:
        page.get_by_role("button", name="人口の推移（CSV）").click()
    assert "人口" in Path(saving.value.path()).read_text("utf-8-sig")


STATE = """() => [...document.querySelectorAll('.lounge-canvas:not(.lounge-panels + .lounge-canvas)')].map((place) => {
  const svg = place.querySelector('svg');
  const box = svg?.getBoundingClientRect();
  return { drawn: Boolean(svg?.querySelector('path')), right: box?.right ?? 1e9, width: box?.width ?? 0 };
})"""


def assert_whole(charts: list[dict]) -> None:
    assert charts
    for chart in charts:
        assert chart["drawn"] and chart["width"] > 100 and chart["right"] <= PAPER + 1


@pytest.mark.parametrize("name", ["gallery", "ward_population"])
def test_the_print_button_draws_what_was_never_scrolled_to(tab, name):
    tab.page.add_init_script(
        "window.print = () => { dispatchEvent(new Event('beforeprint')); "
        f"window.printed = ({STATE})(); dispatchEvent(new Event('afterprint')); }}"
    )
    page = tab.open(f"{name}.html")
    page.get_by_role("button", name="印刷・PDFで保存", exact=True).first.click()
    page.wait_for_function("window.printed")
    assert_whole(page.evaluate("window.printed"))
    assert not page.evaluate("document.documentElement.classList.contains('is-printing')")


def test_a_browsers_own_print_draws_everything_too(tab):
    page = tab.open("gallery.html")
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = ({STATE})(); }})")
    assert page.pdf(format="A4").startswith(b"%PDF")
    assert_whole(page.evaluate("window.printed"))


def test_paper_has_every_row_and_every_tab(tab):
    page = tab.open("gallery.html")
    rows = listed(page).locator(".lounge-rows tr").count()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert listed(page).locator(".lounge-rows tr").count() > rows
    assert page.locator(".lounge-tab").evaluate_all("all => all.every((tab) => tab.offsetHeight > 100)")
    assert page.get_by_role("button", name="次へ").is_hidden()


def test_a_copy_without_the_portal_server_has_no_dead_survey_link(tab):
    page = tab.open("gallery.html")
    tab.follow(page.get_by_role("link", name="アンケートに答える"))
    assert page.get_by_role("heading", name="アンケート").is_visible()


def test_the_browsers_eras_are_those_of_the_compiler(tab, folder):
    """``eras.js`` and ``eras.py`` agree, by way of a table whose texts are the cases."""
    page = tab.open("gallery.html")
    source = (PROJECT / "dashboards/theme/src/eras.js").read_text("utf-8").replace("export function", "function")
    found = page.evaluate(f"(codes) => {{ {source}; return codes.map(eraLabel); }}", [code for code, _ in ERAS])
    assert found == [text for _, text in ERAS]
