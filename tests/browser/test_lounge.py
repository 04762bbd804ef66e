"""The lounge in real Chromium: every page opens, draws, filters and stays inside, on a phone and on a desk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kobe_platform.lounge.release import assemble
from kobe_platform.vocabulary.codes import hierarchies
from tests.browser.tabs import PAGES, PROJECT, Visit
from tests.lounge_tables import published
from tests.serving import serving

expect = pytest.importorskip("playwright.sync_api").expect

EVERYTHING = """---
title: 部品の見本
contents: [すべての部品]
category: その他
audience: staff
owner: 政策課
manual: portal.md
---

```sql people
SELECT period, area_label AS 区, value AS 人口, status FROM population_ward
WHERE age = 'total' AND sex = 'total' AND area_level = 1 ORDER BY period, area_sort
```

<Notice kind=caution title="注意">
**強調**も読める。
</Notice>

<Tabs>
<Tab title="面">
<AreaChart data={people} x=period y=人口 series=区 title="面グラフ" fmt=人/>
</Tab>
<Tab title="表">
<DataTable data={people} columns="period 区 人口" title="一覧" fmt=人/>
</Tab>
</Tabs>
"""


def test_tabs_area_charts_tables_and_notices_work(browser, tmp_path):
    shutil.copytree(PROJECT / "dashboards", tmp_path / "dashboards", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "dashboards/pages/everything.md").write_text(EVERYTHING, encoding="utf-8")
    made = assemble(*published(), tmp_path / "dashboards", tmp_path / "releases")
    with serving(made.path.parent, "staff") as port:
        tab = Visit(browser, f"http://127.0.0.1:{port}")
        page = tab.open("everything.html")
        assert page.locator(".lounge-notice strong").inner_text() == "強調"
        page.locator("figure svg path").first.wait_for(state="attached")
        assert page.locator("figcaption", has_text="一覧").is_hidden()
        page.get_by_role("tab", name="面").press("ArrowRight")
        assert page.get_by_role("tab", name="表").get_attribute("aria-selected") == "true"
        assert page.locator(".lounge-datatable tbody tr:visible").count() == 50
        page.get_by_role("button", name="次へ").click()
        assert page.locator(".lounge-datatable tbody tr:visible").count() == 4
        assert tab.faults == []
        tab.context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_draws_all_its_charts_without_error_or_outside_request(browser, site, name, width):
    tab = Visit(browser, site, width)
    page = tab.open(f"{name}.html")
    for figure in page.query_selector_all("figure:has(.lounge-canvas)"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("f => f.querySelector('svg path')", arg=figure)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.faults == []
    tab.context.close()


def test_choosing_a_ward_changes_figures_chart_table_and_address(visit, release):
    page = visit.open("ward_population.html")
    figure = page.locator("#c1 .lounge-figure")
    before = figure.inner_text()
    page.get_by_role("radio", name="西区").check()
    visit.wait_for("area", "28111")
    assert figure.inner_text() != before
    assert "area=%E8%A5%BF%E5%8C%BA" in page.url
    assert figure.inner_text() == expected_population(release, "28111", "2025-12")
    assert visit.faults == []


def expected_population(release, area: str, period: str) -> str:
    import polars as pl

    table = pl.read_parquet(release.path / "tables/population_ward.parquet")
    cell = table.filter(
        (pl.col("area") == area)
        & (pl.col("period") == period)
        & (pl.col("age") == "total")
        & (pl.col("sex") == "total")
    )
    return f"{cell['value'][0]:,}"


def test_a_ward_is_chosen_on_the_map_by_click_and_by_key(visit, release):
    page = visit.open("ward_population.html")
    west = page.get_by_role("button", name="西区：")
    west.click()
    visit.wait_for("area", "28111")
    assert west.get_attribute("aria-pressed") == "true"
    figure = expected_population(release, "28111", "2025-12")
    assert figure in west.get_attribute("aria-label") and figure in page.locator(".lounge-map__svg").text_content()
    page.get_by_role("button", name="垂水区").press("Enter")
    visit.wait_for("area", "28108")
    page.get_by_label("年月", exact=True).select_option("2025-08")
    visit.wait_for("period", "2025-08")
    before = expected_population(release, "28111", "2025-08")
    page.wait_for_function("t => document.querySelector('[data-area=西区]').ariaLabel.includes(t)", arg=before)
    assert visit.faults == []


def test_flows_are_bands_whose_hidden_ones_are_counted_in_words(visit, release):
    import polars as pl

    page = visit.open("ward_moves.html")
    figure = page.locator("figure.lounge-sankey")
    figure.scroll_into_view_if_needed()
    page.wait_for_selector("figure.lounge-sankey svg text")
    period = visit.shown()["period"]
    table = pl.read_parquet(release.path / "tables/ward_moves_od_year.parquet").filter(
        (pl.col("period") == period)
        & (pl.col("origin") != pl.col("destination"))
        & (pl.col("origin") != "28100")
        & (pl.col("destination") != "28100")
    )
    hidden = table.filter(pl.col("status") == "suppressed").height
    texts = figure.locator("svg text").all_text_contents()
    drawn = table.filter(pl.col("value") > 0).sort("value", descending=True)
    # Without the flows that are as large as the first that is left out: which of them are drawn is not told.
    largest = drawn.filter(
        pl.col("value") > drawn["value"][20:21].sum()
    )  # without those that tie with the first left out
    both = set(largest["origin"]) & set(largest["destination"])
    names = {one.code: one.label for one in hierarchies()["ward"].codes}
    assert both and all(texts.count(names[code]) == 2 for code in both), "once as an origin, once as a destination"
    assert any(f"秘匿のため描いていない流れ {hidden}本" in text for text in texts) == (hidden > 0)
    figure.locator("summary").click()
    assert figure.locator("td.is-x").count() == hidden
    assert visit.faults == []


def test_the_address_restores_the_choices(visit, release):
    page = visit.open("ward_population.html?area=灘区&period=2025-08")
    assert visit.shown() == {"area": "28102", "period": "2025-08"}
    assert page.get_by_role("radio", name="灘区", exact=True).is_checked()
    assert page.locator("#c1 .lounge-figure").inner_text() == expected_population(release, "28102", "2025-08")


def test_an_address_with_nonsense_shows_the_default_and_says_so(visit):
    page = visit.open("ward_population.html?area=<script>&period=1900-01")
    assert visit.shown() == {"area": "28100", "period": "2025-12"}
    told = page.locator(".lounge-stale").inner_text()
    assert "「<script>」は、このページの「区」にありません" in told and "「1900-01」" in told
    assert "「2025年12月」を表示しています" in told
    page.get_by_role("radio", name="灘区", exact=True).check()
    visit.wait_for("area", "28102")
    assert page.locator(".lounge-stale").count() == 0
    assert visit.faults == []


def test_a_link_says_which_place_way_of_reading_or_compared_area_is_not_there(visit):
    """What was looked for in a chart, or beside the choice, is told like a choice is; a move takes the words away."""
    plain = visit.open("district_population.html")
    drill = plain.locator("figure", has_text="区から小学校区へ").get_attribute("id")
    views = plain.locator("figure", has=plain.locator("figcaption", has_text="人口の推移")).first.get_attribute("id")
    asked = f"{drill}.in=どこか区&{views}.view=nonsense&area_with=なし区&area_with=灘区"
    page = visit.open(f"district_population.html?{asked}")
    told = page.locator(".lounge-stale p")
    expect(told).to_have_text(
        [
            "リンクの「なし区」は、このページの「小学校区」にありません。くらべる相手から外しています。",
            "リンクの「nonsense」は、「人口の推移の見方」にありません。「実数」を表示しています。",
            "リンクの「どこか区」は、「区から小学校区へ」の地域にありません。「神戸市」を表示しています。",
        ]
    )
    page.locator(f"#{drill} .lounge-drill select").select_option("灘区")
    expect(page.locator(".lounge-stale")).to_have_count(0)
    page.go_back()
    expect(told).to_have_count(3)
    assert visit.faults == []


def test_back_and_forward_undo_and_redo_choices(visit):
    page = visit.open("ward_population.html")
    page.get_by_role("radio", name="灘区", exact=True).check()
    visit.wait_for("area", "28102")
    page.get_by_label("年月", exact=True).select_option("2025-08")
    visit.wait_for("period", "2025-08")
    page.go_back()
    visit.wait_for("period", "2025-12")
    assert visit.shown() == {"area": "28102", "period": "2025-12"}
    page.go_back()
    visit.wait_for("area", "28100")
    page.go_forward()
    visit.wait_for("area", "28102")
    assert page.get_by_role("radio", name="灘区", exact=True).is_checked()
    assert visit.faults == []


def test_a_dragged_slider_is_one_step_back_however_long_it_takes(visit):
    page = visit.open("index.html")
    page.get_by_label("年月（スライダー）").scroll_into_view_if_needed()
    box = page.get_by_label("年月（スライダー）").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 2, middle)
    page.mouse.down()
    for share in (0.8, 0.5, 0.2):
        before = page.evaluate("location.search")
        page.mouse.move(box["x"] + box["width"] * share, middle)
        page.wait_for_function("before => location.search !== before", arg=before)
        page.wait_for_timeout(1100)
    page.mouse.up()
    page.go_back()
    visit.wait_for("period", "2025-12")


def test_a_key_held_on_a_slider_is_one_step_back(visit):
    page = visit.open("index.html")
    page.get_by_label("年月（スライダー）").evaluate(
        """slider => { for (let held = 0; held < 4; held++) {
            slider.stepDown();
            slider.dispatchEvent(new Event("input", { bubbles: true }));
            slider.dispatchEvent(new Event("change", { bubbles: true }));
        } }"""
    )
    visit.wait_for("period", "2025-08")
    page.go_back()
    visit.wait_for("period", "2025-12")


def test_a_period_moves_by_select_slider_and_steps(visit):
    page = visit.open("index.html")
    page.get_by_label("前の期間").click()
    visit.wait_for("period", "2025-11")
    page.get_by_label("年月", exact=True).select_option("2010-10")
    visit.wait_for("period", "2010-10")
    assert page.get_by_label("前の期間").is_disabled()
    page.get_by_label("年月（スライダー）").press("ArrowRight")
    visit.wait_for("period", "2010-11")


def test_the_drawn_table_is_the_one_that_came_with_the_page(visit):
    """What the browser draws for the default choices equals what the compiler wrote for readers without JavaScript."""
    page = visit.open("ward_population.html")
    for figure in page.query_selector_all("figure:has(details)"):
        written = figure.query_selector("table").inner_html()
        figure.query_selector("summary").click()
        page.wait_for_timeout(30)
        assert figure.query_selector("table").inner_html() == written


def test_suppressed_cells_are_x_and_gaps_never_zero(visit, release):
    import polars as pl

    table = pl.read_parquet(release.path / "tables/foreigners_nationality_ward.parquet")
    hidden = table.filter(
        (pl.col("status") == "suppressed") & (pl.col("period") == "2025-12") & (pl.col("area") != "28100")
    ).row(0, named=True)
    page = visit.open(f"ward_population.html?area={hidden['area']}")
    visit.wait_for("area", hidden["area"])
    figure = page.locator("figure", has=page.locator("figcaption", has_text="国籍・地域別")).first
    figure.scroll_into_view_if_needed()
    figure.locator("summary").click()
    label = pl.read_parquet(release.path / "tables/dim_nationality.parquet").filter(
        pl.col("code") == hidden["nationality"]
    )
    row = figure.locator("tr", has=page.locator("th", has_text=label["label"][0]))
    assert row.locator("td").first.inner_text() == "X"
    assert figure.locator(".lounge-x").is_visible()
    figure.locator("svg text").first.wait_for(state="attached")
    marks = figure.locator("svg text").all_text_contents()
    assert marks.count("X") == figure.locator("td.is-x").count()


def test_districts_are_chosen_by_ward_in_the_citys_order(visit):
    page = visit.open("district_population.html")
    groups = page.locator("#filter-area optgroup").evaluate_all("all => all.map((g) => g.label)")
    assert groups == ["市・区", "東灘区", "灘区", "中央区", "兵庫区", "北区", "長田区", "須磨区", "垂水区", "西区"]
    page.locator("#filter-area").select_option("0401")
    visit.wait_for("area", "0401")
    assert visit.faults == []


def test_pages_read_without_javascript(browser, site):
    tab = Visit(browser, site, java_script_enabled=False)
    page = tab.open("ward_population.html")
    assert page.locator(".lounge-canvas").first.is_hidden()
    page.locator("summary", has_text="表で見る").first.click()
    assert page.locator("figure table").first.is_visible()
    assert page.locator("#manual").is_visible()
    tab.context.close()


def test_synthetic_figures_say_so_on_every_page(visit):
    for name in PAGES:
        page = visit.open(f"{name}.html")
        assert page.locator(".lounge-synthetic").is_visible()
        assert page.locator("#manual h2").inner_text() == "使い方"


def test_what_is_on_the_screen_is_saved_as_a_table(visit, release):
    import polars as pl

    table = pl.read_parquet(release.path / "tables/foreigners_nationality_ward.parquet")
    now = table.filter(
        (pl.col("period") == "2025-12") & (pl.col("status") == "suppressed") & (pl.col("area") != "28100")
    )
    area = now["area"][0]
    page = visit.open(f"ward_population.html?area={area}")
    visit.wait_for("area", area)
    figure = page.locator("figure", has=page.locator("figcaption", has_text="国籍・地域別")).first
    with page.expect_download() as saving:
        figure.get_by_role("button", name="CSVで保存").click()
    saved = Path(saving.value.path()).read_bytes()
    assert saved.startswith(b"\xef\xbb\xbf") and saving.value.suggested_filename.endswith(".csv")
    frame = pl.read_csv(saved, infer_schema=False)
    labels = pl.read_parquet(release.path / "tables/dim_nationality.parquet").select("code", "label")
    expected = table.filter((pl.col("period") == "2025-12") & (pl.col("area") == area)).join(
        labels, left_on="nationality", right_on="code"
    )
    shown = {row["label"]: "X" if row["status"] == "suppressed" else str(row["value"]) for row in expected.to_dicts()}
    found = dict(frame.select(frame.columns[:2]).iter_rows())
    assert found and found.items() <= shown.items() and "X" in found.values()


def test_a_chart_is_saved_as_a_picture(visit):
    page = visit.open("ward_population.html")
    figure = page.locator("figure", has=page.locator(".lounge-canvas")).first
    figure.scroll_into_view_if_needed()
    with page.expect_download() as saving:
        figure.get_by_role("button", name="画像で保存").click()
    picture = Path(saving.value.path()).read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000
    assert int.from_bytes(picture[16:20], "big") == 2400
