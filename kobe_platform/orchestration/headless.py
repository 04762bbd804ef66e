"""Executes the plan in this process: ticks the daemon's sensors, and runs what they request by the same jobs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import dagster as dg

from kobe_platform.custody.durable import storage_error
from kobe_platform.errors import PlatformError
from kobe_platform.orchestration.attending import KEY_TAG, WORK_TAG, attended, was_interrupted
from kobe_platform.planning.failures import kind_of
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.steps import Plan
from kobe_platform.privacy.border import coordinates_only
from kobe_platform.privacy.telling import english

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ACCEPTED = "accepted"
"""The check of a delivery's first steps that fails where the delivery is rejected or held."""
_POLL_SECONDS = 0.5
CHANGED = "a definition or a module was changed while this ran: run it again, and it goes on with the new one"


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
        what: the work, as the plan names it: ``take_in:SOURCE:MONTH``, ``tabulate:MONTH``, ``release``.
        month: its partition, or empty.
        success: whether every step of it succeeded; also where a delivery was turned away as it should be.
        turned_away: the rule by which a delivery was rejected or is held.
        refused: ``asset: check`` of each blocking check that failed.
        made: keys of the assets that were materialized.
        steps: seconds of each step that succeeded.
    """

    what: str
    month: str
    success: bool
    seconds: float
    faults: tuple[Fault, ...] = ()
    turned_away: tuple[Fault, ...] = ()
    refused: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    steps: tuple[tuple[str, float], ...] = ()

    @property
    def by_installation(self) -> bool:
        """Whether it failed by the installation's fault: then nothing else is worth trying."""
        return any(kind_of(fault.code) == "installation" for fault in self.faults)


Progress = Callable[[str, int, int], None]
"""Called before each run with what it is, its number and how many were requested with it."""


@dataclass
class Headless:
    """The graph on one instance.

    Attributes:
        ended_with: the plan when nothing more was to be done; None while it runs, or where it broke off.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    sensors: Sequence[str]
    progress: Progress = field(default=lambda what, number, total: None)
    ended_with: Plan | None = None
    _tried: set[str] = field(default_factory=set)

    @property
    def planning(self) -> Observer:
        """Who looks at the installation."""
        planning: Observer = (self.definitions.resources or {})["planning"]
        return planning

    def run(self) -> Iterator[Outcome]:
        """Tick the sensors in turn and execute what they request, until none requests anything that was not tried.

        What another process has under way is waited for. After a failure of the installation, or of a sensor, nothing
        more is tried.
        """
        while True:
            try:
                requests, others = self._next()
            except Exception as error:
                told = told_error(error)
                yield Outcome("plan", "", False, 0.0, (Fault("", str(told), told.code),))
                return
            for number, request in enumerate(requests, 1):
                self._tried.add(request.tags[KEY_TAG])
                self.progress(request.tags[WORK_TAG], number, len(requests))
                outcome = self._execute(request)
                yield outcome
                if outcome.by_installation:
                    return
            if others:
                self._wait(others)
            elif not requests:
                yield from self._left_by_a_change()
                return

    def _left_by_a_change(self) -> Iterator[Outcome]:
        """An outcome that says why work was left: the sensors request nothing once a definition has changed on disk."""
        if self.planning.changed_on_disk() and self.ended_with is not None and self.ended_with.works():
            yield Outcome("plan", "", False, 0.0, (Fault("", CHANGED, "plan.changed"),))

    def _next(self) -> tuple[list[dg.RunRequest], list[str]]:
        """What the first sensor that has anything new requests; where none has, the work that others are at.

        All see one plan, as nothing is done between.
        """
        with self.planning.steady():
            for name in self.sensors:
                fresh = [request for request in self.tick(name) if request.tags[KEY_TAG] not in self._tried]
                if fresh:
                    return fresh, []
            plan = self.planning.plan(self.planning.scope)
        others = [step.work for step in plan.steps if step.state == "under_way"]
        self.ended_with = None if others else plan
        return [], others

    def tick(self, name: str) -> list[dg.RunRequest]:
        """One tick of a sensor: the run requests."""
        context = dg.build_sensor_context(
            instance=self.instance,
            repository_def=self.definitions.get_repository_def(),
            resources=dict(self.definitions.resources or {}),
            sensor_name=name,
        )
        return list(self.definitions.resolve_sensor_def(name).evaluate_tick(context).run_requests or [])

    def _wait(self, others: Sequence[str]) -> None:
        """Wait a moment for work that another process has under way."""
        owner = self.planning.leases.owner(others[0])
        self.progress(f"{others[0]}: another process ({owner.pid if owner else '?'}) is at it", 0, len(others))
        time.sleep(_POLL_SECONDS)

    def _execute(self, request: dg.RunRequest) -> Outcome:
        job = self.definitions.resolve_job_def(request.job_name or "")
        run_id, tags = str(uuid.uuid4()), {**request.tags, "dagster/run_key": request.run_key or ""}
        if request.partition_key:
            tags["dagster/partition"] = request.partition_key
        started = time.perf_counter()
        events: Sequence[dg.DagsterEvent] = ()
        work, month = request.tags[WORK_TAG], request.partition_key or ""
        try:
            with attended(self.planning.settings.root, run_id, tags, ()) as seen:
                result = job.execute_in_process(
                    run_config=QUIET,
                    instance=self.instance,
                    partition_key=request.partition_key,
                    asset_selection=request.asset_selection or None,
                    tags=tags,
                    run_id=run_id,
                    raise_on_error=False,
                )
                events = result.all_events
                for event in events:
                    seen.see(event)
                seen.finished = True
        except Exception as error:
            return Outcome(work, month, False, time.perf_counter() - started, (self._broke_down(error, run_id),))
        if any(map(was_interrupted, events)):
            raise KeyboardInterrupt  # Dagster made a failed step of it
        return Outcome(
            what=work,
            month=month,
            success=result.success,
            seconds=time.perf_counter() - started,
            faults=tuple(_faults(events)),
            turned_away=tuple(_turned_away(events)),
            refused=tuple(_refusals(events)),
            made=tuple(_made(events)),
            steps=tuple(_steps(events)),
        )

    def _broke_down(self, error: Exception, run_id: str) -> Fault:
        """A run that Dagster itself could not go on with: its databases, the disk under them."""
        with suppress(Exception):
            run = self.instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                self.instance.report_run_failed(run, "the run broke down")
        told = told_error(error)
        return Fault("", str(told), told.code)


def told_error(error: BaseException) -> PlatformError:
    """The platform's error for what broke a run outside its steps; a full disk is recognised in any error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PlatformError):
            return seen
        if isinstance(seen, OSError) and seen.errno:
            return storage_error(seen, "KOBE_HOME")
        seen = seen.__cause__ or seen.__context__
    return coordinates_only(error, {"run": "outside its steps"})


def _faults(events: Sequence[dg.DagsterEvent]) -> Iterator[Fault]:
    for event in events:
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            code = told.metadata.get("code") if told else None
            text = english(told.description) if told else ""
            yield Fault(event.step_key or "", text, str(code.value) if code else "")


def _turned_away(events: Sequence[dg.DagsterEvent]) -> Iterator[Fault]:
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            if found.check_name == ACCEPTED and not found.passed:
                code = found.metadata.get("code")
                yield Fault(event.step_key or "", found.description or "", str(code.value) if code else "")


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
