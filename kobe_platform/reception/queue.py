"""Which deliveries of the inbox are due, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from kobe_platform.contracts import Contract
from kobe_platform.deliveries import Delivery, accepted_receipts, is_approved, receipt, receipts, standing

Outcome = Literal["accepted", "rejected", "held", "none"]


@dataclass(frozen=True)
class Due:
    """A delivery that something has to be done about.

    Attributes:
        delivery: as it lies in the inbox.
        waits_for: sources whose delivery of the same month has to be in the platform before (empty: ready).
        lapsed: whether its source has no legal basis in force; it stays where it is.
    """

    delivery: Delivery
    waits_for: tuple[str, ...] = ()
    lapsed: bool = False

    @property
    def id(self) -> str:
        """``municipality:source:month:content-hash``: the same content is the same delivery."""
        d = self.delivery
        return f"{d.municipality}:{d.source}:{d.month}:{d.content_hash[:12]}"


def receipt_status(home: Path, delivery: Delivery) -> Outcome:
    """What became of exactly this content: the receipt that counts, or ``none``.

    A held delivery that an operator has approved since counts as ``none``: it is due again. So does a delivery whose
    receipt is unreadable (:func:`kobe_platform.deliveries.read_receipt`).
    """
    if standing(home, delivery).status == "same":
        return "accepted"
    if receipt(home, delivery, "rejected"):
        return "rejected"
    if receipt(home, delivery, "held") and not is_approved(home, delivery):
        return "held"
    return "none"


def due_deliveries(
    deliveries: Sequence[Delivery], contracts: Mapping[str, Contract], home: Path, day: date
) -> list[Due]:
    """The deliveries without an outcome, public ones first, then by month, each after those that it needs.

    Reads receipts only: what a delivery costs does not depend on its size.

    Args:
        day: the day on which legal bases have to be in force.
    """
    outcome = {(d.source, d.month): receipt_status(home, d) for d in deliveries}
    due = []
    for delivery in deliveries:
        if outcome[delivery.source, delivery.month] != "none":
            continue
        needs = contracts[delivery.source].needs
        missing = tuple(name for name in needs if not _in_force(home, delivery, name))
        due.append(Due(delivery, missing, not contracts[delivery.source].legal.holds(day)))
    return sorted(due, key=lambda entry: _order(entry, contracts))


def _order(entry: Due, contracts: Mapping[str, Contract]) -> tuple:
    contract = contracts[entry.delivery.source]
    public = contract.sensitivity == "public"
    return (not public, entry.delivery.month, len(contract.needs), entry.delivery.source)


def _in_force(home: Path, delivery: Delivery, source: str) -> bool:
    """Whether some delivery of ``source`` for the same month has been accepted."""
    return bool(accepted_receipts(receipts(home, delivery).parent.parent / source / delivery.month))
