"""The commands ``kobe status`` and ``kobe retry``: shows the plan, and lets failed steps be tried again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.planning.steps import Plan, Step

if TYPE_CHECKING:
    from rich.table import Table

    from kobe_platform.contracts import Contract
    from kobe_platform.planning.facts import DeliveryFact, Facts
    from kobe_platform.settings import Settings

MOST_MONTHS = 36
"""Months that the table shows; the newest."""
STUCK = ("failed", "blocked")
"""States that stand for a month's tables even where other tables of it go on."""
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def status(as_json: AsJson = False) -> None:
    """What is outstanding, per month and source, with reason and next step; exit 0 when nothing is."""
    from kobe_platform.planning.notices import exposed, overdue, unmet_wishes
    from kobe_platform.planning.observing import Observer
    from kobe_platform.planning.rules import outstanding
    from kobe_platform.settings import Settings

    settings = Settings()
    observer = Observer(settings)
    facts = observer.facts()
    plan = outstanding(facts)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    **record(plan),
                    "overdue": overdue(facts),
                    "exposed": [asdict(one) for one in exposed(facts)],
                    "wishes": [asdict(one) for one in unmet_wishes(facts)],
                    "months": months(facts, plan),
                },
                ensure_ascii=False,
                indent=1,
            )
        )
    else:
        _print(settings, facts, plan)
    raise typer.Exit(0 if plan.empty else 1)


def record(plan: Plan) -> dict[str, object]:
    """The plan as JSON-ready coordinates: ``empty``, ``faults``, ``outstanding``, ``later``, ``turned_away``."""
    from kobe_platform.planning.words import turned_away

    return {
        "empty": plan.empty,
        "faults": [asdict(fault) for fault in plan.faults],
        "outstanding": [_step(step) for step in plan.outstanding],
        "later": [_step(step) for step in plan.steps if step.state == "later"],
        "turned_away": [{**asdict(one), "ja": turned_away(one)} for one in plan.turned_away],
    }


def _step(step: Step) -> dict[str, object]:
    from kobe_platform.planning.words import told

    words = {"ja": told(step), "cause": asdict(step.cause) if step.cause else None}
    names = ("id", "kind", "unit", "month", "reason", "state")
    return {**{name: getattr(step, name) for name in names}, "waits_for": list(step.waits_for), **words}


def months(facts: Facts, plan: Plan) -> list[dict[str, str]]:
    """One row a month: how far each source came, its tables, and whether the release shows them.

    Words are ``done``, a step's state, ``rejected``, ``refused``, ``held``, ``withdrawn``, ``missing`` (a month of a
    monthly source that did not come, though later ones did), or empty where nothing was delivered yet.
    """
    states = _states(facts, plan)
    release = next((step.state for step in plan.of("release")), "done")
    found = []
    for month in sorted({month for _, month in states}, reverse=True):
        row = {"month": month} | {source: states.get((source, month), "") for source in sorted(facts.contracts)}
        row["tables"] = states.get(("tables", month), "")
        row["release"] = release if row["tables"] == "done" else ("waiting" if row["tables"] else "")
        found.append(row)
    return found


def _states(facts: Facts, plan: Plan) -> dict[tuple[str, str], str]:
    from kobe_platform.planning.notices import gaps

    states: dict[tuple[str, str], str] = {}
    for id in facts.heads.entries:
        if id.stage == "published":
            states["tables", id.month] = "done"
        elif id.source in facts.contracts and _target(facts.contracts[id.source]) == id.stage:
            states[id.source, id.month] = "done"
    for delivery in facts.deliveries:
        if delivery.turned:
            states[delivery.source, delivery.month] = delivery.turned
    for step in plan.steps:
        if step.kind != "release":
            name = "tables" if step.kind == "tabulate" else step.unit
            if step.kind == "take_in" or states.get((name, step.month)) not in STUCK:
                states[name, step.month] = "withdrawn" if step.reason == "withdrawn" else step.state
    for source, month in gaps(facts):
        states.setdefault((source, month), "missing")
    return states


def _target(contract: Contract) -> str:
    from kobe_platform.reception.inputs import TARGETS

    return TARGETS[contract.use]


def _print(settings: Settings, facts: Facts, plan: Plan) -> None:
    from rich.console import Console

    from kobe_platform.alerts import alerts_file, describe
    from kobe_platform.planning.facts import TURNED_AWAY
    from kobe_platform.planning.notices import exposed_lines, wish_lines
    from kobe_platform.planning.notices import lines as overdue_lines
    from kobe_platform.planning.words import told

    console, rows = Console(highlight=False, soft_wrap=True), months(facts, plan)
    if rows:
        console.print(month_table(facts, rows[:MOST_MONTHS]))
    if len(rows) > MOST_MONTHS:
        console.print(f"ほか {len(rows) - MOST_MONTHS} か月(--json)")
    lines = [f"[{fault.code}] {fault.ja} – {fault.remedy}" for fault in plan.faults]
    lines += [told(step) for step in plan.steps]
    rejected = [_rejected(delivery) for delivery in facts.deliveries if delivery.turned in TURNED_AWAY]
    lines += rejected
    lines += [*overdue_lines(facts), *exposed_lines(facts), *wish_lines(facts)]
    lines.append(describe(alerts_file(settings.root)))
    if rejected:
        lines.append(f"却下した提供データが{len(rejected)}件あります。直したものが届くのを待っています")
    left = f"{len(plan.outstanding)}件が残っています / {len(plan.outstanding)} outstanding"
    lines.append("することはありません / nothing is outstanding" if plan.empty else left)
    for line in lines:
        console.print(line, markup=False)


def month_table(facts: Facts, rows: Sequence[Mapping[str, str]]) -> Table:
    """The rows of :func:`months` for a screen; on a narrow one titles break over lines, and months stay whole."""
    from rich.table import Table

    from kobe_platform.planning.words import OUTCOMES, STATES

    words = {**STATES, **OUTCOMES, "done": "済", "": "–"}
    names = [name for name in sorted(facts.contracts) if any(row[name] for row in rows)]
    titles = [facts.contracts[name].title.partition("（")[0] for name in names]
    table = Table()
    table.add_column("月", no_wrap=True, min_width=len("2025-10"))
    for title in (*titles, "統計表", "公開"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(row["month"], *(words[row[name]] for name in (*names, "tables", "release")))
    return table


def _rejected(delivery: DeliveryFact) -> str:
    cause = f"[{delivery.cause.code}] {delivery.cause.ja}{delivery.cause.where}" if delivery.cause else ""
    return f"{delivery.month} 却下 {delivery.source}: {cause}"


def retry(
    step: Annotated[
        str, typer.Argument(help="A step as `kobe status --json` names it; without one, all of them.")
    ] = "",
) -> None:
    """Let steps that failed be tried again with the same input, by the daemon or the next `kobe run`."""
    from kobe_platform.planning.failures import Failures
    from kobe_platform.settings import Settings

    failures = Failures(Settings().root)
    known = failures.read()
    if step and step not in known:
        raise typer.BadParameter("no failure of this step is on record", param_hint=step)
    chosen = [step] if step else sorted(known)
    failures.end(chosen)
    for name in chosen:
        typer.echo(f"{name} will be tried again")
    if not chosen:
        typer.echo("nothing failed")
