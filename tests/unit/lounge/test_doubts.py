"""What an author hardly means is told with its line and a suggestion, and stops nothing but a draft's release."""

from __future__ import annotations

from datetime import date

import pytest

from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.explanations import UNEXPLAINED, explain
from kobe_platform.lounge.release import assemble
from kobe_platform.lounge.workshop.new import write_new
from tests.unit.lounge.test_workshop import KINDS

PEOPLE = "```sql people\nSELECT period, value AS 人口, status\nFROM population_ward WHERE {}\n```\n"


def checked(dashboards, tables):
    with ReleaseDatabase(tables) as database:
        return check_folder(dashboards, KINDS, database)


def told(found):
    assert all(explain(one) != UNEXPLAINED for one in found)
    return [(one.code, one.at["line"], one.remedy) for one in found]


@pytest.mark.parametrize(
    ("condition", "code", "remedy"),
    [
        ("area = '28101' AND sex = 'totl'", "query.value", "did you mean total?"),
        ("'totl' = sex", "query.value", "did you mean total?"),
        ("area_label IN ('東灘区', '東なだ区')", "query.value", "did you mean 東灘区?"),
        ("period = '1900-01'", "query.value", "there are: "),
        ("value < 0", "query.empty", "look at its conditions"),
    ],
)
def test_a_condition_that_no_row_meets_is_told_with_the_nearest_value(write_page, tables, condition, code, remedy):
    found = checked(write_page(PEOPLE.format(condition)), tables)
    assert found.faults == ()
    ((found_code, line, found_remedy),) = told(found.doubts)
    assert (found_code, found_remedy.startswith(remedy)) == (code, True)
    assert line == (13 if code == "query.value" else 12)


@pytest.mark.parametrize("condition", ["area = '28101'", "area_label = '東灘区' OR sex IN ('total', 'male')", "true"])
def test_conditions_that_rows_meet_are_no_doubt(write_page, tables, condition):
    assert checked(write_page(PEOPLE.format(condition)), tables).doubts == ()


def test_a_page_with_a_draft_for_a_manual_is_told_and_enters_no_release(dashboards, city, tables, tmp_path):
    page, manual = write_new(dashboards, "人口", "drafted", owner="政策課", application="R7-1", today=date(2026, 1, 9))
    page.write_text(page.read_text("utf-8").split("```sql")[0] + "文だけの画面です。\n", "utf-8")
    ((code, _, _),) = told(checked(dashboards, tables).doubts)
    assert code == "page.draft"
    assert "drafted" not in assemble(*city, dashboards, tmp_path / "releases").pages
    manual.write_text("- **人口**: 月末の数です。\n", "utf-8")
    assert checked(dashboards, tables).doubts == ()
    assert "drafted" in assemble(*city, dashboards, tmp_path / "releases").pages


def test_one_place_in_the_lists_for_two_pages_is_told(write_page, dashboards, tables):
    for slug in ("one", "two"):
        write_page("文", slug, title=slug)
        path = dashboards / f"pages/{slug}.md"
        path.write_text(path.read_text("utf-8").replace("manual:", "order: 7\nmanual:"), "utf-8")
    ((code, line, remedy),) = told(checked(dashboards, tables).doubts)
    assert (code, line) == ("page.order", 9) and remedy.startswith("one.md has the same order")


def test_a_file_in_another_encoding_has_one_fault(write_page, dashboards, tables):
    path = write_page("文\n") / "pages/people.md"
    text = path.read_text("utf-8")
    path.write_bytes(text.encode("cp932"))
    assert told(checked(dashboards, tables).faults) == [("page.encoding", 2, "save it in the editor as UTF-8")]
    path.write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    assert checked(dashboards, tables).faults == (), "editors of Windows begin a file with a mark"
    (dashboards / "manuals/manual.md").write_bytes("人口".encode("cp932"))
    assert {code for code, _, _ in told(checked(dashboards, tables).faults)} == {"page.encoding"}


@pytest.mark.parametrize("key", ["catgory", "Category", "ＣＡＴＥＧＯＲＹ", "CATEGORIE"])
def test_a_misspelt_key_is_one_fault_with_the_key_that_was_meant(write_page, dashboards, tables, key):
    path = write_page("文\n") / "pages/people.md"
    path.write_text(path.read_text("utf-8").replace("category:", f"{key}:"), "utf-8")
    assert told(checked(dashboards, tables).faults) == [("page.front_matter", 4, "did you mean category?")]
