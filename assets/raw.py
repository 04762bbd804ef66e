"""raw: one encrypted file a delivery, holding the contracted columns that some rule reads, as bytes."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.conventions import POOL, spec
from assets.reports import partition_result
from kobe_platform.contracts import Contract
from kobe_platform.errors import LakeError
from kobe_platform.privacy.border import border
from kobe_platform.reception.steps import take_in_delivery
from resources import Inbox, Lake


def raw_assets(contracts: Mapping[str, Contract], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a contract whose deliveries are kept as they come: personal sources and public references."""
    kept = [contract for contract in contracts.values() if contract.use in ("lake", "reference")]
    return [_raw(contract, months) for contract in kept]


def _raw(contract: Contract, months: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    described = spec(
        "raw",
        contract.name,
        description=f"{contract.title}:業務システムから届いた抽出。どの規則も読まない列は最初の書込み前に捨てる。",
        owner=contract.legal.owner_section,
        partitions=months,
        public=contract.sensitivity == "public",
    )

    @dg.multi_asset(name=f"raw__{contract.name}", specs=[described], pool=POOL, backfill_policy=_one_a_run())
    def take_in(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> dg.MaterializeResult:
        month = context.partition_key
        with border(stage="raw", source=contract.name, month=month):
            delivery = inbox.delivery(contract.name, month)
            if delivery is None:
                raise _absent(contract.name, month)
            partition = take_in_delivery(delivery, contract, lake.store, Path(inbox.home))
            return partition_result(partition)

    return take_in


def _one_a_run() -> dg.BackfillPolicy:
    return dg.BackfillPolicy.multi_run(max_partitions_per_run=1)


def _absent(source: str, month: str) -> LakeError:
    return LakeError(
        "the inbox holds no delivery for this month",
        code="delivery.absent",
        at={"source": source, "month": month},
        remedy="let the core system deliver it, or choose another month",
        ja="受信箱にこの月の提供データがありません",
    )
