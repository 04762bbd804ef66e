"""Small cities, month by month: what the engine protects the auditor does not refuse, and again after a correction.

`python -m tests.soak.small_cities [CITIES] [--record FILE] [--from SEED] [--months N]` draws cities of 5,000 to 40,000
residents, with pseudonym keys of their own, takes N months of each (three if none is said) through abstraction, counts,
protection and audit in this process, takes a few rows out of each month and protects it once more with its own release
behind it. The first half are the smallest, the other half are spread over all sizes. It prints a line a group and month
and ends with 1 if any was refused. A record has one line a city (residents, seed, group-months, refusals, CPU seconds),
and a second run with the same record goes on where the first ended.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.abstraction import abstract
from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.disclosure import FormerRelease
from kobe_platform.errors import PlatformError
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts import take_in
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_group, groups, load_statistics, protect_group
from kobe_platform.synthesis import CityPlan, Form, synthesize
from kobe_platform.vocabulary.codes import Hierarchy, districts

SMALLEST = (5_000, 6_000, 7_000, 8_000)
SIZES = (*SMALLEST, 10_000, 12_000, 15_000, 20_000, 25_000, 30_000, 40_000)
MONTHS, CITY = ("2019-11", "2019-12", "2020-01"), "28100"
PERSONAL = ("resident_register", "resident_movements")
ROWS_TAKEN = (1, 3, 20)


def months(
    residents: int, seed: int, number: int, folder: Path
) -> Iterator[tuple[str, dict[str, pl.DataFrame], dict[str, pl.DataFrame], Hierarchy]]:
    """(month, abstracted rows by source, the same of a corrected delivery, areas) of a synthetic city.

    ``number`` months are taken. ``seed`` also makes the pseudonym keys, and draws the rows that a correction lacks.
    """
    synthesize(CityPlan(folder / "inbox", residents, MONTHS[0], MONTHS[number - 1], seed, Form("utf-8-sig")))
    contracts = load_contracts(Settings().contracts)
    deliveries = {(d.source, d.month): d for d in find(folder / "inbox", contracts, CITY)}
    towns = take_in(deliveries["town_districts", MONTHS[0]], contracts["town_districts"]).frame
    for month in sorted({month for _, month in deliveries}):
        raw = {source: take_in(deliveries[source, month], contracts[source]).frame for source in PERSONAL}
        first, again = (_abstracted(rows, contracts, month, towns, seed) for rows in (raw, _corrected(raw, seed)))
        yield month, first, again, districts(towns, month)


def _abstracted(
    raw: Mapping[str, pl.DataFrame], contracts: Mapping[str, Contract], month: str, towns: pl.DataFrame, seed: int
) -> dict[str, pl.DataFrame]:
    return {
        source: abstract(
            rows, contracts[source], month=month, references={"town_districts": towns}, companions=raw,
            pseudonym_key=lambda purpose: hashlib.sha256(f"{purpose} {seed}".encode()).digest(),
        ).frame
        for source, rows in raw.items()
    }  # fmt: skip


def _corrected(raw: Mapping[str, pl.DataFrame], seed: int) -> dict[str, pl.DataFrame]:
    """The rows without a few of them: households are counted anew, as they are after a real correction."""
    rng = np.random.default_rng(seed)
    taken = rng.choice(ROWS_TAKEN)
    return {name: frame.filter(pl.Series(rng.permutation(frame.height) >= taken)) for name, frame in raw.items()}


def trial(residents: int, seed: int, number: int) -> tuple[int, int]:
    """Take one city's months through protection and audit: how many groups of a month were taken, and refused."""
    statistics = load_statistics(Settings().statistics).values()
    counted = groups(one for one in statistics if {*one.sources} <= {*PERSONAL})
    monthly = {key: members for key, members in counted.items() if "month" in key}
    taken, refused, before = 0, 0, dict[str, Mapping[str, pl.DataFrame]]()
    with tempfile.TemporaryDirectory() as folder:
        for month, first, again, areas in months(residents, seed, number, Path(folder)):
            for key, members in monthly.items():
                taken += 1
                former: list[FormerRelease] = []
                told, start = [], before.get(key, {})
                for rows in (first, again):
                    read = {source: rows[source] for member in members for source in member.sources}
                    cells = compute_group(members, read, areas).cells
                    try:
                        done = protect_group(members, cells, areas, period=month, previous=former, start=start)
                    except PlatformError as error:
                        refused += 1
                        told.append(f"{error.code} {error.at}")
                        break
                    if not former:
                        before[key] = done.tables
                    former = [FormerRelease({name: table.drop("period") for name, table in done.tables.items()})]
                    told.append("ok")
                print(f"{residents} seed {seed} {month} {key}: {', corrected: '.join(told)}", flush=True)
    return taken, refused


def drawn_cities(cities: int, first: int) -> list[tuple[int, int]]:
    """(residents, seed) of each city, the smallest sizes in the first half."""
    sizes = random.Random(first)
    return [(sizes.choice(SMALLEST if at < cities // 2 else SIZES), first + at) for at in range(cities)]


def main(arguments: list[str]) -> int:
    """Take the cities that the record does not have yet; 1 if any city of the record or of this run was refused."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cities", nargs="?", type=int, default=200)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--months", type=int, choices=range(1, len(MONTHS) + 1), default=len(MONTHS))
    asked = parser.parse_args(arguments)
    lines = asked.record.read_text().splitlines() if asked.record and asked.record.exists() else []
    done = {line.split(":")[0] for line in lines}
    failed = any(", 0 refused," not in line for line in lines)
    for residents, seed in drawn_cities(asked.cities, asked.first):
        city = f"{residents} residents seed {seed}"
        if city in done:
            continue
        begun = time.process_time()
        taken, refused = trial(residents, seed, asked.months)
        failed |= refused > 0
        told = f"{city}: {taken} group-months, {refused} refused, {time.process_time() - begun:.0f} CPU s"
        print(told, flush=True)
        if asked.record:
            with asked.record.open("a") as record:
                record.write(told + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
