"""A table small enough to follow by hand, as ``kobe protect`` and ``kobe audit`` read it, and how tests call them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer
from typer.testing import CliRunner

SPEC = """
[rule]
minimum_frequency = 5
[dimensions.area]
hierarchy = "area.csv"
[dimensions.sex]
total = "T"
[[tables]]
name = "t"
dimensions = ["area", "sex"]
measure = "persons"
"""


def write_trial(folder: Path, links: Iterable[str], rows: Iterable[str]) -> Path:
    """Write specification, hierarchy (``code,parent`` lines) and cells (``area,sex,persons`` lines)."""
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    (folder / "area.csv").write_text("\n".join(["code,parent", *links]) + "\n", encoding="utf-8")
    (folder / "cells").mkdir()
    (folder / "cells" / "t.csv").write_text("\n".join(["area,sex,persons", *rows]) + "\n", encoding="utf-8")
    return folder


def call(command, *arguments):
    """Run one command with its arguments as a shell would."""
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in arguments])
