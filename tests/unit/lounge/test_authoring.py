"""What authors write and what is wrong with it: formats, cascades, tables, comparisons, downloads."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.components import COMPONENTS
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.eras import era_label
from kobe_platform.lounge.explanations import UNEXPLAINED, explain
from kobe_platform.lounge.formats import format_fault
from kobe_platform.lounge.headers import manual_html
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.slices import Comparison, matrices
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.lounge.tags import Tag, walk
from kobe_platform.lounge.workshop.new import write_new

ON_THE_SITE = {
    "Notices",
    "Newest",
    "Catalogue",
    "Favourites",
    "Links",
    "Related",
    "Forecast",
    "ModelCards",
    "UsualState",
    "Courses",
}
ERAS = [
    ("2025-07", "令和7年7月"),
    ("2019-05", "令和元年5月"),
    ("2019-04-30", "平成31年4月30日"),
    ("2019-05-01", "令和元年5月1日"),
    ("2019", "平成31年・令和元年"),
    ("1989-01", "平成元年1月"),
    ("1926-12-24", "大正15年12月24日"),
    ("1873", "明治6年"),
    ("1872", "1872"),
    ("総数", "総数"),
]
WARDS = "```sql wards\nSELECT code AS ward, label FROM dim_ward WHERE level = 1\n```\n"
ONE_WARD = "SELECT code AS area, label, parent FROM dim_district WHERE parent = '28101'"
UPPER = "<Dropdown name=ward data={wards} value=ward label=label title=区/>\n"
LOWER = "<Dropdown name=district parent=ward data={below} value=area label=label title=校区/>\n"


@pytest.mark.parametrize(("code", "text"), ERAS)
def test_periods_read_in_eras(code, text):
    assert era_label(code) == text


@pytest.mark.parametrize("code", ["", "人", "±人", "0.0%", "±", "0.00", "±0.0歳", "世帯"])
def test_known_formats_are_taken(code):
    assert format_fault(code) == ""


@pytest.mark.parametrize(
    ("code", "hint"), [("xyz", "write a unit"), ("世滞", "世帯"), ("1.5", "write a unit"), ("和暦", "periods")]
)
def test_anything_else_is_refused_with_what_to_do(code, hint):
    assert hint in format_fault(code)


def body_of(sql: str, tag: str) -> str:
    return f"```sql q\n{sql}\n```\n\n{tag}\n"


CHART = '<LineChart data={{q}} x=period y=value filter="" title=人口 fmt={fmt}/>'
TOTALS = (
    "SELECT period, value, status FROM population_ward WHERE area = '28100' AND age = 'total' AND sex = 'total' "
    "ORDER BY period"
)


def test_an_unknown_format_stops_the_page_unless_the_page_declares_the_unit(write_page, tables, tmp_path):
    folder = write_page(body_of(TOTALS, CHART.format(fmt="頭")))
    with pytest.raises(LoungeError) as caught:
        compile_page(load_pages(folder)["people"], tables, tmp_path / "out")
    assert (caught.value.code, caught.value.at["line"]) == ("page.attribute", 15)
    path = folder / "pages/people.md"
    path.write_text(path.read_text("utf-8").replace("manual: manual.md", "manual: manual.md\nunits: [頭]"), "utf-8")
    compile_page(load_pages(folder)["people"], tables, tmp_path / "out")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (WARDS + LOWER.replace("{below}", "{wards}").replace("value=area", "value=ward") + UPPER, "page.cascade"),
        (WARDS + UPPER + body_of("SELECT code AS area, label FROM dim_district", LOWER), "page.cascade"),
        (WARDS + UPPER + body_of("SELECT code AS area, label, 'y' AS parent FROM dim_district", LOWER), "page.cascade"),
        (
            WARDS + UPPER + body_of(ONE_WARD, LOWER),
            "page.cascade",
        ),
        (body_of(TOTALS, "<Download title=a/>"), "page.download"),
        (body_of(TOTALS, '<Download chart="ない図"/>'), "page.download"),
        (body_of(TOTALS, "<Download data={q} title=a as=png/>"), "page.attribute"),
        (body_of(TOTALS, "{q.period fmt=xyz}"), "page.value"),
        (body_of(TOTALS, "<BigValue data={q} value=value date=period compare=week title=a/>"), "page.attribute"),
    ],
)
def test_what_does_not_fit_together_is_told_in_japanese(write_page, tables, tmp_path, body, code):
    body = body.replace("sql q", "sql below").replace("{q", "{below") if "below" in body else body
    with pytest.raises(LoungeError) as caught:
        compile_page(load_pages(write_page(body))["people"], tables, tmp_path / "out")
    assert caught.value.code == code and caught.value.at["line"] > 10
    assert UNEXPLAINED not in explain(caught.value)


def test_a_difference_of_a_hidden_figure_is_never_shown():
    frame = pl.DataFrame(
        {
            "m": ["2024-01", "2024-02", "2025-01", "2025-02"],
            "v": [5, None, 9, 12],
            "v_status": ["published", "suppressed", "published", "published"],
            "w": [1, 1, None, 2],
            "w_status": ["published", "published", "suppressed", "published"],
        }
    )
    compared = [Comparison("前月比", lag=1), Comparison("前年同月比", lag=12), Comparison("差", column="w")]
    values, month, year, other = matrices(frame, x="m", y="v", compared=compared)[""].cells[""]
    assert (values[:3], values[12:]) == ([5, "X", None], [9, 12])
    assert (month[:3], month[12:]) == ([None, "X", "X"], [None, 3])
    assert year[12:] == [4, "X"]
    assert (other[:2], other[12:]) == ([4, "X"], ["X", 10])


def test_total_rows_come_first_and_the_mark_is_not_shown(write_page, tables, tmp_path):
    sql = (
        "SELECT period, area_label AS 地域, area_level = 0 AS 計, value AS 人口, status FROM population_ward "
        "WHERE age = 'total' AND sex = 'total' AND period = '2025-12' ORDER BY area_sort DESC"
    )
    folder = write_page(body_of(sql, '<DataTable data={q} total=計 title=一覧 fmt="period:和暦 人口:人"/>'))
    compile_page(load_pages(folder)["people"], tables, tmp_path / "out")
    (slice_file,) = (tmp_path / "out/data/people").iterdir()
    record = json.loads(slice_file.read_text("utf-8"))["c1"]
    assert record["t"] == {"": 1} and record["v"][""][0][1] == "神戸市" and len(record["v"][""][0]) == 3
    text = (tmp_path / "out/people.md").read_text("utf-8")
    assert text.index('<tbody class="lounge-totals"><tr><td>令和7年12月</td><td>神戸市') < text.index("lounge-rows")
    assert "人口（人）" in text


def test_a_manual_tells_method_share_of_hidden_cells_and_engine(write_page):
    page = load_pages(write_page(""))["people"]
    facts = {"method": "suppression", "engine_version": "1.4", "minimum_frequency": 10}
    rows = {"period": ["2025-12"] * 8, "value": [None, *[20] * 7], "status": ["suppressed", *["published"] * 7]}
    frame = pl.DataFrame(rows)
    html = manual_html(page, [TableFacts.of("t", frame, {**facts, "dimensions": {}})], synthetic=False)
    row = html[html.index("<tbody>") : html.index("</tbody>")]
    for told in ("10未満", "セルの秘匿（X）", "1 / 8", "12.5%", "1.4"):
        assert f"<td>{told}</td>" in row


def test_the_gallery_shows_every_component_and_passes_every_check(dashboards, tables, tmp_path):
    write_new(dashboards, "見本", "gallery", owner="政策課", application="", today=date(2026, 1, 9), gallery=True)
    page = load_pages(dashboards)["gallery"]
    used = {node.name for node in walk(page.nodes) if isinstance(node, Tag)}
    assert set(COMPONENTS) - ON_THE_SITE - used == set()
    compile_page(page, tables, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "key", "told"),
    [
        ("category:", "catgory:", "catgory", "category"),
        ("title:", "titel:", "titel", "title"),
        ("audience: staff", "audience: stuff", "audience", "staff"),
        ("title: 人口の画面", "title: [a, b]", "title", "文字"),
        ("owner:", "order: abc\nowner:", "order", "整数"),
        ("owner:", "published: 2026-13-45\nowner:", "published", "年月日"),
        ("usage: [地域の特徴]", "usage: 12", "usage", "並べて"),
        ("owner:", "owner: 別の課\nowner:", "owner", "二度"),
        ("owner:", "category: [\nowner:", "syntax", ""),
        ("title:", "- title:", "syntax", ""),
    ],
)
def test_a_wrong_key_is_one_fault_with_its_line_and_what_to_write(write_page, tables, old, new, key, told):
    """Whatever an author misspells, the check goes on to the end and does not tell what only follows from it."""
    folder = write_page(body_of(TOTALS, "<BigValue data={q} value=value date=period title=a/>"))
    path = folder / "pages/people.md"
    text = path.read_text("utf-8").replace(old, new, 1)
    path.write_text(text, "utf-8")
    with ReleaseDatabase(tables) as database:
        (fault,) = check_folder(folder, {"population": "public"}, database).faults
    assert (fault.code, fault.at["key"]) == ("page.front_matter", key)
    stands = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key}:")]
    assert fault.at["line"] in stands or key == "syntax"
    assert told in explain(fault) + fault.remedy and UNEXPLAINED not in explain(fault)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("\n```\n", "\n\n", "page.fence"),  # the query of a fence that is not closed is not missed as well
        ("title=a", "title=”a”", "page.attribute"),
        ("owner:", "\towner:", "page.front_matter"),  # nor is the number of an application that cannot be read
        ("owner:", "aplication: R7-0001\nowner:", "page.front_matter"),
    ],
)
def test_one_slip_is_told_once(write_page, tables, old, new, code):
    folder = write_page(body_of(TOTALS, "<BigValue data={q} value=value date=period title=a/>"))
    path = folder / "pages/people.md"
    path.write_text(path.read_text("utf-8").replace("\napplication: R7-0001", "").replace(old, new, 1), "utf-8")
    with ReleaseDatabase(tables) as database:
        told = {fault.code for fault in check_folder(folder, {"population": "cells"}, database).faults}
    assert code in told and told <= {code, "page.attribute"}


def test_an_author_may_ask_of_one_page_and_hears_of_it_whatever_is_wrong_elsewhere(write_page, tables):
    body = body_of(TOTALS, "<BigValue data={q} value=value date=period title=a/>")
    folder = write_page(body)
    write_page(body.replace("<BigValue", "<BigValeu"), "other", "ほかの画面")
    for name, day, more in (("people", "2026-02-02", "related: [othr]\n"), ("other", "2026-01-01", "")):
        path = folder / f"pages/{name}.md"
        told = path.read_text("utf-8").replace("ほかの画面", "人口の画面")
        path.write_text(told.replace("owner:", f"published: {day}\n{more}owner:", 1), "utf-8")
    with ReleaseDatabase(tables) as database:
        checked = check_folder(folder, {"population": "public"}, database)
    assert {fault.code for fault in checked.of(["other"]).faults} == {"page.unknown_tag"}
    mine = checked.of(["pages/people.md"])
    assert (mine.pages, [fault.code for fault in mine.faults]) == (1, ["page.title", "page.front_matter"])
    assert "other" in mine.faults[1].remedy and checked.of([]) is checked
    with ReleaseDatabase(tables) as database:
        ran, run = [], database.run
        database.run = lambda queries, *rest: (ran.append(queries[0].file), run(queries, *rest))[1]
        alone = check_folder(folder, {"population": "public"}, database, ["pages/people.md"]).of(["people"])
    assert [str(one) for one in alone.faults] == [str(one) for one in mine.faults] and set(ran) == {"people.md"}


def test_a_manuals_faults_are_those_of_its_page_not_of_one_that_has_its_name(write_page, tables):
    body = body_of(TOTALS, "<BigValue data={q} value=value date=period title=a/>")
    folder = write_page(body)
    write_page(body, "manual", "別の画面")
    path = folder / "pages/manual.md"
    path.write_text(path.read_text("utf-8").replace("manual: manual.md", "manual: other.md"), "utf-8")
    (folder / "manuals/other.md").write_text("- 一\n", "utf-8")
    (folder / "manuals/manual.md").write_text("- 一\n\n[区](nowhere.html)\n", "utf-8")
    with ReleaseDatabase(tables) as database:
        checked = check_folder(folder, {"population": "public"}, database)
    (fault,) = checked.of(["people"]).faults
    assert fault.at == {"file": "manuals/manual.md", "line": 3}
    assert checked.of(["manual"]).faults == ()
    with pytest.raises(LoungeError, match="people"):
        checked.of(["poeple"])
