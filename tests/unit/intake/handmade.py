"""Deliveries written by hand, a few rows at a time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import polars as pl

from kobe_platform.abstraction import Abstracted, abstract
from kobe_platform.contracts import Contract
from kobe_platform.intake.deliveries import Delivery, find
from kobe_platform.intake.extracts import Taken, take_in

from .conftest import pseudonym_key

PERSON = {
    "household_no": "280000000001",
    "history_no": "1",
    "resident_type": "1",
    "resident_state": "1",
    "birth_date": "3550401",
    "birth_unknown": "0",
    "sex": "1",
    "relationship": "02",
    "address_code": "28101001000",
    "school_district": "0101",
    "became_resident_on": "20100401",
    "moved_in_on": "20200401",
    "protection": "0",
    "lot": "5番地",
}
EVENT = {
    "history_no": "2",
    "reason": "21",
    "event_on": "20250715",
    "filed_on": "20250715",
    "processed_on": "20250716",
    "household_before": "280000000001",
    "address_before": "28101001000",
    "lot_before": "5番地",
    "district_before": "0101",
    "destination_planned": "13101",
    "immigration_notice": "0",
    "birth_date": "3550401",
    "birth_unknown": "0",
    "sex": "1",
    "resident_type": "1",
    "protection": "0",
}
TOWNS = pl.DataFrame(
    {
        "town_code": ["28101001000", "28101001000", "28101002000", "28102001000", "28101009000"],
        "town_name": ["甲町", "甲町", "乙町", "丙町", "旧町"],
        "ward_code": ["28101", "28101", "28101", "28102", "28101"],
        "lot_from": [1, 101, None, None, None],
        "lot_to": [100, 200, None, None, None],
        "district_code": ["0101", "0102", "0102", "0201", "0103"],
        "district_name": ["甲", "乙", "乙", "丙", "旧"],
        "valid_from": ["2000-04-01"] * 5,
        "valid_to": ["", "", "", "", "2024-04-01"],
    },
    schema_overrides={"lot_from": pl.Int64, "lot_to": pl.Int64},
)


def person(number: int, **values: str) -> dict[str, str]:
    """A row of the register; the key's last digit is not checked here (a failure only warns)."""
    return {**PERSON, "atena_no": f"{number:015d}", **values}


def event(number: int, **values: str) -> dict[str, str]:
    """A row of the movements."""
    return {**EVENT, "atena_no": f"{number:015d}", **values}


def text_of(contract: Contract, rows: list[dict[str, str]]) -> str:
    """Rows as CSV text with the contract's header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.header for column in contract.columns])
    writer.writerows([row.get(column.id, "") for column in contract.columns] for row in rows)
    return out.getvalue()


def deliver(
    inbox: Path, contract: Contract, rows: list[dict[str, str]] | bytes, month: str = "2025-07", **manifest: object
) -> Delivery:
    """Writes a delivery (UTF-8 unless the manifest says otherwise) and finds it."""
    encoding = str(manifest.get("encoding", "utf-8"))
    data = rows if isinstance(rows, bytes) else text_of(contract, rows).encode(encoding)
    count = manifest.pop("count", None if isinstance(rows, bytes) else len(rows))
    folder = inbox / "28100" / contract.name / month
    folder.mkdir(parents=True, exist_ok=True)
    name = str(manifest.pop("name", f"{contract.name}.csv"))
    (folder / name).write_bytes(data)
    file = {"name": name, "rows": count, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    said = {
        "municipality": "28100",
        "source": contract.name,
        "month": month,
        "kind": contract.kinds[0],
        "sequence": 1,
        "created_at": "2025-08-01T03:00:00+09:00",
        "encoding": encoding,
        "files": [file],
    }
    (folder / "manifest.json").write_text(json.dumps({**said, **manifest}), "utf-8")
    return next(d for d in find(inbox, {contract.name: contract}, "28100") if d.month == month)


def taken(inbox: Path, contract: Contract, rows: list[dict[str, str]], month: str = "2025-07", **manifest) -> Taken:
    """A handmade delivery taken in."""
    return take_in(deliver(inbox, contract, rows, month, **manifest), contract)


def abstracted(
    inbox: Path, contract: Contract, rows: list[dict[str, str]], month: str = "2025-07", companions=None, **manifest
) -> Abstracted:
    """A handmade delivery, abstracted with the handmade table of towns."""
    return abstract(
        taken(inbox, contract, rows, month, **manifest).frame,
        contract,
        month=month,
        references={"town_districts": TOWNS},
        companions=companions or {},
        pseudonym_key=pseudonym_key,
    )
