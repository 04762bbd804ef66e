"""Counts, ages and lags of an installation in the text format of Prometheus (version 0.0.4).

Labels are coordinates: source, stage, state, code. Nothing is counted that a published page or a receipt does not tell.
"""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from kobe_platform.backup.vault import newest_of, place_of
from kobe_platform.lounge.release import current
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.rules import outstanding
from kobe_platform.reception.inputs import TARGETS

if TYPE_CHECKING:
    from kobe_platform.planning.facts import Facts
    from kobe_platform.planning.steps import Plan


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
