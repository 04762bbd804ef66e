"""Counts, ages and lags of an installation in the text format of Prometheus (version 0.0.4).

Labels are coordinates: source, stage, state, code. Nothing is counted that a published page, a receipt, the journal of
the work (:mod:`kobe_platform.planning.journal`) or the head of the log of key use does not tell.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client import Counter as Total

from kobe_platform.backup.vault import newest_of, place_of
from kobe_platform.lounge.release import current
from kobe_platform.planning.journal import WorkJournal
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.rules import outstanding
from kobe_platform.reception.inputs import TARGETS
from kobe_platform.upkeep.condition import quality_of

if TYPE_CHECKING:
    from kobe_platform.planning.facts import Facts
    from kobe_platform.planning.steps import Plan


DAY = timedelta(days=1)
"""How far back steps are looked at."""


def figures(observer: Observer, now: datetime | None = None) -> CollectorRegistry:
    """The present figures of an installation.

    Args:
        observer: asked again and again, it reads only what changed.
        now: with a time zone, for tests.
    """
    moment, registry = now or datetime.now(UTC), CollectorRegistry()
    facts = observer.facts()
    _of_plan(registry, outstanding(facts))
    _of_sources(registry, facts, moment)
    _of_rows(registry, observer, facts)
    _of_work(registry, observer.journal, moment)
    _of_keys(registry, observer.settings.key_log)
    _of_releases(registry, observer, moment)
    free = shutil.disk_usage(observer.settings.root).free
    Gauge("kobe_disk_free_bytes", "Free bytes on the disk of KOBE_HOME.", registry=registry).set(free)
    if observer.settings.backup and (newest := newest_of(place_of(observer.settings.backup))) is not None:
        age = Gauge("kobe_backup_age_seconds", "Age of the newest backup.", registry=registry)
        age.set((moment - newest).total_seconds())
    return registry


def text(registry: CollectorRegistry) -> bytes:
    """The figures as Prometheus reads them."""
    return generate_latest(registry)


def _of_plan(registry: CollectorRegistry, plan: Plan) -> None:
    steps = Gauge("kobe_steps", "Outstanding steps of the plan.", ["kind", "state"], registry=registry)
    for (kind, state), count in Counter((step.kind, step.state) for step in plan.steps).items():
        steps.labels(kind, state).set(count)
    faults = Gauge("kobe_fault", "1 for each fault that keeps anything from being done.", ["code"], registry=registry)
    for fault in plan.faults:
        faults.labels(fault.code).set(1)


def _of_sources(registry: CollectorRegistry, facts: Facts, now: datetime) -> None:
    lag = Gauge(
        "kobe_source_lag_months",
        "Months from a source's newest month to the last that has ended.",
        ["source"],
        registry=registry,
    )
    months = Gauge("kobe_source_months", "Months of a source in the platform.", ["source"], registry=registry)
    for source, contract in sorted(facts.contracts.items()):
        held = facts.heads.months(TARGETS[contract.use], source)
        months.labels(source).set(len(held))
        if held:
            year, month = map(int, held[-1].split("-"))
            lag.labels(source).set(max(0, (facts.today.year - year) * 12 + facts.today.month - month - 1))
    turned = Gauge(
        "kobe_deliveries", "Deliveries in the inbox by what became of them.", ["source", "state"], registry=registry
    )
    states = Counter((one.source, one.turned or ("accepted" if one.receipted else "new")) for one in facts.deliveries)
    for (source, state), count in states.items():
        turned.labels(source, state).set(count)
    stages = Gauge("kobe_partitions", "Partitions in force.", ["stage"], registry=registry)
    for stage, count in Counter(id.stage for id in facts.heads.entries).items():
        stages.labels(stage).set(count)
    red = sum(not verdict.passed for entry in facts.heads.entries.values() for verdict in entry.verdicts.values())
    Gauge("kobe_checks_failed", "Verdicts of checks that are red.", registry=registry).set(red)


def _of_rows(registry: CollectorRegistry, observer: Observer, facts: Facts) -> None:
    """Rows of the newest accepted month of each source, and what turned deliveries away."""
    rows = Gauge("kobe_source_rows", "Delivered rows of a source's newest month.", ["source"], registry=registry)
    kept = Gauge("kobe_source_rows_kept", "Rows of it that were taken in.", ["source"], registry=registry)
    befell = Gauge(
        "kobe_source_rows_by_rule", "Rows of it that a rule of intake befell.", ["source", "rule"], registry=registry
    )
    for source in sorted(facts.contracts):
        for month in quality_of(observer.settings, source, newest=1):
            rows.labels(source).set(month.rows)
            kept.labels(source).set(month.kept)
            for rule, count in month.rules.items():
                befell.labels(source, rule).set(count)
    turned = Gauge(
        "kobe_deliveries_turned_away",
        "Deliveries in the inbox that are rejected, held, refused or withdrawn, by the rule.",
        ["source", "state", "code"],
        registry=registry,
    )
    causes = Counter((one.source, one.turned, one.cause.code) for one in facts.deliveries if one.turned and one.cause)
    for (source, state, code), count in causes.items():
        turned.labels(source, state, code).set(count)


def _of_work(registry: CollectorRegistry, journal: WorkJournal, now: datetime) -> None:
    """Steps of the last day by stage, and the newest tick of each sensor."""
    seconds, ended, ticks = Counter[str](), Counter[tuple[str, str]](), dict[str, tuple[float, str]]()
    for line in journal.lines(now - DAY):
        if line["event"] == "step":
            seconds[line["stage"]] += line.get("seconds", 0)
            ended[line["stage"], line["ended"]] += 1
        elif line["event"] == "tick":
            ticks[line["sensor"]] = line["seconds"], line["time"]
    spent = Gauge(
        "kobe_stage_seconds", "Seconds of the steps of a stage in the last 24 hours.", ["stage"], registry=registry
    )
    for stage, total in seconds.items():
        spent.labels(stage).set(round(total, 3))
    steps = Gauge(
        "kobe_stage_steps",
        "Steps of a stage in the last 24 hours by how they ended.",
        ["stage", "ended"],
        registry=registry,
    )
    for (stage, end), count in ended.items():
        steps.labels(stage, end).set(count)
    tick = Gauge("kobe_sensor_tick_seconds", "Seconds of a sensor's newest tick.", ["sensor"], registry=registry)
    age = Gauge("kobe_sensor_tick_age_seconds", "Age of that tick's record.", ["sensor"], registry=registry)
    for sensor, (took, at) in ticks.items():
        tick.labels(sensor).set(took)
        age.labels(sensor).set((now - datetime.fromisoformat(at)).total_seconds())


def _of_keys(registry: CollectorRegistry, log: Path) -> None:
    """Uses of keys since the installation began, as the head of their log counts them."""
    try:
        uses = int(json.loads(log.with_suffix(".head").read_bytes())["seq"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    Total("kobe_key_calls", "Uses of keys that the log holds.", registry=registry).inc(uses)


def _of_releases(registry: CollectorRegistry, observer: Observer, now: datetime) -> None:
    release = current(observer.settings.releases)
    if release is None:
        return
    age = (now - datetime.fromisoformat(release.created_at)).total_seconds()
    Gauge("kobe_release_age_seconds", "Age of the release in force.", registry=registry).set(age)
    Gauge("kobe_release_number", "Number of the release in force.", registry=registry).set(
        int(release.id.split("-")[0])
    )
    cells = sum(int(table["rows"]) for table in release.tables.values())
    hidden = sum(int(table["suppressed"]) for table in release.tables.values())
    Gauge("kobe_release_cells", "Cells of the release in force.", registry=registry).set(cells)
    Gauge("kobe_release_suppressed_cells", "Cells of it that are hidden.", registry=registry).set(hidden)
