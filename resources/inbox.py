"""The core systems' share, which the platform only reads, and the contracts that say what lies there."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from kobe_platform.clock import today
from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.deliveries import Delivery, find, find_one
from kobe_platform.reception.queue import Due, due_deliveries


class Inbox(dg.ConfigurableResource):
    """Deliveries of one municipality.

    Attributes:
        path: root of the share.
        municipality: five-digit code.
        contracts_path: directory of the contracts.
        home: ``KOBE_HOME``, where receipts lie.
    """

    path: str
    municipality: str
    contracts_path: str
    home: str

    def contracts(self) -> dict[str, Contract]:
        """Contracts by source."""
        return load_contracts(Path(self.contracts_path))

    def deliveries(self) -> list[Delivery]:
        """Every complete delivery on the share; only manifests are read."""
        return find(Path(self.path), self.contracts(), self.municipality)

    def delivery(self, source: str, month: str) -> Delivery | None:
        """One delivery, or None where it does not lie there (any more); reads no other delivery's manifest."""
        return find_one(Path(self.path), self.municipality, source, month)

    def due(self) -> list[Due]:
        """Deliveries without an outcome, in the order in which they are taken."""
        return due_deliveries(self.deliveries(), self.contracts(), Path(self.home), today())
