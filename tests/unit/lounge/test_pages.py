"""What an author writes is checked, with the file, the line and what to do."""

from __future__ import annotations

import pytest

from kobe_platform.errors import ConfigurationError, LoungeError
from kobe_platform.lounge.audiences import load_audiences
from kobe_platform.lounge.coherence import check_page
from kobe_platform.lounge.pages import PORTAL, load_pages
from tests.unit.lounge.conftest import PROJECT

QUERY = "\n```sql people\nSELECT period, area, value, status FROM population_ward\n```\n\n"


def failure(folder) -> LoungeError:
    with pytest.raises(LoungeError) as caught:
        for page in load_pages(folder).values():
            check_page(page)
    return caught.value


def test_a_page_names_the_published_tables_that_it_reads(write_page):
    body = (
        "\n```sql a\nWITH w AS (SELECT * FROM dim_ward) "
        "SELECT p.* FROM population_ward p JOIN w ON w.code = p.area\n```\n"
        "\n```sql b\nSELECT * FROM ${a} WHERE period IN (SELECT max(period) FROM mean_age)\n```\n"
    )
    page = load_pages(write_page(body))["people"]
    assert page.tables == ("mean_age", "population_ward")
    assert page.queries[1].uses == ("a",)


def test_the_portal_comes_first_and_pages_keep_their_order(write_page):
    assert next(iter(load_pages(write_page(QUERY)))) == "index"


@pytest.mark.parametrize(
    ("line", "changed", "code", "at_line"),
    [
        ("audience: staff", "audience: nobody", "page.front_matter", 6),
        ("audience: staff\n", "", "page.front_matter", 1),
        ("category: 人口", "category: 天気", "page.front_matter", 4),
        ("usage: [地域の特徴]", "usage: [占い]", "page.front_matter", 5),
        ("title: 人口の画面", 'title: "<script>alert(1)</script>"', "page.front_matter", 2),
        ("owner: 政策課", "onwer: 政策課", "page.front_matter", 7),
        ("manual: manual.md", "manual: ../pages/index.md", "page.front_matter", 9),
        ("manual: manual.md", "manual: missing.md", "page.front_matter", 9),
        ("manual: manual.md", "manual: manual.md\nupdated_from: [mean_age]", "page.front_matter", 10),
    ],
)
def test_front_matter_is_refused_at_its_line(write_page, line, changed, code, at_line):
    folder = write_page(QUERY)
    path = folder / "pages/people.md"
    path.write_text(path.read_text().replace(line, changed, 1))
    error = failure(folder)
    assert (error.code, error.at["file"], error.at["line"]) == (code, "people.md", at_line)
    assert error.remedy


@pytest.mark.parametrize(
    ("body", "code", "line", "suggestion"),
    [
        ("<LineCart data={people} x=period y=value title=a/>", "page.unknown_tag", 16, "<LineChart>"),
        ("<LineChart data={peple} x=period y=value title=a/>", "page.attribute", 16, "people"),
        ("<LineChart data={people} x=period y=value titel=a/>", "page.attribute", 16, "title"),
        ("<LineChart data={people} x=period title=a/>", "page.attribute", 16, "y="),
        ("<LineChart data={people} x=period y=value title=a filter=ward/>", "page.attribute", 16, "none"),
        ("<Grid cols=5></Grid>", "page.attribute", 16, "4"),
        ("<LineChart data={people} x=period y=value title=a fmt=1.5/>", "page.attribute", 16, "±人"),
        ("<Grid>\n\ntext", "page.unclosed", 16, "</Grid>"),
        ("text\n\n</Grid>", "page.nesting", 18, "nesting"),
        ("<script>alert(1)</script>", "page.html", 16, "Markdown"),
        ('<img src=x onerror="alert(1)">', "page.html", 16, "Markdown"),
        ("<br onclick=alert(1)>", "page.html", 16, "Markdown"),
        ("<!DOCTYPE html>", "page.malformed", 16, "&lt;"),
        ("[click](javascript:alert(1))", "page.link", 16, "lounge"),
        ("[out](https://example.invalid/)", "page.link", 16, "lounge"),
        ("![x](//example.invalid/x.png)", "page.link", 16, "lounge"),
        ("<https://example.invalid/>", "page.html", 16, "Markdown"),
        ("[x]: https://example.invalid/\n", "page.link", 16, "lounge"),
    ],
)
def test_a_wrong_body_is_refused_at_its_line_with_a_suggestion(write_page, body, code, line, suggestion):
    error = failure(write_page(QUERY + body))
    assert (error.code, error.at["line"]) == (code, line)
    assert suggestion in error.remedy


def test_markdown_code_may_show_tags(write_page):
    folder = write_page(QUERY + "`<script>` and\n\n```\n<Nothing here>\n```\n")
    check_page(load_pages(folder)["people"])


def test_manuals_may_not_hold_html_either(write_page):
    folder = write_page(QUERY)
    (folder / "manuals/manual.md").write_text("text\n\n<iframe src=x></iframe>\n")
    error = failure(folder)
    assert (error.code, error.at["file"], error.at["line"]) == ("page.html", "manuals/manual.md", 3)


def test_the_projects_own_pages_are_well_formed():
    pages = load_pages(PROJECT / "dashboards")
    for page in pages.values():
        check_page(page)
    assert set(pages) == {path.stem for path in (PROJECT / "dashboards" / "pages").glob("*.md")}
    assert PORTAL in pages and len(pages) > 1


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ('[staff]\nlabel = "職員"\ninclude = ["policy"]', "a key that nothing reads"),
        ('[staff]\nlabel = "職員"\nincludes = ["nobody"]', "an audience that is not listed"),
        ('[staff]\nlabel = "職員"\nincludes = "policy"', "a text for a list"),
        ('[staff]\nlabel = "職員"\nname = "policy"', "the name that the table has"),
        ("[staff]\nincludes = []", "no label"),
        ('staff = "職員"', "no table"),
    ],
)
def test_an_audience_with_a_fault_is_refused_by_name(tmp_path, table, names):
    (tmp_path / "audiences.toml").write_text(f'{table}\n[policy]\nlabel = "政策課"\n', "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_audiences(tmp_path)
    assert (caught.value.code, caught.value.at["audience"]) == ("audience.incomplete", "staff"), names
