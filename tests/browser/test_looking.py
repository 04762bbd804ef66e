"""Looking closer in real Chromium: the flows of one area, the districts of a ward in place, and the way back."""

from __future__ import annotations

from tests.browser.tabs import Visit


def figure(page, title: str):
    return page.locator("figure", has=page.locator("figcaption", has_text=title)).first


FAINT = "f => [...f.querySelectorAll('svg path')].filter((p) => p.getAttribute('fill-opacity') === '0.06').length"


def test_the_largest_flows_are_drawn_and_those_of_one_area_stand_out(visit):
    page = visit.open("ward_moves.html")
    flows = figure(page, "区から区への流れ")
    flows.scroll_into_view_if_needed()
    flows.locator("svg path").first.wait_for(state="attached")
    assert "大きい順に20本を描いています。" in "".join(flows.locator("svg text").all_text_contents())
    assert flows.evaluate(FAINT) == 0
    flows.get_by_role("button", name="西区").press("Enter")
    page.wait_for_function(f"f => ({FAINT})(f) > 0", arg=flows.element_handle())
    assert ".of=" in page.url
    assert visit.violations() == [] and visit.faults == []
    page.go_back()
    page.wait_for_function(f"f => ({FAINT})(f) === 0", arg=flows.element_handle())


def test_a_ward_opens_to_its_districts_in_place_and_the_way_leads_back(visit):
    page = visit.open("district_population.html")
    bars = figure(page, "区から小学校区へ")
    bars.scroll_into_view_if_needed()
    bars.locator("svg path").first.wait_for(state="attached")
    names = "f => [...f.querySelectorAll('svg text')].map((t) => t.textContent)"
    bars.locator("svg text", has_text="北区").first.click()
    page.wait_for_function(f"f => !({names})(f).includes('北区')", arg=bars.element_handle())
    assert bars.locator("nav li").all_inner_texts() == ["神戸市", "北区"]
    assert page.get_by_role("radio").count() == 0 and visit.shown()["area"] == "28100", "no choice of the page changed"
    page.reload()
    page.wait_for_load_state("networkidle")
    assert bars.locator("nav li").all_inner_texts() == ["神戸市", "北区"], "the address holds it"
    bars.get_by_role("button", name="神戸市").press("Enter")
    page.wait_for_function(f"f => ({names})(f).includes('北区')", arg=bars.element_handle())
    bars.locator("nav select").select_option("灘区")
    page.wait_for_function(f"f => !({names})(f).includes('北区')", arg=bars.element_handle())
    assert visit.violations() == [] and visit.faults == []


def test_a_tile_and_a_row_open_their_ward(visit):
    page = visit.open("district_population.html")
    tiles = figure(page, "区の地図")
    tiles.get_by_role("button", name="北区：").press("Enter")
    tiles.locator(".lounge-map__box").wait_for(state="hidden")
    assert "北区" not in tiles.locator("tbody").inner_text() and tiles.locator("tbody tr").count() > 1
    page.go_back()
    tiles.locator(".lounge-map__box").wait_for(state="visible")
    page = visit.open("district_foreigners.html")
    table = figure(page, "区から小学校区へ")
    table.get_by_role("button", name="灘区の内訳を見る", exact=True).click()
    table.locator("nav li", has_text="灘区").wait_for()
    assert table.locator(".lounge-opens").count() == 0
    assert visit.violations() == [] and visit.faults == []


def test_nine_small_charts_stand_in_rows_of_three_and_are_low_on_a_phone(browser, site):
    found = {}
    for width in (1280, 390):
        tab = Visit(browser, site, width)
        page = tab.open("long_trends.html")
        small = figure(page, "各区の推計人口の推移")
        small.scroll_into_view_if_needed()
        small.locator(".lounge-panel svg path").first.wait_for(state="attached")
        places = small.locator(".lounge-panel").evaluate_all(
            "all => all.map((p) => p.getBoundingClientRect().toJSON())"
        )
        found[width] = len({round(one["left"]) for one in places}), max(one["height"] for one in places)
        tab.context.close()
    assert found[1280][0] == 3, "nine wards leave no row with one alone"
    assert found[390][0] == 1 and found[390][1] < 210 < found[1280][1]


def test_on_a_phone_the_heads_of_the_sources_are_one_line(browser, site):
    """Heads that lie beside the window were broken into three lines: the row that a reader sees was high and empty."""
    tab = Visit(browser, site, 390)
    page = tab.open("staff_training.html")
    assert page.locator(".lounge-sources thead tr").evaluate("row => row.offsetHeight") < 45
    tab.context.close()
