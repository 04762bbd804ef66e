"""Defines the sensor that sends notices: work that waits for a person, failed runs, failed sensors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from kobe_platform.alerts import Notice, alerts_file, deliver, load_alerts, stable_id
from kobe_platform.alerts.notice import REMEDIES
from kobe_platform.planning.notices import notices
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.rules import outstanding
from kobe_platform.privacy.border import border

ALERTS = "alerts"
LOOK_BACK = timedelta(days=7)
"""How far back failed runs and ticks are looked for: what was sent is remembered longer."""


def alert_sensor() -> dg.SensorDefinition:
    """Sends notices once a minute where ``alerts.toml`` says to whom; it requests no run."""

    @dg.sensor(
        name=ALERTS,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="運用者への通知:止まっている処理、失敗した実行、届かない月を alerts.toml の宛先に知らせる。",
    )
    def tell(context: dg.SensorEvaluationContext, planning: dg.ResourceParam[Observer]) -> dg.SkipReason:
        with border(sensor=ALERTS):
            home = planning.settings.root
            settings = load_alerts(alerts_file(home))
            if settings.silent:
                return dg.SkipReason("通知先がありません(alerts.toml)")
            facts = planning.facts()
            found = notices(facts, outstanding(facts))
            found += [*_failed_runs(context.instance), *_failed_ticks(context.instance)]
            report = deliver(found, settings, home)
            if report.failures:
                raise report.failures[0]
            sent = sum(len(ids) for ids in report.sent.values())
            return dg.SkipReason(f"{sent}件を知らせました" if sent else "新しく知らせることはありません")

    return tell


def _failed_runs(instance: dg.DagsterInstance) -> Iterator[Notice]:
    """Runs that failed within :data:`LOOK_BACK`, each by its job and id."""
    since = datetime.now(UTC) - LOOK_BACK
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for run in instance.get_runs(failed, limit=100):
        at = {"job": run.job_name, "run": run.run_id}
        if month := run.tags.get("dagster/partition"):
            at["month"] = month
        yield Notice(stable_id("run", run.run_id), "run_failed", at, "処理が失敗しました。", REMEDIES["run_failed"])


def _failed_ticks(instance: dg.DagsterInstance) -> Iterator[Notice]:
    """Sensors and schedules that could not be evaluated within :data:`LOOK_BACK`: the first failure in each row."""
    from dagster._core.scheduler.instigation import TickStatus

    since = (datetime.now(UTC) - LOOK_BACK).timestamp()
    if not instance.schedule_storage:
        return
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since, limit=200)
        name, former = state.instigator_name, None
        for tick in sorted(ticks, key=lambda tick: tick.timestamp):
            failed = tick.status == TickStatus.FAILURE
            if failed and former is not TickStatus.FAILURE and name != ALERTS:
                began = datetime.fromtimestamp(tick.timestamp, UTC).strftime("%Y-%m-%dT%H:%MZ")
                at = {"sensor": name, "since": began}
                yield Notice(
                    stable_id("tick", name, began), "tick_failed", at, "監視が失敗しました。", REMEDIES["tick_failed"]
                )
            former = tick.status
