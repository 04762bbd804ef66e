"""A run of Dagster's is attended: it holds the locks of its work while it lives, and what failed is written down.

The executor of the graph does this for runs that Dagster launches, :mod:`kobe_platform.orchestration.headless` for
those that it executes in its own process. A run that a person starts in the UI holds the locks of what it makes, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from kobe_platform.orchestration.reaping import reap
from kobe_platform.planning.facts import FailureKind
from kobe_platform.planning.failures import Failures, kind_of
from kobe_platform.planning.leases import Leases
from kobe_platform.planning.steps import Cause, Work

WORK_TAG, KEY_TAG, STEPS_TAG = ".dagster/kobe_work", ".dagster/kobe_key", ".dagster/kobe_steps"
"""Tags of the plan's own; the UI does not show what begins with ``.dagster/``."""
PARTITION_TAG = "dagster/partition"
UNTOLD = Cause("run.untold", "a step failed outside the platform's own code", "look at the run in the Dagster UI", "")
_BLOCKED = "DagsterAssetCheckFailedError"
_INTERRUPTED = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


def steps_text(work: Work) -> str:
    """Steps and their inputs, as a run's tag carries them."""
    return " ".join(f"{step.id}={step.inputs}" for step in work.steps)


def _steps_of(tags: Mapping[str, str]) -> dict[str, str]:
    pairs = (pair.rpartition("=") for pair in tags.get(STEPS_TAG, "").split())
    return {step: inputs for step, _, inputs in pairs if step}


@dataclass
class Attendance:
    """What is seen of one run: which of its units failed, and why.

    Attributes:
        steps: id → inputs of the plan's steps that it executes; none for a run that a person started.
    """

    steps: Mapping[str, str]
    faults: dict[str, tuple[FailureKind, Cause]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    finished: bool = False
    interrupted: bool = False

    def see(self, event: dg.DagsterEvent) -> None:
        """Take notice of an event of the run."""
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            found = event.asset_check_evaluation_data
            if not found.passed and found.blocking:
                self.refused.add(unit_of(event.step_key or ""))
        elif was_interrupted(event):
            self.interrupted = True
        elif event.is_step_failure:
            fault = _fault(event)
            if fault is not None:
                self.faults.setdefault(unit_of(event.step_key or ""), fault)

    def settle(self, failures: Failures) -> None:
        """Write down what failed, and forget the steps that did not; a run that was cut short stays as lost."""
        if self.interrupted:  # somebody ended it: no attempt
            failures.end(self.steps)
        if self.interrupted or not self.finished:
            return
        for step, inputs in self.steps.items():
            unit = step.split(":")[1] if step.startswith("tabulate:") else ""
            fault = self._fault_of(unit)
            if fault is None:
                failures.end([step])
            else:
                failures.fail(step, inputs, *fault)

    def _fault_of(self, unit: str) -> tuple[FailureKind, Cause] | None:
        """The fault of a unit of a month, or of the whole run; none where a red check says it already."""
        if unit:
            name = unit.replace("/", "_")
            return None if name in self.refused else self.faults.get(name)
        return next(iter(self.faults.values()), None)


@contextmanager
def attended(home: Path, run_id: str, tags: Mapping[str, str], step_keys: Iterable[str]) -> Iterator[Attendance]:
    """Hold the locks of a run's work, after waiting for whoever holds them, and settle its failures at the end."""
    leases, failures = Leases(home), Failures(home)
    seen = Attendance(_steps_of(tags))
    with ExitStack() as stack:
        stack.enter_context(leases.holding(f"runs/{run_id}"))
        for name in sorted(works_of(step_keys, tags)):
            stack.enter_context(leases.holding(name))
        failures.begin(seen.steps)
        try:
            yield seen
        finally:
            seen.settle(failures)


def works_of(step_keys: Iterable[str], tags: Mapping[str, str]) -> set[str]:
    """The work whose partitions a run writes, from the names of its steps: a person may start any of them."""
    month = tags.get(PARTITION_TAG, "")
    found = set()
    for key in step_keys:
        stage, _, rest = key.partition("__")
        if stage in ("raw", "abstracted", "lake") and rest:
            found.add(f"take_in:{rest}:{month}")
        elif stage in ("statistics", "published") and rest:
            found.add(f"tabulate:{month}")
        elif stage == "dashboards":
            found.add("release")
    work = tags.get(WORK_TAG)
    return {work} if work else found


def unit_of(step_key: str) -> str:
    """The protection group or public table that a step of a month works on, as step names spell it."""
    return step_key.partition("__")[2].removeprefix("published__").removeprefix("statistics__")


def was_interrupted(event: dg.DagsterEvent) -> bool:
    """Whether a step failed because somebody ended the run: by a signal, or in the Dagster UI."""
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name in _INTERRUPTED


def _fault(event: dg.DagsterEvent) -> tuple[FailureKind, Cause] | None:
    """Whose fault a failed step is; None where it only says that a blocking check did not pass."""
    data = event.step_failure_data
    told = data.user_failure_data
    if told is None or "code" not in told.metadata:
        blocked = data.error is not None and data.error.cls_name == _BLOCKED
        return None if blocked else (kind_of("", _cls(data.error)), UNTOLD)
    code = str(told.metadata["code"].value)
    error = told.metadata.get("at/error")
    remedy, ja = (told.metadata.get(name) for name in ("remedy", "ja"))
    cause = Cause(code, told.description or "", str(remedy.value) if remedy else "", str(ja.value) if ja else "")
    return kind_of(code, str(error.value) if error else ""), cause


def _cls(error: object) -> str:
    return str(getattr(error, "cls_name", "") or "")


class AttendedExecutor(dg.Executor):
    """Dagster's in-process executor, with the run attended."""

    def __init__(self, inner: dg.Executor, home: Path) -> None:
        self._inner, self._home = inner, home

    @property
    def retries(self):
        """As the inner executor has it."""
        return self._inner.retries

    def execute(self, plan_context, execution_plan) -> Iterator[dg.DagsterEvent]:
        """Execute all steps in this process; errors are the steps' own."""
        run = plan_context.dagster_run
        with attended(self._home, run.run_id, run.tags, execution_plan.step_keys_to_execute) as seen:
            # A pool that a killed run holds would be waited for in vain.
            reap(plan_context.instance, Leases(self._home))
            for event in self._inner.execute(plan_context, execution_plan):
                seen.see(event)
                yield event
            seen.finished = True


def attended_executor(home: Path) -> dg.ExecutorDefinition:
    """The executor of the graph: steps in one process (a spawned step costs seconds), the run attended."""

    @dg.executor(name="in_process", config_schema=dg.in_process_executor.config_schema)
    def executor(context: dg.InitExecutorContext) -> dg.Executor:
        return AttendedExecutor(dg.in_process_executor.executor_creation_fn(context), home)

    return executor


@dg.logger(config_schema={"log_level": dg.Field(str, default_value="ERROR")}, description="標準出力への記録(誤りだけ)")
def quiet_console(context: dg.InitLoggerContext) -> logging.Logger:
    """What a run writes to its process's output: errors only; everything stands in the event log."""
    logger = logging.getLogger("kobe.runs")
    logger.setLevel(context.logger_config["log_level"])
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    return logger
