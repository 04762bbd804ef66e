"""The command ``kobe deliveries``: lists and shows deliveries, records what is decided, and writes manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kobe_platform.intake.deliveries import Delivery

deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries and their receipts.", add_completion=False)

Source = Annotated[str, typer.Argument(help="The source, as its folder is named.")]
Month = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


@deliveries_app.command("list")
def list_deliveries(as_json: AsJson = False) -> None:
    """Every delivery in the inbox with its outcome and, where it was refused or held, why."""
    rows = _rows()
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    width = max((len(row["source"]) for row in rows), default=0)
    lines = [f"{row['month']}  {row['source']:{width}}  {row['outcome']:9}  {row['reason']}".rstrip() for row in rows]
    if lines:
        typer.echo("\n".join(lines))


@deliveries_app.command()
def show(source: Source, month: Month, as_json: AsJson = False) -> None:
    """What became of a delivery, and how it differs from the one in force: counts by ward and by rule."""
    from kobe_platform.planning.showing import shown
    from kobe_platform.settings import Settings

    told = shown(Settings(), _one(source, month))
    typer.echo(json.dumps(told.record, ensure_ascii=False, indent=1) if as_json else told.text)


@deliveries_app.command()
def approve(source: Source, month: Month) -> None:
    """Approve a held delivery as it lies in the inbox: the next run takes exactly this content in."""
    _decide("approve", source, month)
    typer.echo(f"approved {source} {month}; run `kobe run`")


@deliveries_app.command()
def refuse(source: Source, month: Month) -> None:
    """Refuse a held delivery as it lies in the inbox: what is in force stays, and its sender sends another one."""
    _decide("refuse", source, month)
    typer.echo(f"refused {source} {month}; it is not taken in")


@deliveries_app.command()
def withdraw(source: Source, month: Month) -> None:
    """Note that its sender has withdrawn a delivery: nothing new is made from it, and the month waits for another."""
    _decide("withdraw", source, month)
    typer.echo(f"withdrawn {source} {month}; releases that were made stay, and the month waits for another delivery")


def _decide(decision: str, source: str, month: str) -> None:
    from kobe_platform.errors import PlatformError
    from kobe_platform.reception.decisions import decide
    from kobe_platform.settings import Settings

    settings, delivery = Settings(), _one(source, month)
    try:
        decide(settings.root, delivery, decision, settings.principal)
    except PlatformError as error:
        raise typer.BadParameter(str(error), param_hint=f"{source} {month}") from None


@deliveries_app.command()
def retry(source: Source, month: Month) -> None:
    """Let a delivery that was rejected, refused, withdrawn, or failed, be tried once more; its record is kept aside."""
    from kobe_platform.custody.durable import sync_folder
    from kobe_platform.intake.receipts import receipt, receipts
    from kobe_platform.planning.failures import Failures
    from kobe_platform.settings import Settings

    home, delivery = Settings().root, _one(source, month)
    failures, step = Failures(home), f"take_in:{source}:{month}"
    against = [status for status in ("rejected", "refused", "withdrawn") if receipt(home, delivery, status)]
    if not against and step not in failures.read():
        raise typer.BadParameter("this delivery was not rejected and did not fail", param_hint=f"{source} {month}")
    failures.end([step])
    for status in against:
        path = receipts(home, delivery) / f"{delivery.content_hash[:12]}.{status}.json"
        path.rename(path.with_suffix(".former"))
        sync_folder(path.parent)
    typer.echo(f"{source} {month} will be tried again by `kobe run`")


@deliveries_app.command()
def manifest(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="A delivery's folder, MUNICIPALITY/SOURCE/YYYY-MM, with its data files."
        ),
    ],
    kind: Annotated[str, typer.Option(help="snapshot, events, difference or public; the contract's first.")] = "",
    sequence: Annotated[int, typer.Option(min=0, help="Number of the delivery in the source's series.")] = 1,
    show: Annotated[bool, typer.Option("--print", help="Print it, and write nothing.")] = False,
) -> None:
    """Write manifest.json for the data files of a folder: encoding, rows, bytes and hashes are read from them."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.intake.extracts.describing import describe, place_of
    from kobe_platform.intake.manifest import MANIFEST
    from kobe_platform.settings import Settings

    contracts, source = load_contracts(Settings().contracts), place_of(folder)["source"]
    if source not in contracts:
        raise typer.BadParameter("there is no contract of this source", param_hint=source)
    if kind and kind not in contracts[source].kinds:
        raise typer.BadParameter(f"the contract takes {', '.join(contracts[source].kinds)}", param_hint="--kind")
    text = describe(folder, contracts[source], kind=kind, sequence=sequence).model_dump_json(indent=1)
    if show:
        typer.echo(text)
        return
    path = folder / MANIFEST
    if path.exists():
        raise typer.BadParameter("there is a manifest already; move it away first", param_hint=str(folder))
    aside = folder / f".{MANIFEST}.new"
    aside.write_text(text + "\n", "utf-8")
    aside.rename(path)
    typer.echo(f"wrote {MANIFEST}: the delivery is complete now")


def _rows() -> list[dict[str, str]]:
    from kobe_platform.planning.showing import listed
    from kobe_platform.settings import Settings

    return listed(Settings())


def _one(source: str, month: str) -> Delivery:
    from kobe_platform.intake.deliveries import find_one
    from kobe_platform.settings import Settings

    settings = Settings()
    delivery = find_one(settings.inbox, settings.municipality, source, month)
    if delivery is None:
        raise typer.BadParameter("there is no such delivery in the inbox", param_hint=f"{source} {month}")
    return delivery
