"""A statistic is one file; whatever is wrong with it is said with the file's name, and nothing is guessed."""

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.statistics import columns_needed, groups, load_statistics

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
*/
"""
SQL = "SELECT district AS area, count(*) AS persons FROM resident_register GROUP BY ALL"


def load(tmp_path, text):
    (tmp_path / "trial.sql").write_text(text, encoding="utf-8")
    return load_statistics(tmp_path)["trial"]


def test_the_front_matter_and_the_select_are_read(tmp_path):
    statistic = load(tmp_path, FRONT + SQL)
    assert statistic.sources == ("resident_register",)
    assert (statistic.key, statistic.district_column) == ("stocks/month", "district")


@pytest.mark.parametrize(
    "text",
    [
        SQL,
        FRONT,
        FRONT + SQL + "; DROP TABLE resident_register",
        FRONT + "COPY resident_register TO 'x.csv'",
        FRONT + "ATTACH 'x.db'",
        FRONT + "SET memory_limit='1GB'",
        FRONT.replace('title = "試し"\n', "") + SQL,
        FRONT.replace('unit = "人"', "unit = ") + SQL,
        FRONT.replace('"district"', '"parish"') + SQL,
        FRONT.replace("minimum_frequency = 10\n", "") + SQL,
        FRONT + SQL.replace("district AS area", "upper(district) AS area"),
        FRONT.replace("*/", 'to = "district"\n*/') + SQL.replace("count", "district AS to, count"),
        FRONT + SQL.replace("GROUP BY", "WHERE household_id IS NULL GROUP BY"),
        FRONT + SQL.replace("GROUP BY", "WHERE town = 'unknown' GROUP BY"),
        FRONT + SQL.replace("GROUP BY", "WHERE sex = 'unknown' GROUP BY"),
    ],
    ids=[
        "no front",
        "no select",
        "two",
        "copy",
        "attach",
        "set",
        "no title",
        "not toml",
        "hierarchy",
        "no k",
        "area",
        "two districts",
        "household",
        "town",
        "unknown",
    ],
)
def test_an_unsound_definition_is_refused_by_name(tmp_path, text):
    with pytest.raises(ConfigurationError) as refusal:
        load(tmp_path, text)
    assert refusal.value.at["file"] == "trial.sql"


def test_only_the_columns_that_a_group_reads_are_asked_for(tmp_path):
    statistic = load(tmp_path, FRONT + SQL)
    available = ["person_id", "household_id", "ward", "town", "district", "age", "nationality"]
    assert columns_needed([statistic], "resident_register", available) == ["person_id", "ward", "district"]


def test_the_projects_own_statistics_load_and_stand_in_groups():
    statistics = load_statistics(Settings().statistics)
    grouped = [member.name for members in groups(statistics.values()).values() for member in members]
    assert sorted(grouped) == sorted(name for name, one in statistics.items() if one.kind != "public")
    for statistic in statistics.values():
        for tie in statistic.ties:
            assert statistics[tie.table].period == "month"
            assert set(tie.on) <= set(statistic.dimensions) & set(statistics[tie.table].dimensions)


def test_two_tables_of_the_same_people_share_no_overlapping_groups(tmp_path):
    """0-24 less 0-9 and 10-19 would be 20-24: a count that no table protects."""
    from kobe_platform.settings import Settings

    for path in Settings().statistics.iterdir():
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    load_statistics(tmp_path)
    changed = tmp_path / "foreigners_age_district.sql"
    changed.write_text(changed.read_text("utf-8").replace("age_life", "age_year"), "utf-8")
    with pytest.raises(ConfigurationError) as refusal:
        load_statistics(tmp_path)
    assert refusal.value.code == "statistics.overlap" and refusal.value.at["file"].startswith("foreigners_age_")
