"""Makes every asset check, so that Dagster's preview API of partitioned checks is used in one place only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from kobe_platform.contracts import Contract
from kobe_platform.lake import PartitionId
from kobe_platform.lake.verdicts import record
from kobe_platform.orchestration.months import the_month
from kobe_platform.privacy.border import border
from kobe_platform.privacy.metadata import allowed
from resources import Lake


@dataclass(frozen=True)
class Verdict:
    """What a check found: ``facts`` are counts and identifiers only (the metadata allow-list applies)."""

    passed: bool
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedAsset:
    """One asset that a check judges: ``stage`` and ``name`` are its key."""

    stage: str
    name: str

    @property
    def key(self) -> dg.AssetKey:
        """The asset key."""
        return dg.AssetKey([self.stage, self.name])


STAGES_OF_ROWS = ("raw", "abstracted", "lake")
"""The stages whose partitions hold one row a person or event."""
Judge = Callable[[Lake, str], Mapping[CheckedAsset, Verdict]]
"""Judges one month: returns a verdict for every asset that the check was made for."""


def monthly_check(
    name: str,
    subject: str,
    assets: Sequence[CheckedAsset],
    judge: Judge,
    *,
    months: dg.PartitionsDefinition,
    description: str,
    blocking: bool,
) -> dg.AssetChecksDefinition:
    """A check of one month of one or more assets, judged together in one step.

    What it finds is written down beside the partition that it saw (:mod:`kobe_platform.lake.verdicts`); the result that
    Dagster gets is a copy for people.

    Args:
        name: the check's name on every asset.
        subject: what the step is called after (a source or a protection group).
        judge: gets the lake and the month; what it raises crosses the error border.
        blocking: whether a failed verdict keeps downstream assets from running.
    """
    specs = [
        dg.AssetCheckSpec(name, asset=asset.key, description=description, blocking=blocking, partitions_def=months)
        for asset in assets
    ]

    @dg.multi_asset_check(name=f"{name}__{subject}", specs=specs, description=f"{description}。", can_subset=True)
    def check(context: dg.AssetCheckExecutionContext, lake: Lake):
        month = the_month(context.op_execution_context)
        wanted = {key.asset_key for key in context.op_execution_context.selected_asset_check_keys}
        with border(check=name, subject=subject, month=month):
            seen = {asset: lake.store.current(PartitionId(asset.stage, asset.name, month)) for asset in assets}
            verdicts = judge(lake, month)
            for asset, partition in seen.items():
                if partition is not None and asset.key in wanted:
                    verdict = verdicts[asset]
                    record(lake.store, partition, name, passed=verdict.passed, blocking=blocking, facts=verdict.facts)
        for asset in assets:
            if asset.key in wanted:
                yield _result(name, asset, verdicts[asset])

    return check


def row_checks(
    name: str,
    contracts: Mapping[str, Contract],
    judge_of: Callable[[CheckedAsset, Contract], Judge],
    *,
    months: dg.PartitionsDefinition,
    description: str,
) -> list[dg.AssetChecksDefinition]:
    """A blocking check of every asset that holds rows of persons: raw, abstracted and lake of each personal source.

    Args:
        judge_of: makes the judge of one of these assets from it and its source's contract.
    """
    assets = [
        (CheckedAsset(stage, contract.name), contract)
        for contract in contracts.values()
        if contract.sensitivity == "personal"
        for stage in STAGES_OF_ROWS
    ]
    return [
        monthly_check(
            name,
            f"{asset.stage}__{asset.name}",
            [asset],
            judge_of(asset, contract),
            months=months,
            description=description,
            blocking=True,
        )
        for asset, contract in assets
    ]


def _result(name: str, asset: CheckedAsset, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=asset.key,
        check_name=name,
        metadata=allowed(verdict.facts),
    )
