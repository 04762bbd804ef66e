"""What a page's author might try, by mistake or on purpose: only the release can be read, and nothing runs away."""

from __future__ import annotations

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import database as engine
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_pages
from kobe_platform.lounge.queries import parse_query

STATEMENTS = (
    "COPY population_ward TO '/tmp/out.csv'",
    "EXPORT DATABASE '/tmp/out'",
    "IMPORT DATABASE '/tmp/out'",
    "DETACH memory",
    "USE memory",
    "RESET threads",
    "PRAGMA table_info('population_ward')",
    "CALL pragma_version()",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE population_ward",
    "SHOW TABLES",
    "SUMMARIZE population_ward",
    "SELECT * FROM (DESCRIBE population_ward)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE population_ward)",
    "PIVOT population_ward ON sex USING first(value)",
    "INSERT INTO dim_ward VALUES (1)",
    "UPDATE dim_ward SET label = 'x'",
    "DELETE FROM dim_ward",
    "DROP VIEW population_ward",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET (TYPE s3)",
    "PREPARE x AS SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN",
    "SELECT 1; DROP TABLE dim_ward",
)
OUTSIDE = (
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM parquet_scan('/tmp/x.parquet')",
    "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_ndjson_objects('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM query_table(['population_ward', '/etc/passwd'])",
    "FROM 'file.csv'",
    'FROM "/etc/passwd.csv"',
    'SELECT * FROM "https://example.com/x.parquet"',
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM main.population_ward",
    "SELECT * FROM temp.query__x",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "SELECT * FROM (VALUES (1)) v JOIN '/etc/passwd' ON true",
    "SELECT 1 WHERE EXISTS (SELECT * FROM read_text('/etc/passwd'))",
    "SELECT 1 ORDER BY (SELECT max(content) FROM read_text('/etc/passwd'))",
    "SELECT 1 UNION SELECT content FROM read_text('/etc/passwd')",
)
SUMS = (
    "SELECT list_sum(list(value)) FROM population_ward",
    "SELECT list_aggregate(list(value), 'sum') FROM population_ward",
    "SELECT list_reduce(list(value), lambda x, y: x + y) FROM population_ward",
    "SELECT array_agg(value).list_sum() FROM population_ward",
    "SELECT system.main.sum(value) FROM population_ward",
    "SELECT value.sum() FROM population_ward",
    'SELECT "SUM"(value) FROM population_ward',
)
FUNCTIONS = (
    "SELECT current_date",
    "SELECT current_timestamp",
    "SELECT current_user",
    "SELECT localtimestamp",
    "SELECT transaction_timestamp()",
    "SELECT uuidv7()",
    "SELECT txid_current()",
    "SELECT version()",
    "SELECT current_query()",
    "SELECT write_log('x')",
    "SELECT sleep_ms(100)",
    "SELECT repeat('x', 1000000000)",
    "SELECT lpad('x', 1000000000, 'y')",
    "SELECT histogram(value) FROM population_ward",
    "SELECT list_transform(list(value), lambda x: x) FROM population_ward",
)


def parse(sql: str, earlier=(), name="q"):
    return parse_query(name, sql, "page.md", 10, earlier)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        *((sql, "query.statement") for sql in STATEMENTS),
        *((sql, "query.outside") for sql in OUTSIDE),
        *((sql, "query.sums") for sql in SUMS),
        *((sql, "query.function") for sql in FUNCTIONS),
        ("SELECT * FROM population_ward USING SAMPLE 10", "query.sample"),
        ("SELECT * FROM population_ward TABLESAMPLE 1%", "query.sample"),
        ("WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT * FROM t", "query.recursive"),
        ("SELECT ?", "query.parameter"),
        ("SELECT $secret", "query.parameter"),
    ],
)
def test_a_fence_is_refused_before_anything_runs(sql, code):
    with pytest.raises(LoungeError) as caught:
        parse(sql)
    assert (caught.value.code, caught.value.at["file"]) == (code, "page.md")
    assert caught.value.at["line"] >= 10


@pytest.mark.parametrize("table", ["sqlite_master", "duckdb_tables", "cells__population_ward", "query__other"])
def test_only_the_tables_of_the_release_have_names(tables, table):
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([parse(f"SELECT * FROM {table}")])
    assert caught.value.code == "query.table"


def test_a_table_that_the_page_may_not_load_does_not_exist(tables):
    """A name hidden behind a CTE elsewhere in the query does not bring the table in."""
    query = parse("SELECT * FROM mean_age WHERE EXISTS (WITH mean_age AS (SELECT 1) SELECT * FROM mean_age)")
    with ReleaseDatabase(tables, query.tables) as database, pytest.raises(LoungeError) as caught:
        database.run([query])
    assert caught.value.code == "query.failed"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM range(100000000000)",
        "SELECT a.value FROM population_ward a, population_ward b, population_ward c",
    ],
)
def test_a_result_without_end_stops_at_the_row_limit(tables, sql):
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([parse(sql)])
    assert caught.value.code == "query.rows"
    assert "4,000,000" in caught.value.remedy


def test_a_wide_result_stops_at_the_size_limit(tables, monkeypatch):
    monkeypatch.setattr(engine, "MOST_BYTES", 10_000)
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([parse("SELECT * FROM population_ward")])
    assert caught.value.code == "query.rows"


def test_a_query_that_does_not_end_is_interrupted_and_the_next_one_runs(tables):
    endless = parse("SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c WHERE a.range < b.range")
    with ReleaseDatabase(tables, seconds=0.3) as database:
        with pytest.raises(LoungeError) as caught:
            database.run([endless])
        assert caught.value.code == "query.time"
        assert database.run([parse("SELECT 1 AS a")])["q"]["a"].to_list() == [1]


def test_a_query_that_wants_too_much_memory_says_so(tables, monkeypatch):
    monkeypatch.setattr(engine, "MOST_MEMORY", "100MB")
    greedy = parse("SELECT a.range FROM range(100000) a, range(100000) b ORDER BY a.range + b.range")
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([greedy])
    assert caught.value.code == "query.memory"


def test_nothing_spills_to_a_disk(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test_a_query_that_wants_too_much_memory_says_so(tables, monkeypatch)
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_others_build_on_runs_once(tables, monkeypatch):
    ran = []
    whole = engine._bounded
    monkeypatch.setattr(engine, "_bounded", lambda cursor, query: ran.append(query.name) or whole(cursor, query))
    queries = [
        parse("SELECT * FROM population_ward", name="a"),
        parse("SELECT * FROM ${a} WHERE sex = 'total'", ["a"], "b"),
        parse("SELECT count(*) AS n FROM ${a} JOIN ${b} USING (period, area, age)", ["a", "b"], "c"),
    ]
    with ReleaseDatabase(tables) as database:
        assert database.run(queries)["c"]["n"][0] > 0
    assert ran == ["a", "b", "c"]


FENCE = "\n```sql {name}\n{sql}\n```\n"


@pytest.mark.parametrize(
    ("first", "second", "line", "words"),
    [
        ("SELECT 1 AS a\nFROM ${second}", "SELECT 1 AS a", 14, "stands below"),
        ("SELECT 1 AS a FROM ${second}", "SELECT * FROM ${first}", 13, "stands below"),
        ("SELECT *\n\nFROM ${first}", "SELECT 1 AS a", 15, "builds on itself"),
        ("SELECT * FROM ${scond}", "SELECT 1 AS a", 13, "names no query"),
        ("SELECT 1 AS a", "SELECT * FROM\n${frist}", 18, "names no query"),
        ("SELECT 1 AS a", "SELECT * FROM ${${first}}", 17, "names no query"),
        ("SELECT 1 AS a", 'SELECT * FROM ${first" UNION SELECT 1 --}', 17, "names no query"),
    ],
)
def test_circles_and_unknown_names_are_told_with_their_line(write_page, first, second, line, words):
    folder = write_page(FENCE.format(name="first", sql=first) + FENCE.format(name="second", sql=second))
    with pytest.raises(LoungeError) as caught:
        load_pages(folder)
    assert (caught.value.code, caught.value.at["file"], caught.value.at["line"]) == (
        "query.reference",
        "people.md",
        line,
    )
    assert words in caught.value.message


def test_lines_are_counted_right_behind_japanese_text():
    with pytest.raises(LoungeError) as caught:
        parse("SELECT '住民基本台帳による人口と世帯' AS 題名,\n  1 AS a,\n  random() AS b\n\n\n\n\n")
    assert caught.value.at["line"] == 12
