"""The sensor that watches the inbox: one run a delivery, requested once an attempt."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from kobe_platform.contracts import Contract
from kobe_platform.privacy.border import border
from kobe_platform.reception.queue import Due
from resources import Inbox

SENSOR = "inbox"
DELIVERY_TAG = "kobe/delivery"
ORDER_TAG = "kobe/order"
MAX_ATTEMPTS = 3
MAX_REMEMBERED = 500
"""Deliveries that the cursor remembers: the newest; a delivery with an outcome is forgotten at once."""


@dataclass(frozen=True)
class Cursor:
    """Attempts by delivery that are not yet over: what the sensor remembers between ticks."""

    attempts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """From the stored text; a cursor of another version starts afresh (receipts and run keys still hold)."""
        try:
            return cls({str(name): int(n) for name, n in json.loads(text or "{}").items()})
        except (ValueError, AttributeError):
            return cls()

    def text(self) -> str:
        """The cursor as stored, bounded to :data:`MAX_REMEMBERED` entries."""
        newest = sorted(self.attempts, key=lambda name: name.split(":")[2], reverse=True)[:MAX_REMEMBERED]
        return json.dumps({name: self.attempts[name] for name in sorted(newest)})


def job_name(source: str) -> str:
    """Name of the job that takes in deliveries of one source."""
    return f"take_in_{source}"


def delivery_jobs(contracts: Mapping[str, Contract]) -> list:
    """One job a source: everything between the inbox and the lake (or, for public sources, statistics)."""
    jobs = []
    for contract in contracts.values():
        stages = {"lake": ("raw", "abstracted", "lake"), "reference": ("raw",), "statistics": ("statistics",)}
        keys = [dg.AssetKey([stage, contract.name]) for stage in stages[contract.use]]
        jobs.append(
            dg.define_asset_job(
                job_name(contract.name),
                selection=dg.AssetSelection.assets(*keys),
                description=f"{contract.title}:受信箱からレイクまで",
                tags={"kobe/source": contract.name, ORDER_TAG: "delivery"},
            )
        )
    return jobs


def inbox_sensor(jobs: list, months: dg.PartitionsDefinition) -> dg.SensorDefinition:
    """The sensor; its run key is ``municipality:source:month:content-hash:attempt``.

    A run key is never requested twice, so an attempt that ended without an outcome (a crash, a full disk) gets
    a new one, up to :data:`MAX_ATTEMPTS`; a rejected or held delivery has its receipt and is not tried again.
    """

    @dg.sensor(
        name=SENSOR,
        jobs=jobs,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="受信箱を見張り、新しい提供データごとに取込みを1回要求する。",
    )
    def watch(context: dg.SensorEvaluationContext, inbox: Inbox) -> dg.SensorResult:
        with border(sensor=SENSOR):
            cursor = Cursor.parse(context.cursor)
            due = inbox.due()
            requests, attempts = [], {}
            for entry in due:
                tried = max(cursor.attempts.get(entry.id, 0), _runs(context.instance, entry))
                attempts[entry.id] = tried
                if entry.lapsed or entry.waits_for or tried >= MAX_ATTEMPTS or _in_flight(context.instance, entry):
                    continue
                if not months.has_partition_key(entry.delivery.month):
                    continue
                attempts[entry.id] = tried + 1
                requests.append(_request(entry, tried + 1))
        reason = None if requests else dg.SkipReason(_why(due))
        return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=Cursor(attempts).text())

    return watch


def _request(entry: Due, attempt: int) -> dg.RunRequest:
    delivery = entry.delivery
    return dg.RunRequest(
        run_key=f"{entry.id}:{attempt}",
        job_name=job_name(delivery.source),
        partition_key=delivery.month,
        tags={DELIVERY_TAG: entry.id, "kobe/attempt": str(attempt)},
    )


def _runs(instance: dg.DagsterInstance, entry: Due) -> int:
    return instance.get_runs_count(dg.RunsFilter(tags={DELIVERY_TAG: entry.id}))


def _in_flight(instance: dg.DagsterInstance, entry: Due) -> bool:
    unfinished = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    return instance.get_runs_count(dg.RunsFilter(tags={DELIVERY_TAG: entry.id}, statuses=unfinished)) > 0


def _why(due: list[Due]) -> str:
    lapsed = sum(entry.lapsed for entry in due)
    if lapsed:
        return f"{lapsed} deliveries are of sources whose legal basis is not in force"
    waiting = sum(bool(entry.waits_for) for entry in due)
    if waiting:
        return f"{waiting} deliveries wait for another source of their month"
    return "nothing is due" if not due else f"{len(due)} deliveries were tried {MAX_ATTEMPTS} times or are under way"
