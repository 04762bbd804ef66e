"""A month of the lake is judged from its encrypted partition, in the check and in the command."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.commands import lake_app
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import LakeError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.quality import validate_month
from kobe_platform.settings import Settings
from tests.unit.intake.handmade import TOWNS
from tests.unit.test_architecture import imports, modules

from .conftest import MONTH, Source

LAKE = PartitionId("lake", "resident_movements", MONTH)


@pytest.fixture
def home(tmp_path, monkeypatch, movements: Source) -> PartitionStore:
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "var"))
    settings = Settings()
    keys = LocalKeyStore.create(settings.keys, log=settings.key_log)
    store = PartitionStore(settings.store, keys, municipality=settings.municipality)
    store.write(PartitionId("raw", "town_districts", "2025-04"), TOWNS)
    store.write(LAKE, movements.frame)
    return store


def called(*arguments: str):
    return CliRunner().invoke(lake_app, ["quality", *arguments])


def test_a_good_month_meets_all_and_a_bad_one_is_told_in_counts(home, movements):
    assert validate_month(home, movements.contract, MONTH).failed == {}
    home.write(LAKE, movements.frame.with_columns(pl.lit(91, pl.Int16).alias("age")))
    assert validate_month(home, movements.contract, MONTH).failed == {"age.be_between": 60}


def test_a_column_that_the_partition_lacks_is_told(home, movements):
    home.write(LAKE, movements.frame.drop("sex"))
    failed = validate_month(home, movements.contract, MONTH).failed
    assert {"sex.be_in_set", "table.columns_to_match_set"} <= set(failed)


def test_without_its_reference_nothing_is_judged(home, movements):
    home.write(PartitionId("lake", "resident_movements", "2025-01"), movements.frame)
    with pytest.raises(LakeError) as caught:
        validate_month(home, movements.contract, "2025-01")
    assert caught.value.at["source"] == "town_districts"


def test_the_command_says_what_is_met_and_what_not(home, movements):
    good = called("resident_movements", MONTH)
    assert good.exit_code == 0 and "reason.be_in_set" in good.output
    home.write(LAKE, movements.frame.with_columns(pl.lit("28999").alias("ward_before")))
    bad = called("resident_movements", MONTH)
    assert bad.exit_code == 1
    assert "NOT MET  ward_before.be_in_set  (60 of 60 rows)" in bad.output
    assert "28999" not in bad.output


@pytest.mark.slow
def test_the_command_asks_for_the_second_opinion(home):
    both = called("resident_movements", MONTH, "--great-expectations", "--json")
    report = json.loads(both.output)
    assert both.exit_code == 0 and report["disagreements"] == []
    assert report["great_expectations"]["success"] is report["validation"]["success"] is True
    told = called("resident_movements", MONTH, "--great-expectations")
    assert "Great Expectations says the same of all" in told.output


def test_a_second_opinion_that_differs_is_an_error(home, monkeypatch):
    def other(name, expected, frame):
        validation = validate_month(home, load_contracts(Settings().contracts)["resident_movements"], MONTH).validation
        return {**validation, "results": [{**one, "success": False} for one in validation["results"]]}

    monkeypatch.setattr("kobe_platform.quality.second_opinion.great_expectations", other)
    differing = called("resident_movements", MONTH, "--great-expectations")
    assert differing.exit_code == 1 and "Great Expectations differs on: " in differing.output


def test_the_suite_is_one_that_great_expectations_reads(home):
    import great_expectations as gx

    suite = json.loads(called("resident_movements", MONTH, "--suite").output)
    read = gx.ExpectationSuite(**suite)
    assert len(read.expectations) == len(suite["expectations"]) > 30


@pytest.mark.parametrize("arguments", [("town_districts", MONTH), ("nothing", MONTH), ("resident_movements", "2025-7")])
def test_the_command_judges_months_of_personal_sources_only(home, arguments):
    assert called(*arguments).exit_code == 2


def test_great_expectations_is_imported_by_the_second_opinion_only():
    every = {name: path for name, path in modules().items() if "great_expectations" in path.read_text("utf-8")}
    named = [name for name, path in every.items() if any(n.startswith("great_expectations") for n in imports(path))]
    assert named == ["kobe_platform.quality.second_opinion"]
    every = {name: path for name, path in modules().items() if "second_opinion" in path.read_text("utf-8")}
    used = [name for name, path in every.items() if "kobe_platform.quality.second_opinion" in imports(path)]
    assert used == ["kobe_platform.quality.commands"]
    for name in (*named, *used):
        top = imports(every[name], top_level_only=True)
        assert not {"great_expectations", "kobe_platform.quality.second_opinion"} & top
