"""Relations between figures are data: loaded with the statistics, complete as far as a loader can see, documented."""

from pathlib import Path

import pytest

from kobe_platform.disclosure.definitions import bounds
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.statistics.nesting import declared, lies_within
from kobe_platform.statistics.relations import load_relations

STATISTICS = Settings().statistics
LISTED = (PROJECT / "docs" / "disclosure.md").read_text("utf-8")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the statistics and their relations."""
    for path in STATISTICS.iterdir():
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    return tmp_path


def changed(folder: Path, old: str, new: str) -> None:
    path = folder / "relations.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def refused(folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_statistics(folder)
    return caught.value


def test_a_population_that_lies_within_another_must_be_said_to(folder):
    """By the conditions of the SELECTs: a part of the reasons, or one condition more, over the same source."""
    changed(folder, 'part = "households"', 'part = "foreigners"')
    error = refused(folder)
    assert error.code == "statistics.untied" and error.at["file"].startswith("households_")
    assert 'whole = "residents", part = "households"' in error.remedy


def test_equal_populations_must_have_one_name(folder):
    path = folder / "deaths_year.sql"
    path.write_text(path.read_text("utf-8").replace('population = "deaths"', 'population = "the_dead"'), "utf-8")
    error = refused(folder)
    assert error.code == "statistics.untied" and "one population" in error.remedy


def test_two_sources_of_one_period_need_a_word_about_each_other(folder):
    text = (folder / "relations.toml").read_text("utf-8")
    (folder / "relations.toml").write_text(text[: text.index("[[apart]]")], "utf-8")
    assert refused(folder).code == "statistics.untied"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('part = "foreigners"', 'part = "foreigner"'),
        ('hierarchy = "household_size"', 'hierarchy = "sex"'),
        ('couple = ["2"]', 'couple = ["two"]'),
        ('one = "family"', 'one = "kinship"'),
        ("[[balances]]", "[[balance]]"),
        ('because = "a foreign resident is a resident"', ""),
        ('"resident_movements", "resident_register"', '"resident_movements", "residents_register"'),
    ],
)
def test_a_statement_about_nothing_is_refused_by_its_kind(folder, old, new):
    changed(folder, old, new)
    error = refused(folder)
    assert (error.code, error.at["file"]) == ("statistics.relations", "relations.toml")


def test_every_inclusion_that_conditions_show_is_declared_and_no_other_is_contradicted():
    statistics, told = load_statistics(STATISTICS), load_relations(STATISTICS)
    first = {s.population: s for s in statistics.values() if s.kind == "frequency"}
    seen = {(a, b) for a in first for b in first if a != b and lies_within(first[a], first[b])}
    assert seen <= declared(told)
    assert not {(b, a) for a, b in declared(told)} & seen


def test_a_new_statement_makes_the_tables_anew(folder):
    before = load_statistics(folder)["foreigners_district"].digest
    changed(folder, "a foreign resident is a resident", "every foreign resident is a resident")
    assert load_statistics(folder)["foreigners_district"].digest != before


def test_counts_that_go_together_are_bounded_by_sets_of_codes():
    """Rows: single, couple, couple with children, others; columns: one, two, three and more persons."""
    import numpy as np

    together = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)
    assert sorted(bounds(together)) == [
        ((0,), (0,), True),
        ((1,), (1,), False),
        ((1, 2, 3), (1, 2), True),
        ((2,), (2,), False),
    ]


def _line(statement) -> str:
    """How the list of docs/disclosure.md says a statement."""
    side = lambda terms: " + ".join(f"{t.population} ({t.role})" if t.role else t.population for t in terms)  # noqa: E731
    words = {
        "includes": lambda s: f"{s.part} ⊆ {s.whole}",
        "members": lambda s: f"Σ {s.hierarchy} × {s.groups} ≤ {s.whole}, by {', '.join(s.within) or 'total'}",
        "combinations": lambda s: f"{s.one} with {s.other} of {s.population}",
        "part_of": lambda s: f"{side(s.left)} ≤ {side(s.right)}, by {', '.join(s.on) or 'total'}",
        "balances": lambda s: f"{side(s.left)} = {side(s.right)}, by {', '.join(s.on) or 'total'}",
        "apart": lambda s: f"not tied: {' and '.join(s.sources)}",
    }
    return f"- {words[statement.kind](statement)}: {statement.because}."


def test_the_list_of_the_promise_is_what_is_tied():
    lines = [_line(statement) for statement in load_relations(STATISTICS) if statement.kind != "stock_and_flow"]
    listed = LISTED[LISTED.index("### Tied by definition") :].split("\n\n")[2]
    assert listed.split("\n") == lines
