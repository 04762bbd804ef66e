"""Examples of further core systems: taken over by data files alone, fed by the made-up city, protected, on pages."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.abstraction import abstract
from kobe_platform.cli.examples import examples_app, names, taken_over
from kobe_platform.contracts import load_contracts
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts import take_in
from kobe_platform.lounge.workshop.commands import pages_app
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_group, groups, load_statistics, protect_group
from kobe_platform.statistics.select import sources
from kobe_platform.synthesis import CityPlan, synthesize
from kobe_platform.vocabulary import codes as vocabulary

MONTH = "2025-04"
PARTS = {"certified", "pupils", "insured"}
CACHES = (vocabulary.hierarchies, vocabulary.codes_of, sources._source)


def forget() -> None:
    for cache in CACHES:
        cache.cache_clear()


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A city's data files with all examples taken over, as settings."""
    folder: Path = tmp_path_factory.mktemp("city")
    house = Settings()
    unread = shutil.ignore_patterns("node_modules", "src")
    shutil.copytree(house.contracts.parent, folder / "assets", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copytree(house.dashboards, folder / "dashboards", ignore=unread)
    patch = pytest.MonkeyPatch()
    patch.setattr(vocabulary, "LISTS", folder / "assets" / "vocabulary")
    for name in ("contracts", "statistics"):
        patch.setenv(f"KOBE_{name.upper()}", str(folder / "assets" / name))
    patch.setenv("KOBE_DASHBOARDS", str(folder / "dashboards"))
    patch.setenv("KOBE_HOME", str(folder / "home"))
    for name in names():
        assert CliRunner().invoke(examples_app, ["add", name]).exit_code == 0
    forget()
    yield Settings()
    patch.undo()
    forget()


@pytest.fixture(scope="module")
def lake(city, tmp_path_factory) -> dict[str, pl.DataFrame]:
    """One month of a made-up city of 6,000 with all three systems, abstracted."""
    inbox = tmp_path_factory.mktemp("inbox")
    synthesize(CityPlan(inbox, 6_000, MONTH, MONTH, 4, dirt=0, systems=tuple(names())))
    contracts = load_contracts(city.contracts)
    taken = {one.source: take_in(one, contracts[one.source]).frame for one in find(inbox, contracts, "28100")}
    return {
        name: abstract(
            frame,
            contracts[name],
            month=MONTH,
            references=taken,
            companions=taken,
            pseudonym_key=lambda purpose: purpose.encode().ljust(32),
        ).frame
        for name, frame in taken.items()
        if contracts[name].sensitivity == "personal"
    }


def test_the_house_delivers_and_counts_none_of_them_unasked():
    assert CityPlan(Path("inbox"), 1_000, MONTH, MONTH).systems == ()
    own = {path.stem for path in Settings.model_fields["contracts"].default.glob("*.toml")}
    assert not own & {"care_certification", "school_enrolment", "nhi_members", "nhi_changes"}


def test_their_tables_are_tied_to_the_residents_protected_and_audited(city, lake):
    statistics = load_statistics(city.statistics, load_contracts(city.contracts))
    wanted = {*PARTS, "residents"}
    stocks = [s for s in groups(statistics.values())["stocks/month"] if s.population in wanted]
    stocks = [s for s in stocks if s.population != "residents" or s.name == "population_ward"]
    assert {s.population for s in stocks} == wanted
    wards = [s for s in stocks if not s.by_district]
    cells = compute_group(wards, lake, None).cells
    tables = protect_group(wards, cells, None, period=MONTH).tables
    assert all(table.filter(pl.col("value").is_between(1, 9)).is_empty() for table in tables.values())
    total = {name: table.filter(area="28100") for name, table in tables.items() if "area" in table.columns}
    assert total["care_level_ward"].filter(level="total")["value"][0] == lake["care_certification"].height
    assert not tables["care_transitions"].filter(status="suppressed").is_empty()


def test_children_go_up_a_grade_and_protected_ones_have_no_district(city, lake):
    pupils = lake["school_enrolment"]
    assert set(pupils["grade"]) == {"1", "2", "3", "4", "5", "6"}
    assert pupils.columns == ["person_id", "ward", "district", "grade"]
    assert (pupils["district"] == vocabulary.UNKNOWN).any()


def test_a_level_rises_with_time_and_is_never_told_of_those_who_are_not_certified(lake):
    held = lake["care_certification"].filter(pl.col("care_level_before") != "none")
    order = ["support1", "support2", "care1", "care2", "care3", "care4", "care5"]
    now, then = (held[name].replace_strict(order, range(7)) for name in ("care_level", "care_level_before"))
    assert (now >= then).all() and (now > then).any()
    assert lake["care_certification"]["age"].min() >= 60


def test_membership_changes_are_events_of_the_month(lake):
    changes = lake["nhi_changes"]
    assert set(changes["booked_in"]) == {MONTH}
    assert {"gain_left_work", "loss_took_work", "loss_late_elderly"} <= set(changes["change"])


@pytest.mark.slow
def test_their_pages_pass_every_check(city):
    checked = CliRunner().invoke(pages_app, ["check", "--sample"])
    assert checked.exit_code == 0, checked.output


def test_an_example_that_is_there_is_refused_and_nothing_is_written(city):
    before = {path: path.stat().st_mtime_ns for path in city.statistics.parent.rglob("*") if path.is_file()}
    with pytest.raises(ConfigurationError) as caught:
        taken_over("care", city)
    assert caught.value.code == "examples.there"
    assert {path: path.stat().st_mtime_ns for path in city.statistics.parent.rglob("*") if path.is_file()} == before
    broken_off = city.contracts / "care_certification.toml"
    words = broken_off.read_bytes()
    broken_off.unlink()
    assert taken_over("care", city) == [broken_off], "what a call that was ended had not written yet, and that alone"
    assert broken_off.read_bytes() == words
    with pytest.raises(ConfigurationError) as caught:
        taken_over("tax", city)
    assert caught.value.code == "examples.unknown"
