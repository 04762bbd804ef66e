"""Computes a digest of all that an audit depends on, so that an unchanged table is not audited twice.

On the same tables, specification and former releases, the same code gives the same verdict: its limits are counts of
steps, never seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version

import polars as pl

from kobe_platform.code_version import engine_version
from kobe_platform.disclosure import FormerRelease, Spec
from kobe_platform.disclosure.scenarios import Scenarios

_ROOMS = ("statistics", "disclosure", "vocabulary")
_LIBRARIES = ("highspy", "numpy", "polars", "scipy")


def seen(
    spec: Spec,
    tables: Mapping[str, pl.DataFrame],
    previous: Sequence[FormerRelease],
    above: Sequence[Scenarios] = (),
) -> str:
    """SHA-256 over all that an audit reads, and the code that reads it.

    Args:
        tables: table → dimension columns, ``value``, ``status``; the order of rows and columns does not count.
        previous: former releases as the audit is given them.
        above: scenarios as the audit is given them.
    """
    digest = hashlib.sha256(f"{_code()}\n{spec.model_dump_json()}\n".encode())
    digest.update(_tables(tables))
    for release in previous:
        own = release.spec.model_dump_json() if release.spec else ""
        digest.update(f"release {own}\n".encode() + _tables(release.tables))
    for scenarios in above:
        digest.update(f"above {scenarios.digest}\n".encode())
    return digest.hexdigest()


def _tables(tables: Mapping[str, pl.DataFrame]) -> bytes:
    """Name and digest of each table."""
    told = hashlib.sha256()
    for name in sorted(tables):
        table = tables[name].select(sorted(tables[name].columns))
        rows = table.sort(table.columns, nulls_last=True).write_csv()
        told.update(f"{name} {hashlib.sha256(rows.encode()).hexdigest()}\n".encode())
    return told.digest()


@cache
def _code() -> str:
    return " ".join([engine_version(*_ROOMS), *(f"{name}={version(name)}" for name in _LIBRARIES)])
