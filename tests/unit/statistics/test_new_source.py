"""The example of docs/statistics.md: a new core system and its part of the residents, by data alone."""

import re
import shlex
import shutil

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.workshop.commands import pages_app
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.statistics import compute_group, groups, load_statistics, protect_group
from kobe_platform.statistics.protection import specification
from kobe_platform.vocabulary import codes as vocabulary
from tests.unit.statistics.lake_frames import WARDS, register

CHAPTER = (PROJECT / "docs" / "statistics.md").read_text("utf-8").split("### Example: ")[1].split("\n### ")[0]
DATA, PAGE, _ = CHAPTER.split("````")
CONTRACT, HIERARCHY, SELECT, RELATION = re.findall(r"```(?:toml|sql)\n(.*?)```", DATA, re.DOTALL)
BEGIN = shlex.split(re.search("`kobe pages (new .*?)`", DATA)[1])


@pytest.fixture
def city(tmp_path, monkeypatch):
    """The project's data files with those of the example beside them: the folder of statistics, and the contracts."""
    for name, folder in (("vocabulary", vocabulary.LISTS), ("contracts", Settings().contracts)):
        (tmp_path / name).mkdir()
        for path in folder.iterdir():
            (tmp_path / name / path.name).write_bytes(path.read_bytes())
    statistics = tmp_path / "statistics"
    statistics.mkdir()
    for name in ("population_ward.sql", "foreigners_age_ward.sql", "households_size_ward.sql"):
        (statistics / name).write_bytes((Settings().statistics / name).read_bytes())
    told = (Settings().statistics / "relations.toml").read_text("utf-8")
    (statistics / "relations.toml").write_text(
        told[: told.index("# Every member of")].split('[[includes]]\nwhole = "moves')[0]
    )
    with (tmp_path / "vocabulary" / "hierarchies.toml").open("a", encoding="utf-8") as file:
        file.write(HIERARCHY)
    (tmp_path / "contracts" / "care_certification.toml").write_text(CONTRACT, "utf-8")
    (statistics / "care_ward.sql").write_text(SELECT, "utf-8")
    monkeypatch.setattr(vocabulary, "LISTS", tmp_path / "vocabulary")
    vocabulary.hierarchies.cache_clear()
    yield statistics, load_contracts(tmp_path / "contracts")
    monkeypatch.undo()
    vocabulary.hierarchies.cache_clear()


def certified(people: pl.DataFrame) -> pl.DataFrame:
    """The oldest of some residents, nearly everybody of the first ward."""
    rng = np.random.default_rng(5)
    old = people.filter((pl.col("age") > 84) | (pl.col("ward") == WARDS[0]) & (pl.col("age") > 1))
    levels = rng.choice(
        ["support", "care1", "care2", "care3", "care4", "care5"], old.height, p=[0.5, 0.3, 0.1, 0.06, 0.03, 0.01]
    )
    return old.select("person_id", "ward", care_level=pl.Series(levels))


@pytest.mark.slow
def test_the_example_is_tied_protected_and_audited(city):
    folder, contracts = city
    (folder / "relations.toml").open("a", encoding="utf-8").write(RELATION)
    statistics = load_statistics(folder, contracts)
    members = groups(statistics.values())["stocks/month"]
    (inclusion,) = [x for x in specification(members, None).includes if x.part == "certified"]
    assert inclusion.whole == "residents"
    people = register(2_000)
    cells = compute_group(members, {"resident_register": people, "care_certification": certified(people)}, None).cells
    result = protect_group(members, cells, None, period="2025-07")
    table = result.tables["care_ward"]
    assert (
        table.filter(pl.col("value").is_between(1, 9)).is_empty() and not table.filter(status="suppressed").is_empty()
    )


def test_without_a_statement_the_new_source_is_refused(city):
    folder, contracts = city
    with pytest.raises(ConfigurationError) as caught:
        load_statistics(folder, contracts)
    assert caught.value.code == "statistics.untied" and "includes" in caught.value.remedy
    (folder / "relations.toml").open("a", encoding="utf-8").write(RELATION)
    (folder / "care_ward.sql").write_text(SELECT.replace('group = "stocks"', 'group = "care"'), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_statistics(folder, contracts)
    assert caught.value.code == "statistics.untied" and "one group" in caught.value.remedy


def test_its_page_passes_every_check(city, tmp_path, monkeypatch):
    """Over made-up figures of the new statistic, beside those that it stands with."""
    folder, _ = city
    (folder / "relations.toml").open("a", encoding="utf-8").write(RELATION)
    dashboards = tmp_path / "dashboards"
    shutil.copytree(Settings().dashboards, dashboards, ignore=shutil.ignore_patterns("node_modules", "src", "pages"))
    (dashboards / "pages").mkdir()
    for name in ("contracts", "statistics", "dashboards"):
        monkeypatch.setenv(f"KOBE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    begun = CliRunner().invoke(pages_app, BEGIN)
    assert begun.exit_code == 0, begun.output
    page = dashboards / "pages" / "care.md"
    front = page.read_text("utf-8").split("---\n")[1]
    page.write_text(f"---\n{front}---\n{PAGE.removeprefix('markdown')}", "utf-8")
    checked = CliRunner().invoke(pages_app, ["check", "--sample"])
    assert checked.exit_code == 0, checked.output
    assert "1 pages checked" in checked.output
