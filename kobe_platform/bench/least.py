"""The least that the platform's promises ask of any program on the same libraries, for `kobe bench month`.

Of a delivery: its digest, every column parsed (a plain script reads ten of thirty-four), and three encrypted files, of
all columns as delivered and twice of those that are kept. Of a month: each table's own SQL once over decrypted rows. No
check, no search for identifiers, no pseudonym, no account of rows, no residual floor, no manifest.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from csv import reader
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from kobe_platform.custody.parquet import write_encrypted
from kobe_platform.custody.service import KEY_BYTES
from kobe_platform.lake import PartitionId, PartitionStore

if TYPE_CHECKING:
    from kobe_platform.statistics import Statistic

SOURCES = ("resident_register", "resident_movements")
KEPT = 0.45
"""Share of a source's columns that stay after abstraction, those of fewest distinct values."""
_SAMPLE = 1 << 20
_MANY = 0.2
"""Columns with more distinct values in a sample's rows than this stay bytes: a dictionary of them costs more."""


def inbox_to_lake(inbox: Path, scratch: Path, month: str) -> None:
    """Digest, parse and encrypt both sources of a month."""
    for source in SOURCES:
        path = next(inbox.glob(f"*/{source}/{month}")) / f"{source}.csv"
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")
        rows, few = _parsed(path)
        kept = rows.select(few[: round(rows.width * KEPT)])
        for stage, frame in (("raw", rows), ("abstracted", kept), ("lake", kept)):
            write_encrypted(frame, scratch / f"{stage}.parquet", key=secrets.token_bytes(KEY_BYTES), identity=stage)


def _parsed(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """All columns (bytes of a few values decoded once each), and their names by distinct values, fewest first."""
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        head, *sample = reader(file.read(_SAMPLE).decode("cp932", "replace").splitlines()[:-1])
    names = [f"f{place}" for place in range(len(head))]
    distinct = {name: len({line[place] for line in sample}) / len(sample) for place, name in enumerate(names)}
    coded = pa.dictionary(pa.int32(), pa.binary())
    converted = csv.ConvertOptions(
        column_types={name: pa.binary() if distinct[name] > _MANY else coded for name in names},
        check_utf8=False, strings_can_be_null=True, null_values=[""],
    )  # fmt: skip
    reading = csv.ReadOptions(autogenerate_column_names=True, skip_rows=1, block_size=_SAMPLE, use_threads=False)
    table = csv.read_csv(path, reading, convert_options=converted).unify_dictionaries()
    taken = {name: _as_bytes if distinct[name] > _MANY else _decoded for name in names}
    return pl.DataFrame({name: take(table[name]) for name, take in taken.items()}), sorted(
        names, key=distinct.__getitem__
    )


def _as_bytes(column) -> pl.Series:
    return pl.Series(pl.from_arrow(column))


def _decoded(column) -> pl.Series:
    import pyarrow as pa

    words = [word.decode("cp932", "replace") for word in column.chunk(0).dictionary.to_pylist()]
    rows = pl.Series(pl.from_arrow(pa.chunked_array([chunk.indices for chunk in column.chunks])))
    return pl.Series(words, dtype=pl.String).gather(rows)


def lake_to_tables(store: PartitionStore, statistics: Iterable[Statistic], month: str) -> int:
    """Each table that the platform counted of a month, by its own SQL once; how many."""
    from kobe_platform.statistics import groups
    from kobe_platform.statistics.compute import counted, prepare
    from kobe_platform.statistics.definition import columns_needed
    from kobe_platform.statistics.duckdb_engine import engine

    tables = 0
    for members in groups(statistics).values():
        frames = {}
        conditions = {column for member in members for column in member.counts.conditions}
        for source in sorted({source for member in members for source in member.sources}):
            partition = store.current(PartitionId("lake", source, month))
            if partition is None:
                break
            columns = columns_needed(members, source, partition.columns)
            named = {column for member in members for column in member.counts.columns}
            frames[source] = prepare(store.read(partition.id, columns), named)
        else:
            present = {column for frame in frames.values() for column in frame.columns}
            with engine(frames, numbered=present - conditions) as connection:
                for member in members:
                    counted(connection, member)
                    tables += 1
    return tables
