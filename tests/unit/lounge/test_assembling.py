"""A page of any published table is assembled from choices and passes every check; figures are those of the table."""

from __future__ import annotations

import re
from datetime import date

import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.checking import check_folder
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_page
from kobe_platform.lounge.tables import read_index, write_tables
from kobe_platform.lounge.workshop.assembling import FIGURES, body_of, contents_of, dimension_title, manual_of, planned
from kobe_platform.lounge.workshop.new import write_new
from kobe_platform.synthesis.published import published


@pytest.fixture(scope="module")
def at_hand(tmp_path_factory):
    """Made-up figures of every statistic of the project: their folder, facts and hierarchies."""
    folder = tmp_path_factory.mktemp("every") / "tables"
    tables, dims, facts = published()
    write_tables(folder, tables, dims, facts["tables"])
    return folder, read_index(folder)[0], dims


def written(dashboards, plan, slug):
    given = {"owner": "政策課", "application": "R7-1", "today": date(2026, 1, 9)}
    title = plan.table.title or slug
    told = {"contents": contents_of(plan), "manual": manual_of(plan)}
    return write_new(dashboards, f"{slug} {title}", slug, body=body_of(plan), **told, **given)[0]


def test_a_page_of_every_table_passes_every_check(dashboards, at_hand):
    folder, facts, dims = at_hand
    for name in facts:
        written(dashboards, planned(name, facts, dims), name)
    with ReleaseDatabase(folder) as database:
        checked = check_folder(dashboards, {name: told.kind for name, told in facts.items()}, database)
    assert checked.pages == len(facts) + 1 > 30
    assert [str(fault) for fault in checked.faults] == []
    assert checked.doubts == (), "the manual is told by the table, so that the page may enter a release"


def test_a_page_says_what_its_table_says_and_no_title_twice(dashboards, at_hand):
    """Of one breakdown the table shares the query of the bars; the manual has definition, rhythm and the rule of X."""
    _, facts, dims = at_hand
    path = written(dashboards, planned("households_size_ward", facts, dims), "one")
    text, table = path.read_text("utf-8"), facts["households_size_ward"]
    titles = re.findall(r'^## (.+)$|title="([^"]+)"', text, re.M)
    assert len(titles) == len(set(titles)) and text.count("```sql") == 4
    manual = (dashboards / "manuals" / "one.md").read_text("utf-8")
    assert table.description in manual and "毎月" in manual and "10世帯未満" in manual
    means = written(dashboards, planned("mean_age", facts, dims), "two")
    assert "対象が100人に満たない" in (dashboards / "manuals" / means.name).read_text("utf-8")


@pytest.mark.parametrize("kind", FIGURES)
def test_each_kind_of_figure_stands_alone(dashboards, at_hand, kind):
    folder, facts, dims = at_hand
    path = written(dashboards, planned("population_ward", facts, dims, area="灘区", figures=[kind]), "one")
    with ReleaseDatabase(folder) as database:
        assert check_folder(dashboards, {"population_ward": "frequency"}, database).faults == ()
    assert "default=28102" in path.read_text("utf-8")


def test_a_figure_is_the_published_total_and_a_breakdown_its_leaves(dashboards, at_hand):
    folder, facts, dims = at_hand
    page = load_page(written(dashboards, planned("population_ward", facts, dims), "one"), dashboards)
    with ReleaseDatabase(folder) as database:
        rows = database.run(page.queries)
    table = pl.read_parquet(folder / "population_ward.parquet")
    totals = table.filter(pl.col("age") == "total", pl.col("sex") == "total")
    found, wanted = rows["course"].select("period", "area", "人数"), totals.select("period", "area", "value")
    assert sorted(found.rows()) == sorted(wanted.rows())
    assert set(rows["by_sex"]["性別"]) == {"男", "女"}


@pytest.mark.parametrize("name", ["school_entry", "future_population", "school_entry_district"])
def test_a_forecast_is_shown_by_the_months_that_its_newest_vintage_forecasts(dashboards, at_hand, name):
    folder, facts, dims = at_hand
    page = load_page(written(dashboards, planned(name, facts, dims), "one"), dashboards)
    with ReleaseDatabase(folder) as database:
        rows = database.run(page.queries)
    table = pl.read_parquet(folder / f"{name}.parquet")
    newest = table.filter(pl.col("period") == pl.col("period").max())
    if "age" in table.columns:
        newest = newest.filter(pl.col("age") == "total")
    ahead = newest.filter(pl.col("figure").is_in(["forecast", "lower80", "upper80"]))
    assert sorted(rows["course"].select("target", "area", "人数").rows()) == sorted(
        ahead.select("target", "area", "value").rows()
    )
    assert set(rows["course"]["区分"]) == {"見込み", "下限（80%区間）", "上限（80%区間）"}
    assert rows["ahead"].height == ahead.filter(figure="forecast").height > 0
    assert f"<Forecast table={name}/>" in page.body


@pytest.mark.parametrize(
    ("name", "more", "code"),
    [
        ("populaton_ward", {}, "page.table"),
        ("population_ward", {"area": "灘く"}, "page.area"),
        ("moves_in_age_month", {"area": "灘区"}, "page.area"),
        ("population_ward", {"figures": ["pie"]}, "page.charts"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(at_hand, name, more, code):
    _, facts, dims = at_hand
    with pytest.raises(ConfigurationError) as refused:
        planned(name, facts, dims, **more)
    assert refused.value.code == code and refused.value.remedy


def test_a_dimension_is_called_by_what_its_codes_are(at_hand):
    """Two tables have a ``size``: of households, and of the figures that were forecast."""
    _, facts, _ = at_hand
    assert dimension_title(facts["households_size_ward"], "size") == "世帯人員"
    assert dimension_title(facts["forecast_scores"], "size") == "見込みの規模"
    assert dimension_title(facts["households_size_ward"], "area") == "地域"
