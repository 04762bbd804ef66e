"""`kobe run`: what the inbox holds becomes a release, through Dagster, without a daemon.

Exit codes: 0 a release was made or nothing was new; 1 a blocking check refused, or a step failed (the former release
stays); 2 bad usage.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kobe_platform.headless import Outcome, Scope

_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$")
RELEASE = "dashboards/release"


@dataclass(frozen=True)
class RunReport:
    """What one call did.

    Attributes:
        deliveries, automated: executed runs.
        released: whether the release asset was materialized.
    """

    deliveries: tuple[Outcome, ...]
    automated: tuple[Outcome, ...]
    seconds: float

    @property
    def nothing_new(self) -> bool:
        """Whether there was nothing to do."""
        return not self.deliveries and not self.automated

    @property
    def released(self) -> bool:
        """Whether the release asset was made (its content may be that of the former)."""
        return any(RELEASE in outcome.made for outcome in self.automated)

    @property
    def refused(self) -> tuple[str, ...]:
        """Blocking checks that failed."""
        return tuple(name for outcome in (*self.deliveries, *self.automated) for name in outcome.refused)

    @property
    def exit_code(self) -> int:
        """0, or 1 where a blocking check refused or a step failed for another reason than its delivery."""
        broken = any(not outcome.success for outcome in self.automated)
        for outcome in self.deliveries:
            broken |= not outcome.success and not _turned_away(outcome)
        return 1 if broken or self.refused else 0


def _turned_away(outcome: Outcome) -> bool:
    """Whether a run ended as a rejected or held delivery should: by a rule of intake, with a receipt."""
    from kobe_platform.rules import rules

    return bool(outcome.faults) and all(fault.code in rules() for fault in outcome.faults)


def process(settings: Settings, scope: Scope | None = None, console: object = None) -> RunReport:
    """Do all that the inbox and the automation ask for.

    Args:
        scope: limits the deliveries that are taken in.
        console: a rich console for progress; None prints nothing.

    Raises:
        ConfigurationError: the installation is not set up, or lies so that it would read what it writes.
    """
    check_installation(settings)
    from kobe_platform.definitions import build_definitions
    from kobe_platform.headless import Headless
    from kobe_platform.headless import Scope as Everything
    from kobe_platform.privacy.instance import open_instance

    started = time.perf_counter()
    with open_instance(settings) as instance:
        graph = Headless(build_definitions(settings), instance)
        deliveries = _shown(graph, graph.take_in(scope or Everything()), "deliveries", console)
        automated = _shown(graph, graph.automate(), "statistics", console)
        if approvals_changed(settings):
            automated += _shown(graph, graph.remake(RELEASE), "review", console)
    return RunReport(tuple(deliveries), tuple(automated), time.perf_counter() - started)


def approvals_changed(settings: Settings) -> bool:
    """Whether the release in force shows a page that may no longer be shown, or lacks one that now may."""
    from kobe_platform.clock import today
    from kobe_platform.contracts import load_contracts
    from kobe_platform.governance.database import open_database
    from kobe_platform.lounge.pages import load_pages
    from kobe_platform.lounge.release import current
    from kobe_platform.publication import withheld_pages
    from kobe_platform.statistics import load_statistics

    release = current(settings.releases)
    if release is None:
        return False
    files = load_pages(settings.dashboards), load_statistics(settings.statistics), load_contracts(settings.contracts)
    basis = str(release.facts["basis"])
    due = withheld_pages(open_database(settings.governance), *files, basis, today())
    return sorted(due) != list(release.facts.get("withheld", []))


def check_installation(settings: Settings) -> None:
    """Refuse an installation that lacks keys, or whose inbox lies inside its home.

    Raises:
        ConfigurationError: with what to do.
    """
    inbox = settings.inbox.resolve()
    if inbox == settings.root or settings.root in inbox.parents:
        raise ConfigurationError(
            "the inbox lies inside KOBE_HOME",
            code="settings.inbox",
            remedy="keep the core systems' share outside: the platform only reads it",
            ja="受信箱(KOBE_INBOX)はKOBE_HOMEの外に置いてください",
        )
    if not (settings.keys / "root.json").exists():
        raise ConfigurationError(
            "there is no key store",
            code="settings.keys",
            remedy="run `kobe keys init`",
            ja="鍵がありません。`kobe keys init` を実行してください",
        )


def _shown(graph, outcomes, phase: str, console) -> list[Outcome]:
    """Consume outcomes; with a console, one line each and a live line for what is under way."""
    if console is None:
        return list(outcomes)
    done: list[Outcome] = []
    with console.status(f"{phase} …") as status:
        graph.progress = lambda what, number, total: status.update(f"{phase} {number}/{total}: {what} …")
        for outcome in outcomes:
            done.append(outcome)
            console.print(_line(outcome, phase))
    return done


def _line(outcome: Outcome, phase: str) -> str:
    mark = "[green]✓[/]" if outcome.success else "[red]✗[/]"
    what = outcome.what.removeprefix("take_in_") if phase == "deliveries" else _stages(outcome)
    told = "".join(f"\n    {fault.text}" for fault in outcome.faults if fault.text)
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
    """Process what the inbox holds, through Dagster, up to a release."""
    settings = Settings()
    scope = _scope(settings, source, first, last)
    from rich.console import Console

    console = None if as_json else Console(highlight=False)
    report = process(settings, scope, console)
    if as_json:
        print(json.dumps(summary(report), ensure_ascii=False, indent=1))
    elif report.nothing_new:
        console.print(
            f"Nothing new in the inbox: nothing to do ({report.seconds:.1f} s). 新しい提供データはありません。"
        )
    else:
        console.print(_verdict(report))
    raise typer.Exit(report.exit_code)


def _scope(settings: Settings, source: str, first: str, last: str) -> Scope:
    from kobe_platform.contracts import load_contracts
    from kobe_platform.headless import Scope

    for name, month in (("--from", first), ("--to", last)):
        if month and not _MONTH.match(month):
            raise typer.BadParameter("a month is written YYYY-MM", param_hint=name)
    if source and source not in load_contracts(settings.contracts):
        raise typer.BadParameter("there is no such contract", param_hint="--source")
    return Scope(source, first, last)


def summary(report: RunReport) -> dict[str, object]:
    """The report as JSON-ready counts and coordinates."""
    return {
        "exit_code": report.exit_code,
        "nothing_new": report.nothing_new,
        "released": report.released,
        "refused": list(report.refused),
        "seconds": round(report.seconds, 2),
        "deliveries": [_record(outcome) for outcome in report.deliveries],
        "automated": [_record(outcome) for outcome in report.automated],
    }


def _record(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome), "seconds": round(outcome.seconds, 2)}


def _verdict(report: RunReport) -> str:
    turned_away = sum(not outcome.success for outcome in report.deliveries)
    taken = len(report.deliveries) - turned_away
    release = "a release was made" if report.released else "no release was made"
    if report.refused:
        release = f"{len(report.refused)} blocking checks refused: the former release stays"
    return f"{taken} deliveries taken in, {turned_away} turned away; {release} ({report.seconds:.1f} s)."


def dagster_home() -> None:
    """Prepare Dagster's home and print its path."""
    from kobe_platform.privacy.instance import prepare_instance

    print(prepare_instance(Settings()))


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each fault of some runs."""
    return [fault.text for outcome in outcomes for fault in outcome.faults]
