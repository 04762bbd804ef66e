"""Gives access to the core systems' share, which is only read, and to the contracts of its sources."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import Field

from kobe_platform.contracts import Contract, load_contracts
from kobe_platform.errors import LakeError
from kobe_platform.intake.deliveries import Delivery, find, find_one
from resources.shown import shown_as


@shown_as("受信箱:業務システムの提供データが届く共有フォルダー。読むだけで、書かない。")
class Inbox(dg.ConfigurableResource):
    """Deliveries of one municipality.

    Attributes:
        path: root of the share.
        municipality: five-digit code.
        contracts_path: directory of the contracts.
        home: ``KOBE_HOME``, where receipts lie.
    """

    path: str = Field(description="共有フォルダーの場所")
    municipality: str = Field(description="市区町村コード(5桁)")
    contracts_path: str = Field(description="契約(提供データの形式)のフォルダー")
    home: str = Field(description="受領記録を置くKOBE_HOME")

    def contracts(self) -> dict[str, Contract]:
        """Contracts by source."""
        return load_contracts(Path(self.contracts_path))

    def deliveries(self) -> list[Delivery]:
        """Every complete delivery on the share; only manifests are read."""
        return find(Path(self.path), self.contracts(), self.municipality)

    def delivery(self, source: str, month: str) -> Delivery | None:
        """One delivery, or None where it does not lie there (any more); reads no other delivery's manifest."""
        return find_one(Path(self.path), self.municipality, source, month)

    def present(self, source: str, month: str) -> Delivery:
        """One delivery that has to lie there.

        Raises:
            LakeError: ``delivery.absent``: it does not (any more).
        """
        delivery = self.delivery(source, month)
        if delivery is None:
            raise LakeError(
                "the inbox holds no delivery for this month",
                code="delivery.absent",
                at={"source": source, "month": month},
                remedy="let the core system deliver it, mount the share again, or choose another month",
                ja="受信箱にこの月の提供データがありません",
            )
        return delivery
