"""The publication gate: each blocking check of each partition that a release shows is green, and recent.

Automation conditions see to this when they request a release; whoever asks for one by hand passes the same gate.
"""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from kobe_platform.errors import DisclosureError


def pass_gate(
    instance: dg.DagsterInstance, shown: Mapping[dg.AssetKey, Sequence[str]], required: Sequence[str]
) -> dict[str, int]:
    """Refuse a release unless each check in ``required`` has passed on each partition in ``shown``.

    Args:
        instance: where check results stand.
        shown: published asset → months that the release shows.
        required: names of the blocking checks of published tables.

    Returns:
        Counts: ``checks`` looked at.

    Raises:
        DisclosureError: a check failed, never ran, or ran on a former generation (coordinates: the first, and
        how many).
    """
    keys = [dg.AssetCheckKey(asset, name) for asset in shown for name in required]
    found = instance.event_log_storage.get_asset_check_partition_info(keys)
    results = {(info.check_key, info.partition_key): info for info in found}
    missing = []
    for key in keys:
        for month in shown[key.asset_key]:
            info = results.get((key, month))
            green = info is not None and info.latest_execution_status == Status.SUCCEEDED
            if not green or info.latest_target_materialization_storage_id != info.latest_materialization_storage_id:
                missing.append((key, month))
    if missing:
        key, month = missing[0]
        raise DisclosureError(
            "a blocking check of a table is not green",
            code="release.gate",
            at={"table": key.asset_key.path[-1], "check": key.name, "month": month, "not_green": len(missing)},
            remedy="run the checks of this month again, and look at what they found",
            ja="公開前検査に合格していない表があるため、公開しません",
        )
    return {"checks": sum(len(shown[key.asset_key]) for key in keys)}
