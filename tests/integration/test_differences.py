"""A city that sends differences between its full extracts publishes what it would publish with full extracts alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.cli.run import process
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.planning.observing import Observer
from kobe_platform.reception.accounting import balance
from kobe_platform.settings import Settings
from kobe_platform.synthesis.deliveries import CityPlan, synthesize

pytestmark = pytest.mark.slow
MONTHS = ("2025-10", "2025-11", "2025-12")
REGISTER, MOVEMENTS = "resident_register", "resident_movements"
TABLE = "population_ward"
PAGE = """---
title: 区別の人口
contents: [人口]
category: 人口
usage: [地域の特徴]
audience: staff
owner: 企画調整局政策課
application: R7-0001
source: 住民基本台帳
published: 2026-01-09
manual: people.md
keywords: [人口]
---

```sql people
SELECT period, area, value AS 人口, status FROM population_ward WHERE age = 'total' AND sex = 'total' ORDER BY period
```

<DataTable data={people} title="人口"/>
"""


def home(root: Path, full_every: int) -> Settings:
    """An installation with one table and one page, and the deliveries of three months."""
    (root / "statistics").mkdir(parents=True)
    for part in ("pages", "manuals"):
        (root / "dashboards" / part).mkdir(parents=True)
        (root / "dashboards" / part / "people.md").write_text(PAGE if part == "pages" else "# 使い方\n")
    shutil.copy(Settings().statistics / f"{TABLE}.sql", root / "statistics")
    shutil.copy(Settings().dashboards / "audiences.toml", root / "dashboards")
    folders = {"statistics": root / "statistics", "dashboards": root / "dashboards"}
    settings = Settings(home=root / "var", inbox=root / "inbox", start=MONTHS[0], **folders)
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    send(settings, full_every)
    return settings


def send(settings: Settings, full_every: int) -> None:
    synthesize(CityPlan(settings.inbox, 4_000, MONTHS[0], MONTHS[-1], 5, full_every=full_every))


def tables(settings: Settings) -> dict[PartitionId, pl.DataFrame]:
    keys = LocalKeyStore.open(settings.keys, log=settings.key_log)
    store = PartitionStore(settings.store, keys, municipality=settings.municipality, principal="test")
    places = [("published", TABLE), ("lake", REGISTER), ("lake", MOVEMENTS)]
    return {id: store.read(id) for place in places for month in MONTHS for id in [PartitionId(*place, month)]}


def receipts(settings: Settings, month: str, status: str) -> list[dict]:
    folder = settings.receipts / "28100" / REGISTER / month
    told = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"*.{status}.json")]
    return sorted(told, key=lambda record: record["at"])


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Settings:
    settings = home(tmp_path_factory.mktemp("differences"), 12)
    report = process(settings)
    assert report.exit_code == 0, [outcome for outcome in report.outcomes if outcome.faults or outcome.turned_away]
    return settings


def test_receipts_account_for_base_and_difference(place):
    for month in MONTHS[1:]:
        (told,) = receipts(place, month, "accepted")
        laid = told["facts"]["laid"]
        assert told["kind"] == "difference" and balance(told["facts"]) == 0
        assert laid["rows"] == told["files"][0]["rows"]
        assert told["facts"]["rows"] == laid["base_rows"] + laid["rows"]
        assert laid["added"] and laid["changed"] and laid["ended"]


def test_full_extracts_in_place_of_the_differences_are_reconciled_and_give_the_same_cells(place):
    """Every month is sent again in full: no record differs, nobody has to approve, and no figure or row changes."""
    with_differences = tables(place)
    send(place, 1)
    report = process(place)
    assert report.exit_code == 0 and Observer(place).plan().empty
    for month in MONTHS[1:]:
        told = receipts(place, month, "accepted")[-1]
        assert told["kind"] == "snapshot"
        found = told["facts"]["reconciled"]
        assert (found["differing"], found["behind"], found["by_ward"]) == (0, 0, {}) and found["compared"] > 3_000
    for id, cells in tables(place).items():
        assert cells.height and with_differences[id].equals(cells), id
