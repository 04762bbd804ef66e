"""The commands ``kobe keys``, ``kobe lake verify`` and ``kobe log verify``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobe_platform.errors import CustodyError
from kobe_platform.vocabulary.months import is_month

if TYPE_CHECKING:
    from kobe_platform.custody.service import RingKeyService
    from kobe_platform.lake import PartitionStore
    from kobe_platform.settings import Settings

keys_app = typer.Typer(no_args_is_help=True, help="The keys of this installation.", add_completion=False)
lake_app = typer.Typer(no_args_is_help=True, help="The encrypted partitions.", add_completion=False)
log_app = typer.Typer(no_args_is_help=True, help="The log of key use.", add_completion=False)


@log_app.callback()
def _family() -> None:
    """Keeps `verify` a command of its own although it is the only one."""


AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Passphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase instead of writing a key file.")]


def open_keys(settings: Settings | None = None) -> RingKeyService:
    """The key service of the settings, by default those of the environment."""
    from kobe_platform.custody.opening import KeyPlace, open_key_service
    from kobe_platform.settings import Settings

    return open_key_service(KeyPlace.of(settings or Settings()))


def open_store(settings: Settings | None = None) -> PartitionStore:
    """The partition store of the settings, by default those of the environment."""
    from kobe_platform.lake.opening import open_partitions
    from kobe_platform.settings import Settings

    return open_partitions(settings or Settings())


@keys_app.command()
def init(passphrase: Passphrase = False, as_json: AsJson = False) -> None:
    """Make the keys of this installation: a key file, or a passphrase on request; nothing when there are some."""
    from kobe_platform.custody.opening import KeyPlace, create_key_service, passphrase_of
    from kobe_platform.settings import Settings

    settings = Settings()
    made = not (settings.keys / "root.json").exists()
    if made:
        secret = passphrase_of(settings.passphrase_file)
        if passphrase and secret is None:
            secret = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
        create_key_service(KeyPlace.of(settings), secret)
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
    """Put new keys of data in force and rewrap what they protect (manifests only).

    A rotation that was interrupted is finished first; where that was asked for, no other is begun.
    """
    from kobe_platform.custody.keyring import only_rotation
    from kobe_platform.settings import Settings

    store = open_store()
    known = {record.purpose for record in store.keys.versions() if record.purpose.startswith("data/")}
    wanted = sorted(known) if purpose is None else [purpose]
    if not set(wanted) <= known:
        raise typer.BadParameter("there is no such purpose: see `kobe keys list`")
    with only_rotation(Settings().keys):
        resumed = store.keys.pending()
        rewritten = _rewrapped(store, wanted, as_json)
        if resumed and purpose is not None and purpose not in resumed:
            rewritten += _rewrapped(store, wanted, as_json)
    text = f"{rewritten} manifests rewrapped{'; an interrupted rotation was finished' if resumed else ''}"
    _say({"purposes": len(wanted), "manifests": rewritten, "resumed": bool(resumed)}, as_json, text)


def _rewrapped(store: PartitionStore, purposes: list[str], quiet: bool) -> int:
    rewritten, faults = 0, []
    with typer.progressbar(store.keys.begin_rotation(purposes), label="rotating", hidden=quiet) as bar:
        for name in bar:
            try:
                rewritten += store.rewrap(name)
                store.keys.rewrapped(name)
            except CustodyError as error:
                faults.append(error)
    if faults:  # all other purposes are done; this one stays under way
        raise faults[0]
    return rewritten


@keys_app.command()
def revoke(
    key_id: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only say what it would do.")] = False,
    as_json: AsJson = False,
) -> None:
    """Destroy one version of a key for ever. Says what nobody can read then, and asks for --yes."""
    from kobe_platform.lake.maintenance import wrapped_by

    store = open_store()
    record = next((record for record in store.keys.versions() if record.key_id == key_id), None)
    if record is None:
        raise typer.BadParameter("there is no such key: see `kobe keys list`")
    lost = [f"{partition.id} (generation {partition.generation})" for partition in wrapped_by(store, key_id)]
    if not as_json:
        for line in _consequences(record.purpose, lost):
            typer.echo(line)
    state = store.keys.revoke(key_id).state if yes else record.state
    text = f"{key_id} is revoked" if yes else f"nothing was done: `kobe keys revoke {key_id} --yes` destroys the key"
    _say({"key": key_id, "state": state, "unreadable": lost}, as_json, text)
    if not yes:
        raise typer.Exit(1)


def _consequences(purpose: str, lost: list[str]) -> list[str]:
    if purpose.startswith("pseudonym/"):
        return ["new months can no longer be linked with those already in the lake, and are refused"]
    return [*(f"unreadable for ever: {name}" for name in lost)] or ["nothing in the store depends on it"]


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


@lake_app.command("quality")
def lake_quality(
    source: Annotated[str, typer.Argument(help="The source, as its folder is named.")],
    month: Annotated[str, typer.Argument(help="The month, YYYY-MM.")],
    great_expectations: Annotated[bool, typer.Option(help="Let Great Expectations judge the same suite too.")] = False,
    suite: Annotated[
        bool, typer.Option(help="Print the suite as an ExpectationSuite (JSON) and its verdict not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge a month of the lake by what its contract leads us to expect; exit 1 when something is not met.

    With --great-expectations also when that library comes to another verdict or count. Reports hold counts, no values.
    """
    from kobe_platform.contracts import load_contracts
    from kobe_platform.quality.commands import quality_report, told
    from kobe_platform.settings import Settings

    if not is_month(month):
        raise typer.BadParameter("a month is YYYY-MM", param_hint="MONTH")
    contract = load_contracts(Settings().contracts).get(source)
    if contract is None or contract.sensitivity != "personal":
        raise typer.BadParameter("no contract of personal data has this name", param_hint="SOURCE")
    report = quality_report(open_store(), contract, month, second=great_expectations)
    _say(report["suite"] if suite else report, as_json or suite, told(report))
    if not report["success"]:
        raise typer.Exit(1)


@lake_app.command("destroy-due")
def destroy_due(as_json: AsJson = False) -> None:
    """Destroy raw rows after KOBE_RAW_DAYS days, and rows and counts past their retention, as the nightly job does."""
    from datetime import UTC, datetime

    from kobe_platform.contracts import load_contracts
    from kobe_platform.governance.retention import due_for_destruction
    from kobe_platform.lake.maintenance import destroy_all
    from kobe_platform.settings import Settings
    from kobe_platform.statistics import load_statistics
    from kobe_platform.trials import Trials

    store, settings = open_store(), Settings()
    files = load_contracts(settings.contracts), load_statistics(settings.statistics, trials=Trials(settings.trials))
    due = due_for_destruction(store, *files, settings.raw_days, datetime.now(UTC))
    names, failed = destroy_all(store, due.partitions)
    faults = [{"partition": name, "code": code} for name, code in (*due.faults, *failed)]
    told = [f"{fault['partition']}: {fault['code']}" for fault in faults]
    lines = [*names, f"{len(names)} partitions destroyed", *told]
    _say({"destroyed": names, "faults": faults}, as_json, "\n".join(lines))
    if faults:
        raise typer.Exit(1)


@lake_app.command("gc")
def clear_orphans(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what lies there, and take nothing away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take away what interrupted commits left in the store; kept generations are never touched."""
    from kobe_platform.lake.orphans import clear, orphans

    store = open_store()
    found = list(orphans(store)) if dry_run else clear(store)
    lines = [f"{orphan.id} {orphan.name} {orphan.size:,} bytes" for orphan in found]
    size = sum(orphan.size for orphan in found)
    told = "left" if dry_run else "taken away"
    _say(
        {"orphans": len(found), "bytes": size, "cleared": not dry_run},
        as_json,
        "\n".join([*lines, f"{len(found)} orphans, {size:,} bytes {told}"]),
    )


@log_app.command("verify")
def verify_log(
    anchor: Annotated[str, typer.Option(help="SEQ:HASH, as an earlier call printed it: must still be there.")] = "",
    as_json: AsJson = False,
) -> None:
    """Walk the log of key use from its start to its signed end; exit 1 at the first fault."""
    verdict = open_keys().log.verify(_anchor(anchor))
    said = {"entries": verdict.entries, "fault": verdict.fault, "line": verdict.line, "unsigned": verdict.unsigned}
    if verdict.sound:
        said["anchor"] = f"{verdict.entries}:{verdict.last}"
        text = f"{verdict.entries} entries, sound\nanchor {said['anchor']}"
    else:
        text = f"line {verdict.line}: {verdict.fault}"
    _say(said, as_json, text)
    if not verdict.sound:
        raise typer.Exit(1)


def _anchor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    number, _, last = text.partition(":")
    if not number.isdigit() or int(number) < 1 or len(last) != 64:
        raise typer.BadParameter("an anchor is written SEQ:HASH, as `kobe log verify` prints it")
    return int(number), last


def _say(record: dict[str, Any], as_json: bool, text: str) -> None:
    typer.echo(json.dumps(record) if as_json else text)
