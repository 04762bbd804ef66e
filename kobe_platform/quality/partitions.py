"""Judges the quality of one month of the lake: makes the suite, counts the partition, and gives the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kobe_platform.contracts import Contract
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.shelf import latest_month
from kobe_platform.quality.judging import judge, names, settled
from kobe_platform.quality.suite import Expectation, Known, expectations
from kobe_platform.quality.tally import Tally


@dataclass(frozen=True, repr=False)
class Month:
    """A partition judged.

    Attributes:
        expected: the suite, settled for the partition's rows.
        validation: as :func:`kobe_platform.quality.judging.judge` gives it.
    """

    expected: tuple[Expectation, ...]
    validation: dict[str, Any]

    @property
    def failed(self) -> dict[str, int]:
        """Rows that do not meet an expectation, by its name; all rows where a column is absent."""
        told = zip(names(self.expected), self.validation["results"], strict=True)
        return {name: int(one["result"].get("unexpected_count", -1)) for name, one in told if not one["success"]}


def suite_of(store: PartitionStore, contract: Contract, month: str) -> tuple[Expectation, ...]:
    """The expectations on a source's month, with the reference tables that are in force for it.

    Raises:
        LakeError: a reference was never delivered (``lake.absent``).
    """
    held = {name: latest_month(store, "raw", name, month) or month for name in contract.references}
    tables = {name: store.read(PartitionId("raw", name, since)) for name, since in held.items()}
    return expectations(contract, Known(month, tables))


def validate_month(store: PartitionStore, contract: Contract, month: str) -> Month:
    """Judge the lake's partition of a month; only the columns that its suite reads are decrypted.

    Raises:
        LakeError: there is no partition, or no reference (``lake.absent``), or its rows were destroyed.
    """
    identity = PartitionId("lake", contract.name, month)
    expected = suite_of(store, contract, month)
    held = store.current(identity)
    columns = tuple(held.columns) if held is not None else ()
    wanted = {name for one in expected for name in one.columns}
    tally = Tally(store.read(identity, [name for name in columns if name in wanted]), columns)
    expected = settled(expected, tally)
    return Month(expected, judge(contract.name, expected, tally))
