"""The commands ``kobe backup`` and ``kobe restore``."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kobe_platform.backup.restoring import Progress
    from kobe_platform.backup.vault import Snapshot, Vault

backup_app = typer.Typer(
    help="Back up an installation while everything runs; look at backups.",
    invoke_without_command=True,
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Origin = Annotated[str, typer.Option("--from", help="Folder or s3://BUCKET/PREFIX of the backup.")]
Key = Annotated[Path | None, typer.Option(help="File with the backup's own key, as `kobe backup key` makes it.")]
Which = Annotated[str, typer.Option("--snapshot", help="Default: the newest.")]
GRACE = timedelta(days=1)
"""Age below which an object that no snapshot names may belong to a backup that is under way."""


@backup_app.callback()
def back_up(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="Folder or s3://BUCKET/PREFIX; an empty one becomes a backup.")] = "",
    key: Key = None,
    without_keys: Annotated[bool, typer.Option(help="Leave the key store out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the state of the installation as a new snapshot; files that are there already are not written again."""
    if context.invoked_subcommand:
        return
    from kobe_platform.backup import restoring
    from kobe_platform.settings import Settings

    settings = Settings()
    if not to:
        raise typer.BadParameter("say where", param_hint="--to")
    if not to.startswith("s3://") and Path(to).resolve().is_relative_to(settings.root):
        raise typer.BadParameter("a backup inside of KOBE_HOME is lost with it", param_hint="--to")
    if key is None and not without_keys:
        raise typer.BadParameter("give the backup's key, or --without-keys", param_hint="--key")
    vault = _vault(to, key, create=True)
    snapshot = restoring.back_up(settings, vault, keys=not without_keys, progress=_progress("kept"))
    told = {**_told(snapshot), "bytes_by_folder": restoring.sizes(snapshot.files)}
    lines = [_line(snapshot), f"anchor {snapshot.anchor}"]
    lines += [f"not in this backup: {name}; back it up with its own tools" for name in _missing(snapshot)]
    _say(told, as_json, lines)


@backup_app.command("list")
def list_snapshots(place: Origin, key: Key = None, as_json: AsJson = False) -> None:
    """List snapshots, oldest first."""
    vault = _vault(place, key)
    found = [vault.snapshot(id) for id in vault.ids()]
    _say([_told(one) for one in found], as_json, [_line(one) for one in found] or ["no snapshot yet"])


@backup_app.command("verify")
def verify(place: Origin, snapshot: Which = "", key: Key = None, as_json: AsJson = False) -> None:
    """Read and open every file of a snapshot; exit 1 when any is missing or not what it was."""
    from kobe_platform.backup.restoring import faults

    vault = _vault(place, key)
    chosen = vault.snapshot(snapshot)
    found = faults(vault, chosen, progress=_progress("read"))
    _say({**_told(chosen), "faults": found}, as_json, [_line(chosen), *found, f"{len(found)} files damaged"])
    if found:
        raise typer.Exit(1)


@backup_app.command("prune")
def prune(
    place: Origin,
    keep: Annotated[int, typer.Option(min=1, help="Snapshots that stay, the newest.")],
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take away old snapshots, and what no snapshot needs any more."""
    vault = _vault(place, key)
    gone, objects = vault.prune(keep, GRACE)
    lines = [*(f"{id} removed" for id in gone), f"{len(gone)} snapshots, {objects} objects removed"]
    _say({"snapshots": gone, "objects": objects}, as_json, lines)


@backup_app.command("key")
def make_key(file: Annotated[Path, typer.Argument(help="A file that is not there yet.")]) -> None:
    """Make the key of a backup: keep it, and a copy of it, apart from the backup."""
    from kobe_platform.backup import sealing

    sealing.make_key(file)
    typer.echo(f"{file} holds the key; without it the backup can never be opened: keep a copy in another place")


def restore_home(
    place: Origin,
    home: Annotated[
        Path | None, typer.Option(help="Folder that is not there yet, or empty. Default: KOBE_HOME.")
    ] = None,
    snapshot: Which = "",
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a home from a snapshot; it appears whole or not at all."""
    from kobe_platform.backup.restoring import restore
    from kobe_platform.settings import Settings

    target = (home or Settings().home).resolve()
    vault = _vault(place, key)
    chosen = vault.snapshot(snapshot)
    restore(vault, chosen, target, progress=_progress("restored"))
    lines = [_line(chosen), f"anchor {chosen.anchor}"]
    lines += [f"not in this backup: {name}; restore it with its own tools" for name in _missing(chosen)]
    lines.append("next: kobe log verify --anchor (above), kobe lake verify, kobe status")
    _say({**_told(chosen), "home": str(target)}, as_json, lines)


def _missing(snapshot: Snapshot) -> list[str]:
    return [*snapshot.elsewhere, *([] if snapshot.has_keys else ["key store"])]


def _vault(place: str, key: Path | None, *, create: bool = False) -> Vault:
    from kobe_platform.backup.sealing import Seal, read_key
    from kobe_platform.backup.vault import Vault, place_of

    return Vault(place_of(place), Seal(read_key(key)) if key else None, create=create)


def _told(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "taken_at": snapshot.taken_at,
        "anchor": snapshot.anchor,
        "files": len(snapshot.files),
        "bytes": snapshot.size,
        "not_included": _missing(snapshot),
    }


def _line(snapshot: Snapshot) -> str:
    return f"{snapshot.id}  {len(snapshot.files):,} files  {snapshot.size / 1e6:,.1f} MB"


def _progress(done: str) -> Progress:
    """Tell a person at a terminal how far it is, every hundredth part."""

    def tell(number: int, of: int) -> None:
        if sys.stderr.isatty() and (number == of or number % max(of // 100, 1) == 0):
            end = "\n" if number == of else ""
            sys.stderr.write(f"\r{number:,} of {of:,} files {done}{end}")
            sys.stderr.flush()

    return tell


def _say(record: Any, as_json: bool, lines: list[str]) -> None:
    typer.echo(json.dumps(record, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))
