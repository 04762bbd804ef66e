"""Adds noise to counts by the cell-key method: the noise follows from a key of the cell, so it is always the same.

Fraser & Wooton (2005), Marley & Leaver (2011). Best, every person has a random key, a cell's key is the sum of the
keys of those in it (``noise.keys`` names the column of the finest cells that holds these sums modulo 2³²), and
equal groups of people have equal noise wherever they are counted. Where only counts are given, a cell's key is an
HMAC-SHA256 of its coordinates and count under the operator's secret: equal cells still agree over tables, releases
and months, but other persons in an unchanged count go unnoticed, and a total with a single non-empty part is
recognised as the same group only within one specification.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kobe_platform.disclosure.methods.choice import Noise
from kobe_platform.disclosure.methods.perturbation import PerturbationTable
from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.table_index import TableIndex, refusal
from kobe_platform.disclosure.trees import base_of
from kobe_platform.errors import DisclosureError

LEAST_SECRET = 32
RANGE = 2**32


def read_secret(path: Path) -> bytes:
    """The operator's key: a file of 32 bytes or more that nobody can guess.

    Raises:
        DisclosureError: the file cannot be read or is too short.
    """
    try:
        secret = path.read_bytes()
    except OSError:
        secret = b""
    if len(secret) < LEAST_SECRET:
        raise DisclosureError(
            "the key of the cell-key method cannot be used",
            code="disclosure.key",
            at={"file": path.name, "bytes needed": LEAST_SECRET},
            remedy="give a file of at least 32 random bytes, readable by the operator alone",
        )
    return secret


def noisy(
    model: Model, cells: Mapping[str, pl.DataFrame], noise: Noise, table: PerturbationTable, secret: bytes | None
) -> np.ndarray:
    """Shown figure of every variable of a model (zeros stay zero).

    Raises:
        DisclosureError: neither record keys nor a secret is given, or record keys are not what they must be.
    """
    keys = _from_records(model, cells, noise.keys) if noise.keys else _from_coordinates(model, secret)
    return table.shown(model.value, keys)


def _from_records(model: Model, cells: Mapping[str, pl.DataFrame], column: str) -> np.ndarray:
    """Sums of record keys modulo 2³², as numbers in [0, 1)."""
    keys = np.full(model.size, -1, dtype=np.int64)
    for layout in model.layouts.values():
        ids, sums = layout.variables.ravel(), _summed(layout, cells[layout.table.name], column).ravel()
        if (known := keys[ids] >= 0).any() and (keys[ids][known] != sums[known]).any():
            raise refusal("tables of one population disagree on cell keys", "disclosure.key", table=layout.table.name)
        keys[ids] = sums
    return keys / RANGE


def _summed(layout: TableIndex, frame: pl.DataFrame, column: str) -> np.ndarray:
    if column not in frame.columns:
        raise refusal("a table lacks its column of cell keys", "disclosure.key", table=layout.table.name, column=column)
    given = frame[column].cast(pl.Int64, strict=False)
    if given.null_count() or ((given < 0) | (given >= RANGE)).any():
        raise refusal("a cell key is not a whole number below 2^32", "disclosure.key", table=layout.table.name)
    sums = np.zeros(layout.variables.shape, dtype=np.int64)
    sums.ravel()[layout.locate(frame, "the cells")] = given.to_numpy()
    for axis, tree in enumerate(layout.trees):
        moved = np.moveaxis(sums, axis, 0)
        for node in range(len(tree) - 1, 0, -1):
            moved[tree.parents[node]] = (moved[tree.parents[node]] + moved[node]) % RANGE
    return sums


def _from_coordinates(model: Model, secret: bytes | None) -> np.ndarray:
    """Keyed hashes of coordinates and count; cells that are surely the same group of people have one key."""
    if secret is None:
        raise DisclosureError(
            "the cell-key method has no key",
            code="disclosure.key",
            at={"table": next(iter(model.layouts))},
            remedy="give the operator's key (--key FILE), or a column of record keys (noise.keys)",
        )
    names = _names(model)
    group = _same_people(model)
    chosen: dict[int, int] = {}
    for variable in np.flatnonzero(model.value > 0).tolist():
        other = chosen.get(int(group[variable]))
        if other is None or (len(names[variable]), names[variable]) < (len(names[other]), names[other]):
            chosen[int(group[variable])] = variable
    keys = np.zeros(model.size)
    numbers = {part: _number(secret, names[cell], int(model.value[cell])) for part, cell in chosen.items()}
    counted = np.flatnonzero(model.value > 0)
    keys[counted] = [numbers[int(part)] for part in group[counted]]
    return keys


def _number(secret: bytes, name: tuple[Any, ...], count: int) -> float:
    message = json.dumps([name, count], ensure_ascii=False, separators=(",", ":")).encode()
    return (int.from_bytes(hmac.digest(secret, message, "sha256")[:8], "big") >> 11) / 2**53


def _names(model: Model) -> list[tuple[Any, ...]]:
    """Population and (classification, code) of every coordinate that is not a total, of every variable."""
    names: list[tuple[Any, ...]] = [()] * model.size
    for layout in reversed(list(model.layouts.values())):
        bases = [base_of(model.spec, d) for d in layout.table.dimensions.values()]
        order = sorted(range(len(bases)), key=lambda axis: bases[axis])
        nodes = np.unravel_index(np.arange(layout.variables.size), layout.variables.shape)
        for position, variable in enumerate(layout.variables.ravel().tolist()):
            at = [(bases[a], layout.trees[a].codes[nodes[a][position]]) for a in order if nodes[a][position]]
            names[variable] = (layout.table.population, *at)
    return names


def _same_people(model: Model) -> np.ndarray:
    """Group number of each variable: a total and its only non-empty part are one group."""
    counted = sparse.csr_array(model.equations[:, np.flatnonzero(model.value > 0)])
    pairs = np.flatnonzero(np.diff(counted.indptr) == 2)
    ends = counted.indptr[pairs]
    first, second = counted.indices[ends], counted.indices[ends + 1]
    ties = sparse.csr_array((np.ones(len(pairs)), (first, second)), shape=(counted.shape[1], counted.shape[1]))
    _, label = connected_components(ties, directed=False)
    group = np.full(model.size, -1, dtype=np.int64)
    group[model.value > 0] = label
    return group
