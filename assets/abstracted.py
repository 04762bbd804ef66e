"""abstracted: name, exact address and birth date are gone; age, district and pseudonym stand instead (抽象化)."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.conventions import POOL, spec
from assets.reports import partition_result
from kobe_platform.contracts import Contract
from kobe_platform.privacy.border import border
from kobe_platform.reception.steps import abstract_month
from resources import Inbox, Lake


def abstracted_assets(contracts: Mapping[str, Contract], months: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """One asset a personal contract."""
    return [_abstracted(c, contracts, months) for c in contracts.values() if c.sensitivity == "personal"]


def _abstracted(
    contract: Contract, contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    # References hold from their month on, so the graph names them as lineage over all months.
    upstream = [dg.AssetDep(["raw", name]) for name in (contract.name, *contract.needs)]
    upstream += [dg.AssetDep(["raw", name], partition_mapping=_any_month()) for name in contract.references]
    described = spec(
        "abstracted",
        contract.name,
        description=f"{contract.title}:氏名・住所・生年月日を除き、年齢・地域・仮名に置き換えたもの。1行1人(1件)。",
        owner=contract.legal.owner_section,
        deps=upstream,
        partitions=months,
    )

    @dg.multi_asset(
        name=f"abstracted__{contract.name}",
        specs=[described],
        pool=POOL,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def abstract(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> dg.MaterializeResult:
        month = context.partition_key
        with border(stage="abstracted", source=contract.name, month=month):
            delivery = inbox.delivery(contract.name, month)
            home = Path(inbox.home)
            partition = abstract_month(
                contract, month, lake.store, lake.key_service, contracts, delivery=delivery, home=home
            )
            return partition_result(partition)

    return abstract


def _any_month() -> dg.PartitionMapping:
    return dg.TimeWindowPartitionMapping(start_offset=-12, end_offset=0, allow_nonexistent_upstream_partitions=True)
