"""Dagster without a daemon: the real sensor, jobs and automation conditions, evaluated and executed in this process.

The sensor's and the automation's cursors are kept in the instance, so that an evaluation goes on where the
former ended – in this process or after a crash: a cursor is stored when what it requested has been executed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster_shared.serdes import deserialize_value, serialize_value

from assets.sensor import DELIVERY_TAG, SENSOR, Cursor

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_SENSOR_CURSOR = "kobe/headless/inbox"
_AUTOMATION_CURSOR = "kobe/headless/automation"
_UNFINISHED = "kobe/headless/unfinished"
_SETTLED = "kobe/headless/settled"
MAX_ROUNDS = 12
"""Evaluations of the automation in one call: a graph of five stages settles in four."""


@dataclass(frozen=True)
class Fault:
    """Why a step did not succeed: coordinates only, as the error border told them."""

    step: str
    text: str
    code: str = ""


@dataclass(frozen=True)
class Outcome:
    """One executed run.

    Attributes:
        what: the job, or ``automation``.
        month: its partition, or empty.
        refused: ``asset: check`` of each blocking check that failed.
        made: keys of the assets that were materialized.
        steps: seconds of each step that succeeded.
    """

    what: str
    month: str
    success: bool
    seconds: float
    faults: tuple[Fault, ...] = ()
    refused: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    steps: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Scope:
    """Which deliveries a call is limited to; empty fields do not limit."""

    source: str = ""
    first: str = ""
    last: str = ""

    def includes(self, source: str, month: str) -> bool:
        """Whether a delivery of ``source`` for ``month`` is inside."""
        if self.source and source != self.source:
            return False
        return (not self.first or month >= self.first) and (not self.last or month <= self.last)


Progress = Callable[[str, int, int], None]
"""Called before each run with what it is, its number and how many there are in this round."""


@dataclass
class Headless:
    """The graph on one instance; first :meth:`take_in`, then :meth:`automate`."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    progress: Progress = field(default=lambda what, number, total: None)
    _tried: set[str] = field(default_factory=set)

    def due(self, scope: Scope) -> list[dg.RunRequest]:
        """One tick of the sensor: the run requests inside ``scope``; those outside, and those that this call
        has tried already, stay due for another call.
        """
        sensor = self.definitions.resolve_sensor_def(SENSOR)
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self._stored(_SENSOR_CURSOR),
            repository_def=self.definitions.get_repository_def(),
            resources=dict(self.definitions.resources or {}),
            sensor_name=SENSOR,
        )
        data = sensor.evaluate_tick(context)
        wanted, attempts = [], dict(Cursor.parse(data.cursor).attempts)
        for request in data.run_requests or []:
            delivery = request.tags[DELIVERY_TAG]
            once = delivery not in self._tried
            if once and scope.includes(delivery.split(":")[1], request.partition_key):
                wanted.append(request)
                self._tried.add(delivery)
            else:
                attempts[delivery] -= 1
        self._store(_SENSOR_CURSOR, Cursor(attempts).text())
        return [request for request in wanted if not self._known(request.run_key)]

    def take_in(self, scope: Scope) -> Iterator[Outcome]:
        """Tick and execute until the sensor requests nothing more."""
        while requests := self.due(scope):
            for number, request in enumerate(requests, 1):
                self.progress(
                    f"{request.tags[DELIVERY_TAG].split(':')[1]} {request.partition_key}", number, len(requests)
                )
                yield self._execute_request(request)

    def automate(self) -> Iterator[Outcome]:
        """Execute what the automation conditions ask for, round by round, and first what failed in a former call."""
        yield from self._execute(self._unfinished(), round_name="again")
        if self._stored(_SETTLED) == self._state():
            return
        for _ in range(MAX_ROUNDS):
            evaluation = self._evaluate(self._automation())
            requested = _by_partition(evaluation)
            yield from self._execute(requested, round_name="automation")
            self._keep_automation(evaluation.cursor)
            if self._nothing_can_follow(requested):
                break
        self._store(_SETTLED, self._state())

    def remake(self, asset: str) -> Iterator[Outcome]:
        """Execute one asset without partitions, whatever the automation says."""
        yield from self._execute({"": [dg.AssetKey.from_user_string(asset)]}, round_name="review")
        self._store(_SETTLED, self._state())

    def _nothing_can_follow(self, requested: Mapping[str, Sequence[dg.AssetKey]]) -> bool:
        """Whether what was just executed has no downstream asset outside itself, so that another round is idle."""
        graph = self.definitions.resolve_asset_graph()
        keys = {key for listed in requested.values() for key in listed}
        return all(graph.get(key).child_keys <= keys for key in keys)

    def _execute(self, requested: Mapping[str, Sequence[dg.AssetKey]], *, round_name: str) -> Iterator[Outcome]:
        unfinished = dict(self._unfinished())
        for number, (month, keys) in enumerate(requested.items(), 1):
            self.progress(f"{month or 'release'} ({len(keys)} assets)", number, len(requested))
            unfinished[month] = keys
            self._keep_unfinished(unfinished)
            outcome = self._execute_assets(month, keys, round_name)
            if outcome.success:
                del unfinished[month]
                self._keep_unfinished(unfinished)
            yield outcome

    def _execute_request(self, request: dg.RunRequest) -> Outcome:
        job = self.definitions.resolve_job_def(request.job_name)
        tags = {**request.tags, "dagster/run_key": request.run_key, "dagster/sensor_name": SENSOR}
        return self._executed(job, request.job_name, request.partition_key, tags, None)

    def _execute_assets(self, month: str, keys: Sequence[dg.AssetKey], what: str) -> Outcome:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return self._executed(job, what, month, {"kobe/automation": what}, self.whole_steps(keys))

    def whole_steps(self, keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
        """The assets and all that are made in one step with them: a new statistic is protected with its whole group."""
        graph = self.definitions.resolve_asset_graph()
        return sorted(
            {one for key in keys for one in graph.get(key).execution_set_asset_keys}, key=lambda key: key.path
        )

    def _executed(self, job, what: str, month: str, tags: Mapping[str, str], keys) -> Outcome:
        started = time.perf_counter()
        result = job.execute_in_process(
            run_config=QUIET,
            instance=self.instance,
            partition_key=month or None,
            asset_selection=keys,
            tags=dict(tags),
            raise_on_error=False,
        )
        seconds = time.perf_counter() - started
        events = result.all_events
        return Outcome(
            what=what,
            month=month,
            success=result.success,
            seconds=seconds,
            faults=tuple(_faults(events)),
            refused=tuple(_refusals(events)),
            made=tuple(_made(events)),
            steps=tuple(_steps(events)),
        )

    def _evaluate(self, cursor: AssetDaemonCursor | None) -> dg.EvaluateAutomationConditionsResult:
        return dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=cursor)

    # ── what is remembered between calls ─────────────────────────────────────────────────────────────────────────

    def _stored(self, key: str) -> str | None:
        return self.instance.daemon_cursor_storage.get_cursor_values({key}).get(key)

    def _store(self, key: str, text: str) -> None:
        self.instance.daemon_cursor_storage.set_cursor_values({key: text})

    def _automation(self) -> AssetDaemonCursor | None:
        text = self._stored(_AUTOMATION_CURSOR)
        return deserialize_value(zlib.decompress(base64.b64decode(text)).decode(), AssetDaemonCursor) if text else None

    def _keep_automation(self, cursor: AssetDaemonCursor) -> None:
        packed = base64.b64encode(zlib.compress(serialize_value(cursor).encode(), 1)).decode()
        self._store(_AUTOMATION_CURSOR, packed)

    def _unfinished(self) -> dict[str, list[dg.AssetKey]]:
        known = {key for key in self.definitions.resolve_asset_graph().get_all_asset_keys()}
        stored = json.loads(self._stored(_UNFINISHED) or "{}")
        keys = {month: [dg.AssetKey.from_user_string(name) for name in names] for month, names in stored.items()}
        return {month: [key for key in listed if key in known] for month, listed in keys.items()}

    def _keep_unfinished(self, unfinished: Mapping[str, Sequence[dg.AssetKey]]) -> None:
        names = {month: [key.to_user_string() for key in keys] for month, keys in unfinished.items()}
        self._store(_UNFINISHED, json.dumps(names))

    def _state(self) -> str:
        """The latest run and the versions of all definitions: while both stand, there is nothing to evaluate."""
        graph = self.definitions.resolve_asset_graph()
        versions = {key.to_user_string(): graph.get(key).code_version for key in graph.get_all_asset_keys()}
        told = hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()
        return f"{told} {next((run.run_id for run in self.instance.get_runs(limit=1)), 'none')}"

    def _known(self, run_key: str) -> bool:
        return self.instance.get_runs_count(dg.RunsFilter(tags={"dagster/run_key": run_key})) > 0


def _by_partition(evaluation: dg.EvaluateAutomationConditionsResult) -> dict[str, list[dg.AssetKey]]:
    """Requested assets by month in ascending order; those without partitions (under the empty name) last."""
    requested: dict[str, list[dg.AssetKey]] = {}
    for result in evaluation.results:
        if not isinstance(result.key, dg.AssetKey) or result.true_subset.is_empty:
            continue
        for month in evaluation.get_requested_partitions(result.key):
            requested.setdefault(month or "", []).append(result.key)
    ordered = sorted(requested, key=lambda month: (month == "", month))
    return {month: sorted(requested[month]) for month in ordered}


def _faults(events: Sequence[dg.DagsterEvent]) -> Iterator[Fault]:
    for event in events:
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            code = told.metadata.get("code") if told else None
            yield Fault(event.step_key or "", (told.description or "") if told else "", str(code.value) if code else "")


def _refusals(events: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.blocking and evaluation.severity == dg.AssetCheckSeverity.ERROR:
                yield f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}"


def _made(events: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    for event in events:
        if event.is_step_materialization and event.asset_key:
            yield event.asset_key.to_user_string()


def _steps(events: Sequence[dg.DagsterEvent]) -> Iterator[tuple[str, float]]:
    for event in events:
        if event.is_step_success:
            yield event.step_key or "", event.step_success_data.duration_ms / 1000
