"""Records what an operator decides on a delivery: approve or refuse one that is held, withdraw one.

A decision is about exactly the content that was looked at, names who decided, and is a file beside the delivery's
receipts. The plan, the command, the portal and Dagster read and write the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kobe_platform.errors import PlatformError
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.intake.receipts import approve, refuse, withdraw
from kobe_platform.reception.outcomes import Outcome, receipt_status

DECISIONS: dict[str, str] = {"approve": "承認", "refuse": "却下", "withdraw": "撤回"}
"""What can be decided, and its word on screens."""
_RECORDS: dict[str, Callable[[Path, Delivery, str], Path]] = {
    "approve": approve,
    "refuse": refuse,
    "withdraw": withdraw,
}
_FITTING: dict[str, tuple[Outcome, ...]] = {
    "approve": ("held",),
    "refuse": ("held",),
    "withdraw": ("accepted", "held", "none"),
}


def possible(home: Path, delivery: Delivery) -> tuple[str, ...]:
    """The decisions that fit what became of a delivery so far."""
    outcome = receipt_status(home, delivery)
    return tuple(decision for decision, fitting in _FITTING.items() if outcome in fitting)


def decide(home: Path, delivery: Delivery, decision: str, principal: str, *, content: str = "") -> None:
    """Record a decision; the next run or tick acts on it.

    Args:
        decision: one of :data:`DECISIONS`.
        principal: who decides.
        content: first digits of the content hash that was looked at; empty takes what lies in the inbox.

    Raises:
        PlatformError: ``delivery.changed``: another content lies in the inbox by now; ``delivery.decision``: the
            delivery is not in a state that the decision fits.
    """
    at = {**delivery.at, "decision": decision}
    if content and not delivery.content_hash.startswith(content):
        raise PlatformError(
            "another content lies in the inbox than the one that was looked at",
            code="delivery.changed",
            at=at,
            remedy="look at the delivery as it is now, and decide again",
            ja="表示のあとで別の内容が届きました。もう一度確かめてから決めてください",
        )
    if decision not in possible(home, delivery):
        raise PlatformError(
            "this decision does not fit what became of the delivery",
            code="delivery.decision",
            at=at,
            remedy="approve and refuse are for held deliveries; withdraw for accepted, held and due ones",
            ja="この提供データはその操作ができる状態ではありません。状態を確かめてください",
        )
    _RECORDS[decision](home, delivery, principal)
