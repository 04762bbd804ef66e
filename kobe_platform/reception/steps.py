"""The three steps of a delivery: taken in (raw), abstracted, admitted to the lake.

Each reads what the step before committed and commits its own partition; a step that refuses leaves the partition in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from kobe_platform.abstraction import abstract, validate
from kobe_platform.contracts import Contract
from kobe_platform.custody.keys import KeyService
from kobe_platform.deliveries import (
    Delivery,
    hold_revision,
    is_approved,
    previous_sequence,
    write_receipt,
)
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, LakeError
from kobe_platform.extracts import take_in
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.reception.vintages import difference


def take_in_delivery(delivery: Delivery, contract: Contract, store: PartitionStore, home: Path) -> Partition:
    """Verify a delivery, parse it and commit its raw partition (public statistics: see ``kobe_platform.statistics``).

    Raises:
        DeliveryRejected, DeliveryHeld: after the receipt is written; the raw partition in force stays.
    """
    identity = PartitionId("raw", contract.name, delivery.month)
    try:
        taken = take_in(delivery, contract, previous_sequence=previous_sequence(home, delivery))
        _hold_revision(delivery, contract, store, home, taken.frame)
    except DeliveryRejected as error:
        write_receipt(home, delivery, "rejected", error)
        raise
    except DeliveryHeld as error:
        write_receipt(home, delivery, "held", error)
        raise
    facts = {**taken.facts, "content_hash": delivery.content_hash}
    partition = store.write(identity, taken.frame, facts=facts, inputs={"delivery": delivery.content_hash})
    if contract.use == "reference":
        write_receipt(home, delivery, "accepted", taken.facts)
    return partition


def abstract_month(
    contract: Contract,
    month: str,
    store: PartitionStore,
    keys: KeyService,
    contracts: Mapping[str, Contract],
    *,
    delivery: Delivery | None = None,
    home: Path | None = None,
) -> Partition:
    """Abstract the raw partition of a month and commit the result.

    Raises:
        DeliveryRejected: a rule of abstraction refuses the whole delivery (its receipt is written where it still lies in
            the inbox); LakeError where a companion or reference is not there.
    """
    raw = _current(store, PartitionId("raw", contract.name, month))
    companions = {name: _current(store, PartitionId("raw", name, month)) for name in contract.needs}
    references = {name: _in_force(store, name, month) for name in contract.references}
    try:
        abstracted = abstract(
            store.read(raw.id),
            contract,
            month=month,
            references={name: store.read(part.id) for name, part in references.items()},
            companions={name: store.read(part.id) for name, part in companions.items()},
            pseudonym_key=keys.pseudonym_key,
        )
    except DeliveryRejected as error:
        _receipt_of_raw(raw, delivery, home, "rejected", error)
        raise
    inputs = {f"raw/{p.id.source}": p.digest for p in (raw, *companions.values(), *references.values())}
    facts = {**abstracted.facts, "content_hash": raw.facts.get("content_hash", "")}
    return store.write(PartitionId("abstracted", contract.name, month), abstracted.frame, facts=facts, inputs=inputs)


def admit_month(
    contract: Contract, month: str, store: PartitionStore, *, delivery: Delivery | None = None, home: Path | None = None
) -> Partition:
    """Validate what abstraction made and commit it, shuffled, as the lake's partition of the month.

    The receipt ``accepted`` is written here and only here.

    Raises:
        DeliveryRejected, DeliveryHeld: the lake's partition in force stays; an operator's approval lifts a hold.
    """
    abstracted = _current(store, PartitionId("abstracted", contract.name, month))
    previous = store.current(PartitionId("lake", contract.name, _month_before(month)))
    frame = store.read(abstracted.id)
    try:
        approved = delivery is not None and home is not None and is_approved(home, delivery)
        facts = validate_frame(frame, abstracted.facts, contract, month, None if approved else previous)
    except DeliveryRejected as error:
        _receipt_of_raw(abstracted, delivery, home, "rejected", error)
        raise
    except DeliveryHeld as error:
        _receipt_of_raw(abstracted, delivery, home, "held", error)
        raise
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=int(abstracted.digest[:8], 16))
    partition = store.write(
        PartitionId("lake", contract.name, month), shuffled, facts=facts, inputs={"abstracted": abstracted.digest}
    )
    _receipt_of_raw(abstracted, delivery, home, "accepted", facts)
    return partition
