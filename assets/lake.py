"""Defines the assets ``lake``: for each source and month the validated, encrypted partition in force."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets.acceptance import acceptance_check, accepted
from assets.columns import definition_metadata
from assets.conventions import POOL, spec
from kobe_platform.contracts import Contract
from kobe_platform.lake import Partition
from kobe_platform.orchestration.months import the_month
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
        skippable=True,
        metadata=definition_metadata(contract, "lake"),
    )

    @dg.multi_asset(
        name=f"lake__{contract.name}",
        description=f"{contract.title}:抽象化したデータを前月と比べて検証し、現に有効な月次データにする。",
        specs=[described],
        check_specs=[acceptance_check(described.key, months)],
        pool=POOL,
    )
    def admit(context: dg.AssetExecutionContext, inbox: Inbox, lake: Lake) -> Iterator:
        month = the_month(context)

        def step() -> Partition:
            delivery = inbox.delivery(contract.name, month)
            return admit_month(contract, month, lake.store, delivery=delivery, home=Path(inbox.home))

        yield from accepted(["lake", contract.name], step, stage="lake", source=contract.name, month=month)

    return admit
