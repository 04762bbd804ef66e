"""Defines the assets ``raw``: for each delivery the columns that some rule reads, as bytes, encrypted."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets.acceptance import acceptance_check, accepted
from assets.columns import definition_metadata
from assets.conventions import POOL, spec
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition
from kobe_platform.orchestration.months import the_month
from kobe_platform.reception.steps import take_in_delivery
from resources import Inbox, Lake

_WHAT = {
    "personal": "業務システムから届いた抽出。どの規則も読まない列は最初の書込み前に捨てる。",
    "public": "公表済みの対照表。次が届くまで有効。",
}


def raw_assets(contracts: Mapping[str, Contract], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a contract whose deliveries are kept as they come: personal sources and public references."""
    kept = [contract for contract in contracts.values() if contract.use in ("lake", "reference")]
    return [_raw(contract, months) for contract in kept]


def _raw(contract: Contract, months: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    described = spec(
        "raw",
        contract.name,
        description=f"{contract.title}:{_WHAT[contract.sensitivity]}",
        owner=contract.legal.owner_section,
        partitions=months,
        skippable=True,
        metadata=definition_metadata(contract, "raw"),
        public=contract.sensitivity == "public",
    )

    @dg.multi_asset(
        name=f"raw__{contract.name}",
        description=f"{contract.title}:受信箱の提供データを検査し、読む列だけを暗号化して書く。",
        specs=[described],
        check_specs=[acceptance_check(described.key, months)],
        pool=POOL,
    )
    def take_in(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> Iterator:
        month = the_month(context)

        def step() -> Partition:
            delivery = inbox.present(contract.name, month)
            return take_in_delivery(delivery, contract, lake.store, Path(inbox.home))

        yield from accepted(["raw", contract.name], step, stage="raw", source=contract.name, month=month)

    return take_in
