"""What passed its trial is not tried again, whatever process asks; what changed is, and what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kobe_platform import trials as remembering
from kobe_platform.contracts import load_contracts
from kobe_platform.errors import ConfigurationError
from kobe_platform.quality import trial as contract_trial
from kobe_platform.settings import PROJECT
from kobe_platform.statistics import load_statistics
from kobe_platform.statistics import trial as statistic_trial
from kobe_platform.trials import FILE, Trials

ASSETS = PROJECT / "assets"
PUBLIC = """/*
title = "Estimates"
description = "Passed through."
owner = "statistics"
period = "month"
unit = "persons"
kind = "public"
measure = "population"
dimensions = { area = "ward" }
*/
select ward_code as area, population from estimated_population
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    """A folder of definitions beside an installation, and a process in which nothing was tried yet."""
    monkeypatch.setattr(remembering, "_SEEN", set())
    (tmp_path / "home").mkdir()
    folder = tmp_path / "statistics"
    folder.mkdir()
    (folder / "estimates.sql").write_text(PUBLIC, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def contracts():
    return load_contracts(ASSETS / "contracts")


@pytest.fixture
def ran(monkeypatch) -> list[str]:
    """Names of the statistics that are really tried."""
    names: list[str] = []
    run = statistic_trial.tried
    monkeypatch.setattr(statistic_trial, "tried", lambda one, sources: (names.append(one.name), run(one, sources)))
    return names


def load(home: Path, contracts, monkeypatch):
    """Load as a new process does: it knows nothing but what lies on the disk."""
    monkeypatch.setattr(remembering, "_SEEN", set())
    return load_statistics(home / "statistics", contracts, Trials(home / "home" / "staging"))


def test_a_second_process_does_not_try_again(home, contracts, ran, monkeypatch):
    first = load(home, contracts, monkeypatch)
    assert load(home, contracts, monkeypatch) == first
    assert ran == ["estimates"]


def test_a_changed_definition_is_tried_and_refused(home, contracts, ran, monkeypatch):
    load(home, contracts, monkeypatch)
    file = home / "statistics" / "estimates.sql"
    file.write_text(
        PUBLIC.replace("population from", "cast(ward_code as varchar) as population from"), encoding="utf-8"
    )
    for _ in range(2):  # and what failed is not remembered
        with pytest.raises(ConfigurationError, match="is no number"):
            load(home, contracts, monkeypatch)
    assert ran == ["estimates"] * 3


@pytest.mark.parametrize("what", ["code", "vocabulary", "libraries", "contract"])
def test_whatever_a_trial_runs_on_makes_it_run_again(home, contracts, ran, monkeypatch, what):
    load(home, contracts, monkeypatch)
    if what == "code":
        monkeypatch.setattr(remembering, "engine_version", lambda: "mended")
    elif what == "contract":
        source = contracts["estimated_population"]
        contracts = {**contracts, source.name: source.model_copy(update={"title": "another"})}
    else:
        monkeypatch.setattr(remembering, {"vocabulary": "_vocabulary", "libraries": "_versions"}[what], lambda: "other")
    load(home, contracts, monkeypatch)
    assert ran == ["estimates"] * 2


def test_the_vocabulary_is_told_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setattr(remembering, "LISTS", tmp_path)
    (tmp_path / "codes.csv").write_text("a", encoding="utf-8")
    first = remembering._vocabulary.__wrapped__()
    (tmp_path / "codes.csv").write_text("b", encoding="utf-8")
    assert remembering._vocabulary.__wrapped__() != first


@pytest.mark.parametrize("content", [b"", b"{", b'{"passed": true}', b"[1, null]", b"[" * 100_000, b"\xff"])
def test_a_file_that_says_nothing_is_no_success(home, contracts, ran, monkeypatch, content):
    load(home, contracts, monkeypatch)
    (home / "home" / "staging" / FILE).write_bytes(content)
    load(home, contracts, monkeypatch)
    load(home, contracts, monkeypatch)
    assert ran == ["estimates"] * 2


def test_an_installation_that_is_not_there_is_not_made(home, contracts, monkeypatch):
    Trials(home / "elsewhere" / "staging").passed(["one"])
    assert not (home / "elsewhere").exists()


@pytest.mark.slow
def test_a_contract_is_tried_when_it_or_what_it_reads_changes(home, contracts, monkeypatch):
    names: list[str] = []
    run = contract_trial.try_contract
    monkeypatch.setattr(contract_trial, "try_contract", lambda one, all_: (names.append(one.name), run(one, all_)))

    def start(told):
        monkeypatch.setattr(remembering, "_SEEN", set())
        names.clear()
        contract_trial.try_contracts(told, Trials(home / "home" / "staging"))
        return sorted(names)

    assert start(contracts) == sorted(contracts)
    assert start(contracts) == []
    read = next(name for one in contracts.values() for name in one.references)
    readers = {one.name for one in contracts.values() if read in (*one.references, *one.needs)}
    changed = {**contracts, read: contracts[read].model_copy(update={"title": "another"})}
    assert start(changed) == sorted({read, *readers})
