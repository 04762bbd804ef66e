"""A fence reads published tables and can do nothing else."""

from __future__ import annotations

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.queries import parse_query


def parse(sql: str, earlier=()):
    return parse_query("q", sql, "page.md", 10, earlier)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1; SELECT 2", "query.several"),
        ("COPY (SELECT 1) TO '/tmp/x'", "query.statement"),
        ("ATTACH '/tmp/x.db'", "query.statement"),
        ("SET enable_external_access=true", "query.statement"),
        ("LOAD httpfs", "query.statement"),
        ("INSTALL httpfs", "query.statement"),
        ("PRAGMA database_list", "query.statement"),
        ("CREATE TABLE x AS SELECT 1", "query.statement"),
        ("DROP TABLE population_ward", "query.statement"),
        ("SELECT * FROM read_csv('/etc/passwd')", "query.outside"),
        ("SELECT * FROM read_parquet('../x.parquet')", "query.outside"),
        ("SELECT * FROM read_text('/etc/passwd')", "query.outside"),
        ("SELECT * FROM glob('/*')", "query.outside"),
        ("SELECT * FROM query('SELECT 1')", "query.outside"),
        ("SELECT * FROM duckdb_settings()", "query.outside"),
        ("SELECT * FROM '/etc/passwd'", "query.outside"),
        ("SELECT * FROM '../tables/mean_age.parquet'", "query.outside"),
        ("SELECT * FROM information_schema.tables", "query.outside"),
        ("SELECT * FROM (SELECT * FROM (SELECT * FROM read_csv('x')))", "query.outside"),
        ("SELECT (SELECT content FROM read_text('/etc/passwd'))", "query.outside"),
        ("SELECT getenv('HOME')", "query.function"),
        ("SELECT random()", "query.function"),
        ("SELECT now()", "query.function"),
        ("SELECT sum(value) FROM population_ward", "query.sums"),
        ("SELECT avg(value) OVER () FROM population_ward", "query.sums"),
        ("SELECT * FROM earlier", "query.reference"),
        ("SELECT * FROM ${erlier}", "query.reference"),
        ("SELEC 1", "query.syntax"),
        ("", "query.several"),
    ],
)
def test_what_is_not_a_lookup_in_published_tables_is_refused(sql, code):
    with pytest.raises(LoungeError) as caught:
        parse(sql, ["earlier"])
    assert caught.value.code == code
    assert caught.value.at["file"] == "page.md"


def test_an_error_names_the_line_inside_the_fence():
    with pytest.raises(LoungeError) as caught:
        parse("SELECT period,\n  area,\n  sum(value)\nFROM population_ward")
    assert caught.value.at["line"] == 12


def test_a_summing_word_in_text_or_a_column_name_is_no_sum():
    assert parse("SELECT 'sum(x)' AS a, code AS sum FROM dim_ward").tables == ("dim_ward",)


def test_the_engine_itself_is_shut(tables):
    """Should the tree's judgement ever miss something, the engine still refuses it."""
    with ReleaseDatabase(tables) as database:
        for sql in (
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "ATTACH '/tmp/x.db'",
            "SET enable_external_access=true",
            "SET lock_configuration=false",
            "SET temp_directory='/tmp'",
            "INSTALL httpfs",
            "LOAD httpfs",
            f"SELECT * FROM read_parquet('{tables}/mean_age.parquet')",
        ):
            with pytest.raises(Exception, match=r"(?i)permission|disabled|locked|cannot|does not exist"):
                database._connection.execute(sql).fetchall()


def test_a_table_offers_labels_beside_its_codes(tables):
    query = parse(
        "SELECT period_label, area_label, area_sort, age_label, sex_leaf, value FROM population_ward "
        "WHERE period = '2025-07' AND area = '28101' AND age = '0-4' AND sex = 'male'"
    )
    with ReleaseDatabase(tables) as database:
        row = database.run([query])["q"].row(0, named=True)
    assert (row["period_label"], row["area_label"], row["age_label"]) == ("2025年7月", "東灘区", "0〜4歳")
    assert row["sex_leaf"] is True


def test_a_missing_table_or_column_fails_with_the_nearest_name(tables):
    with ReleaseDatabase(tables) as database:
        with pytest.raises(LoungeError) as caught:
            database.run([parse("SELECT * FROM population_wards")])
        assert "population_ward" in caught.value.remedy
        with pytest.raises(LoungeError) as caught:
            database.run([parse("SELECT period,\n  vlaue FROM population_ward")])
        assert caught.value.at["line"] == 11
        assert "value" in caught.value.remedy


def test_queries_of_one_page_do_not_reach_into_another(tables):
    first, second = parse("SELECT 1 AS a"), parse_query("r", "SELECT * FROM ${q}", "other.md", 1, ["q"])
    with ReleaseDatabase(tables) as database:
        database.run([first])
        with pytest.raises(LoungeError):
            database.run([second])


def test_only_what_queries_read_is_loaded(tables, monkeypatch):
    loaded = []
    load = ReleaseDatabase._load
    monkeypatch.setattr(
        ReleaseDatabase, "_load", lambda self, name, rows: (loaded.append(name), load(self, name, rows))
    )
    with ReleaseDatabase(tables) as database:
        assert database.digest({"population_ward"}) and loaded == []
        first = parse("SELECT period, area, area_label, value FROM population_ward")
        for query in (first, first):
            assert database.run([query])["q"].height
        assert sorted(loaded) == sorted(set(loaded)) and "cells__population_ward" in loaded
        assert not [name for name in loaded if name.startswith("cells__") and name != "cells__population_ward"]
        assert database.run([parse("SELECT code, label FROM dim_ward")])["q"].height
