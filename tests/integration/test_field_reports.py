"""One inbox with the mishaps of docs/field_reports.md, through `kobe run`: what each receipt and list says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.settings import PROJECT, Settings
from tests.unit.intake.handmade import TOWNS, deliver, event, person, text_of
from tests.unit.intake.test_exchanged import swap
from tests.unit.intake.test_public import rows as estimates

pytestmark = pytest.mark.slow
CONTRACTS = load_contracts(PROJECT / "assets" / "contracts")
LOTS = ("5番地", "十二番地", "二十三番地", "一千二百番地", "山羊座番地")
"""The last is no lot; its text must be told nowhere."""


def _towns() -> list[dict[str, str]]:
    towns = TOWNS.with_columns(TOWNS["lot_from"].replace(101, 11), TOWNS["lot_to"].replace([100, 200], [10, 30]))
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in towns.to_dicts()]


def _people() -> list[dict[str, str]]:
    return [
        person(number, household_no=f"{number:012d}", lot=lot, school_district="", birth_date=str(9500 + number))
        for number, lot in enumerate(LOTS, 1)
    ]


def _moves(counterpart: str) -> list[dict[str, str]]:
    return [event(number, destination_planned=counterpart, name="山羊座太郎") for number in range(1, 21)]


def _compared(value: str) -> list[dict[str, str]]:
    common = {"as_of": "2025/7/1", "figure": "population", "source": "各市"}
    return [{**common, "city_code": "28100", "value": "1500000"}, {**common, "city_code": "27100", "value": value}]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Settings:
    """The deliveries: months tell the cases of one source apart."""
    root = tmp_path_factory.mktemp("reports")
    for part in ("statistics", "dashboards/pages"):  # what becomes of deliveries is looked at, not of tables
        (root / part).mkdir(parents=True)
    shutil.copy(PROJECT / "dashboards" / "audiences.toml", root / "dashboards")
    settings = Settings(
        home=root / "var",
        inbox=root / "inbox",
        start="2025-07",
        statistics=root / "statistics",
        dashboards=root / "dashboards",
    )
    LocalKeyStore.create(settings.keys, log=settings.key_log)

    def put(name: str, rows: list[dict[str, str]] | bytes, month: str, **said: object) -> None:
        deliver(settings.inbox, CONTRACTS[name], rows, month, **said)

    put("town_districts", _towns(), "2025-07")
    put("resident_register", _people(), "2025-07")
    put("resident_movements", _moves("131016"), "2025-07")
    told = estimates()
    put("estimated_population", told, "2025-11")
    put("estimated_population", told, "2025-12")
    odd = [{**row, "as_of": "2026-01-01"} for row in told]
    put("estimated_population", [*odd[:3], {**odd[3], "ward_code": "28199"}, *odd[4:]], "2026-01")
    odd = [{**row, "as_of": "2026-02-01"} for row in told]
    put("estimated_population", [odd[0], {**odd[1], "male": "12"}, *odd[2:]], "2026-02")
    text = text_of(CONTRACTS["estimated_population"], [{**row, "as_of": "2026-03-01"} for row in told])
    put("estimated_population", ("区別人口,,,,,,\r\n" + text).encode(), "2026-03", count=10)
    put("city_comparison", _compared("27,90"), "2025-07")
    put("city_comparison", [_compared("1")[1]], "2025-08")
    put("city_comparison", _compared("-5"), "2025-09")
    swapped = swap(
        text_of(CONTRACTS["estimated_population"], [{**r, "as_of": "2026-04-01"} for r in told]), "as_of", "basis"
    )
    put("estimated_population", swapped.encode(), "2026-04", count=10)
    put("city_comparison", [_compared("1")[0], {**_compared("1")[1], "city_code": "271004"}], "2025-11")
    pipe = settings.inbox / "28100" / "city_comparison" / "2025-10"
    pipe.mkdir()
    os.mkfifo(pipe / "manifest.json")
    return settings


def kobe(place: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **place.environment(), "COLUMNS": "400"}
    command = [sys.executable, "-m", "kobe_platform.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def ran(place) -> subprocess.CompletedProcess[str]:
    return kobe(place, "run")


@pytest.fixture(scope="module")
def listed(place, ran) -> dict[tuple[str, str], dict[str, str]]:
    told = json.loads(kobe(place, "deliveries", "list", "--json").stdout)
    return {(row["source"], row["month"]): row for row in told}


SAID = {
    ("city_comparison", "2025-07"): ("value.form", "3行目、項目 value"),
    ("city_comparison", "2025-08"): ("key.absent", "項目 city_code、コード 28100"),
    ("city_comparison", "2025-09"): ("value.range", "3行目、項目 value"),
    ("city_comparison", "2025-10"): ("manifest.unreadable", "マニフェストの箇所と不備 not_a_plain_file"),
    ("city_comparison", "2025-11"): ("code.unlisted", '行数 1、契約に書く行: system = "local-government"'),
    ("estimated_population", "2025-12"): ("period.other", "2行目、項目 as_of、行数 10"),
    ("estimated_population", "2026-01"): ("code.unlisted", "5行目、項目 ward_code"),
    ("estimated_population", "2026-02"): ("sum.parts", "3行目、項目 population"),
    ("estimated_population", "2026-03"): ("header.absent", "1行目、契約に書く行: leading = 1"),
    ("estimated_population", "2026-04"): ("columns.exchanged", "2行目、項目 as_of、もう一つの項目 basis"),
    ("resident_movements", "2025-07"): (
        "code.threshold",
        "項目 destination_planned、コード体系は local-government のようです、行数 20",
    ),
}
SOUND = {("town_districts", "2025-07"), ("resident_register", "2025-07"), ("estimated_population", "2025-11")}
SECRETS = ("山羊座", "27,90")


def test_every_mishap_is_listed_with_its_rule_and_place_and_the_others_are_accepted(listed):
    assert {key for key, row in listed.items() if row["outcome"] == "accepted"} == SOUND
    assert listed.keys() == SAID.keys() | SOUND
    for key, (rule, where) in SAID.items():
        reason = listed[key]["reason"]
        assert reason.startswith(f"[{rule}]") and where in reason, reason


def test_the_run_itself_says_each_place_and_ends_with_what_was_turned_away(ran):
    assert ran.returncode == 1
    assert f"{len(SOUND)} deliveries taken in, {len(SAID)} turned away" in ran.stdout
    for _, where in SAID.values():
        assert where in ran.stdout, where


def test_receipts_hold_what_was_said_and_no_value_of_a_person(place, ran, listed):
    written = "".join(path.read_text("utf-8") for path in Path(place.home, "receipts").rglob("*.json"))
    told = written + ran.stdout + ran.stderr + str(listed)
    assert not any(secret in told for secret in SECRETS)
    assert all(f'"{rule}"' in written for rule, _ in SAID.values())


def test_lots_and_day_counts_are_in_the_lake_as_they_are_written(place, ran):
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality, principal="test")
    partition = store.current(PartitionId("lake", "resident_register", "2025-07"))
    rows = store.read(partition.id)
    assert sorted(rows["district"]) == ["0101", "0102", "0102", "unknown", "unknown"]
    assert rows["age"].to_list() == [90] * 5  # born in 1926 and 1927: top-coded, not set aside
    assert partition.facts["warned"]["lot.unread"] == 1 and partition.facts["set_aside"] == {}
