"""Lake frames of two sources, abstracted from handmade deliveries, with what is expected of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.contracts import Contract, load_contract
from kobe_platform.quality import Expectation, Known, Tally, expectations, judge, names, settled
from kobe_platform.settings import PROJECT
from tests.unit.intake.handmade import TOWNS, abstracted, event, person, taken

MONTH = "2025-07"
KNOWN = Known(MONTH, {"town_districts": TOWNS})
CARE = PROJECT / "tests" / "contracts" / "care_certification.toml"
MOVEMENTS = PROJECT / "assets" / "contracts" / "resident_movements.toml"
REGISTER = PROJECT / "assets" / "contracts" / "resident_register.toml"


@dataclass(frozen=True)
class Source:
    """A lake partition, its contract and its suite."""

    contract: Contract
    frame: pl.DataFrame
    suite: tuple[Expectation, ...]

    def failed(self, frame: pl.DataFrame) -> set[str]:
        """Names of the expectations that a frame does not meet."""
        tally = Tally(frame)
        results = judge(self.contract.name, settled(self.suite, tally), tally)["results"]
        return {name for name, one in zip(names(self.suite), results, strict=True) if not one["success"]}


def certified(number: int) -> dict[str, str]:
    """One certified person: even ones need care, odd ones support."""
    care = number % 2 == 0
    return {
        "insured_no": f"{number:010d}",
        "certificate_no": f"{number % 3:04d}",
        "household_no": f"{number // 2:06d}",
        "guarantor_no": f"{number:010d}" if number % 4 else "",
        "name": "介護太郎",
        "born_on": f"19{30 + number % 20}0401",
        "status": "02" if care else "01",
        "level": f"2{1 + number % 5}" if care else "",
        "dementia": str(1 + number % 3),
        "reduced": str(number % 2),
        "facility": f"A{number % 10}0",
        "share": str(10 * (1 + number % 3)),
        "visits": str(number % 20),
        "certified_on": f"202{number % 5}0401",
        "decided_on": "20250710",
        "address_code": "28101002000",
        "district": "0102",
        "came_from": ("28201", "13101", "")[number % 3],
        "relationship": "02" if care else "11",
        "protection": "0",
    }


@pytest.fixture(scope="session")
def care(tmp_path_factory) -> Source:
    contract = load_contract(CARE)
    frame = abstracted(tmp_path_factory.mktemp("care"), contract, [certified(n) for n in range(120)]).frame
    return Source(contract, frame, expectations(contract, KNOWN))


@pytest.fixture(scope="session")
def movements(tmp_path_factory) -> Source:
    inbox: Path = tmp_path_factory.mktemp("movements")
    contract = load_contract(MOVEMENTS)
    companions = {"resident_register": taken(inbox, load_contract(REGISTER), [person(1)]).frame}
    foreign = {"resident_type": "2", "nationality": "KOR", "residence_status": "01", "birth_date": "19800401"}
    events = [event(n, **(foreign if n % 3 == 0 else {})) for n in range(60)]
    frame = abstracted(inbox, contract, events, companions=companions).frame
    return Source(contract, frame, expectations(contract, KNOWN))
