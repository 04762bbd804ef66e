"""`kobe keys …`, `kobe lake verify`, `kobe log verify`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

keys_app = typer.Typer(no_args_is_help=True, help="The keys of this installation.", add_completion=False)
lake_app = typer.Typer(no_args_is_help=True, help="The encrypted partitions.", add_completion=False)
log_app = typer.Typer(no_args_is_help=True, help="The log of key use.", add_completion=False)


@lake_app.callback()
@log_app.callback()
def _family() -> None:
    """Keeps `verify` a command of its own although it is the only one."""


AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Passphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase instead of writing a key file.")]


def open_keys():
    """The key store of the settings; the passphrase, where it has one, is the first line of KOBE_PASSPHRASE_FILE."""
    from kobe_platform.custody.keys import LocalKeyStore
    from kobe_platform.settings import Settings

    settings = Settings()
    return LocalKeyStore.open(settings.keys, settings.passphrase, log=settings.key_log, principal=settings.principal)


def open_store():
    """The partition store of the settings."""
    from kobe_platform.lake import PartitionStore
    from kobe_platform.settings import Settings

    settings = Settings()
    return PartitionStore(settings.store, open_keys(), municipality=settings.municipality, principal=settings.principal)


@keys_app.command()
def init(passphrase: Passphrase = False, as_json: AsJson = False) -> None:
    """Make the key store of this installation: a key file, or a passphrase on request; nothing when there is one."""
    from kobe_platform.custody.keys import LocalKeyStore
    from kobe_platform.settings import Settings

    settings = Settings()
    made = not (settings.keys / "root.json").exists()
    if made:
        secret = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True) if passphrase else None
        LocalKeyStore.create(settings.keys, secret, log=settings.key_log, principal=settings.principal)
    else:
        open_keys()
    _say({"made": made, "folder": settings.keys.name}, as_json, "made a key store" if made else "there is a key store")


@keys_app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Every version of every key: purpose, state, date; never key material."""
    rows = [
        {"key": record.key_id, "state": record.state, "created_at": record.created_at}
        for record in open_keys().versions()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['state']:8} {row['created_at']} {row['key']}")


@keys_app.command()
def rotate(
    purpose: Annotated[
        str | None, typer.Argument(help="A purpose such as data/lake/resident_register; default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put new keys of data in force and rewrap what they protect (manifests only; run again after an interruption)."""
    store = open_store()
    known = {record.purpose for record in store.keys.versions() if record.purpose.startswith("data/")}
    purposes = sorted(known) if purpose is None else [purpose]
    if not set(purposes) <= known:
        raise typer.BadParameter("there is no such purpose: see `kobe keys list`")
    rewritten = 0
    with typer.progressbar(purposes, label="rotating", hidden=as_json) as bar:
        for name in bar:
            store.keys.rotate(name)
            rewritten += store.rewrap(name)
    _say({"purposes": len(purposes), "manifests": rewritten}, as_json, f"{rewritten} manifests rewrapped")


@keys_app.command()
def revoke(key_id: str, as_json: AsJson = False) -> None:
    """Destroy one version of a key: what only it wraps can never be read again."""
    record = open_keys().revoke(key_id)
    _say({"key": record.key_id, "state": record.state}, as_json, f"{record.key_id} is revoked")


@lake_app.command("verify")
def verify_lake(as_json: AsJson = False) -> None:
    """Check every partition: signatures, digests, keys, and that all of it decrypts; exit 1 when one does not."""
    report = open_store().verify()
    faults = [{"partition": name, "code": code} for name, code in report.faults]
    lines = "".join(f"\n  {fault['partition']}: {fault['code']}" for fault in faults)
    _say(
        {"partitions": report.partitions, "faults": faults},
        as_json,
        f"{report.partitions} partitions, {len(faults)} faults{lines}",
    )
    if faults:
        raise typer.Exit(1)


@log_app.command("verify")
def verify_log(as_json: AsJson = False) -> None:
    """Walk the log of key use from its start to its signed end; exit 1 at the first fault."""
    verdict = open_keys().log.verify()
    text = f"{verdict.entries} entries, sound" if verdict.sound else f"line {verdict.line}: {verdict.fault}"
    _say({"entries": verdict.entries, "fault": verdict.fault, "line": verdict.line}, as_json, text)
    if not verdict.sound:
        raise typer.Exit(1)


def _say(record: dict, as_json: bool, text: str) -> None:
    typer.echo(json.dumps(record) if as_json else text)
