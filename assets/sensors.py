"""Defines three sensors that ask the plan for outstanding work and request runs: of deliveries, months and releases.

They remember nothing. What is outstanding follows from what is stored; a request that is lost is made again at the next
tick, and one that was made twice finds its work done. While `kobe run` is at work the daemon's sensors request nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from assets.jobs import RELEASE, TABULATE, job_name
from kobe_platform.orchestration.attending import KEY_TAG, STEPS_TAG, WORK_TAG, steps_text
from kobe_platform.orchestration.reaping import IN_FLIGHT, reap
from kobe_platform.planning.leases import TICKER
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.steps import Kind, Plan, Work
from kobe_platform.planning.words import summary
from kobe_platform.privacy.border import border
from kobe_platform.statistics import groups

INBOX, TABLES, RELEASES = "inbox", "tables", "release"
SENSORS: dict[str, Kind] = {INBOX: "take_in", TABLES: "tabulate", RELEASES: "release"}
"""Sensors in the order of the flow → the kind of steps that each requests."""
MOST_REQUESTS = 50
"""Runs that one tick asks for at most: a tick stays short whatever lies in the inbox."""
MOST_RUNS = 8
"""Runs of one and the same work, inputs included, after which a sensor leaves it to a person."""
_DESCRIPTIONS = {
    INBOX: "受信箱を見て、まだ取り込んでいない提供データごとに取込みを1回求める。",
    TABLES: "統計表が最新でない月ごとに、統計化・秘匿・監査を1回求める。",
    RELEASES: "公表表・ページが公開中のものと違うとき、公開を1回求める。",
}


def plan_sensors(jobs: Mapping[str, Sequence]) -> list[dg.SensorDefinition]:
    """One sensor a kind of step.

    Args:
        jobs: sensor → the jobs whose runs it requests.
    """
    return [_sensor(name, kind, jobs[name]) for name, kind in SENSORS.items()]


def _sensor(name: str, kind: Kind, jobs: Sequence) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_DESCRIPTIONS[name],
    )
    def watch(context: dg.SensorEvaluationContext, planning: dg.ResourceParam[Observer]) -> dg.SensorResult:
        began = time.perf_counter()
        with border(sensor=name):
            result = _ticked(context.instance, planning, kind)
        planning.journal.tick(name, time.perf_counter() - began, len(result.run_requests or ()))
        return result

    return watch


def _ticked(instance: dg.DagsterInstance, planning: Observer, kind: Kind) -> dg.SensorResult:
    ticker = planning.leases.owner(TICKER)
    if ticker is not None and not ticker.mine:
        return _skipped(f"`kobe run` が作業中です(プロセス {ticker.pid}、{ticker.since} から)")
    if planning.changed_on_disk():
        return _skipped("定義ファイルが変わりました。Dagsterでコードの場所を再読み込み(Reload)してください")
    if kind == "take_in":
        reap(instance, planning.leases)
    plan = planning.plan(planning.scope)
    if kind == "take_in" and not plan.faults:
        planning.failures.keep(step.id for step in plan.steps)
    works = [work for work in plan.works() if work.kind == kind]
    asked = set() if ticker is not None else _in_flight(instance)
    fresh = [work for work in works if work.name not in asked][:MOST_REQUESTS]
    requests = list(_requests(instance, planning, fresh))
    return dg.SensorResult(run_requests=requests) if requests else _skipped(_why(plan, kind, works, fresh))


def _skipped(reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=dg.SkipReason(reason))


def _in_flight(instance: dg.DagsterInstance) -> set[str]:
    """Work that a run which is queued or under way was asked for."""
    runs = instance.get_runs(dg.RunsFilter(statuses=list(IN_FLIGHT)), limit=1000)
    return {run.tags[WORK_TAG] for run in runs if WORK_TAG in run.tags}


def _requests(instance: dg.DagsterInstance, planning: Observer, works: Sequence[Work]) -> Iterator[dg.RunRequest]:
    for work in works:
        runs = instance.get_runs_count(dg.RunsFilter(tags={KEY_TAG: work.key}))
        if runs < MOST_RUNS:
            yield request(work, planning, runs + 1)


def request(work: Work, planning: Observer, attempt: int) -> dg.RunRequest:
    """The run that executes some work; its key is never asked for twice."""
    tags = {WORK_TAG: work.name, KEY_TAG: work.key, STEPS_TAG: steps_text(work)}
    if attempt > 1:
        tags["kobe/attempt"] = str(attempt)
    if delivery := work.steps[0].delivery:
        tags["kobe/delivery"] = delivery[:12]
    return dg.RunRequest(
        run_key=f"{work.key}:{attempt}",
        job_name={"tabulate": TABULATE, "release": RELEASE}.get(work.kind) or job_name(work.steps[0].unit),
        partition_key=work.month or None,
        asset_selection=_selection(work, planning) if work.kind == "tabulate" else None,
        tags=tags,
    )


def _selection(work: Work, planning: Observer) -> list[dg.AssetKey]:
    """The assets of the groups and public tables that are outstanding."""
    protected = groups(planning.statistics.values())
    names = [member.name for unit in work.units for member in protected.get(unit, ())]
    public = [unit for unit in work.units if unit not in protected]
    keys = [("statistics", name) for name in names] + [("published", name) for name in (*names, *public)]
    return [dg.AssetKey(key) for key in sorted(set(keys))]


def _why(plan: Plan, kind: Kind, works: Sequence[Work], fresh: Sequence[Work]) -> str:
    if works and not fresh:
        return f"{len(works)}件は実行待ちか実行中です"
    if fresh:
        return f"{len(fresh)}件は{MOST_RUNS}回実行しても終わっていません。`kobe status` を見てください"
    return summary(plan, kind)
