"""A query joins the labels that it reads and no others; its rows are those of the whole view."""

from __future__ import annotations

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import labels
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.queries import parse_query
from kobe_platform.settings import Settings


def parse(sql: str):
    return parse_query("q", sql, "page.md", 1, ())


@pytest.fixture
def unread(tables):
    """What a query does not read of each table that it names."""
    with ReleaseDatabase(tables) as database:
        facts = database.facts
        yield lambda sql: {
            name: set(labels._unread(facts[name], parse(sql).names)) for name in parse(sql).tables if name in facts
        }


@pytest.mark.parametrize(
    ("sql", "left_out"),
    [
        ("SELECT period, area, value FROM population_ward", {"period", "area", "age", "sex"}),
        ("SELECT period_label, value FROM population_ward WHERE Age_Leaf ORDER BY sex_sort", {"area"}),
        ("SELECT p.area_label FROM population_ward p", {"period", "age", "sex"}),
        ("SELECT value FROM population_ward JOIN dim_ward d USING (area_label)", {"period", "age", "sex"}),
        ("SELECT * FROM population_ward", set()),
        ("SELECT p.* EXCLUDE (value) FROM population_ward p", set()),
        ("SELECT COLUMNS('area.*') FROM population_ward", set()),
        ("FROM population_ward", set()),
        ("SELECT p FROM population_ward p", set()),
        ("SELECT population_ward FROM population_ward", set()),
        ("SELECT a.value FROM population_ward a NATURAL JOIN population_ward b", set()),
        ("SELECT x.a FROM population_ward AS x(a, b, c, d, e, f, g, h)", set()),
        ("SELECT value FROM (SELECT * FROM population_ward)", set()),
        ("WITH w AS (SELECT area_label AS l, value FROM population_ward) SELECT l FROM w", {"period", "age", "sex"}),
    ],
)
def test_columns_that_a_query_does_not_name_are_not_joined(unread, sql, left_out):
    assert unread(sql) == {"population_ward": left_out}


def test_the_rows_are_those_of_the_whole_view(tables, monkeypatch):
    pages = load_pages(Settings.model_fields["dashboards"].default).values()
    with ReleaseDatabase(tables) as database:
        lean = {page.slug: database.run(page.queries) for page in pages}
        monkeypatch.setattr(labels, "_unread", lambda *given: frozenset())
        whole = {page.slug: database.run(page.queries) for page in pages}
    compared = 0
    for slug, results in whole.items():
        for name, rows in results.items():
            other = lean[slug][name]
            assert rows.schema == other.schema
            assert sorted(map(repr, rows.rows())) == sorted(map(repr, other.rows())), f"{slug} {name}"
            compared += rows.height > 0
    assert compared > 100


def test_a_wrong_column_is_told_with_those_that_there_are(tables):
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([parse("SELECT area_lable FROM population_ward")])
    assert caught.value.code == "query.failed" and "area_label" in caught.value.remedy


def test_a_view_of_one_query_is_not_that_of_the_next(tables):
    with ReleaseDatabase(tables) as database:
        first = parse_query("first", "SELECT value FROM population_ward LIMIT 1", "page.md", 1, ())
        second = parse_query("second", "SELECT * FROM population_ward LIMIT 1", "page.md", 1, ())
        assert "area_label" in database.run([first, second])["second"].columns


@pytest.mark.parametrize("many", ["max(a.value + b.value + c.value)", "a.value"])
def test_a_query_that_is_stopped_leaves_no_view_behind(tables, many):
    endless = parse_query(
        "endless",
        f"SELECT {many} AS m FROM population_district a, population_district b, population_district c",
        "page.md",
        1,
        (),
    )
    whole = parse_query("whole", "SELECT * FROM population_district LIMIT 1", "page.md", 1, ())
    with ReleaseDatabase(tables, seconds=5.0) as database:
        faults = Faults(collect=True)
        results = database.run([endless, whole], faults)
    assert [fault.code for fault in faults.found] in (["query.time"], ["query.rows"])
    assert "area_label" in results["whole"].columns


def test_a_query_on_texts_as_text_stands_between_two_that_read_other_labels(tables):
    asked = ["area_label", "period[:4] AS year, sex_label", "age_label", "area_label, age_label"]
    queries = [
        parse_query(f"q{n}", f"SELECT {columns}, value FROM population_ward LIMIT 1", "page.md", 1, ())
        for n, columns in enumerate(asked)
    ]
    with ReleaseDatabase(tables) as database:
        told = [rows.columns for rows in database.run(queries).values()]
    assert told == [[*columns.replace("period[:4] AS ", "").split(", "), "value"] for columns in asked]
