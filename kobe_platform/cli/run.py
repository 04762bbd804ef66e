"""The command ``kobe run``: executes the outstanding steps through Dagster without a daemon, and reports what is left.

Exit codes: 0 nothing is outstanding any more; 1 something is: it is named, with its reason and what to do (a delivery
that was turned away, a step that failed, a check that refused, an installation that lacks something); 2 bad usage.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.settings import Settings
from kobe_platform.vocabulary.months import is_month

if TYPE_CHECKING:
    from rich.console import Console

    from kobe_platform.orchestration.headless import Outcome
    from kobe_platform.planning import Plan, Scope
    from kobe_platform.planning.leases import Owner
    from kobe_platform.planning.observing import Observer

RELEASE = "dashboards/release"
_COLLECT = (10_000, 20, 50)
"""When Python looks for circular garbage: seldom, as nearly all that a run makes goes without it."""


@dataclass(frozen=True)
class RunReport:
    """What one call did, and what is left.

    Attributes:
        outcomes: executed runs, in order.
        plan: what is outstanding now.
    """

    outcomes: tuple[Outcome, ...]
    plan: Plan
    seconds: float

    @property
    def deliveries(self) -> tuple[Outcome, ...]:
        """Runs that took in a delivery."""
        return tuple(outcome for outcome in self.outcomes if outcome.what.startswith("take_in:"))

    @property
    def turned_away(self) -> tuple[Outcome, ...]:
        """Runs whose delivery was rejected or is held."""
        return tuple(outcome for outcome in self.deliveries if outcome.turned_away)

    @property
    def nothing_new(self) -> bool:
        """Whether there was nothing to do."""
        return not self.outcomes

    @property
    def released(self) -> bool:
        """Whether the release asset was made (its content may be that of the former)."""
        return any(RELEASE in outcome.made for outcome in self.outcomes)

    @property
    def refused(self) -> tuple[str, ...]:
        """Blocking checks that failed."""
        return tuple(name for outcome in self.outcomes for name in outcome.refused)

    @property
    def exit_code(self) -> int:
        """0 where nothing is outstanding, the last run succeeded and no delivery was turned away; else 1."""
        broke_off = bool(self.outcomes) and not self.outcomes[-1].success
        return 0 if self.plan.empty and not self.turned_away and not broke_off else 1


def process(settings: Settings, scope: Scope | None = None, console: Console | None = None) -> RunReport:
    """Do all that is outstanding.

    Args:
        scope: limits the deliveries that are taken in.
        console: a rich console for progress; None prints nothing.

    Raises:
        ConfigurationError: the installation lies so that it would read what it writes.
    """
    from kobe_platform.planning import Scope as Everything
    from kobe_platform.planning.leases import TICKER
    from kobe_platform.planning.observing import Observer
    from kobe_platform.release.sharing import bring_together

    started = time.perf_counter()
    scope = replace(scope or Everything(), impatient=True)
    observer = Observer(settings, scope)
    outcomes: list[Outcome] = []
    plan = observer.plan(scope)
    if plan.works() or any(step.state == "under_way" for step in plan.steps) or observer.leases.runs():
        with observer.leases.holding(TICKER, waiting=_telling(console)):
            outcomes, plan = _executed(settings, observer, console)
    bring_together(settings)
    return RunReport(tuple(outcomes), plan, time.perf_counter() - started)


def _executed(settings: Settings, observer: Observer, console: Console | None) -> tuple[list[Outcome], Plan]:
    """Execute what the sensors request; the outcomes, and what is left."""
    from assets.sensors import SENSORS
    from kobe_platform.definitions import build_definitions
    from kobe_platform.orchestration.headless import Headless
    from kobe_platform.privacy.instance import open_instance

    with open_instance(settings) as instance:
        definitions = build_definitions(settings, {"planning": observer})
        graph = Headless(definitions, instance, tuple(SENSORS))
        with _garbage_looked_for():
            outcomes = _shown(graph, console)
        return outcomes, graph.ended_with or observer.plan(observer.scope)


@contextmanager
def _garbage_looked_for() -> Iterator[None]:
    """Python looks for circular garbage, but not among what is there already.

    Modules and the graph are 300,000 objects that stay: to look through them again and again is a tenth of a start.
    """
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.unfreeze()


def _telling(console: Console | None) -> Callable[[Owner | None], None]:
    """Says once what another `kobe run` does while this one waits for it."""
    said: set[str] = set()

    def tell(owner: Owner | None) -> None:
        text = f"another `kobe run` is at work (process {owner.pid}, since {owner.since}): waiting" if owner else ""
        if console is not None and text not in said:
            console.print(text)
        said.add(text)

    return tell


def _shown(graph, console) -> list[Outcome]:
    """Consume outcomes; with a console, one line each and a live line for what is under way."""
    if console is None:
        return list(graph.run())
    done: list[Outcome] = []
    with console.status("plan …") as status:
        graph.progress = lambda what, number, total: status.update(f"{number}/{total} {what} …")
        for outcome in graph.run():
            done.append(outcome)
            console.print(_line(outcome))
    return done


def _line(outcome: Outcome) -> str:
    mark = "[green]✓[/]" if outcome.success and not outcome.turned_away else "[red]✗[/]"
    kind, _, rest = outcome.what.partition(":")
    what = rest.partition(":")[0] if kind == "take_in" else _stages(outcome)
    told = "".join(f"\n    {fault.text}" for fault in (*outcome.turned_away, *outcome.faults) if fault.text)
    told += "".join(f"\n    blocked by {name}" for name in outcome.refused)
    return f"{mark} {outcome.month or '       '} {what} {outcome.seconds:.1f} s{_escaped(told)}"


def _stages(outcome: Outcome) -> str:
    counts: dict[str, int] = {}
    for name in outcome.made:
        counts[name.split("/")[0]] = counts.get(name.split("/")[0], 0) + 1
    return ", ".join(f"{n} {stage}" for stage, n in counts.items()) or outcome.what


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def run(
    source: Annotated[str, typer.Option(help="Only deliveries of this source.")] = "",
    first: Annotated[str, typer.Option("--from", help="Only deliveries from this month (YYYY-MM) on.")] = "",
    last: Annotated[str, typer.Option("--to", help="Only deliveries up to this month (YYYY-MM).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and no progress.")] = False,
) -> None:
    """Do what is outstanding, through Dagster, up to a release; exit 0 only when nothing is left."""
    from kobe_platform.home_format import refuse_loose
    from kobe_platform.orchestration.ending import ending_soon

    settings = Settings()
    refuse_loose(settings.keys, settings.store)
    gc.disable()  # until modules and the graph are there
    try:
        scope = _scope(settings, source, first, last)
        console = None if as_json else _console()
        gc.set_threshold(*_COLLECT)
        with ending_soon():
            report = process(settings, scope, console)
    finally:
        gc.enable()
    if as_json:
        print(json.dumps(summary(report), ensure_ascii=False, indent=1))
    else:
        tell(report, console)
    raise typer.Exit(report.exit_code)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _scope(settings: Settings, source: str, first: str, last: str) -> Scope:
    from kobe_platform.contracts import load_contracts
    from kobe_platform.planning import Scope

    for name, month in (("--from", first), ("--to", last)):
        if month and not is_month(month):
            raise typer.BadParameter("a month is written YYYY-MM", param_hint=name)
    if source and source not in load_contracts(settings.contracts):
        raise typer.BadParameter("there is no such contract", param_hint="--source")
    return Scope(source, first, last)


def summary(report: RunReport) -> dict[str, object]:
    """The report as JSON-ready counts and coordinates."""
    from kobe_platform.planning.status import record

    plan = record(report.plan)
    return {
        "exit_code": report.exit_code,
        "nothing_new": report.nothing_new,
        "released": report.released,
        "refused": list(report.refused),
        "seconds": round(report.seconds, 2),
        "runs": [_record(outcome) for outcome in report.outcomes],
        **{name: plan[name] for name in ("outstanding", "faults", "turned_away")},
    }


def _record(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "seconds": round(outcome.seconds, 2)}


def tell(report: RunReport, console) -> None:
    """Print what one call did, and name what is left."""
    from kobe_platform.planning.words import told

    for step in report.plan.steps[:20]:
        console.print(_escaped(f"残り {told(step)}"))
    if len(report.plan.steps) > 20:
        console.print(f"… {len(report.plan.steps) - 20} more: kobe status")
    for fault in report.plan.faults:  # last, where they are seen: they hold everything else up
        console.print(_escaped(f"[{fault.code}] {fault.ja} – {fault.remedy}"))
    console.print(_verdict(report))


def _verdict(report: RunReport) -> str:
    took = f"({report.seconds:.1f} s)"
    left = len(report.plan.outstanding) + len(report.plan.faults)
    rest = f"{left} outstanding: kobe status" if left else "nothing is outstanding"
    if report.nothing_new:
        quiet = "新しい提供データはありません。" if report.plan.empty else ""
        return f"Nothing was done; {rest} {took}. {quiet}"
    turned = len(report.turned_away)
    taken = len([outcome for outcome in report.deliveries if outcome.success]) - turned
    release = "a release was made" if report.released else "no release was made"
    if report.refused:
        release = f"{len(report.refused)} blocking checks refused: the former release stays"
    return f"{taken} deliveries taken in, {turned} turned away; {release}; {rest} {took}."


def dagster_home() -> None:
    """Prepare Dagster's home and print its path."""
    from kobe_platform.privacy.instance import prepare_instance

    print(prepare_instance(Settings()))
