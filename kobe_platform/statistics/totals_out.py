"""Keeps what totals over municipalities ask of this one, by reference month: the scenarios that it must leave possible.

Its prefecture hands them over before totals that tell something new are out; a municipality without a prefecture has
none, and no partition of them. A set is never let go of: the totals that it is of may be out (decision 0072).
"""

from __future__ import annotations

import json

import polars as pl

from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.statistics.history import STAGE

DIGESTS = "scenarios"
"""The fact of a partition that names the sets in it; it is read without the rows."""
_SCHEMA = {"digest": pl.String, "scenarios": pl.String}


def totals_out(store: PartitionStore, group: str, month: str) -> tuple[Scenarios, ...]:
    """The sets of scenarios that a group's month must leave possible, those that ask for nothing left out.

    Args:
        group: ``stocks/month`` and the like. month: the partition's month.

    Raises:
        CustodyError: the partition is not authentic.
    """
    id = _place(group, month)
    if store.current(id) is None:
        return ()
    found = (Scenarios.of(json.loads(text)) for text in store.read(id)["scenarios"])
    return tuple(one for one in found if one.cells)


def months_held(store: PartitionStore, group: str) -> list[str]:
    """The months of a group of which sets are held."""
    return store.months(STAGE, _place(group, "").source)


def held_digests(store: PartitionStore, group: str, month: str) -> list[str]:
    """Digests of the sets that are held (only the signed manifest is read)."""
    held = store.current(_place(group, month))
    return list(held.facts[DIGESTS]) if held is not None else []


def keep_totals_out(store: PartitionStore, group: str, month: str, scenarios: Scenarios) -> None:
    """Keep a set besides those that are there; call it while :func:`history.commits` is held."""
    id = _place(group, month)
    rows = store.read(id).rows() if store.current(id) is not None else []
    digest = scenarios.digest
    if digest not in [row[0] for row in rows]:
        rows.append((digest, json.dumps(scenarios.as_record())))
        store.write(id, pl.DataFrame(rows, schema=_SCHEMA, orient="row"), facts={DIGESTS: [row[0] for row in rows]})


def _place(group: str, month: str) -> PartitionId:
    return PartitionId(STAGE, f"{group.replace('/', '_')}_above", month)
