"""lake: the one current, validated, encrypted partition per source and month."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.conventions import POOL, spec
from assets.reports import partition_result
from kobe_platform.contracts import Contract
from kobe_platform.privacy.border import border
from kobe_platform.reception.steps import admit_month
from resources import Inbox, Lake


def lake_assets(contracts: Mapping[str, Contract], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a personal contract."""
    return [_lake(contract, months) for contract in contracts.values() if contract.sensitivity == "personal"]


def _lake(contract: Contract, months: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    described = spec(
        "lake",
        contract.name,
        description=f"{contract.title}:検証済みで現に有効な月次データ(暗号化)。統計化の唯一の入力。",
        owner=contract.legal.owner_section,
        deps=[dg.AssetDep(["abstracted", contract.name])],
        partitions=months,
    )

    @dg.multi_asset(
        name=f"lake__{contract.name}",
        specs=[described],
        pool=POOL,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def admit(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> dg.MaterializeResult:
        month = context.partition_key
        with border(stage="lake", source=contract.name, month=month):
            delivery = inbox.delivery(contract.name, month)
            partition = admit_month(contract, month, lake.store, delivery=delivery, home=Path(inbox.home))
            return partition_result(partition)

    return admit
