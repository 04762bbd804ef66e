"""Keeps published rows put together by table and year, so that a release does not decrypt every month of ten years.

The files lie in ``staging``, where pages find published tables as well. Each is signed by the key that signs the log of
key use, with the generation and digest of the partitions that it was made of; rows are taken from it only of partitions
that are in force as they were then, and all others are decrypted. A file that is missing, torn, changed or older is
passed over, so that all of them may be thrown away at any time.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from kobe_platform.custody.durable import file_bytes, private_folder, write_private
from kobe_platform.errors import PlatformError
from kobe_platform.lake import Partition, PartitionStore

FOLDER = "assembled"
PURPOSE = "assembled"
"""What the log's key signs here; see :meth:`kobe_platform.custody.key_log.KeyLog.signature`."""

_Shelf = tuple[str, str]
"""Table and year: months of a year that is over are not written again with each month."""


def assembled(
    store: PartitionStore, partitions: Mapping[str, Sequence[Partition]], folder: Path | None
) -> dict[str, pl.DataFrame]:
    """Each table's rows of all its partitions, in the order of these.

    Args:
        partitions: table → partitions in force, oldest month first.
        folder: where rows are kept between releases; None keeps none.

    Raises:
        LakeError, CustodyError: see :meth:`kobe_platform.lake.PartitionStore.read_all`.
    """
    by_shelf: dict[_Shelf, list[Partition]] = {}
    for name, held in partitions.items():
        for partition in held:
            by_shelf.setdefault((name, partition.id.month[:4]), []).append(partition)
    kept = {shelf: _kept(store, shelf, folder) for shelf in by_shelf}
    missing = [p for shelf, held in by_shelf.items() for p in held if _key(p) not in kept[shelf]]
    read = dict(zip(map(_key, missing), store.read_all([p.id for p in missing]), strict=True))
    rows = {key: frame for known in kept.values() for key, frame in known.items()} | read
    if folder is not None:
        # A partition may have been replaced while it was read; one that is in force still was so then.
        replaced = {_key(p) for p in missing if store.current(p.id) != p}
        for shelf, held in by_shelf.items():
            fit = [p for p in held if _key(p) not in replaced]
            if {_key(p) for p in fit} != kept[shelf].keys():
                _keep(store, shelf, fit, rows, folder)
        _clear(folder, by_shelf)
    return {name: pl.concat([rows[_key(p)] for p in held]) for name, held in partitions.items()}


def _key(partition: Partition) -> str:
    return f"{partition.id} {partition.generation} {partition.digest}"


def _place(shelf: _Shelf, folder: Path) -> Path:
    return folder / f"{shelf[0]}.{shelf[1]}"


def _kept(store: PartitionStore, shelf: _Shelf, folder: Path | None) -> dict[str, pl.DataFrame]:
    """Partition (:func:`_key`) → its rows, as a former release kept them."""
    if folder is None:
        return {}
    try:
        signature, _, rest = file_bytes(_place(shelf, folder)).partition(b"\n")
        if not hmac.compare_digest(signature, store.keys.log.signature(PURPOSE, rest)):
            return {}
        told, _, data = rest.partition(b"\n")
        counts: dict[str, int] = json.loads(told)
        rows = pl.read_parquet(io.BytesIO(data))
    except (OSError, ValueError, TypeError, PlatformError, pl.exceptions.PolarsError):
        return {}
    ends = list(accumulate(counts.values()))
    return {key: rows.slice(end - n, n) for (key, n), end in zip(counts.items(), ends, strict=True)}


def _keep(
    store: PartitionStore, shelf: _Shelf, held: Iterable[Partition], rows: Mapping[str, Any], folder: Path
) -> None:
    """Write a table's year down (best effort: it is only a shortcut)."""
    keys = [_key(partition) for partition in held]
    if not keys:
        return
    data = io.BytesIO()
    pl.concat([rows[key] for key in keys]).write_parquet(data, compression="lz4")
    rest = json.dumps({key: rows[key].height for key in keys}).encode() + b"\n" + data.getvalue()
    with contextlib.suppress(OSError, PlatformError):
        private_folder(folder)
        write_private(_place(shelf, folder), store.keys.log.signature(PURPOSE, rest) + b"\n" + rest)


def _clear(folder: Path, shelves: Iterable[_Shelf]) -> None:
    """Remove what is kept of tables and years that are published no longer."""
    known = {_place(shelf, folder).name for shelf in shelves}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name not in known and not path.name.startswith("."):
                path.unlink(missing_ok=True)
