"""Defines what runs by the clock: verifying partitions, and taking away rows, releases and run logs that are old."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from kobe_platform.contracts import Contract
from kobe_platform.errors import CustodyError
from kobe_platform.governance.retention import due_for_destruction
from kobe_platform.lake.maintenance import destroy_all
from kobe_platform.lounge.pruning import prune
from kobe_platform.orchestration.run_logs import prune_nightly_runs, prune_run_logs
from kobe_platform.privacy.border import border
from kobe_platform.statistics import Statistic
from resources import Lake, Releases


@dg.op(name="verify_lake", description="全区画の復号・署名検証", pool="month")
def verify_lake(context: dg.OpExecutionContext, lake: Lake) -> None:
    """Open every partition in force and check it against its authenticated manifest; fail when one differs."""
    with border(job="nightly_verification"):
        report = lake.store.verify()
        context.log.info(f"{report.partitions} partitions verified")
        if report.faults:
            raise CustodyError(
                "partitions are not what their manifests say",
                code="lake.verify",
                at={"failed": len(report.faults)},
                remedy="run `kobe lake verify`",
                ja="区画の検証に失敗しました",
            )


@dg.job(name="nightly_verification", description="蓄積の夜間検証", tags={"kobe/purpose": "verification"})
def nightly_verification() -> None:
    """Verify the whole store."""
    verify_lake()


nightly = dg.ScheduleDefinition(
    name="nightly_verification",
    job=nightly_verification,
    cron_schedule="30 2 * * *",
    execution_timezone="Asia/Tokyo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="毎夜2時30分に全区画を検証する。",
)


def retention_schedule(
    contracts: Mapping[str, Contract], statistics: Mapping[str, Statistic], run_log_days: int
) -> dg.ScheduleDefinition:
    """The job ``retention`` and its hour.

    Args:
        run_log_days: days that the events of each step of a run are kept in Dagster.
    """

    @dg.op(name="destroy_due", description="保存期間の過ぎたデータの廃棄(鍵を先に消す)", pool="month")
    def destroy_due(context: dg.OpExecutionContext, lake: Lake) -> None:
        with border(job="retention"):
            due = due_for_destruction(lake.store, contracts, statistics, lake.raw_days, datetime.now(UTC))
            destroyed, failed = destroy_all(lake.store, due.partitions)
            for name in destroyed:
                context.log.info(f"{name}: destroyed")
            if faults := [*due.faults, *failed]:
                raise CustodyError(
                    "partitions could not be looked at or destroyed; all others that were due are destroyed",
                    code=faults[0][1],
                    at={"partition": faults[0][0], "partitions": len(faults)},
                    remedy="run `kobe lake verify`",
                    ja="確かめられない区画があります",
                )

    @dg.op(name="prune_releases", description="古い版の画面と表の廃棄(記録は残す)")
    def prune_releases(context: dg.OpExecutionContext, releases: Releases) -> None:
        with border(job="retention"):
            if releases.keep is not None:
                for name in prune(releases.path, releases.keep, shared=releases.shared):
                    context.log.info(f"{name}: pruned")

    @dg.op(name="prune_run_logs", description="古い実行の詳しい記録の廃棄(実行と資産の履歴は残す)")
    def forget_steps(context: dg.OpExecutionContext) -> None:
        with border(job="retention"):
            before = datetime.now(UTC) - timedelta(days=run_log_days)
            pruned = prune_run_logs(context.instance, before)
            nightly = prune_nightly_runs(context.instance, before)
            context.log.info(f"events of {pruned} runs pruned, {nightly} nightly runs taken away")

    @dg.job(name="retention", description="保存期間の過ぎたデータの廃棄", tags={"kobe/purpose": "destruction"})
    def retention() -> None:
        destroy_due()
        prune_releases()
        forget_steps()

    return dg.ScheduleDefinition(
        job=retention,
        name="retention",
        cron_schedule="30 3 * * *",
        execution_timezone="Asia/Tokyo",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="毎夜3時30分に、役目を終えた原データと、保存期間の過ぎたデータと、残す数を超えた版と、古い実行の詳しい記録を廃棄する。",
    )
