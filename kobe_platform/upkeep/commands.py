"""The commands ``kobe doctor``, ``kobe metrics``, ``kobe upgrade``, ``kobe units`` and ``kobe advisories``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

config_app = typer.Typer(help="The settings of this installation.", no_args_is_help=True)
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


@config_app.callback()
def _family() -> None:
    """Keeps `check` a command of its own although it is the only one."""


@config_app.command("check")
def check_config() -> None:
    """Look at all KOBE_* variables: unknown names, wrong values, places that are not there; exit 1 when one stops."""
    import os

    from kobe_platform.upkeep.configuration import check

    found = check(os.environ)
    for one in found:
        typer.echo(f"{'✗' if one.stops else '!'} {one.variable}: {one.told}")
    if any(one.stops for one in found):
        raise typer.Exit(1)
    if not found:
        typer.echo("設定に誤りはありません。")


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
) -> None:
    """Bring KOBE_HOME to this version of the platform; make a backup before. Killed, it goes on where it was."""
    from kobe_platform.home_format import FORMAT, version_of
    from kobe_platform.settings import Settings
    from kobe_platform.upkeep import upgrading

    settings = Settings()
    if dry_run:
        steps = upgrading.pending(settings)
        for one in steps:
            typer.echo(one.told)
        if not steps:
            typer.echo("することはありません。")
        return
    before = version_of(settings.root)
    done = upgrading.upgrade(settings, typer.echo, lambda owner: None)
    changed = f"版 {before} → {FORMAT}" if before != FORMAT else f"版 {FORMAT}"
    typer.echo(f"{changed}: {f'{done}件の手順を終えました。' if done else 'することはありません。'}")


def units(
    to: Annotated[Path, typer.Option(help="Folder that the files are written to.")],
    user: Annotated[str, typer.Option(help="Account and group that the services run as.")] = "kobe",
    writes: Annotated[
        list[Path] | None, typer.Option("--writes", help="A further folder that services may write to; repeatable.")
    ] = None,
) -> None:
    """Write the units of systemd for this installation, and its settings as one commented file (kobe.env)."""
    from kobe_platform.cli.reference import descriptions
    from kobe_platform.custody.durable import storage_errors, write_private
    from kobe_platform.settings import Settings
    from kobe_platform.upkeep import services

    settings = Settings()
    file = to / services.SETTINGS_FILE
    texts = services.units(services.Installation(settings, user, file, tuple(writes or ())))
    kept = file.exists()
    with storage_errors(to.name):
        to.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (to / name).write_text(text, "utf-8")
            typer.echo(to / name)
        if not kept:
            write_private(file, services.settings_text(settings, descriptions(Settings)).encode())
    typer.echo(f"{file}{' (there already: left as it is)' if kept else ''}")


def advisories(
    databases: Annotated[
        list[Path],
        typer.Argument(metavar="DATABASE...", help="Zips of osv.dev (PyPI, npm), or folders."),
    ],
) -> None:
    """Judge the locked packages by databases of advisories that were brought here; exit 1 when one is affected."""
    from kobe_platform.upkeep.advisories import judge, locked_packages

    told = judge(databases, locked_packages())
    for one in told.findings:
        names = " ".join([one.advisory, *(f"({alias})" for alias in one.aliases)])
        mended = f" – 修正版 {', '.join(one.fixed)}" if one.fixed else ""
        doubt = "" if one.certain else " （版の範囲を読めないため、該当とみなします）"
        typer.echo(f"✗ {one.package.ecosystem} {one.package.name} {one.package.version}: {names}{mended}{doubt}")
    for ecosystem, count in told.advisories.items():
        judged = sum(package.ecosystem == ecosystem for package in told.packages)
        typer.echo(
            f"{ecosystem}: {judged}個を、情報{count}件（最新 {told.newest[ecosystem] or '不明'}）と照合しました。"
        )
    if told.findings:
        raise typer.Exit(1)
