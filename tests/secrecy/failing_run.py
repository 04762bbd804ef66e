"""`kobe run` in a process of its own, with one stage failing as a careless library would: the row in its message."""

from __future__ import annotations

import importlib
import sys

import polars as pl

from tests.secrecy.planting import NEEDLES

STAGES = {
    "raw": ("kobe_platform.reception.steps", "take_in"),
    "abstracted": ("kobe_platform.reception.steps", "abstract"),
    "lake": ("kobe_platform.reception.steps", "validate"),
    "statistics": ("kobe_platform.tabulation.steps", "compute_group"),
    "published": ("kobe_platform.tabulation.steps", "protect_group"),
    "release": ("assets.dashboards", "assemble"),
}


def careless(*args: object, **kwargs: object) -> None:
    """Fail with persons' values in the message, in the arguments and in the cause."""
    person = pl.DataFrame({column: [value] for column, value in NEEDLES.items()})
    try:
        person.select(pl.col("name").cast(pl.Int64))
    except pl.exceptions.PolarsError as cause:
        raise RuntimeError(f"conversion failed for {person.to_dicts()}", person.rows()) from cause


def main() -> None:
    """Patch the stage that the first argument names (none: nothing fails), then run."""
    if sys.argv[1] in STAGES:
        module, function = STAGES[sys.argv[1]]
        target = importlib.import_module(module)
        assert callable(getattr(target, function))
        setattr(target, function, careless)
    from kobe_platform.cli.main import COMMANDS, invoke

    commands = {command.name: command for command in COMMANDS}
    invoke(commands["retry"], [])  # what failed with this code and input is not tried again by itself
    sys.exit(invoke(commands["run"], []))


if __name__ == "__main__":
    main()
