"""A relation and wishes that are added after a release: months go on, what is out is named, nothing more is told."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from random import Random
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import app
from kobe_platform.cli.run import process
from kobe_platform.contracts import load_contracts
from kobe_platform.custody import keys as key_store
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import audit
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.planning.observing import Observer
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.statistics.history import former_releases, under
from kobe_platform.statistics.protection import specification
from kobe_platform.synthesis.deliveries import CityPlan, synthesize
from tests.integration.test_differences import PAGE
from tests.soak.homes import correct

pytestmark = pytest.mark.slow
FIRST, NEXT = "2025-10", "2025-11"
TABLES = ("households_size_ward", "households_family_ward")
TIED = """[[combinations]]
population = "households"
one = "family"
other = "household_size"
because = "a household of one is single and no other is"
[combinations.possible]
single = ["1"]
couple = ["2"]
couple_children = ["3", "4", "5", "6+"]
single_parent = ["2", "3", "4", "5", "6+"]
three_generation = ["2", "3", "4", "5", "6+"]
other = ["2", "3", "4", "5", "6+"]
"""


def test_a_relation_that_was_added_late_stops_no_month(tmp_path, monkeypatch):
    monkeypatch.setattr(key_store, "secrets", SimpleNamespace(token_bytes=Random(1).randbytes))
    place = home(tmp_path)
    synthesize(CityPlan(place.inbox, 4_000, FIRST, FIRST, 5))
    assert process(place).exit_code == 0
    weak = published(place, FIRST)

    (place.statistics / "relations.toml").write_text(TIED)
    large, small = wished(place)
    synthesize(CityPlan(place.inbox, 4_000, FIRST, NEXT, 5))
    assert process(place).exit_code == 0 and Observer(place).plan().empty
    named = told(place, monkeypatch)
    assert named and {one["month"] for one in named} == {FIRST}, "cells that follow from the first release alone"
    tied = published(place, FIRST)
    assert all(tied[name].equals(weak[name]) for name in TABLES), "there is nothing that another pattern could mend"
    report = verdict(place, FIRST)
    assert report.publishable and report.exposed_by_table == {one["table"]: one["cells"] for one in named}
    assert verdict(place, NEXT).publishable and not verdict(place, NEXT).exposed, "a new month is wholly protected"
    assert_wishes(place, large, small, monkeypatch)
    assert answered(place) == ["published"] * 10, "beside what is exposed a question is still answered"

    correct(next(place.inbox.glob(f"*/resident_register/{FIRST}")), 10, 1_000)
    assert process(place).exit_code == 1, "held"
    assert CliRunner().invoke(app, ["deliveries", "approve", "resident_register", FIRST]).exit_code == 0
    assert process(place).exit_code == 0 and Observer(place).plan().empty
    corrected = published(place, FIRST)
    assert any(not corrected[name].equals(tied[name]) for name in TABLES) and verdict(place, FIRST).publishable
    assert {one["month"] for one in told(place, monkeypatch)} <= {FIRST}


def wished(place: Settings) -> tuple[dict, dict]:
    """Of the second month: a large ward's row that is to be hidden, and a small one that is to stay shown."""
    rows = store(place).read(PartitionId("statistics", TABLES[0], FIRST)).sort("households")
    small, large = rows.row(0, named=True), rows.row(-1, named=True)
    with (place.statistics / f"{TABLES[0]}.wishes.csv").open("w", newline="", encoding="utf-8") as file:
        wishes = [(row["size"], row["area"], wish, NEXT) for row, wish in ((large, "hide"), (small, "keep"))]
        csv.writer(file).writerows([("size", "area", "wish", "period"), *wishes])
    return large, small


def assert_wishes(place: Settings, large: dict, small: dict, monkeypatch) -> None:
    """They are of the second month alone, and known to the operator alone."""
    hidden = published(place, NEXT)[TABLES[0]].filter(status="suppressed")
    found = {*hidden.select("area", "size").iter_rows()}
    assert {(large["area"], large["size"]), (small["area"], small["size"])} <= found
    before = published(place, FIRST)[TABLES[0]].filter(area=large["area"], size=large["size"])
    assert before["status"].item() == "published"
    relatives = {pair for pair in found if pair[0] == large["area"] or pair[1] == large["size"]}
    assert len(relatives) > 1, "it does not follow from its totals"
    shown(place, monkeypatch)
    told = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)["wishes"]
    assert told == [{"table": TABLES[0], "month": NEXT, "kept_in_vain": 1, "without_row": 0}]
    assert f"{NEXT} {TABLES[0]}: 表示を望んだ1行" in CliRunner().invoke(app, ["status"]).output
    files = [path for path in place.releases.rglob("*") if path.suffix in (".json", ".html", ".js")]
    assert files and not any(b"kept_in_vain" in path.read_bytes() for path in files)


def home(root: Path) -> Settings:
    """An installation with two tables of households, which nothing ties yet, and a page."""
    (root / "statistics").mkdir()
    for part in ("pages", "manuals"):
        (root / "dashboards" / part).mkdir(parents=True)
        page = PAGE.replace("population_ward", TABLES[0]).replace("age = 'total' AND sex = 'total'", "size = 'total'")
        (root / "dashboards" / part / "people.md").write_text(page if part == "pages" else "# 使い方\n")
    for name in TABLES:
        shutil.copy(Settings().statistics / f"{name}.sql", root / "statistics")
    shutil.copy(Settings().dashboards / "audiences.toml", root / "dashboards")
    folders = {"statistics": root / "statistics", "dashboards": root / "dashboards"}
    settings = Settings(home=root / "var", inbox=root / "inbox", start=FIRST, **folders)
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    return settings


def store(place: Settings) -> PartitionStore:
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    return PartitionStore(place.store, keys, municipality=place.municipality, principal="test")


def published(place: Settings, month: str) -> dict[str, pl.DataFrame]:
    return {name: store(place).read(PartitionId("published", name, month)).drop("period") for name in TABLES}


def answered(place: Settings) -> list[str]:
    """The statuses of an answer on demand: households of the city and of its nine wards."""
    statistics = load_statistics(place.statistics)
    governance = open_database(f"sqlite:///{place.home / 'asked.sqlite'}")
    menu = load_menu(place.ondemand, statistics, load_contracts(place.contracts))
    desk = Desk(store(place), statistics, menu, governance, "synthetic")
    analyst = add_person(governance, "hanako", "花子", "企画調整局", roles=("analyst",), by="test")
    _, given = desk.ask(analyst, {"month": FIRST, "measure": "households", "dimensions": ["ward"]})
    return given.table["status"].to_list()


def verdict(place: Settings, month: str):
    """The auditor's, beside all that was released of the month."""
    members = [load_statistics(place.statistics)[name] for name in TABLES]
    spec = specification(members, None)
    return audit(
        spec, published(place, month), previous=under(spec, former_releases(store(place), "stocks/month", month))
    )


def told(place: Settings, monkeypatch) -> list[dict]:
    """What ``kobe status`` says of it, on the screen too."""
    shown(place, monkeypatch)
    found = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)["exposed"]
    screen = CliRunner().invoke(app, ["status"]).output
    assert all(f"{one['month']} {one['table']}: 秘匿したセルのうち{one['cells']:,}個" in screen for one in found)
    return found


def shown(place: Settings, monkeypatch) -> None:
    """Commands find the installation by the environment."""
    for name in ("home", "inbox", "statistics", "dashboards", "start"):
        monkeypatch.setenv(f"KOBE_{name.upper()}", str(getattr(place, name)))
