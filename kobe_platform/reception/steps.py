"""Executes the three steps of a delivery: take in (raw), abstract, admit to the lake.

Each reads what the step before committed and commits its own partition; a step that refuses leaves the
partition in force. A step whose partition was made already from the same inputs by the same code leaves it as it is, so
that a delivery whose run was killed is continued where it stopped.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kobe_platform.abstraction import Abstracted, abstract, companion_columns, validate
from kobe_platform.contracts import Contract
from kobe_platform.custody.keys import KeyService
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, LakeError, PlatformError
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.extracts import Taken, take_in
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.intake.extracts.exchanged import SAMPLE, exchanged, named
from kobe_platform.intake.receipts import is_approved, previous_sequence, write_receipt
from kobe_platform.lake import Partition, PartitionId, PartitionStore
from kobe_platform.lake.partitions import made_from
from kobe_platform.lake.shelf import latest_month
from kobe_platform.reception.accounting import LAID, RECONCILED, befallen, combined
from kobe_platform.reception.differences import overlay, reconcile
from kobe_platform.reception.inputs import (
    abstraction_inputs,
    admission_inputs,
    base_of,
    companion_ready,
    taking_inputs,
    target,
)
from kobe_platform.reception.vintages import as_names, difference, told_by_ward
from kobe_platform.vocabulary.months import month_before
from kobe_platform.vocabulary.rules import hold, rejection, worded_for


def take_in_delivery(delivery: Delivery, contract: Contract, store: PartitionStore, home: Path) -> Partition:
    """Verify a delivery, parse it and commit its raw partition (public statistics: see ``kobe_platform.statistics``).

    Raises:
        DeliveryRejected, DeliveryHeld: after the receipt is written; the raw partition in force stays.
    """
    identity = PartitionId("raw", contract.name, delivery.month)
    base = store.current(base_of(contract, delivery.month)) if delivery.kind == "difference" else None
    inputs = taking_inputs(contract, delivery.content_hash, base.content if base else "")
    partition = in_place(store, identity, inputs)
    if partition is None:
        try:
            taken = take_in(delivery, contract, previous_sequence=previous_sequence(home, delivery))
            with worded_for(contract.sensitivity):
                taken = _as_full(taken, delivery, contract, store, home)
        except DeliveryRejected as error:
            write_receipt(home, delivery, "rejected", error, made_from=made_from(inputs))
            raise
        except DeliveryHeld as error:
            write_receipt(home, delivery, "held", error, made_from=made_from(inputs))
            raise
        facts = {**taken.facts, "content_hash": delivery.content_hash}
        rows = taken.rows.table() if isinstance(taken.rows, ByteColumns) else taken.rows
        partition = store.write(identity, rows, facts=facts, inputs=inputs)
    if contract.use == "reference":
        write_receipt(home, delivery, "accepted", receipt_facts(partition))
    return partition


def _as_full(taken: Taken, delivery: Delivery, contract: Contract, store: PartitionStore, home: Path) -> Taken:
    """The month's raw rows: a difference laid over its base, a full extract compared with what is in force.

    Raises:
        DeliveryRejected, DeliveryHeld: as :func:`refuse_exchanged`, :func:`hold_revision`, :func:`_reconciled`.
        LakeError: ``reception.base``: a difference's base is not there, or is not the one that was accepted.
    """
    if delivery.kind == "difference":
        taken = laid_over_base(taken, delivery, contract, store)
        hold_revision(delivery, contract, store, home, taken)
        return taken
    refuse_exchanged(delivery, contract, store, taken, stage="raw")
    reconciled = _reconciled(taken, delivery, contract, store, home)
    if reconciled is not None:
        return reconciled
    hold_revision(delivery, contract, store, home, taken)
    return taken


def laid_over_base(taken: Taken, delivery: Delivery, contract: Contract, store: PartitionStore) -> Taken:
    """A difference laid over the accepted raw rows of the month before; rows of both are accounted for.

    Raises:
        LakeError: ``reception.base``.
    """
    identity = base_of(contract, delivery.month)
    if not companion_ready(store, contract.name, identity.month):
        raise LakeError(
            "the month that a difference follows was not accepted, or its raw rows are no longer there",
            code="reception.base",
            at={"source": contract.name, "month": delivery.month, "base": identity.month},
            remedy="deliver or take in the month before, or a full extract of this month",
            ja="差分を重ねる前月の行がありません。前月を取り込むか、この月の全件を提供してください",
        )
    base = store.read(identity)
    laid = overlay(base, taken.frame, contract, delivery.month)
    facts = {
        **taken.facts,
        "rows": base.height + int(str(taken.facts["rows"])),
        "kept": laid.frame.height,
        "superseded": laid.superseded,
        "filtered": laid.ended,
        LAID: laid.counts,
    }
    return Taken(laid.frame, facts)


def _reconciled(
    taken: Taken, delivery: Delivery, contract: Contract, store: PartitionStore, home: Path
) -> Taken | None:
    """A full extract after differences, compared with what they give; None where it follows none.

    Raises:
        DeliveryHeld: ``difference.reconciliation`` with counts by ward, unless an operator approved it.
    """
    if "difference" not in contract.kinds:
        return None
    same = PartitionId("raw", contract.name, delivery.month)
    for identity in (same, base_of(contract, delivery.month)):
        held = store.current(identity)
        other = held is not None and held.facts.get("content_hash") != delivery.content_hash
        if held is None or LAID not in held.facts or held.destroyed_at or not other:
            continue
        if not companion_ready(store, contract.name, identity.month):
            continue
        same_month = identity == same
        found = reconcile(store.read(identity), taken.frame, contract, delivery.month, same_month=same_month)
        if not found.within(contract.thresholds.reconciliation) and not is_approved(home, delivery):
            error = hold(
                "difference.reconciliation",
                **delivery.at, compared=identity.month, records=found.compared, **found.by_kind,
                wards=told_by_ward(found.by_ward),
            )  # fmt: skip
            error.report = found.facts
            raise error
        if not same_month:
            hold_revision(delivery, contract, store, home, taken)
        return Taken(taken.rows, {**taken.facts, RECONCILED: found.facts})
    return None


def refuse_exchanged(
    delivery: Delivery, contract: Contract, store: PartitionStore, taken: Taken, *, stage: str
) -> None:
    """Refuse a delivery two of whose columns are distributed as each other was in the month before.

    Args:
        taken: its rows.
        stage: where the rows of the month before lie.

    Raises:
        DeliveryRejected: ``columns.exchanged`` with both columns and the month that they were compared with.
    """
    former = PartitionId(stage, contract.name, month_before(delivery.month))
    held = store.current(former)
    if held is None or held.destroyed_at or contract.thresholds.exchanged >= 1:
        return
    now = taken.frame if contract.sensitivity == "public" else taken.first(SAMPLE)
    pair = exchanged(now, store.query(former, lambda rows: rows.head(SAMPLE)), contract)
    if pair is not None:
        one, other = named(contract, pair)
        raise rejection("columns.exchanged", **delivery.at, column=one, other_column=other, compared=former.month)


def in_place(store: PartitionStore, identity: PartitionId, inputs: Mapping[str, str]) -> Partition | None:
    """The partition in force, if it was made from exactly these inputs and its rows are there."""
    held = store.settled(identity)
    return held if held is not None and not held.destroyed_at and dict(held.inputs) == dict(inputs) else None


def receipt_facts(partition: Partition) -> dict[str, object]:
    """The counts of a partition as a receipt tells them."""
    return {name: value for name, value in partition.facts.items() if name not in ("content_hash", "basis")}


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
        DeliveryRejected: a rule of abstraction refuses the whole delivery (its receipt is written where it
            still lies in the inbox); LakeError where a companion or reference is not there.
    """
    raw = _current(store, PartitionId("raw", contract.name, month))
    companions = {name: _current(store, PartitionId("raw", name, month)) for name in contract.needs}
    references = {name: in_force(store, name, month) for name in contract.references}
    identity, inputs = PartitionId("abstracted", contract.name, month), abstraction_inputs(store, contract, month)
    if unchanged := in_place(store, identity, inputs):
        return unchanged
    try:
        abstracted = abstract(
            ByteColumns.of(store.columns(raw.id)),
            contract,
            month=month,
            references={name: store.read(part.id) for name, part in references.items()},
            companions={
                name: store.read(part.id, companion_columns(contract, name)) for name, part in companions.items()
            },
            pseudonym_key=keys.pseudonym_key,
        )
    except DeliveryRejected as error:
        _receipt(home, delivery, raw, "rejected", error)
        raise
    facts = {**combined(raw.facts, abstracted.facts), "content_hash": raw.facts.get("content_hash", "")}
    return store.write(identity, abstracted.frame, facts=facts, inputs=inputs)


def admit_month(
    contract: Contract, month: str, store: PartitionStore, *, delivery: Delivery | None = None, home: Path | None = None
) -> Partition:
    """Validate what abstraction made and commit it as the lake's partition of the month.

    The receipt ``accepted`` of a personal source is written here and only here.

    Raises:
        DeliveryRejected, DeliveryHeld: the lake's partition in force stays; an operator's approval lifts a hold.
    """
    abstracted = _current(store, PartitionId("abstracted", contract.name, month))
    identity, inputs = PartitionId("lake", contract.name, month), admission_inputs(contract, abstracted)
    if unchanged := in_place(store, identity, inputs):
        _receipt(home, delivery, abstracted, "accepted", receipt_facts(unchanged))
        return unchanged
    made = Abstracted(store.read(abstracted.id), dict(abstracted.facts))
    try:
        facts = validate(
            made, contract, month=month, previous_rows=_previous_rows(store, contract, month, delivery, home)
        )
    except DeliveryRejected as error:
        _receipt(home, delivery, abstracted, "rejected", error)
        raise
    except DeliveryHeld as error:
        _receipt(home, delivery, abstracted, "held", error)
        raise
    facts = {**facts, "content_hash": abstracted.facts.get("content_hash", "")}
    partition = store.write(identity, made.frame, facts=facts, inputs=inputs)
    _receipt(home, delivery, abstracted, "accepted", receipt_facts(partition))
    return partition


def _previous_rows(
    store: PartitionStore, contract: Contract, month: str, delivery: Delivery | None, home: Path | None
) -> int | None:
    """Rows of the month before; None where there is none, or where an operator has approved this delivery."""
    if delivery is not None and home is not None and is_approved(home, delivery):
        return None
    previous = store.current(PartitionId("lake", contract.name, month_before(month)))
    return previous.rows if previous else None


def hold_revision(
    delivery: Delivery, contract: Contract, store: PartitionStore, home: Path, taken: Taken | None = None
) -> None:
    """Hold a delivery that would replace an accepted month with other content, until an operator approves it.

    Args:
        taken: its rows, for a report in counts of how they differ from those in force, by ward and by rule.

    Raises:
        DeliveryHeld: ``delivery.revised``, with the rows of both vintages.
        DeliveryRejected: too many of its rows would be set aside: nobody needs to look at it.
    """
    accepted = store.current(target(contract, delivery.month))
    if accepted is None or accepted.facts.get("content_hash") in (None, delivery.content_hash):
        return
    if is_approved(home, delivery):
        return
    rows = delivery.manifest.rows if delivery.manifest else 0
    error = hold("delivery.revised", **delivery.at, rows=rows, former_rows=int(accepted.facts.get("rows", 0)))
    identity = PartitionId("raw", contract.name, delivery.month)
    held = store.current(identity)
    if taken is not None and held is not None and not held.destroyed_at:
        found = difference(store.read(identity), taken.frame, contract, delivery.month)
        error.at.update(found.counts)
        if found.by_ward:
            error.at["wards"] = told_by_ward(found.by_ward)
        error.report = {**found.counts, "by_ward": as_names(found.by_ward)}
        by_rule = _by_rule(taken, accepted, contract, delivery.month, store)
        if by_rule:
            error.report = {**error.report, "by_rule": by_rule}
            error.at["rules"] = "、".join(f"{rule} {n['former']}→{n['now']}" for rule, n in by_rule.items())
    raise error


def _by_rule(
    taken: Taken, accepted: Partition, contract: Contract, month: str, store: PartitionStore
) -> dict[str, dict[str, int]]:
    """Rule → rows that it befell in the delivery in force and in a revised one, where these differ.

    The revised one is abstracted in memory for it, with keys that nobody keeps.

    Raises:
        DeliveryRejected: as :func:`kobe_platform.abstraction.validate`.
    """
    companions = {name: store.current(PartitionId("raw", name, month)) for name in contract.needs}
    references = {name: latest_month(store, "raw", name, month) for name in contract.references}
    if contract.use != "lake" or any(held is None or held.destroyed_at for held in companions.values()):
        return {}
    if not all(references.values()):
        return {}
    key = secrets.token_bytes(32)
    result = abstract(
        taken.rows,
        contract,
        month=month,
        references={name: store.read(PartitionId("raw", name, str(held))) for name, held in references.items()},
        companions={
            name: store.read(PartitionId("raw", name, month), companion_columns(contract, name)) for name in companions
        },
        pseudonym_key=lambda purpose: key,
    )
    now = combined(taken.facts, result.facts)
    validate(Abstracted(result.frame, now), contract, month=month, previous_rows=None)
    befell = [befallen(accepted.facts), befallen(now)]
    rules = sorted({*befell[0], *befell[1]})
    pairs = {rule: {"former": befell[0].get(rule, 0), "now": befell[1].get(rule, 0)} for rule in rules}
    return {rule: pair for rule, pair in pairs.items() if pair["former"] != pair["now"]}


def _current(store: PartitionStore, identity: PartitionId) -> Partition:
    partition = store.current(identity)
    if partition is None:
        raise LakeError(
            "a partition that this step reads is not there",
            code="reception.upstream",
            at={"stage": identity.stage, "source": identity.source, "month": identity.month},
            remedy="deliver or process it first",
            ja="この処理が読む区画がまだありません",
        )
    return partition


def in_force(store: PartitionStore, source: str, month: str) -> Partition:
    """A reference's latest delivery at or before ``month``.

    Raises:
        LakeError: none was delivered yet.
    """
    return _current(store, PartitionId("raw", source, latest_month(store, "raw", source, month) or month))


def _receipt(
    home: Path | None,
    delivery: Delivery | None,
    made_from: Partition,
    status: Literal["accepted", "rejected", "held"],
    result: Mapping[str, object] | PlatformError,
) -> None:
    """Write a receipt, if what the partition was made from is what still lies in the inbox."""
    if delivery is None or home is None or made_from.facts.get("content_hash") != delivery.content_hash:
        return
    write_receipt(home, delivery, status, result)
