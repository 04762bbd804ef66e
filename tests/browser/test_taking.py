"""What readers take away, opened as its readers open it: numbers are numbers, 「X」 stands beside them."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import polars as pl
import pytest
from pptx import Presentation

from tests.browser.test_charts import CUT

NATIONS = "国籍・地域別"


@pytest.fixture
def hidden_area(release) -> str:
    """An area with a hidden figure of a nationality in the last month."""
    table = pl.read_parquet(release.path / "tables/foreigners_nationality_ward.parquet")
    now = table.filter(pl.col("period") == "2025-12", pl.col("status") == "suppressed", pl.col("area") != "28100")
    return now["area"][0]


def expected_of(release, area: str) -> dict[str, int | str]:
    """Label → published figure, or 「X」."""
    table = pl.read_parquet(release.path / "tables/foreigners_nationality_ward.parquet")
    labels = pl.read_parquet(release.path / "tables/dim_nationality.parquet").select("code", "label")
    now = table.filter(pl.col("period") == "2025-12", pl.col("area") == area)
    rows = now.join(labels, left_on="nationality", right_on="code").to_dicts()
    return {row["label"]: "X" if row["status"] == "suppressed" else row["value"] for row in rows}


def taken(page, place, menu: str, form: str) -> tuple[Path, str]:
    """A file that a form of a menu saves, and its name."""
    place.get_by_role("button", name=menu).click()
    with page.expect_download() as saving:
        place.get_by_role("button", name=form).click()
    return Path(saving.value.path()), saving.value.suggested_filename


def nations(visit, area: str):
    page = visit.open(f"ward_population.html?area={area}")
    visit.wait_for("area", area)
    return page, page.locator("figure", has=page.locator("figcaption", has_text=NATIONS)).first


def test_a_workbook_holds_the_published_numbers_and_the_x_apart(visit, release, hidden_area, tmp_path):
    page, figure = nations(visit, hidden_area)
    path, name = taken(page, figure, "ほかの形式", "Excel")
    label = page.locator("#filter-area :checked, [data-filter=area] :checked").first.evaluate(
        "i => i.labels[0].textContent"
    )
    assert name.endswith(".xlsx") and label in name
    (tmp_path / name).write_bytes(path.read_bytes())
    sheet = openpyxl.load_workbook(tmp_path / name).worksheets[0]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    head = next(number for number, row in enumerate(rows) if any(str(text).endswith("（秘匿）") for text in row))
    told = "\n".join(str(row[0]) for row in rows[:head] if row and row[0])
    assert NATIONS in told and "出典：" in told and "第1版" in told and "「X」" in told and "?area=" in told
    found = {row[0]: row[2] or row[1] for row in rows[head + 1 :]}
    assert all(isinstance(row[1], int | None) for row in rows[head + 1 :])
    expected = expected_of(release, hidden_area)
    assert found and found.items() <= expected.items() and "X" in found.values()
    assert visit.faults == []


def test_the_whole_page_is_one_workbook(visit):
    page = visit.open("ward_population.html?area=灘区")
    visit.wait_for("area", "28102")
    path, name = taken(page, page.locator(".lounge-actions"), "保存・引用", "すべての図をExcelで")
    shown = page.locator(".lounge-forms").count() - 1
    book = openpyxl.load_workbook(path.rename(path.with_suffix(".xlsx")))
    assert len(book.worksheets) == shown > 3 and "灘区" in name
    assert all(cell.data_type != "f" for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)
    assert visit.faults == []


def test_a_slide_holds_a_chart_that_can_be_edited(visit, release, hidden_area):
    page, figure = nations(visit, hidden_area)
    path, name = taken(page, figure, "ほかの形式", "PowerPoint")
    assert name.endswith(".pptx")
    (slide,) = Presentation(str(path)).slides
    (chart,) = [shape.chart for shape in slide.shapes if shape.has_chart]
    (series,) = chart.plots[0].series
    expected = expected_of(release, hidden_area)
    found = dict(zip(chart.plots[0].categories, series.values, strict=True))
    assert found and all(expected[label] == ("X" if value is None else value) for label, value in found.items())
    assert None in found.values()
    book = openpyxl.load_workbook(_embedded(chart))
    assert {cell.data_type for row in book.active.iter_rows() for cell in row} <= {"s", "n"}
    told = "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)
    hidden = next(label for label, value in found.items() if value is None)
    assert NATIONS in told and "出典：" in told and f"この図の秘匿：{hidden}" in told
    assert visit.faults == []


def _embedded(chart) -> io.BytesIO:
    return io.BytesIO(chart.part.chart_workbook.xlsx_part.blob)


def test_every_chart_of_a_page_is_a_slide_and_men_count_to_the_left(visit):
    page = visit.open("ward_population.html?area=灘区")
    visit.wait_for("area", "28102")
    page.locator("figure", has_text="各区の外国人住民の推移").scroll_into_view_if_needed()
    page.locator(".lounge-panel").first.wait_for()
    path, _ = taken(page, page.locator(".lounge-actions"), "保存・引用", "すべてのグラフをPowerPointで")
    slides = Presentation(str(path)).slides
    charts = [shape.chart for slide in slides for shape in slide.shapes if shape.has_chart]
    drawn = page.locator("figure:not(.lounge-scatter):not(:has(.lounge-panels)) .lounge-canvas, .lounge-panel").count()
    assert len(charts) == len(slides) == drawn, "no native points; small multiples are a slide each"
    pyramid = next(chart for chart in charts if "45〜49歳" in "".join(chart.plots[0].categories))
    men, women = pyramid.plots[0].series
    assert min(value for value in men.values if value is not None) < 0
    assert min(value for value in women.values if value is not None) >= 0
    assert visit.faults == []


def test_a_drawing_says_what_it_is_and_what_the_x_means(visit, hidden_area, release):
    page, figure = nations(visit, hidden_area)
    path, name = taken(page, figure, "ほかの形式", "SVG")
    drawing = ElementTree.fromstring(path.read_bytes())
    texts = [element.text or "" for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    told = "\n".join(texts)
    assert name.endswith(".svg") and NATIONS in texts[0] and "出典：" in told and "0ではありません" in told
    expected = expected_of(release, hidden_area)
    assert texts.count("X") == sum(expected[label] == "X" for label in expected if label in texts) > 0


def test_a_figure_is_named_by_the_choices_that_it_follows_and_by_no_other(visit):
    """Two charts of one page: one follows the district of its own chooser and no month, the other ward and month."""
    page = visit.open("monthly_moves.html")
    district = page.locator("figure", has=page.locator("figcaption", has_text="小学校区の転入・転出の推移"))
    _, name = taken(page, district, "ほかの形式", "Excel")
    chosen = district.evaluate("() => document.querySelector('[data-filter=district] :checked').textContent.trim()")
    assert chosen and name == f"小学校区の転入_転出の推移_{chosen}_2025年7月-2025年12月.xlsx"
    whole = page.locator("figure", has=page.locator("figcaption", has_text="相手の市町・地域別"))
    assert taken(page, whole, "ほかの形式", "Excel")[1] == "相手の市町_地域別_神戸市全体_2025年12月.xlsx"


def test_a_citation_and_the_address_are_copied(visit):
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.open("ward_population.html?area=灘区")
    visit.wait_for("area", "28102")
    head = page.locator(".lounge-actions")
    head.get_by_role("button", name="保存・引用").click()
    head.get_by_role("button", name="引用をコピー").click()
    head.get_by_text("コピーしました。").wait_for()
    told = page.evaluate("navigator.clipboard.readText()")
    assert told.startswith("【合成データ】神戸市データラウンジ「住基人口 区別の人口」（灘区") and "第1版" in told
    head.get_by_role("button", name="画面のURLをコピー").click()
    assert visit.copied(lambda text: text == page.url)


def test_what_writes_files_is_no_part_of_the_first_load(visit):
    loaded: dict[str, int] = {}
    page = visit.page
    page.on("requestfinished", lambda r: loaded.update({r.url: r.sizes()["responseBodySize"]}))
    visit.open("ward_population.html")
    assert not [url for url in loaded if "/slides-" in url or "/workbook-" in url or "/vector-" in url]
    first = sum(size for url, size in loaded.items() if url.endswith((".js", ".css")))
    assert 100_000 < first <= 300 * 1024, "as compressed on the way"


WRITES = """() => {
  window.written = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.written.push(text);
    return write.call(this, text, ...place);
  };
}"""


def test_saved_pictures_say_that_zero_is_not_on_their_axis(visit):
    page = visit.open("ward_population.html")
    figure = page.locator("figure", has=page.locator("figcaption", has_text="人口の推移")).first
    figure.scroll_into_view_if_needed()
    figure.locator("svg text", has_text=CUT).wait_for(state="attached")
    path, _ = taken(page, figure, "ほかの形式", "SVG")
    assert CUT in path.read_text("utf-8")
    page.evaluate(WRITES)
    with page.expect_download():
        figure.get_by_role("button", name="画像で保存").click()
    assert CUT in page.evaluate("window.written")
