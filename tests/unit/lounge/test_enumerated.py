"""What a query gives does not depend on how the engine holds texts: as ENUM, or as VARCHAR where it cannot."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge import enumerated as enumerations
from kobe_platform.lounge.database import ReleaseDatabase, at_hand, let_go
from kobe_platform.lounge.queries import parse_query
from kobe_platform.statistics.select import functions

CELLS = (
    "(SELECT period AS p, area_label AS l, value AS n, * FROM population_ward WHERE age = 'total' AND sex = 'total') t"
)
OTHER = "(SELECT period AS p, area_label AS l, area FROM population_ward WHERE area <> '28100') w"

ROWWISE = """
l || 'x' ; p > '2025-075' ; p < '9' ; p = 'zzz' ; p <> 'zzz' ; p >= '2025' ; p <= l ; p & 1 IS NULL ; n & 1 ; n | 1
n + 1 ; n - 1 ; n * 2 ; n / 7 ; n // 7 ; n % 7 ; n ^ 0.5 ; n ** 0.5 ; l LIKE '%区' ; l NOT LIKE '東%'
l ILIKE '%区' ; l NOT ILIKE '東%' ; l GLOB '東*' ; p ~ '2025.*' ; p !~ '2025.*' ; p BETWEEN '2025-08' AND '2025-99'
p IN ('2025-07', 'zzz') ; l NOT IN ('中央区', 'x') ; p[1] ; p[1:4] ; array_extract(p, 1) ; array_slice(p, 1, 4)
ascii(l) ; chr(n % 90 + 33) ; concat(l, p) ; concat(l, 'x') ; concat_ws('-', p, l) ; contains(l, '央')
ends_with(l, '区') ; instr(l, '区') ; lcase(l) ; left(p, 4) ; length(l) ; like_escape(l, '%$区', '$') ; lower(l)
ltrim(l, '中') ; nfc_normalize(l) ; not_like_escape(l, '%$区', '$') ; position('央' IN l) ; prefix(l, '中')
regexp_extract(p, '[0-9]+') ; regexp_full_match(p, '2025.*') ; regexp_matches(l, '区') ; regexp_replace(p, '-', '/')
replace(p, '-', '年') ; reverse(l) ; right(p, 2) ; rtrim(l, '区') ; split_part(p, '-', 1) ; starts_with(p, '2025')
str_split(p, '-') ; string_split(p, '-') ; strip_accents(l) ; strlen(l) ; strpos(l, '区') ; substr(p, 1, 4)
substring(p, 6, 2) ; suffix(l, '区') ; translate(p, '-', '/') ; trim(l) ; ucase(l) ; unicode(l) ; upper(l)
CAST(left(p, 4) AS INT) ; CAST(p[1:4] AS INTEGER) ; p::VARCHAR ; greatest(p, '2025-09') ; least(p, '2025-09')
greatest(p, l) ; strptime(p || '-01', '%Y-%m-%d') ; strftime(strptime(p || '-01', '%Y-%m-%d'), '%Y年')
try_strptime(l, '%Y') ; CAST(p || '-01' AS DATE) ; coalesce(nullif(l, '中央区'), '不明') ; ifnull(l, '不明')
nullif(l, 'zzz') ; if(n > 9, l, '他') ; CASE WHEN n > 9 THEN l ELSE '他' END
CASE l WHEN '中央区' THEN 1 WHEN 'zzz' THEN 2 ELSE 3 END ; CASE WHEN n > 9999 THEN l ELSE p END ; coalesce(l, p)
list_value(p, l) ; list_contains([p], 'zzz') ; list_has([p], p) ; list_position(['2025-07'], p)
array_contains(['2025-07', 'x'], p) ; array_has([l], '中央区') ; array_position([p, l], l) ; row(p, l)
struct_pack(a := p) ; struct_extract({'a': p}, 'a') ; list_sort([l, p]) ; list_reverse([l, p])
list_distinct([l, l]) ; list_extract([l, p], 1) ; list_slice([l, p], 1, 1) ; element_at(map([p], [n]), '2025-07')
map_extract(map([p], [n]), p) ; map([p], [l]) ; cardinality(map([p], [n])) ; flatten([[p], [l]])
array_length([p, l]) ; len([p, l]) ; p = (SELECT max(period) FROM population_ward) ; p IN (SELECT p FROM {other})
lag(p, 1, 'なし') OVER (ORDER BY p, l) ; lead(l) OVER (ORDER BY p, l)
first_value(l) OVER (PARTITION BY p ORDER BY l) ; last_value(l) OVER (PARTITION BY p ORDER BY l)
nth_value(p, 2) OVER (ORDER BY p, l) ; row_number() OVER (ORDER BY l, p) ; rank() OVER (PARTITION BY l ORDER BY p)
dense_rank() OVER (ORDER BY p) ; percent_rank() OVER (ORDER BY l) ; cume_dist() OVER (ORDER BY l)
ntile(4) OVER (ORDER BY l, p)
"""
AGGREGATES = """
any_value(p ORDER BY p) ; arg_max(l, p || l) ; arg_min(l, p || l) ; argmax(p, l || p) ; argmin(p, l || p)
array_agg(p ORDER BY p, l) ; bool_and(p > '2025') ; bool_or(p = 'zzz') ; count(DISTINCT l) ; count_if(l = '中央区')
first(l ORDER BY p, l) ; last(l ORDER BY p, l) ; group_concat(l, '・' ORDER BY p, l)
string_agg(p, ',' ORDER BY p, l) ; listagg(l, '、' ORDER BY p, l) ; list(l ORDER BY p, l)
list(DISTINCT p ORDER BY p) ; max(p) ; min(l) ; max(p, 2) ; max_by(p, l || p) ; min_by(p, l || p)
mode(period || '') ; max(CASE WHEN n > 9 THEN l END) ; max(left(p, 4)) ; count(*) FILTER (l = 'zzz')
list_sort(list(DISTINCT l))
"""
WHOLE = (
    "SELECT t.l, w.l AS other FROM {cells} LEFT JOIN {other} ON t.p = w.p AND t.l = w.l ORDER BY 1, 2",
    "SELECT p, l FROM {cells} UNION ALL SELECT period, age_label FROM population_ward WHERE sex = 'male' ORDER BY 1, 2",
    "SELECT p FROM {cells} UNION SELECT age FROM population_ward ORDER BY 1",
    "SELECT l FROM {cells} EXCEPT SELECT l FROM {other} ORDER BY 1",
    "SELECT l FROM {cells} INTERSECT SELECT l FROM {other} ORDER BY 1",
    "SELECT l, count(*) AS n FROM {cells} GROUP BY ALL ORDER BY l DESC NULLS LAST",
    "SELECT p, grouping(p) AS g, count(*) AS n FROM {cells} GROUP BY ROLLUP (p) ORDER BY p NULLS FIRST",
    "SELECT DISTINCT ON (p) p, l FROM {cells} ORDER BY p, l",
    "SELECT p, l FROM {cells} QUALIFY row_number() OVER (PARTITION BY p ORDER BY l DESC) = 1 ORDER BY p",
    "SELECT p, l FROM {cells} WHERE (p, l) IN (SELECT p, l FROM {other}) ORDER BY p, l",
    "WITH q AS (SELECT p, '全市' AS l FROM {cells} UNION ALL SELECT p, l FROM {other}) SELECT * FROM q ORDER BY p, l",
    "SELECT p, l FROM {cells} WHERE p > ANY (SELECT p FROM {other}) ORDER BY p, l",
    "SELECT t.p, h.label FROM {cells} JOIN dim_ward h ON h.code = t.area ORDER BY 1, 2",
    "SELECT code, label, parent FROM dim_ward WHERE parent IS NULL OR parent = 'zzz' ORDER BY label",
    "SELECT unnest(list(DISTINCT l ORDER BY l)) AS l FROM {cells}",
)


def expressions(listed: str) -> list[str]:
    return [one.strip().replace("{other}", OTHER) for line in listed.strip().splitlines() for one in line.split(" ; ")]


QUERIES = [
    *(f"SELECT {one} AS x, p, l, n FROM {CELLS} ORDER BY p, l" for one in expressions(ROWWISE)),
    *(f"SELECT {one} AS x FROM {CELLS}" for one in expressions(AGGREGATES)),
    *(one.format(cells=CELLS, other=OTHER) for one in WHOLE),
]


@pytest.fixture(scope="module")
def engines(tables):
    """The engine as it is, and one that holds the same tables as VARCHAR."""
    with ReleaseDatabase(tables) as enumerated, ReleaseDatabase(tables) as plain:
        enumerated._make_ready(["population_ward"])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(enumerations, "as_enum", lambda kind: "::VARCHAR" if isinstance(kind, pl.Enum) else "")
            plain._make_ready(["population_ward"])
        yield enumerated, plain


def outcome(engine: ReleaseDatabase, sql: str) -> pl.DataFrame | str:
    try:
        return engine.run([parse_query("q", sql, "page.md", 1, [])])["q"]
    except LoungeError as error:
        return f"{error.code} {error.at}"


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_gives_the_same_rows_and_types_either_way(engines, sql):
    mine, plain = (outcome(engine, sql) for engine in engines)
    if isinstance(plain, str):
        assert mine == plain
    else:
        assert isinstance(mine, pl.DataFrame), mine
        mine = mine.with_columns(pl.col(pl.Categorical).cast(pl.String))  # texts as numbers, which they stay
        assert mine.schema == plain.schema
        assert mine.to_dicts() == plain.to_dicts()


def test_most_of_these_queries_run(engines):
    failing = [sql for sql in QUERIES if isinstance(outcome(engines[1], sql), str)]
    assert len(failing) <= 2, failing


def test_every_function_that_reads_a_text_is_among_them():
    listed = tomllib.loads(Path(functions.__file__).with_suffix(".toml").read_text("utf-8"))
    asked = " ".join(QUERIES).lower()
    kinds = ("text", "choices", "lists", "aggregates", "windows")
    named = {name for kind in kinds for name in listed["allowed"][kind].split()}
    assert {name for name in named if f"{name}(" not in asked} == {"count_star"}, "which is how count(*) is parsed"


def test_texts_are_held_as_enum_and_an_error_names_no_values(tables):
    with ReleaseDatabase(tables) as database:
        query = parse_query("q", "SELECT area_label + 1 FROM population_ward", "page.md", 1, [])
        with pytest.raises(LoungeError) as caught:
            database.run([query])
        assert "ENUM" not in str(caught.value)
        kinds = dict(row[:2] for row in database._connection.execute("DESCRIBE population_ward").fetchall())
        texts = ("period", "period_label", "area", "area_label", "area_parent", "status")
        assert [name for name in texts if not kinds[name].startswith("ENUM(")] == []


@pytest.mark.parametrize("asked", ["period, area_label, value", "period[:4] || area AS place, value"])
def test_a_long_table_hands_its_texts_over_as_places_and_gives_the_same_rows(tables, monkeypatch, asked):
    query = parse_query("q", f"SELECT {asked} FROM population_ward ORDER BY ALL", "page.md", 1, [])
    told = []
    for many in (50_000, 0):
        monkeypatch.setattr(enumerations, "MANY_ROWS", many)
        with ReleaseDatabase(tables) as database:
            told.append(database.run([query])["q"])
            described = database._connection.execute("DESCRIBE population_ward").fetchall()
            assert {row[0] for row in described if row[1].startswith("ENUM(")} >= {"period", "area", "age", "status"}
    assert told[0].to_dicts() == told[1].to_dicts()


def test_a_table_with_other_texts_than_its_list_of_codes_has_an_enum_of_its_own():
    frame = pl.DataFrame({"area": ["a", None, "z"], "kind": ["x", "y", "x"], "n": [1, 2, 3], "none": [None] * 3})
    held = enumerations.enumerated(frame.cast({"none": pl.String}), {"area": pl.Enum(["a"]), "kind": pl.Enum("xyz")})
    assert held.schema == {"area": pl.Enum("az"), "kind": pl.Enum("xyz"), "n": pl.Int64, "none": pl.Enum([])}
    assert held.cast({"area": pl.String, "kind": pl.String, "none": pl.String}).to_dicts() == frame.to_dicts()


def test_two_columns_of_one_name_are_an_error_of_the_author(tables):
    query = parse_query("q", "SELECT area, period AS area FROM population_ward", "page.md", 7, [])
    with ReleaseDatabase(tables) as database, pytest.raises(LoungeError) as caught:
        database.run([query])
    assert (caught.value.code, caught.value.at["line"]) == ("query.columns", 7)


def test_rows_that_no_order_decides_stand_in_the_same_order_each_time(tables):
    sql = "SELECT a.area, b.age, period FROM population_ward a JOIN population_ward b USING (period) ORDER BY period"
    query = parse_query("q", sql, "page.md", 1, [])
    seen = set()
    for _ in range(3):
        with ReleaseDatabase(tables) as database:
            seen.add(database.run([query])["q"].hash_rows().implode().hash()[0])
    assert len(seen) == 1


def test_pages_of_a_process_share_the_tables_at_hand(tables, tmp_path):
    one = at_hand(tables)
    assert at_hand(tables) is one
    let_go()
    with pytest.raises(Exception, match="closed"):
        one._connection.execute("SELECT 1")
    other = at_hand(tables)
    assert other is not one
    let_go()
