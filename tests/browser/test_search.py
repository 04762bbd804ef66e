"""The portal's search in Chromium: areas, readings and labels lead to figures, and pages open with the choice."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


def search(visit, text: str):
    page = visit.open("index.html")
    page.fill("#catalogue-search", text)
    page.wait_for_selector(".lounge-results a")
    return page


@pytest.mark.parametrize("text", ["垂水区 人口", "たるみ　じんこう", "垂水区人口"])
def test_an_area_and_a_word_give_the_published_figure_and_open_the_page_with_that_choice(visit, text):
    page = search(visit, text)
    expect(page.locator(".lounge-results a").first).to_have_text(re.compile(r"垂水区 住民基本台帳人口\s*[\d,]+人"))
    first = page.locator(".lounge-results a", has_text="区別の人口").filter(has_not_text="小学校区").first
    expect(first).to_have_text(re.compile(r"垂水区 住民基本台帳人口\s*[\d,]+人 \d{4}年\d+月"))
    figure = re.search(r"([\d,]+)人", first.inner_text())[1]
    first.click()
    visit.wait_for("area", "28108")
    assert "area=" in page.url
    assert page.locator("#c1 .lounge-figure").inner_text().startswith(figure), "the figure is the page's own"
    assert visit.faults == []


def test_a_label_and_a_synonym_lead_to_their_chart(visit):
    page = search(visit, "べとなむ")
    expect(page.locator(".lounge-results li").first).to_contain_text("ベトナム")  # with its figure, which comes later
    expect(page.locator(".lounge-count")).to_have_text(re.compile(r"^\d+件中 [1-9]\d*件、図と数値 [1-9]件$"))
    assert page.is_hidden(".lounge-catalogue > .lounge-empty"), "its page's card is shown too"
    page.fill("#catalogue-search", "こうれいか")
    expect(page.locator(".lounge-results")).to_contain_text("65歳以上")


def test_a_hidden_figure_is_x_with_its_words_and_never_a_number(visit):
    page = visit.open("index.html")
    page.route(
        "**/data/**/*.json",
        lambda route: route.fulfill(body=re.sub(r"(?<=[\[,])\d+(?=[\],])", '"X"', route.fetch().text())),
    )
    page.fill("#catalogue-search", "垂水区 人口")
    expect(page.locator(".lounge-results")).to_contain_text("「X」")
    figure = page.locator(".lounge-result__figure", has_text="「X」").first
    expect(figure).to_contain_text("秘匿した値です")
    assert not re.search(r"\d+人", figure.inner_text())
    page.unroute_all(behavior="wait")  # a file that is still being answered would end with an error in the next test


def test_nothing_is_loaded_before_somebody_searches_and_nothing_found_is_no_list(visit):
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.open("index.html")
    assert not any("search.json" in url or "results" in url for url in asked)
    with page.expect_response("**/search.json"):
        page.fill("#catalogue-search", "ナイコトバ")
    page.wait_for_timeout(300)
    assert not page.is_visible(".lounge-results")


def test_the_list_of_results_has_no_serious_finding(visit):
    search(visit, "垂水")
    assert visit.violations() == []


SCRIPT = "**/assets/lounge/lounge-*.js"
ANSWER = re.compile(r"垂水区 住民基本台帳人口\s*[\d,]+人")


@pytest.mark.parametrize("late", ["**/search.json", "**/catalogue.json", "**/assets/lounge/results-*.js", SCRIPT])
def test_words_typed_before_what_answers_them_is_there_wait_for_it(visit, late):
    """A reader types as soon as there is a box; the index, the catalogue or the code comes afterwards."""
    page, held = visit.page, []
    page.route(late, lambda route: held.append(route))
    page.goto(f"{visit.site}/index.html", wait_until="commit")
    box = page.locator("#catalogue-search" if late == SCRIPT else ".js #catalogue-search")
    if late == SCRIPT:  # the box is hidden until then; words that stand in it all the same are a browser's
        box.evaluate("(box) => { box.value = '垂水区 人口'; }")
    else:
        box.press_sequentially("垂水区 人口", delay=20)
    visit.wait_until(lambda: held)  # the case is none without something that is late
    for route in held:
        route.continue_()
    expect(page.locator(".lounge-results a").first).to_have_text(ANSWER)
    expect(page.locator(".lounge-count")).to_have_text(re.compile(r"^\d+件中 [1-9]\d*件、図と数値 [1-9]件$"))


def test_an_index_that_did_not_come_is_asked_for_again_while_the_words_stand(visit):
    page, asked = visit.page, []

    def once(route):
        asked.append(route)
        route.abort() if len(asked) == 1 else route.continue_()

    page.route("**/search.json", once)
    page.goto(f"{visit.site}/index.html")
    page.fill("#catalogue-search", "垂水区 人口")
    expect(page.locator(".lounge-results a").first).to_have_text(ANSWER)
    assert len(asked) == 2
