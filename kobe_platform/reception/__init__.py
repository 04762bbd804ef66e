"""Takes a delivery from the inbox to the lake in three steps (take in, abstract, admit) and writes its receipt.

``steps`` has the steps that the assets call, ``inputs`` lists what the result of each is made from, ``outcomes`` reads
what became of a delivery from its receipts, and ``vintages`` compares a revised delivery with the one in force. Files
are read in ``intake``, columns are derived in ``abstraction``; which deliveries are due is computed in ``planning``.
Nothing here imports Dagster.
"""

from typing import TYPE_CHECKING

from kobe_platform.lazily import attribute
from kobe_platform.reception.outcomes import receipt_status

if TYPE_CHECKING:
    from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery

__all__ = ["abstract_month", "admit_month", "receipt_status", "take_in_delivery"]

_ROOMS = {"steps": ("abstract_month", "admit_month", "take_in_delivery")}
"""What takes deliveries in, by module: loaded when it is used, as receipts are read without it."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
