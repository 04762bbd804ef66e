"""The command ``kobe prefecture``: the municipalities' homes, their runs, and what is left of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kobe_platform.prefecture.running import Ending, Task
    from kobe_platform.settings import Settings

prefecture_app = typer.Typer(help="The municipalities of a prefecture, each with a home of its own.")
Codes = Annotated[list[str] | None, typer.Argument(help="Five-digit codes; all homes of the prefecture by default.")]
Workers = Annotated[int, typer.Option(min=1, help="Municipalities at a time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, and no progress.")]
MACHINES = "kobe_platform.prefecture.machines.definitions"
"""Module of the prefecture's code location."""
_REASONS = 2
"""Things left that a line names; the rest is counted."""


@prefecture_app.command()
def add(
    codes: Annotated[list[str] | None, typer.Argument(help="Five-digit codes of municipalities.")] = None,
    every: Annotated[str, typer.Option("--all-of", help="Two digits: all municipalities of this prefecture.")] = "",
    workers: Workers = 1,
) -> None:
    """Make homes with keys of their own; a home that has keys stays as it is."""
    from kobe_platform.prefecture.homes import new_home
    from kobe_platform.prefecture.running import Task
    from kobe_platform.settings import Settings
    from kobe_platform.vocabulary.municipality import municipalities, municipality

    chosen = [*(codes or []), *(municipalities(every) if every else ())]
    if not chosen:
        raise typer.BadParameter("name at least one municipality of the list", param_hint="CODES")
    settings = Settings()
    for code in chosen:
        municipality(code)  # all are known before the first folder is made
    made = [new_home(settings, code) for code in dict.fromkeys(chosen)]
    tasks = [Task(home.place.code, home.place.name, ("keys", "init"), home.environment(settings)) for home in made]
    _finish(tasks, workers, as_json=False)


@prefecture_app.command()
def run(codes: Codes = None, workers: Workers = 1, as_json: AsJson = False) -> None:
    """Do what is outstanding in every municipality; exit 0 only where nothing is left of any."""
    _finish(_tasks(codes, ("run", "--json")), workers, as_json)


@prefecture_app.command()
def status(codes: Codes = None, workers: Workers = 1, as_json: AsJson = False) -> None:
    """What is outstanding in each municipality; exit 0 only where nothing is."""
    _finish(_tasks(codes, ("status", "--json")), workers, as_json)


@prefecture_app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
) -> None:
    """Start the prefecture's own Dagster (UI, daemon, code server), which runs every municipality that is due."""
    from kobe_platform.orchestration.development import CodeLocation, develop
    from kobe_platform.prefecture.machines.instance import own_settings, prepared
    from kobe_platform.settings import Settings

    develop(own_settings(Settings()), CodeLocation("prefecture", MACHINES), prepared, host, port)


@prefecture_app.command()
def worker(
    large: Annotated[bool, typer.Option("--large", help="Take large municipalities, too.")] = False,
    runs: Annotated[int, typer.Option(min=1, help="Municipalities at a time on this machine.")] = 1,
    name: Annotated[str, typer.Option(help="Name of this worker; by default that of the machine.")] = "",
) -> None:
    """Work on this machine for the prefecture's Dagster, through the broker of KOBE_BROKER, until a signal ends it."""
    from kobe_platform.prefecture.machines.instance import own_settings
    from kobe_platform.prefecture.machines.working import become_worker
    from kobe_platform.settings import Settings

    become_worker(own_settings(Settings()), large=large, runs=runs, name=name)


def _tasks(codes: list[str] | None, arguments: tuple[str, ...]) -> list[Task]:
    from kobe_platform.errors import ConfigurationError
    from kobe_platform.prefecture.homes import delivered_bytes, homes
    from kobe_platform.prefecture.running import Task
    from kobe_platform.settings import Settings

    settings: Settings = Settings()
    found = homes(settings, tuple(codes or ()))
    if not found:
        raise ConfigurationError(
            "the prefecture has no homes",
            code="prefecture.unknown",
            remedy="kobe prefecture add CODE makes one",
        )
    tasks = []
    for home in found.values():
        environment = home.environment(settings)
        size = delivered_bytes(home, environment)
        tasks.append(Task(home.place.code, home.place.name, arguments, environment, size))
    return tasks


def _finish(tasks: list[Task], workers: int, as_json: bool) -> None:
    """Run all, tell each as it ends, and exit with 1 where something is left of one."""
    from rich.console import Console

    from kobe_platform.orchestration.ending import ending_soon
    from kobe_platform.prefecture.running import run_all

    console = Console(highlight=False, soft_wrap=True)
    with ending_soon():
        endings = run_all(tasks, workers, lambda one: None if as_json else console.print(told(one), markup=False))
    left = [one for one in endings if not one.done]
    if as_json:
        records = [_record(one) for one in sorted(endings, key=lambda one: one.code)]
        print(json.dumps({"exit_code": int(bool(left)), "municipalities": records}, ensure_ascii=False, indent=1))
    else:
        names = "、".join(f"{one.name}({one.code})" for one in sorted(left, key=lambda one: one.code))
        console.print(f"残り {len(left)}/{len(endings)}: {names}" if left else f"{len(endings)} / 残りはありません")
    raise typer.Exit(int(bool(left)))


def told(one: Ending) -> str:
    """One municipality in one line: whether something is left, what, and what to do."""
    reasons = [one.error] if one.error else _left(one.report)
    if not one.done and not reasons:
        reasons = [f"exit {one.exit_code}"]
    more = f" ほか{len(reasons) - _REASONS}件" if len(reasons) > _REASONS else ""
    mark = "✓" if one.done else "✗"
    rest = f" {' / '.join(reasons[:_REASONS])}{more}" if not one.done else ""
    return f"{mark} {one.code} {one.name} {one.seconds:.1f} s{rest}"


def _left(report: Mapping[str, Any]) -> list[str]:
    faults = [f"[{fault['code']}] {fault['ja']}" for fault in report.get("faults", ())]
    broken = [one for run in report.get("runs", ()) if run["what"] == "plan" for one in run["faults"]]
    given_up = [f"[{one['code']}] {one['text']}" for one in broken]
    return [*faults, *given_up, *(step["ja"] for step in report.get("outstanding", ()))]


def _record(one: Ending) -> dict[str, object]:
    record = {"code": one.code, "name": one.name, "exit_code": one.exit_code, "seconds": round(one.seconds, 2)}
    return {**record, "error": one.error, "left": _left(one.report)}
