"""Defines the check ``accepted`` of a delivery's steps: red, with the reason, where the delivery was refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dagster as dg

from assets.reports import partition_result
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, PlatformError
from kobe_platform.lake import Partition
from kobe_platform.orchestration.headless import ACCEPTED
from kobe_platform.privacy.border import border, error_metadata
from kobe_platform.vocabulary.coordinates import place


def acceptance_check(key: dg.AssetKey | list[str], months: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    """The check's specification; it does not block: a refused delivery leaves out what is downstream by itself."""
    return dg.AssetCheckSpec(
        ACCEPTED,
        asset=key,
        description="提供データを受け入れた(却下・保留のときは理由と、次にすること)",
        partitions_def=months,
    )


def accepted(key: list[str], step: Callable[[], Partition], **at: str) -> Iterator[dg.MaterializeResult | object]:
    """Run a step of a delivery inside the error border and yield its partition, or why the delivery is turned away.

    Args:
        step: commits and returns the partition.
        at: coordinates of the step.
    """
    refusal: PlatformError | None = None
    with border(**at):
        try:
            partition = step()
        except (DeliveryRejected, DeliveryHeld) as error:
            refusal = error
    if refusal is None:
        yield partition_result(partition)
        yield dg.AssetCheckResult(asset_key=key, check_name=ACCEPTED, passed=True)
    else:
        held = isinstance(refusal, DeliveryHeld)
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=ACCEPTED,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN if held else dg.AssetCheckSeverity.ERROR,
            description=refusal.ja + place(refusal.at),
            metadata=error_metadata(refusal),
        )
