"""Lists what the partitions of a delivery are made from, by name and content, for the steps and the plan."""

from __future__ import annotations

import hashlib
import weakref

from kobe_platform.code_version import engine_version
from kobe_platform.contracts import Contract
from kobe_platform.lake.partitions import CONTRACT, ENGINE, PartitionId
from kobe_platform.lake.shelf import Held, Shelf, latest_month
from kobe_platform.vocabulary.months import month_before

ABSENT = "absent"
_ROOMS = ("abstraction", "contracts", "intake", "reception", "vocabulary")
TARGETS = {"lake": "lake", "reference": "raw", "statistics": "statistics"}
"""A contract's use → the stage whose partition says that a delivery was accepted."""


def target(contract: Contract, month: str) -> PartitionId:
    """The partition that is in force once a delivery of the month was accepted."""
    return PartitionId(TARGETS[contract.use], contract.name, month)


def taking_inputs(contract: Contract, content_hash: str, base: str = "") -> dict[str, str]:
    """Inputs of what is taken from a delivery: its content, the contract and, of a difference, the content of its base.

    Args:
        base: :attr:`~kobe_platform.lake.Partition.content` of the raw rows that a difference is laid over.
    """
    inputs = {"delivery": content_hash, CONTRACT: contract_digest(contract), ENGINE: engine_version(*_ROOMS)}
    return {**inputs, "base": base} if base else inputs


def base_of(contract: Contract, month: str) -> PartitionId:
    """The raw rows that a difference of a month is laid over: those of the month before, never of an earlier one."""
    return PartitionId("raw", contract.name, month_before(month))


def abstraction_inputs(shelf: Shelf, contract: Contract, month: str) -> dict[str, str]:
    """Inputs of the abstracted rows: the raw extract, its companions of the month, the references in force."""
    ids = [PartitionId("raw", name, month) for name in (contract.name, *contract.needs)]
    ids += [PartitionId("raw", name, latest_month(shelf, "raw", name, month) or month) for name in contract.references]
    inputs = {f"raw/{id.source}": _content(shelf.current(id)) for id in ids}
    return {**inputs, CONTRACT: contract_digest(contract), ENGINE: engine_version(*_ROOMS)}


def admission_inputs(contract: Contract, abstracted: Held) -> dict[str, str]:
    """Inputs of the lake's partition: the abstracted rows, and the contract that validated them."""
    return {
        "abstracted": abstracted.content,
        CONTRACT: contract_digest(contract),
        ENGINE: engine_version(*_ROOMS),
    }


def companion_ready(shelf: Shelf, source: str, month: str) -> bool:
    """Whether a companion's raw extract is the one that was accepted, and still there to be read."""
    raw, admitted = (shelf.current(PartitionId(stage, source, month)) for stage in ("raw", "lake"))
    if raw is None or admitted is None or raw.destroyed_at:
        return False
    return raw.facts.get("content_hash") == admitted.facts.get("content_hash")


_DIGESTS: dict[int, tuple[weakref.ref[Contract], str]] = {}
"""By identity, as contracts never change: a plan of 10,000 deliveries asks 16,000 times."""


def contract_digest(contract: Contract) -> str:
    """SHA-256 over a contract as it was read."""
    place = id(contract)
    known = _DIGESTS.get(place)
    if known is not None and known[0]() is contract:
        return known[1]
    digest = hashlib.sha256(contract.model_dump_json().encode()).hexdigest()
    _DIGESTS[place] = (weakref.ref(contract, lambda _: _DIGESTS.pop(place, None)), digest)
    return digest


def _content(held: Held | None) -> str:
    return held.content if held is not None else ABSENT
