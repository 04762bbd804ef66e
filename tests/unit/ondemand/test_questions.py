"""What may be asked: the menu's words and codes, and nothing else."""

from __future__ import annotations

import pytest

from kobe_platform.errors import ConfigurationError, QuestionError
from kobe_platform.ondemand import load_menu, understood
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics

MONTHS = ["2025-07"]
GOOD = {"month": "2025-07", "measure": "residents", "dimensions": ["ward", "age10"], "filters": {"sex": ["female"]}}


@pytest.fixture(scope="module")
def menu():
    return load_menu(Settings().ondemand, load_statistics(Settings().statistics))


def test_a_question_is_the_whole_table_of_its_dimensions_and_filters(menu):
    question = understood(menu, GOOD, None, MONTHS)
    assert question.dimensions == ("ward", "sex", "age10") and question.filters == {"sex": ("female",)}
    assert question.statistic.dimensions == {"area": "ward", "sex": "sex", "age": "age10"}
    assert "female" not in question.statistic.sql, "a filter never reaches the SELECT"
    other = understood(menu, {**GOOD, "dimensions": ["age10", "ward"], "filters": {"sex": ["male"]}}, None, MONTHS)
    assert other.statistic == question.statistic, "the same table, whatever is shown of it"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"month": "2025-08"}, "month"),
        ({"month": "2025-7"}, "month"),
        ({"measure": "salaries"}, "measure"),
        ({"dimensions": []}, "dimensions"),
        ({"dimensions": "ward"}, "list"),
        ({"dimensions": ["ward", "nationality"]}, "dimension"),
        ({"dimensions": ["person_id"]}, "dimension"),
        ({"dimensions": ["ward; DROP TABLE x"]}, "dimension"),
        ({"dimensions": ["age5", "age10"]}, "same"),
        ({"dimensions": ["ward", "district"]}, "same"),
        ({"filters": {"sex": ["unknown"]}}, "code"),
        ({"filters": {"sex": ["' OR 1=1 --"]}}, "code"),
        ({"filters": {"sex": []}}, "code"),
        ({"filters": {"town": ["x"]}}, "dimension"),
        ({"filters": [1]}, "filters"),
        ({"sql": "SELECT 1"}, "part"),
    ],
)
def test_everything_else_is_refused_by_its_place(menu, change, code):
    with pytest.raises(QuestionError) as refusal:
        understood(menu, {**GOOD, **change}, None, MONTHS)
    assert refusal.value.code == f"ondemand.{code}" and refusal.value.ja


def test_too_large_and_too_many(menu):
    many = {"measure": "foreigners", "dimensions": ["ward", "age5", "sex", "nationality"], "filters": {}}
    with pytest.raises(QuestionError) as refusal:
        understood(menu, {**GOOD, **many}, None, MONTHS)
    assert refusal.value.code == "ondemand.many"
    small = menu.model_copy(update={"most_cells": 100})
    with pytest.raises(QuestionError) as refusal:
        understood(small, GOOD, None, MONTHS)
    assert refusal.value.code == "ondemand.size"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('dimensions = ["ward", "district", "age5", "age10", "sex"]', 'dimensions = ["ward", "towns"]'),
        ('hierarchy = "age10"', 'hierarchy = "shoe_size"'),
        ("quota = 30", "quota = 0"),
        ('select = "sex"', 'select = "sex, town"'),
        ('hierarchy = "age5"', 'hierarchy = "age_year"'),
        ("[measures.residents]", "[measures.residents]\nsurprise = 1"),
        ("quota", "[quota"),
    ],
)
def test_a_menu_that_is_not_as_it_must_be_names_the_place(tmp_path, old, new):
    text = Settings().ondemand.read_text("utf-8")
    assert old in text
    path = tmp_path / "ondemand.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigurationError) as refusal:
        load_menu(path, load_statistics(Settings().statistics))
    assert refusal.value.code == "ondemand.menu" and refusal.value.at["place"]
