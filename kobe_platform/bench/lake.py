"""Measures what encryption costs: one made-up month as partitions of the lake and as plain Parquet."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.bench.apart import run_apart
from kobe_platform.custody.durable import sync_file
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore

COLUMNS = 20
ASKED = ["ward", "age", "sex"]
ID = PartitionId("lake", "bench", "2025-07")
STEPS = ("write", "read", "read_3_columns", "group_by")


def measure(rows: int, rounds: int) -> dict:
    """Both ways, ``rounds`` times in turn, each in processes of its own.

    Returns:
        ``ratios`` (lake ÷ plain, of processor seconds; ``size`` and ``peak`` of bytes), ``seconds`` and
        ``processor_seconds`` (medians by way and step), ``mb_per_second`` (of the file's bytes, elapsed), ``peak_mb``.
    """
    runs: dict[str, list[dict]] = {"lake": [], "plain": []}
    for _ in range(rounds):
        for way, told in runs.items():
            told.append(json.loads(run_apart("kobe_platform.bench.lake", way, rows)[0]))
    medians = {
        kind: {way: {step: _median(told, kind, step) for step in STEPS} for way, told in runs.items()}
        for kind in ("seconds", "processor_seconds")
    }
    size = {way: told[0]["mb"] for way, told in runs.items()}
    peak = {way: max(run["peak_mb"] for run in told) for way, told in runs.items()}
    spent = medians["processor_seconds"]
    ratios = {step: round(spent["lake"][step] / spent["plain"][step], 2) for step in STEPS}
    return {
        "rows": rows,
        "ratios": {**ratios, "size": round(size["lake"] / size["plain"], 4), "peak": _ratio(peak)},
        **{kind: {way: _rounded(of, 3) for way, of in ways.items()} for kind, ways in medians.items()},
        "mb_per_second": {
            way: _rounded({step: size[way] / medians["seconds"][way][step] for step in ("write", "read")}, 0)
            for way in runs
        },
        "mb": {way: round(value, 1) for way, value in size.items()},
        "peak_mb": peak,
    }


def _median(told: list[dict], kind: str, step: str) -> float:
    return statistics.median(run[kind][step] for run in told)


def _rounded(values: dict[str, float], digits: int) -> dict[str, float]:
    return {name: round(value, digits) for name, value in values.items()}


def _ratio(values: dict[str, int]) -> float:
    return round(values["lake"] / values["plain"], 2)


def made_up(rows: int) -> pl.DataFrame:
    """A month as the lake holds one: a pseudonym, codes of few values, small numbers, dates; 20 columns."""
    random = np.random.default_rng(7)
    ward = random.integers(0, 9, rows)
    columns: dict[str, pl.Series | np.ndarray] = {
        "person": random.integers(0, 2**63, rows, dtype=np.uint64),
        "household": random.integers(0, 2**62, max(rows // 2, 1), dtype=np.uint64)[
            random.integers(0, max(rows // 2, 1), rows)
        ],
        "ward": pl.Series([f"2810{number + 1}" for number in range(9)])[ward.tolist()],
        "district": pl.Series([f"D{number:03d}" for number in range(165)])[(ward * 18 + ward % 3).tolist()],
        "age": random.integers(0, 105, rows).astype(np.int16),
        "sex": pl.Series(["1", "2"])[random.integers(0, 2, rows).tolist()],
    }
    for number in range(COLUMNS - len(columns)):
        columns[f"code_{number:02d}"] = random.integers(0, 3 + number * 4, rows).astype(np.int32)
    return pl.DataFrame(columns)


def run(way: str, rows: int) -> dict:
    """One round of one way: seconds by step, megabytes written, peak memory of this process."""
    frame = made_up(rows)
    with tempfile.TemporaryDirectory(prefix="kobe-bench-") as scratch:
        steps, size = (_lake if way == "lake" else _plain)(Path(scratch), frame)
        seconds, spent = {}, {}
        for name in STEPS:
            started, cpu = time.perf_counter(), time.process_time()
            steps[name]()
            seconds[name], spent[name] = time.perf_counter() - started, time.process_time() - cpu
        megabytes = size() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": seconds, "processor_seconds": spent, "mb": megabytes, "peak_mb": peak}


def grouped(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Rows by the asked columns: how many."""
    return frame.group_by(ASKED).len()


def _lake(scratch: Path, frame: pl.DataFrame) -> tuple[dict[str, Callable], Callable[[], int]]:
    keys = LocalKeyStore.create(scratch / "keys", log=scratch / "log" / "key_use.jsonl")
    store = PartitionStore(scratch / "store", keys, municipality="28100")
    steps = {
        "write": lambda: store.write(ID, frame),
        "read": lambda: store.read(ID),
        "read_3_columns": lambda: store.read(ID, ASKED),
        "group_by": lambda: store.query(ID, grouped),
    }

    def size() -> int:
        partition = store.current(ID)
        return partition.size if partition is not None else 0

    return steps, size


def _plain(scratch: Path, frame: pl.DataFrame) -> tuple[dict[str, Callable], Callable[[], int]]:
    path = scratch / "data.parquet"

    def write() -> None:
        frame.write_parquet(path, compression="zstd", compression_level=1)
        sync_file(path)

    steps = {
        "write": write,
        "read": lambda: pl.scan_parquet(path).collect(),
        "read_3_columns": lambda: pl.scan_parquet(path).select(ASKED).collect(),
        "group_by": lambda: grouped(pl.scan_parquet(path)).collect(),
    }
    return steps, lambda: path.stat().st_size


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
