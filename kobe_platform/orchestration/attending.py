"""Attends a run of Dagster: holds the locks of its work while it lives, and records what failed.

The executor of the graph does this for runs that Dagster launches, :mod:`kobe_platform.orchestration.headless` for
those that it executes in its own process. A run that a person starts in the UI holds the locks of what it makes, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dagster as dg
from dagster._core.errors import raise_execution_interrupts

from kobe_platform.orchestration.reaping import reap
from kobe_platform.planning.facts import FailureKind
from kobe_platform.planning.failures import Failures, kind_of
from kobe_platform.planning.journal import WorkJournal
from kobe_platform.planning.leases import Leases, Owner
from kobe_platform.planning.steps import Cause, Work
from kobe_platform.privacy.telling import english
from kobe_platform.release.required_checks import STAGE_OF

WORK_TAG, KEY_TAG, STEPS_TAG = ".dagster/kobe_work", ".dagster/kobe_key", ".dagster/kobe_steps"
"""Tags of the plan's own; the UI does not show what begins with ``.dagster/``."""
PARTITION_TAG = "dagster/partition"
CHECKS = {**STAGE_OF, "clean_page": "dashboards"}
"""Checks → the stage that they judge where the name of their step does not say it."""
STAGES = frozenset({"raw", "abstracted", "lake", "statistics", "published", "dashboards"})
"""Beginnings of the names of steps that make something; the others are checks."""
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
    note: Callable[..., None] = lambda event, **told: None

    def see(self, event: dg.DagsterEvent) -> None:
        """Take notice of an event of the run, and write it into the journal where an operator may ask for it."""
        for name, told in _noted(event):
            self.note(name, **told)
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
def attended(
    home: Path,
    run_id: str,
    tags: Mapping[str, str],
    step_keys: Iterable[str],
    waiting: Callable[[Owner | None], object] | None = None,
) -> Iterator[Attendance]:
    """Hold the locks of a run's work, after waiting for other holders, and settle its failures at the end.

    Of a run that breaks off outside its steps, as where Dagster's databases have no room, the run's own lock file
    stays: Dagster may not have been able to note its end, and :func:`reap` ends it by that file.

    Args:
        waiting: called with the owner each time that it is looked at while another run holds a lock.
    """
    leases, failures, journal = Leases(home), Failures(home), WorkJournal(home)
    seen = Attendance(_steps_of(tags), note=partial(journal.write, run=run_id[:8]))
    with ExitStack() as stack:
        stack.enter_context(leases.holding(f"runs/{run_id}", left=lambda: not (seen.finished or seen.interrupted)))
        for name in sorted(works_of(step_keys, tags)):
            stack.enter_context(leases.holding(name, waiting=waiting))
        failures.begin(seen.steps)
        try:
            yield seen
        finally:
            seen.settle(failures)
            ended = "interrupted" if seen.interrupted else "finished" if seen.finished else "broken"
            seen.note("run", work=tags.get(WORK_TAG, ""), ended=ended, failed=len(seen.faults), red=len(seen.refused))


def _noted(event: dg.DagsterEvent) -> Iterator[tuple[str, dict[str, object]]]:
    """What the journal keeps of an event: the end of a step, what it made in counts, a check that is red."""
    step = event.step_key or ""
    if event.is_step_success:
        yield (
            "step",
            {**_of_step(step), "ended": "success", "seconds": round(event.step_success_data.duration_ms / 1e3, 3)},
        )
    elif event.is_step_failure:
        fault = _fault(event)
        yield "step", {**_of_step(step), "ended": "failure", "code": fault[1].code if fault else "check.failed"}
    elif event.is_step_materialization:
        made = event.step_materialization_data.materialization
        counts = {name: one.value for name, one in made.metadata.items() if isinstance(one, dg.IntMetadataValue)}
        yield "made", {**_of_step(step), "asset": made.asset_key.to_user_string(), "month": made.partition, **counts}
    elif event.event_type_value == "ASSET_CHECK_EVALUATION":
        found = event.asset_check_evaluation_data
        if not found.passed:
            code = found.metadata.get("code")
            at = {"asset": found.asset_key.to_user_string(), "check": found.check_name, "month": event.partition}
            yield "red", {**at, **({"code": str(code.value)} if code else {})}


def _of_step(key: str) -> dict[str, object]:
    stage = key.partition("__")[0]
    return {"step": key, "stage": stage if stage in STAGES else "checks"}


def works_of(step_keys: Iterable[str], tags: Mapping[str, str]) -> set[str]:
    """The work whose partitions a run writes, from the names of its steps: a person may start any of them."""
    work = tags.get(WORK_TAG)
    if work:
        return {work}
    month = tags.get(PARTITION_TAG, "")
    return {name for key in step_keys for name in _works_of_step(key, month)}


def _works_of_step(key: str, month: str) -> Iterator[str]:
    """The work of one step; the name of a check's step begins with the check's."""
    stage, _, rest = key.partition("__")
    if stage in CHECKS:
        stage, _, rest = rest.partition("__") if "__" in rest else (CHECKS[stage], "", rest)
    if stage in ("raw", "abstracted", "lake") and rest:
        yield f"take_in:{rest}:{month}"
    elif stage in ("statistics", "published") and rest:
        yield f"tabulate:{month}"
        if stage == "statistics":  # of a public source: what takes in its delivery writes here
            yield f"take_in:{rest}:{month}"
    elif stage == "dashboards":
        yield "release"


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
    cause = Cause(code, english(told.description), str(remedy.value) if remedy else "", str(ja.value) if ja else "")
    return kind_of(code, str(error.value) if error else ""), cause


def _cls(error: object) -> str:
    return str(getattr(error, "cls_name", "") or "")


class _Waiting:
    """Says once in a run's log whom it waits for, and lets a person end the run meanwhile."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log, self._told = log, False

    def __call__(self, owner: Owner | None) -> None:
        if not self._told:
            who = f"(プロセス {owner.pid}、{owner.since} から)" if owner else ""
            self._log.info(f"同じものを作る別の実行{who}が終わるのを待っています。waiting for another run")
            self._told = True
        with raise_execution_interrupts():
            pass


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
        run, steps = plan_context.dagster_run, execution_plan.step_keys_to_execute
        with attended(self._home, run.run_id, run.tags, steps, _Waiting(plan_context.log)) as seen:
            # A pool that a killed run holds would be waited for in vain.
            reap(plan_context.instance, Leases(self._home))
            for event in self._inner.execute(plan_context, execution_plan):
                seen.see(event)
                yield event
            seen.finished = True


def attended_executor(home: Path) -> dg.ExecutorDefinition:
    """The executor of the graph: steps in one process (a spawned step costs seconds), the run attended."""

    original = dg.in_process_executor
    create = original.executor_creation_fn
    assert create is not None  # Dagster's own executor can be made

    def executor(context: dg.InitExecutorContext) -> dg.Executor:
        return AttendedExecutor(create(context), home)

    return dg.ExecutorDefinition(
        "in_process",
        config_schema=original.config_schema,  # type: ignore[arg-type]  # Dagster takes what it gives; its hint does not
        executor_creation_fn=executor,
    )


@dg.logger(config_schema={"log_level": dg.Field(str, default_value="ERROR")}, description="標準出力への記録(誤りだけ)")
def quiet_console(context: dg.InitLoggerContext) -> logging.Logger:
    """What a run writes to its process's output: errors only; everything stands in the event log.

    Dagster's executor would warn of each check that a rejected delivery leaves out, beside the reason of the rejection.
    """
    logging.getLogger("dagster._core.execution.plan").setLevel(logging.ERROR)
    logger = logging.getLogger("kobe.runs")
    logger.setLevel(context.logger_config["log_level"])
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    return logger
