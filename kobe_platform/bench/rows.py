"""Measures what it takes to count the encrypted rows of many municipalities on one machine, beside plain Parquet.

Each municipality has a store and keys of its own, as a home has; a made-up month is one partition of each.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from kobe_platform.bench.apart import run_apart
from kobe_platform.bench.lake import ASKED, ID, grouped, made_up
from kobe_platform.bench.month import spread
from kobe_platform.custody.durable import sync_file
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import PlatformError
from kobe_platform.lake import PartitionStore

WAYS = ("lake", "plain")
SIZES = 8
"""Municipalities have one of so many sizes: their rows are made once a size and written under each one's own keys."""


def sizes(municipalities: int, rows: int) -> list[int]:
    """Rows of each municipality, largest first: the one of rank r has a share that goes with 1/r, as towns have."""
    shares = [1 / (rank + SIZES) for rank in range(1, municipalities + 1)]
    scale = rows / sum(shares)
    return [max(1, round(share * scale)) for share in shares]


def measure(municipalities: int, rows: int, runs: int) -> dict:
    """Both ways, ``runs`` times in turn, each in a process of its own that reads what is on the disk.

    Returns:
        ``rows`` that were counted, ``mb`` on the disk by way, ``seconds``, ``processor_seconds`` and ``peak_mb`` by
        way as (median, least, most), ``ratios`` (lake ÷ plain).

    Raises:
        PlatformError: ``bench.counts``: the two ways do not count the same in every cell.
    """
    told: dict[str, list[dict]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="kobe-bench-") as scratch:
        written = json.loads(run_apart(__name__, "write", scratch, municipalities, rows)[0])
        for _ in range(runs):
            for way in WAYS:
                words, used = run_apart(__name__, way, scratch)
                told[way].append({**json.loads(words), "processor_seconds": used.ru_utime + used.ru_stime})
    found = {run["digest"] for of in told.values() for run in of}
    if len(found) != 1:
        raise PlatformError(
            "encrypted and plain rows do not give the same counts",
            code="bench.counts",
            at={"municipalities": municipalities},
            remedy="this is a fault of the platform: report it with this command",
            ja="暗号化した行と平文の行の集計が一致しません",
        )
    spent = {
        kind: {way: spread([run[kind] for run in told[way]]) for way in WAYS}
        for kind in ("seconds", "processor_seconds", "peak_mb")
    }
    return {
        "municipalities": municipalities,
        "rows": told["lake"][0]["rows"],
        "cells": told["lake"][0]["cells"],
        "mb": written,
        **spent,
        "ratios": {
            kind: round(spent[kind]["lake"][0] / spent[kind]["plain"][0], 2)
            for kind in ("seconds", "processor_seconds", "peak_mb")
        },
    }


def write(scratch: Path, municipalities: int, rows: int) -> dict[str, float]:
    """Write every municipality's rows both ways; megabytes by way."""
    counted = sizes(municipalities, rows)
    frame = pl.DataFrame()
    total = dict.fromkeys(WAYS, 0.0)
    (scratch / "plain").mkdir()
    steps = [counted[len(counted) * part // SIZES] for part in range(SIZES)]
    for number, wanted in enumerate(counted):
        near = min((size for size in steps if size >= wanted), default=wanted)
        if frame.height != near:
            frame = made_up(near)
        store = _store(scratch / "homes" / f"{number:05d}", new=True)
        total["lake"] += store.write(ID, frame.head(wanted)).size / 1e6
        plain = scratch / "plain" / f"{number:05d}.parquet"
        frame.head(wanted).write_parquet(plain, compression="zstd", compression_level=1)
        sync_file(plain)
        total["plain"] += plain.stat().st_size / 1e6
    return {way: round(size, 1) for way, size in total.items()}


def _store(home: Path, *, new: bool = False) -> PartitionStore:
    log = home / "log" / "key_use.jsonl"
    keys = LocalKeyStore.create(home / "keys", log=log) if new else LocalKeyStore.open(home / "keys", log=log)
    return PartitionStore(home / "store", keys, municipality=home.name)


def _of_each(scratch: Path, way: str) -> Iterator[pl.DataFrame]:
    """A municipality's own counts, one municipality at a time."""
    if way == "lake":
        for home in sorted((scratch / "homes").iterdir()):
            yield _store(home).query(ID, grouped)
    else:
        for path in sorted((scratch / "plain").iterdir()):
            yield grouped(pl.scan_parquet(path)).collect()


def count(scratch: Path, way: str) -> dict:
    """Counts of all rows by the three asked columns: how long it took, and a digest of all cells."""
    started = time.perf_counter()
    summed = pl.concat(_of_each(scratch, way)).group_by(ASKED).agg(pl.col("len").sum()).sort(ASKED)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "rows": int(summed["len"].sum()),
        "cells": summed.height,
        "digest": str(summed.hash_rows(seed=1).sum()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    verb, place, *numbers = sys.argv[1:]
    print(json.dumps(write(Path(place), *map(int, numbers)) if verb == "write" else count(Path(place), verb)))
