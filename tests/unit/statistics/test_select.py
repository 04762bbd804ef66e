"""A SELECT is read by its syntax tree: what loads runs in every form, and selects nobody for being unknown."""

from __future__ import annotations

from typing import get_args

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kobe_platform.contracts import load_contracts
from kobe_platform.contracts.columns import AnyColumn
from kobe_platform.errors import ConfigurationError, StatisticsError
from kobe_platform.settings import Settings
from kobe_platform.statistics import columns_needed, compute_group, groups, load_statistics
from kobe_platform.statistics.compute import counted, prepare
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.duckdb_engine import engine, fetched
from kobe_platform.statistics.finest import FinestCells
from kobe_platform.statistics.residual_floor import apply_residual_floor
from kobe_platform.statistics.select.conditions import Conditions
from kobe_platform.statistics.select.judging import PAGES, tables_of
from kobe_platform.statistics.select.sources import RULES, sources_of
from kobe_platform.statistics.select.syntax import SelectFault, parse, parse_ahead
from kobe_platform.vocabulary.codes import UNKNOWN
from tests.unit.statistics.lake_frames import AREAS, countable, movements, register
from tests.unit.statistics.select_grammar import PEOPLE, SOURCES, Drawn, conditions, statistics

STATISTICS = countable()
FRONT = """/*
title = "試し"
description = "試し"
owner = "課"
period = "month"
group = "stocks"
population = "residents"
unit = "人"
measure = "persons"
minimum_frequency = 10
[dimensions]
area = "district"
age = "age5"
*/
"""
SQL = "SELECT district AS area, age5 AS age, count(*) AS persons\nFROM resident_register\nGROUP BY ALL"
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def load(folder, text: str, **options) -> Statistic:
    (folder / "trial.sql").write_text(text, encoding="utf-8")
    return load_statistics(folder, **options)["trial"]


def cells_of(statistic: Statistic, frame: pl.DataFrame) -> pl.DataFrame:
    return compute_group([statistic], {"resident_register": frame}, AREAS).cells["trial"]


def finest_of(connection) -> FinestCells:
    return FinestCells(connection, counted)


# -- one meaning, however it is written ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        SQL.replace("count(*)", "count(1)"),
        SQL.replace("count(*) AS", "count( * )"),
        SQL.replace(" AS ", " "),
        SQL.replace("ALL", "1, 2"),
        SQL.replace("ALL", "area, age"),
        SQL.replace("ALL", "district, age5"),
        SQL.replace("ALL", "2, area"),
        SQL.upper(),
        SQL + " -- the end",
        SQL + ";\n",
        SQL + "\nORDER BY count(*) DESC",
        SQL.replace("\nFROM", " /* of ' all */\nFROM"),
        SQL.replace("district", "r.district").replace("resident_register", "resident_register AS r"),
        SQL.replace("\n", "\r\n"),
    ],
)
def test_a_count_means_the_same_however_it_is_written(tmp_path, sql):
    """Few rows, so that lines need their cover: that is when a form that was never tried would stop the month."""
    frame = register(1_500, unknown=0.02)
    plain, other = load(tmp_path, FRONT + SQL), load(tmp_path, FRONT + sql)
    result = compute_group([other], {"resident_register": frame}, AREAS)
    assert result.facts["covered_district"] > 0
    assert result.cells["trial"].equals(cells_of(plain, frame))


@pytest.mark.slow
@QUICK
@given(statistics())
def test_whatever_loads_runs_and_counts_what_duckdb_counts(tmp_path_factory, drawn: Drawn):
    """Styled and plain, with the cover and without: equal cells, and those of DuckDB for the author's own words."""
    folder = tmp_path_factory.mktemp("drawn")
    plain, styled = load(folder, drawn.plain), load(folder, drawn.styled)
    rows, name = drawn.rows(), drawn.source.name
    results = []
    for statistic in (plain, styled):
        with engine({name: rows}) as connection:
            before = counted(connection, statistic)
            covered = apply_residual_floor(
                connection, [statistic], {name: rows.columns}, finest=FinestCells(connection, counted)
            )
            after = counted(connection, statistic)
            told = fetched(connection, plain.sql)
        order = list(statistic.dimensions)
        assert after.sort(order).equals(told.sort(order))
        results.append((before.sort(order), covered, after.sort(order)))
    assert results[0][1] == results[1][1]
    assert results[0][0].equals(results[1][0]) and results[0][2].equals(results[1][2])


@pytest.mark.slow
@QUICK
@given(statistics(), st.randoms(use_true_random=False))
def test_a_damaged_statistic_is_refused_at_a_place_of_its_file_or_still_runs(tmp_path_factory, drawn, random):
    text, start = drawn.styled, drawn.styled.index("*/")
    for _ in range(random.randint(1, 3)):
        at = random.randrange(start, len(text))
        text = (
            text[:at]
            + random.choice(["", "'", "(", "x", " NOT ", ",", "--", "1", "*"])
            + text[at + random.randint(0, 2) :]
        )
    try:
        load(tmp_path_factory.mktemp("damaged"), text)
    except ConfigurationError as refusal:
        assert refusal.at["file"] == "trial.sql" and refusal.remedy
        if refusal.code == "statistics.select":
            lines = text.splitlines()
            assert 1 <= refusal.at["line"] <= len(lines) and 1 <= refusal.at["column"] <= len(max(lines, key=len)) + 1


@pytest.mark.slow
def test_every_table_of_the_project_counts_what_its_own_select_says(tmp_path):
    """The form that runs is made from the tree: it gives the cells that DuckDB gives for the file's SELECT."""
    frames = {"resident_register": register(3_000), "resident_movements": movements(2_000)}
    for statistic in STATISTICS.values():
        if statistic.kind != "public":
            (name,) = statistic.sources
            with engine({name: prepare(frames[name], SOURCES[name].columns)}) as connection:
                own = fetched(connection, statistic.sql)
                assert counted(connection, statistic).sort(own.columns).equals(own.sort(own.columns)), statistic.name


@pytest.mark.slow
def test_every_table_of_the_project_can_stand_alone_in_its_group():
    frames = {"resident_register": register(1_500, unknown=0.03), "resident_movements": movements(800)}
    for members in groups(STATISTICS.values()).values():
        for statistic in members:
            (name,) = statistic.sources
            needed = columns_needed([statistic], name, frames[name].columns)
            compute_group([statistic], {name: frames[name].select(needed)}, AREAS)


def test_a_table_of_one_dimension_gives_its_unknown_their_cover():
    frame = movements(400).with_columns(
        pl.lit("within_ward").alias("reason"),
        pl.when(pl.int_range(400) < 3).then(pl.lit(UNKNOWN)).otherwise(pl.lit("male")).alias("sex"),
    )
    statistic = STATISTICS["within_ward_sex_month"]
    cells = compute_group([statistic], {"resident_movements": frame}, None).cells[statistic.name]
    assert dict(cells.iter_rows()) == {"male": 390, UNKNOWN: 10}


# -- what is refused, where, and what to write instead ---------------------------------------------------------------


REFUSED = [
    (SQL.replace("SELECT", "SELEC"), "syntax", (15, 1), ""),
    (SQL + "; DROP TABLE resident_register", "statement", (15, 1), ""),
    ("COPY resident_register TO 'x.csv'", "statement", (15, 1), ""),
    (SQL.replace("FROM resident_register", "FROM read_csv('/etc/passwd')"), "shape", (16, 6), "one source"),
    (SQL.replace("resident_register", "resident_registers"), "source", (16, 6), "resident_register"),
    (SQL.replace("resident_register", "estimated_population"), "source", (16, 6), "resident_register"),
    (SQL.replace("resident_register", "main.resident_register"), "shape", (16, 6), "FROM source"),
    (
        SQL.replace("GROUP", "WHERE ward = '28101' UNION ALL SELECT ward, sex, 1 FROM x GROUP"),
        "shape",
        None,
        "one source",
    ),
    ("WITH x AS (SELECT 1) " + SQL, "shape", None, "one source"),
    (SQL.replace("resident_register", "resident_register a JOIN resident_register b USING (ward)"), "shape", None, ""),
    (SQL.replace("resident_register", "(SELECT * FROM resident_register)"), "shape", None, ""),
    (SQL.replace("SELECT ", "SELECT DISTINCT "), "shape", None, "leave it out"),
    (SQL + " LIMIT 5", "shape", None, "leave it out"),
    (SQL + " HAVING count(*) > 3", "shape", (17, 21), "leave it out"),
    (SQL.replace("resident_register", "resident_register TABLESAMPLE 10%"), "shape", None, ""),
    (SQL.replace("ALL", "ROLLUP (1, 2)"), "groups", None, "GROUP BY ALL"),
    (SQL.replace("ALL", "area"), "groups", (17, 10), "GROUP BY ALL"),
    (SQL.replace("ALL", "1, 2, sex"), "groups", (17, 16), "GROUP BY ALL"),
    (SQL.replace("\nGROUP BY ALL", ""), "groups", None, "GROUP BY ALL"),
    (SQL.replace("district AS area", "*"), "shape", (15, 8), "select area, age, persons"),
    (SQL.replace(" AS area", ""), "columns", (15, 8), "AS area"),
    (SQL.replace("age5 AS age, ", ""), "columns", None, "AS age"),
    (SQL.replace("count(*) AS persons", "count(*)"), "columns", (15, 39), "AS persons"),
    (SQL.replace("count(*)", "sum(1)"), "measure", (15, 39), "count(*)"),
    (SQL.replace("count(*)", "count(age)"), "measure", None, "count(*)"),
    (SQL.replace("count(*)", "count(NULL)"), "measure", None, "count(*)"),
    (SQL.replace("count(*)", "count(DISTINCT 1)"), "measure", None, "count(*)"),
    (SQL.replace("count(*)", "count(*) FILTER (WHERE is_representative)"), "measure", None, "WHERE"),
    (SQL.replace("district AS area", "upper(district) AS area"), "dimension", (15, 8), "hierarchies.toml"),
    (SQL.replace("age5 AS", "CASE WHEN age > 60 THEN 'old' END AS"), "dimension", None, "hierarchies.toml"),
    (SQL.replace("district AS", "ward AS"), "hierarchy", (15, 8), "select district AS area"),
    (SQL.replace("age5 AS", "age10 AS"), "hierarchy", None, "age = …: age10 holds the codes of age10"),
    (SQL.replace("age5 AS", "'0-9' AS"), "hierarchy", None, ""),
    (SQL.replace("age5 AS", "aeg5 AS"), "column", (15, 26), "did you mean age5?"),
    (SQL.replace("age5 AS", "x.age5 AS"), "column", (15, 26), "alone"),
]
WHERE = [
    ("person_id % 2 = 0", "condition", ""),
    ("PERSON_ID IN (1, 2)", "withheld", "name one of"),
    ("person_id = 1", "withheld", ""),
    ("household_id IS NULL", "withheld", ""),
    ("town = '28101001'", "withheld", ""),
    ("age_precision = 'year'", "withheld", ""),
    ("district LIKE '%unknown'", "condition", "column IN (codes)"),
    ("sex = 'unknown'", "unknown", ""),
    ("'unknown' = sex", "unknown", ""),
    ("sex IN ('female', 'unknown')", "unknown", ""),
    ("district = '28101-unknown'", "unknown", ""),
    ("sex <> 'male'", "unknown", "sex IN ('male', 'female')"),
    ("sex NOT IN ('male')", "unknown", ""),
    ("sex IS DISTINCT FROM 'male'", "unknown", ""),
    ("NOT (sex = 'male')", "condition", ""),
    ("NOT (sex = 'male' OR sex = 'female')", "condition", ""),
    ("age IS NULL", "unknown", ""),
    ("age IS DISTINCT FROM 3", "unknown", ""),
    ("age NOT BETWEEN 0 AND 120", "condition", ""),
    ("district IS NULL", "unknown", ""),
    ("coalesce(age, -1) = -1", "condition", ""),
    ("length(district) > 4", "condition", ""),
    ("district || '' = '28101-' || 'unknown'", "condition", ""),
    ("sex = concat('un', 'known')", "condition", ""),
    ("CASE WHEN sex = 'male' THEN false ELSE true END", "condition", ""),
    ("sex > 'male'", "condition", "sex IN (…)"),
    ("EXISTS (SELECT 1)", "condition", ""),
    ("sex IN (SELECT 'unknown')", "condition", ""),
    ("random() < 0.5", "condition", ""),
    ("age = 'old'", "condition", "whole number"),
    ("sex = 1", "condition", "code in quotes"),
    ("age", "condition", ""),
    ("is_representative IS TRUE", "condition", ""),
    ("sex IS DISTINCT FROM family", "condition", ""),
    ("resident_type = 'forein'", "code", "did you mean 'foreign'?"),
    ("household_size >= 3", "condition", "household_size IN (…)"),
    ("area = '0101'", "column", ""),
    ("true", "condition", ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("sql", "rule", "place", "advice"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_select_that_is_no_count_is_refused_with_its_place_and_what_to_write(tmp_path, sql, rule, place, advice):
    with pytest.raises(ConfigurationError) as refusal:
        load(tmp_path, FRONT + sql)
    at = refusal.value.at
    assert (refusal.value.code, at["file"], at["rule"]) == ("statistics.select", "trial.sql", rule)
    assert place is None or (at["line"], at["column"]) == place
    assert advice in f"{refusal.value.message} {refusal.value.remedy}"


@pytest.mark.parametrize(("condition", "rule", "advice"), WHERE)
def test_a_condition_that_could_pick_out_the_unknown_or_single_people_is_refused(tmp_path, condition, rule, advice):
    for written in (condition, condition.upper() if "'" not in condition else condition, f"age > 3 AND ({condition})"):
        with pytest.raises(ConfigurationError) as refusal:
            load(tmp_path, FRONT + SQL.replace("GROUP", f"WHERE {written}\nGROUP"))
        at = refusal.value.at
        assert (refusal.value.code, at["rule"], at["line"]) == ("statistics.select", rule, 17)
        assert advice in f"{refusal.value.message} {refusal.value.remedy}"


@pytest.mark.slow
@QUICK
@given(st.data())
def test_an_allowed_condition_selects_nobody_for_being_unknown(data):
    """Whoever is selected with something unknown would be selected with some known value in its place as well."""
    source = PEOPLE[data.draw(st.sampled_from(sorted(PEOPLE)))]
    where = data.draw(conditions(source))
    statement = parse(f"SELECT 1 FROM {source.name} WHERE {where}")
    Conditions(statement, source).judge(statement.node["where_clause"])
    rows = prepare(source.made_up_rows(40), source.columns)
    named = {n["column_names"][0] for n in statement.nodes() if n.get("type") == "COLUMN_REF"}
    for column in named:
        values = rows[column]
        unknown = values.is_null() | values.cast(pl.String).str.ends_with(UNKNOWN).fill_null(True)
        if source.columns[column].empty_is_known or unknown.all() or not unknown.any():
            continue
        known = values.filter(~unknown).unique(maintain_order=True)
        with engine({source.name: rows.filter(unknown)}) as connection:
            chosen = fetched(connection, f"SELECT row_number_in_source AS n FROM {source.name} WHERE {where}")
        others = rows.filter(unknown).drop(column).join(known.to_frame(), how="cross")
        with engine({source.name: others}) as connection:
            as_known = fetched(
                connection, f"SELECT DISTINCT row_number_in_source AS n FROM {source.name} WHERE {where}"
            )
        assert set(chosen["n"]) <= set(as_known["n"]), (where, column)


# -- a new core system brings its own guards -------------------------------------------------------------------------


CARE = """
name = "care"
title = "介護保険"
sensitivity = "personal"
kinds = ["snapshot"]
key = ["number"]
[legal]
basis = "pipa-69-2-4"
purpose = "統計"
retention_months = 12
other_law = []
owner_section = "介護保険課"
[[layouts]]
form = "delimited"
suffix = [".csv"]
[[columns]]
id = "number"
header = "番号"
class = "L"
rule = "pseudonym"
purpose = "person"
to = "insured"
[[columns]]
id = "sex"
header = "性別"
class = "Q"
rule = "codes"
to = "sex"
codes = { 1 = "male", 2 = "female" }
blank = "unknown"
other = "unknown"
"""
CARE_FRONT = FRONT.replace('area = "district"\nage = "age5"', 'sex = "sex"')


@pytest.fixture
def care(tmp_path):
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "care.toml").write_text(CARE, "utf-8")
    return load_contracts(tmp_path / "contracts")


def test_a_new_sources_pseudonym_is_withheld_and_orders_its_cover(tmp_path, care):
    statistic = load(tmp_path, CARE_FRONT + "SELECT sex, count(*) AS persons FROM care GROUP BY ALL", contracts=care)
    assert columns_needed([statistic], "care", ["insured", "sex", "age"]) == ["insured", "sex"]
    sex = ["unknown"] * 2 + ["male"] * 40
    rows = pl.DataFrame({"insured": pl.Series(range(42, 0, -1), dtype=pl.UInt64), "sex": sex})
    with engine({"care": prepare(rows, ["sex"])}) as connection:
        apply_residual_floor(
            connection, [statistic], {"care": ["insured", "sex"]}, finest=FinestCells(connection, counted)
        )
        hidden = fetched(connection, "SELECT insured FROM care WHERE sex = 'unknown' ORDER BY 1")["insured"].to_list()
    assert hidden == [*range(1, 9), 41, 42], "the lowest pseudonyms join the unknown"
    with pytest.raises(ConfigurationError) as refusal:
        load(
            tmp_path,
            CARE_FRONT + "SELECT sex, count(*) AS persons FROM care WHERE insured = 1 GROUP BY ALL",
            contracts=care,
        )
    assert refusal.value.at["rule"] == "withheld"


def test_every_rule_that_makes_a_column_is_described():
    """A rule that is new in contracts is new here too, or its source could not be counted."""
    (union, _) = get_args(AnyColumn)
    making = {rule for rule in get_args(union) if any(f"{field}_".startswith("to_") for field in rule.model_fields)}
    assert making == {*RULES}


def test_every_column_of_every_contract_is_withheld_or_can_be_named():
    for name, contract in load_contracts(Settings().contracts).items():
        source = sources_of({name: contract})[name]
        assert {*contract.outputs} <= {*source.columns, *source.withheld}
        links = {column.to for column in contract.columns if column.rule == "pseudonym"}
        towns = {column.to_town for column in contract.columns if column.rule == "area" and column.to_town}
        assert links | towns <= source.withheld


# -- public figures --------------------------------------------------------------------------------------------------


PUBLIC = (
    FRONT.split('group = "stocks"')[0]
    + 'unit = "人"\nkind = "public"\nmeasure = "value"\n[dimensions]\narea = "ward"\n*/\n'
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT ward_code AS area, population AS value FROM resident_register", "source"),
        ("SELECT ward_code AS area, population AS value FROM read_csv('x')", "outside"),
        ("SELECT ward_code AS area, getenv('HOME') AS value FROM estimated_population", "function"),
        ("SELECT ward_code AS area, pop AS value FROM estimated_population", "run"),
        ("SELECT ward_code AS area, population FROM estimated_population", "columns"),
        ("SELECT ward_code AS area, basis AS value FROM estimated_population", "measure"),
    ],
)
def test_a_public_table_reads_public_figures_by_listed_functions(tmp_path, sql, rule):
    with pytest.raises(ConfigurationError) as refusal:
        load(tmp_path, PUBLIC + sql)
    assert refusal.value.at["rule"] == rule


def test_public_figures_may_be_summed_and_commented(tmp_path):
    sql = "SELECT ward_code AS area, sum(population) AS value FROM estimated_population GROUP BY ALL -- all of them"
    assert load(tmp_path, PUBLIC + sql).sources == ("estimated_population",)


@pytest.mark.parametrize("end", [";", " -- of all", "\n-- of all\n", " /* of all */", "; -- of all"])
def test_what_ends_a_statistic_beside_its_select_changes_nothing(tmp_path, end):
    """Comments and a semicolon: it loads, and what it counts is the same."""
    front, rows = (
        FRONT.replace('area = "district"\nage = "age5"', 'ward = "ward"'),
        {"resident_register": register(200)},
    )
    plain = "SELECT ward, count(*) AS persons FROM resident_register GROUP BY ALL"
    frames = []
    for sql in (plain, plain + end):
        statistic = load(tmp_path, front + sql)
        frames.append(compute_group([statistic], rows, AREAS).cells[statistic.name])
    assert frames[0].height and frames[0].equals(frames[1])


def test_a_fault_counts_characters_not_bytes():
    with pytest.raises(SelectFault) as fault:
        tables_of(parse("SELECT '神戸市' AS a,\n'神戸市', getenv('HOME')"), PAGES)
    assert (fault.value.line, fault.value.column) == (2, 8)


def test_a_dimension_whose_codes_are_all_known_needs_no_cover(tmp_path):
    """Wards have no residual code: a line of few is primary suppression's business, and nobody becomes unknown."""
    front = FRONT.replace('area = "district"\nage = "age5"', 'ward = "ward"')
    statistic = load(tmp_path, front + "SELECT ward, count(*) AS persons FROM resident_register GROUP BY ALL")
    rows = register(40)
    with engine({"resident_register": prepare(rows, ["ward"])}) as connection:
        before = counted(connection, statistic)
        assert before["persons"].min() < statistic.minimum_frequency
        assert (
            apply_residual_floor(
                connection, [statistic], {"resident_register": rows.columns}, finest=FinestCells(connection, counted)
            )
            == {}
        )
        assert counted(connection, statistic).sort("ward").equals(before.sort("ward"))


def test_a_table_by_district_whose_area_is_no_column_is_refused_before_a_row_changes(tmp_path):
    """The definition is refused when it is loaded; one that got past that fails by its name, and nothing is counted."""
    checked = load(tmp_path, FRONT + SQL)
    statistic = checked.model_copy(update={"sql": SQL.replace("district AS area", "'28101' AS area")})
    statistic.__dict__.pop("counts", None)  # what the checked SELECT counted
    frame = register(1_500, unknown=0.02)
    with (
        engine({"resident_register": prepare(frame, ["district", "age5"])}) as connection,
        pytest.raises(StatisticsError) as refusal,
    ):
        apply_residual_floor(
            connection, [statistic], {"resident_register": frame.columns}, finest=FinestCells(connection, counted)
        )
    assert (refusal.value.code, refusal.value.at) == ("statistics.area", {"statistic": "trial"})


def test_what_was_parsed_with_others_is_what_each_is_by_itself():
    whole = ["SELECT 1 AS one", "SELECT '年' AS year", "SELECT 1 AS one"]
    texts = [*whole, "SELEC 2", "SELECT 1; SELECT 2", "DROP TABLE a", ""]
    alone = [told_alone(text) for text in texts]
    parse.cache_clear()
    parse_ahead(texts)
    assert [told_alone(text) for text in texts] == alone


def told_alone(text: str) -> object:
    try:
        return parse(text)
    except SelectFault as fault:
        return fault.code, fault.message, fault.line, fault.column
