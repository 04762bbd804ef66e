"""The commands ``kobe alerts show`` and ``kobe alerts test``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from kobe_platform.settings import Settings

alerts_app = typer.Typer(help="Notices to the operators, by mail and webhook.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Report as JSON.")]


@alerts_app.command()
def show(as_json: AsJson = False) -> None:
    """What is configured in KOBE_HOME/alerts.toml; never a secret."""
    from kobe_platform.alerts import alerts_file, describe, load_alerts

    path = alerts_file(Settings().root)
    settings = load_alerts(path)
    if as_json:
        typer.echo(json.dumps(settings.as_record(), ensure_ascii=False, indent=1))
        return
    typer.echo(describe(path))
    if settings.mail:
        account = "with an account" if settings.mail.user is not None else "without an account"
        typer.echo(f"  mail     {settings.mail.security}, {account}, from {settings.mail.sender}")
        typer.echo(f"           to {', '.join(settings.mail.to)}")
    if settings.webhook:
        typer.echo(f"  webhook  {settings.webhook.origin}, signed")
    if not settings.silent:
        kinds = ", ".join(settings.kinds) if settings.kinds else "all"
        typer.echo(f"  kinds    {kinds}; at most {settings.timeout_seconds} s a channel")


@alerts_app.command("test")
def send_test(as_json: AsJson = False) -> None:
    """Send one test notice to each channel; exit 1, naming it, when one of them fails."""
    from kobe_platform.alerts import Notice, alerts_file, describe, load_alerts, stable_id
    from kobe_platform.alerts.sending import attempt
    from kobe_platform.vocabulary.clock import JAPAN

    path = alerts_file(Settings().root)
    settings, now = load_alerts(path), datetime.now(JAPAN)
    notice = Notice(
        stable_id("test", now.isoformat()),
        "installation",
        {"code": "alerts.test"},
        "これは通知の試験です。問題は起きていません",
        "届いたことを確かめてください。ほかの対応は要りません。",
    )
    failures = {channel: attempt(channel, [notice], settings, now)[1] for channel in settings.channels}
    if as_json:
        told = {channel: error.as_record() if error else None for channel, error in failures.items()}
        typer.echo(json.dumps({"silent": settings.silent, "failures": told}, ensure_ascii=False, indent=1))
    elif settings.silent:
        typer.echo(describe(path))
    else:
        for channel, error in failures.items():
            typer.echo(f"{channel}: {error.ja} {error}" if error else f"{channel}: sent", err=error is not None)
    if settings.silent or any(failures.values()):
        raise typer.Exit(1)
