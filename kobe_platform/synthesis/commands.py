"""The command ``kobe synthesize``, which writes deliveries of a synthetic city into an inbox."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from kobe_platform.vocabulary.municipality import VARIABLE


def synthesize(
    out: Annotated[Path | None, typer.Option(help="Inbox to write into: OUT/MUNICIPALITY/SOURCE/YYYY-MM/.")] = None,
    municipality: Annotated[
        str | None, typer.Option(help="Five-digit code; that of KOBE_MUNICIPALITY by default.")
    ] = None,
    municipalities: Annotated[
        str, typer.Option(help="Many: a number (the largest so many of Hyōgo), or codes with commas; see --residents.")
    ] = "",
    workers: Annotated[int, typer.Option(min=1, help="Municipalities at a time.")] = 1,
    residents: Annotated[int, typer.Option(help="People at the start; of many, of all together.")] = 200_000,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "2025-07",
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "2025-12",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    encoding: Annotated[str, typer.Option(help="cp932, utf-8 or utf-8-sig.")] = "cp932",
    layout: Annotated[str, typer.Option(help="delimited or fixed.")] = "delimited",
    dirt: Annotated[float, typer.Option(help="0 clean … 1: everyday dirt, never what rejects a delivery.")] = 0.2,
    quirk: Annotated[list[str] | None, typer.Option(help="NAME or NAME@YYYY-MM:source; default: last month.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder outside the inbox for independent counts.")] = None,
    list_quirks: Annotated[bool, typer.Option("--list-quirks", help="List the quirks and stop.")] = False,
    full_every: Annotated[
        int, typer.Option(help="Months from one full register to the next; between them it comes as differences.")
    ] = 1,
    history: Annotated[
        bool, typer.Option("--history", help="Also the public series from 2010-10 on, as one delivery.")
    ] = False,
    systems: Annotated[
        list[str] | None, typer.Option("--system", help="A further core system of the city, such as training.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Make a synthetic city and deliver its extracts, month by month."""
    if list_quirks:
        _show_quirks(as_json)
        return
    if out is None:
        raise typer.BadParameter("say where the deliveries go", param_hint="--out")
    if municipalities:
        if municipality or truth or quirk:
            raise typer.BadParameter("with many there is no --municipality, --truth or --quirk")
        told = {"out": out, "from": first, "to": last, "seed": seed, "encoding": encoding, "layout": layout}
        told |= {"dirt": dirt, "full-every": full_every}
        arguments = [f"--{name}={value}" for name, value in told.items()]
        arguments += [*(["--history"] if history else ()), *(f"--system={name}" for name in systems or ())]
        _many(municipalities, residents, arguments, workers, as_json)
        return
    if municipality is not None:
        os.environ[VARIABLE] = municipality
    from rich.console import Console

    from kobe_platform.errors import ConfigurationError
    from kobe_platform.synthesis.deliveries import CityPlan
    from kobe_platform.synthesis.deliveries import synthesize as run
    from kobe_platform.synthesis.writer import Form

    console = Console(stderr=True)
    try:
        form, quirks = Form(encoding, layout), tuple(quirk or ())
        chosen = tuple(systems or ())
        plan = CityPlan(out, residents, first, last, seed, form, dirt, quirks, truth, full_every, history, chosen)
        with console.status("…") as status:
            written = run(plan, lambda step: _progress(console, status, step))
    except ConfigurationError as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    if as_json:
        record = [{**vars(w), "path": str(w.path)} for w in written]
        typer.echo(json.dumps({"out": str(out), "deliveries": record}, ensure_ascii=False))
    else:
        _show(written)


def _many(told: str, residents: int, arguments: list[str], workers: int, as_json: bool) -> None:
    """Each municipality in a process of its own, in which its vocabulary holds; exit 1 where one could not be made."""
    from rich.console import Console

    from kobe_platform.orchestration.ending import ending_soon
    from kobe_platform.prefecture.commands import told as line_of
    from kobe_platform.prefecture.running import Task, run_all
    from kobe_platform.synthesis.many import chosen, residents_of
    from kobe_platform.vocabulary.municipality import municipality

    shares, console = residents_of(chosen(told), residents), Console(stderr=True, highlight=False, soft_wrap=True)
    tasks = []
    for code, people in shares.items():
        environment = {**os.environ, VARIABLE: code}
        call = ("synthesize", *arguments, f"--residents={people}", "--json")
        tasks.append(Task(code, f"{municipality(code).name} {people:,}", call, environment, people))
    with ending_soon():
        endings = run_all(tasks, workers, lambda one: console.print(line_of(one), markup=False))
    if as_json:
        made = [{"municipality": one.code, **one.report} for one in sorted(endings, key=lambda one: one.code)]
        typer.echo(json.dumps({"municipalities": made}, ensure_ascii=False))
    raise typer.Exit(int(any(not one.done for one in endings)))


def _progress(console, status, step: str) -> None:
    """A spinner on a terminal; plain lines elsewhere, so that a log shows life too."""
    if console.is_terminal:
        status.update(step)
    else:
        console.print(step, highlight=False)


def _show(written: list) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("month", "source", "kind", "rows", "MB", "planted", title="Deliveries")
    for delivery in written:
        planted = ", ".join(f"{name} {count}" for name, count in sorted(delivery.planted.items()))
        table.add_row(
            delivery.month,
            delivery.source,
            delivery.kind,
            f"{delivery.rows:,}",
            f"{delivery.bytes / 1e6:.1f}",
            planted or "–",
        )
    Console().print(table)


def _show_quirks(as_json: bool) -> None:
    from kobe_platform.synthesis.quirks import registry

    rows: list[dict[str, Any]] = [
        {"name": q.name, "number": q.number, "treatment": q.treatment, "sources": list(q.sources), "title": q.title}
        for q in registry().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "no.", "treatment", "sources", "what")
    for row in rows:
        table.add_row(row["name"], str(row["number"]), row["treatment"], ", ".join(row["sources"]), row["title"])
    Console().print(table)
