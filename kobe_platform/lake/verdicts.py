"""Writes and reads the signed verdicts of checks, which are stored beside the partition that they judge.

Dagster's own records of checks are copies for people. What decides whether a partition is counted or published stands
in ``store/<stage>/<source>/<month>/verdicts.json``, so that a store that is restored without Dagster's databases still
says what was checked. A verdict holds for the data file that it names by digest and for no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kobe_platform.code_version import engine_version
from kobe_platform.custody.durable import locked, storage_errors
from kobe_platform.lake.partitions import VERDICTS, Partition, PartitionId

if TYPE_CHECKING:
    from kobe_platform.lake.store import PartitionStore


@dataclass(frozen=True)
class CheckVerdict:
    """What one check found of one generation.

    Attributes:
        digest: SHA-256 of the data file that it saw.
        blocking: whether nothing downstream may be made while it has not passed.
        facts: counts and identifiers, never values.
        at: UTC, ISO 8601.
        engine: version of the code that judged: what mended code may see otherwise is judged again.
    """

    check: str
    passed: bool
    blocking: bool
    digest: str
    facts: Mapping[str, Any]
    at: str
    engine: str = ""

    def of(self, partition: Partition) -> bool:
        """Whether it is about this very generation."""
        return self.digest == partition.digest


def record(
    store: PartitionStore, partition: Partition, check: str, *, passed: bool, blocking: bool, facts: Mapping[str, Any]
) -> None:
    """Write down what a check found of ``partition``; a former verdict of the same check is replaced.

    Raises:
        CustodyError: it cannot be written (``custody.disk_full`` …), or the former ones are not authentic.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    verdict = CheckVerdict(
        check, passed, blocking, partition.digest, json.loads(json.dumps(dict(facts))), at, engine_version()
    )
    folder = store.manifests.folder(partition.id)
    with storage_errors(store.manifests.name(partition.id)), locked(folder / ".verdicts.lock"):
        store.manifests.change_signed(partition.id, VERDICTS, lambda record: _with(record, verdict))


def _with(record: Mapping[str, Any] | None, verdict: CheckVerdict) -> dict[str, Any]:
    """What the file of a partition's verdicts says, with one more."""
    held = {**_of(record), verdict.check: verdict}
    return {"verdicts": {name: asdict(one) for name, one in sorted(held.items())}}


def verdicts(store: PartitionStore, id: PartitionId) -> dict[str, CheckVerdict]:
    """The verdicts on a partition by check, whatever generation they are about.

    Raises:
        CustodyError: they are not authentic (``custody.tampered_manifest``).
    """
    return _of(store.manifests.read_signed(id, VERDICTS))


def _of(record: Mapping[str, Any] | None) -> dict[str, CheckVerdict]:
    return {name: CheckVerdict(**told) for name, told in (record or {"verdicts": {}})["verdicts"].items()}


def green(store: PartitionStore, partition: Partition) -> set[str]:
    """The checks that have passed on this very generation."""
    return {name for name, one in verdicts(store, partition.id).items() if one.passed and one.of(partition)}
