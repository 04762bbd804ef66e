"""Reads from receipts what became of a delivery."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.receipts import accepted_receipts, changed_since, is_approved, receipt, receipts

Outcome = Literal["accepted", "rejected", "held", "refused", "withdrawn", "none"]


def receipt_status(home: Path, delivery: Delivery) -> Outcome:
    """What became of exactly this content: the receipt that counts, or ``none``.

    A held delivery that an operator has approved since counts as ``none``: it is due again. So does one whose files
    have changed since they were refused, and one whose receipt is unreadable
    (:func:`kobe_platform.intake.receipts.read_receipt`). ``refused`` is one that was held and that an operator does not
    take; ``withdrawn`` counts before all others.
    """
    if receipt(home, delivery, "withdrawn") is not None:
        return "withdrawn"
    accepted = accepted_receipts(receipts(home, delivery))
    if accepted and accepted[-1]["content_hash"] == delivery.content_hash:
        return "accepted"
    refusal = receipt(home, delivery, "rejected")
    if refusal is not None and not changed_since(delivery, refusal):
        return "rejected"
    if receipt(home, delivery, "refused") is not None:
        return "refused"
    if receipt(home, delivery, "held") and not is_approved(home, delivery):
        return "held"
    return "none"
