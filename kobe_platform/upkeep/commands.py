"""The commands ``kobe doctor`` and ``kobe metrics``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False) -> None:
    """Look at everything that keeps the platform going, with what to do; exit 1 when something is broken."""
    from kobe_platform.settings import Settings
    from kobe_platform.upkeep.doctor import examine

    found = examine(Settings())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        for one in found:
            typer.echo(f"{MARKS[one.state]} {one.title}: {one.told}" + (f"\n    → {one.remedy}" if one.remedy else ""))
    if any(one.state == "fail" for one in found):
        raise typer.Exit(1)


def metrics(
    to: Annotated[Path | None, typer.Option(help="File that is replaced in one step. Default: the screen.")] = None,
) -> None:
    """Figures for Prometheus: steps, lags, deliveries, release, disk, backup (for the textfile collector: --to)."""
    from kobe_platform.custody.durable import storage_errors, write_private
    from kobe_platform.planning.observing import Observer
    from kobe_platform.settings import Settings
    from kobe_platform.upkeep.metrics import figures, text

    told = text(figures(Observer(Settings())))
    if to is None:
        typer.echo(told.decode(), nl=False)
        return
    with storage_errors(to.name):
        write_private(to, told)
        to.chmod(0o644)
