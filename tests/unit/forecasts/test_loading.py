"""What is wrong in a forecast's file is said with its place and what to write instead."""

import shutil
from pathlib import Path

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.loading import load_forecasts
from kobe_platform.published import load_published
from kobe_platform.settings import Settings

FILES = Settings().forecast_files


def _totals(table: str) -> tuple[str, str]:
    """A change of a table of moves by age: it is read by its total alone."""
    named = f'table = "{table}"\narea = "area"\nage = "age"'
    return named, f'{named}\nages = ["total"]'


SECOND_DEATHS = (
    '[[flows]]\nevent = "entering"',
    '[[flows]]\nevent = "deaths_by_age"\ntable = "deaths_age_year"\nage = "age"\n\n[[flows]]\nevent = "entering"',
)
"""Deaths by age are read a second time, by the finest bands."""


def loaded(tmp_path: Path, tables, name: str, *changes: tuple[str, str]):
    """The tables of a folder with one of the project's own files, changed."""
    text = (FILES / f"{name}.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    return load_forecasts(tmp_path, {n: one for n, one in tables.items() if one.kind not in ("forecast", "scores")})


def test_the_projects_own_files_load_as_tables_with_a_scoreboard(tables):
    forecasts = [name for name, one in tables.items() if one.kind == "forecast"]
    assert forecasts == ["future_population", "moves_in_ahead", "moves_out_ahead", "school_entry",
                         "school_entry_district"]  # fmt: skip
    assert set(tables["forecast_scores"].scored) == set(forecasts)
    assert tables["school_entry"].dimensions == {"area": "ward", "target": "month", "figure": "forecast_figure"}
    assert tables["school_entry"].sources == ("resident_register",)


def test_a_folder_without_files_adds_nothing(tmp_path, tables):
    assert load_forecasts(tmp_path, tables) == {} and load_forecasts(tmp_path / "absent", tables) == {}
    assert not any(one.kind == "forecast" for one in load_published(Settings().statistics, tmp_path).values())


@pytest.mark.parametrize(
    ("name", "old", "new", "place", "remedy"),
    [
        ("school_entry", 'method = "cohort_change"', 'method = "cohort_chang"', "method", "cohort_change"),
        ("school_entry", 'benchmark = "same_cohort"', 'benchmark = "same"', "benchmark", "same_cohort"),
        ("school_entry", 'table = "population_age_ward"', 'table = "population_age"', "input.table", "_ward"),
        ("school_entry", 'table = "population_age_ward"', 'table = "estimated_population"', "input.table", ""),
        ("school_entry", 'age = "age"', 'age = "ages"', "input.age", "age"),
        ("school_entry", 'ages = ["6"]', 'ages = ["66-70"]', "ages", ""),
        ("school_entry", 'ages = ["6"]', "", "ages", "grouped"),
        ("school_entry", "horizons = [12, 24, 36]", "horizons = [12, 18]", "horizons", "12"),
        ("school_entry", "horizons = [12, 24, 36]", "horizons = [24, 12]", "horizons", ""),
        ("school_entry", "pseudo_persons", "pseudo_person", "parameters.pseudo_person", "pseudo_persons"),
        ("school_entry", "purpose =", "purposes =", "purposes", "purpose"),
        ("school_entry", "not_for = [", "not_for2 = [", "not_for2", "not_for"),
        ("school_entry", "next_review = 2027-06-30", 'next_review = "soon"', "next_review", ""),
        ("school_entry", "origins = [3]", "origins = [13]", "origins.0", ""),
        ("school_entry", 'table = "population_age_ward"', 'table = "population_ward"', "input.at.sex", "code"),
        ("future_population", 'grouped = "age5"', 'grouped = "age_5"', "grouped", "age5"),
        ("future_population", 'event = "deaths"', 'event = "death"', "flows.1.event", ""),
        ("future_population", 'event = "deaths_by_age"', 'event = "deaths"', "flows.event", "deaths_by_age"),
        ("future_population", 'table = "deaths_age_year"', 'table = "deaths_age"', "flows.2.table", "deaths_age_year"),
        ("future_population", '"0-59", "60-69"', '"0-59", "60-6"', "flows.2.ages", "60-69"),
        ("future_population", '"0-59", "60-69"', '"0-59"', "flows.2.ages", ""),
        ("future_population", 'at = { sex = "total" }', "", "flows.0.at.sex", "total"),
        ("future_population", '"cohort_change", "cohort_component"', '"cohort_change"', "flows", "leave out"),
        ("future_population", *_totals("ward_moves_in_year"), "flows.4.ages", "0, 25, 40"),
        ("future_population", *_totals("moves_out_age_year"), "flows.5.ages", "0, 25, 40"),
        ("future_population", *_totals("ward_moves_out_year"), "flows.6.ages", "0, 25, 40"),
        ("future_population", *SECOND_DEATHS, "flows.3.ages", "0, 60, 70, 80, 90"),
        ("moves_in_ahead", 'method = "seasonal_index"', 'method = "best"', "parameters.among", "among"),
        ("moves_in_ahead", 'method = "seasonal_index"', 'method = "cohort_change"', "method cohort_change", ""),
        ("school_entry_district", 'ages = ["6"]', 'ages = ["16-19"]', "ages", "did you mean"),
        ("school_entry_district", 'ages = ["6"]', 'grouped = "age_child"', "grouped", "leave"),
        ("school_entry_district", "[input]", 'renamed = { 1 = "2" }\n[input]', "renamed", "leave"),
        ("future_population", 'table = "population_age_ward"', 'table = "children_district"', "input.area", "by ward"),
        (
            "school_entry",
            "[input]",
            '[[breaks]]\nmonth = "2016-01"\nbecause = "x"\nareas = ["2810"]\n[input]',
            "breaks.0.areas",
            "28",
        ),
        ("moves_in_ahead", "[parameters]", 'renamed = { 1 = "28109x" }\n[parameters]', "input.renamed", ""),
        ("moves_in_ahead", "[input]", 'renamed = { 1 = "2810" }\n[input]', "renamed.1", "28"),
        ("moves_in_ahead", "[input]", '[[breaks]]\nmonth = "2016"\nbecause = "x"\n[input]', "breaks.0.month", ""),
        ("moves_in_ahead", "title =", "title", "file", "line"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, tables, name, old, new, place, remedy):
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, tables, name, (old, new))
    assert refused.value.code == "forecast.definition" and refused.value.at["file"] == f"{name}.toml"
    assert refused.value.at["place"] == place
    assert remedy in refused.value.remedy


def test_a_forecast_may_not_have_the_name_of_a_statistic(tmp_path, tables):
    shutil.copy(FILES / "school_entry.toml", tmp_path / "population_ward.toml")
    with pytest.raises(ConfigurationError, match="has this name"):
        load_forecasts(tmp_path, tables)


def test_a_statistics_file_cannot_call_itself_a_forecast(tmp_path):
    sql = (Settings().statistics / "estimated_population.sql").read_text("utf-8")
    (tmp_path / "own.sql").write_text(sql.replace('kind = "public"', 'kind = "forecast"'), "utf-8")
    with pytest.raises(ConfigurationError):
        load_published(tmp_path, tmp_path / "none")
