"""Defines the assets ``abstracted``: rows with age, district and pseudonym instead of identifying columns (抽象化)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets.acceptance import acceptance_check, accepted
from assets.columns import definition_metadata
from assets.conventions import POOL, spec
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition
from kobe_platform.orchestration.months import the_month
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
        skippable=True,
        metadata=definition_metadata(contract, "abstracted"),
    )

    @dg.multi_asset(
        name=f"abstracted__{contract.name}",
        description=f"{contract.title}:氏名・住所・生年月日を、年齢・地域・仮名に置き換える。",
        specs=[described],
        check_specs=[acceptance_check(described.key, months)],
        pool=POOL,
    )
    def abstract(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> Iterator:
        month = the_month(context)

        def step() -> Partition:
            return abstract_month(
                contract, month, lake.store, lake.key_service, contracts,
                delivery=inbox.delivery(contract.name, month), home=Path(inbox.home),
            )  # fmt: skip

        yield from accepted(["abstracted", contract.name], step, stage="abstracted", source=contract.name, month=month)

    return abstract


def _any_month() -> dg.PartitionMapping:
    return dg.TimeWindowPartitionMapping(start_offset=-12, end_offset=0, allow_nonexistent_upstream_partitions=True)
