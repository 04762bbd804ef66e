"""The command ``kobe deliveries``: lists, approves and retries deliveries, and writes manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kobe_platform.intake.deliveries import Delivery
    from kobe_platform.planning import Step
    from kobe_platform.reception.outcomes import Outcome

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
    lines = [f"{row['month']}  {row['source']:{width}}  {row['outcome']:8}  {row['reason']}".rstrip() for row in rows]
    if lines:
        typer.echo("\n".join(lines))


@deliveries_app.command()
def approve(source: Source, month: Month) -> None:
    """Approve a held delivery as it lies in the inbox: the next run takes exactly this content in."""
    from kobe_platform.intake.receipts import approve as record
    from kobe_platform.reception.outcomes import receipt_status
    from kobe_platform.settings import Settings

    settings, delivery = Settings(), _one(source, month)
    if receipt_status(settings.root, delivery) != "held":
        raise typer.BadParameter("this delivery is not held", param_hint=f"{source} {month}")
    record(settings.root, delivery, settings.principal)
    typer.echo(f"approved {source} {month} {delivery.content_hash[:12]}; run `kobe run`")


@deliveries_app.command()
def retry(source: Source, month: Month) -> None:
    """Let a delivery that was rejected, or failed, be tried once more; a rejection's receipt is kept aside."""
    from kobe_platform.custody.durable import sync_folder
    from kobe_platform.intake.receipts import receipt, receipts
    from kobe_platform.planning.failures import Failures
    from kobe_platform.settings import Settings

    home, delivery = Settings().root, _one(source, month)
    failures, step = Failures(home), f"take_in:{source}:{month}"
    rejected, failed = receipt(home, delivery, "rejected") is not None, step in failures.read()
    if not rejected and not failed:
        raise typer.BadParameter("this delivery was not rejected and did not fail", param_hint=f"{source} {month}")
    failures.end([step])
    if rejected:
        path = receipts(home, delivery) / f"{delivery.content_hash[:12]}.rejected.json"
        path.rename(path.with_suffix(".former"))
        sync_folder(path.parent)
    typer.echo(f"{source} {month} will be tried again by `kobe run`")


@deliveries_app.command()
def manifest(
    folder: Annotated[
        Path, typer.Argument(help="A delivery's folder, MUNICIPALITY/SOURCE/YYYY-MM, with its data files.")
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
    from kobe_platform.planning.observing import Observer
    from kobe_platform.settings import Settings

    settings = Settings()
    observer = Observer(settings)
    due = {(step.unit, step.month): step for step in observer.plan().of("take_in")}
    return [
        _row(settings.root, delivery, due.get((delivery.source, delivery.month))) for delivery in observer.deliveries()
    ]


def _one(source: str, month: str) -> Delivery:
    from kobe_platform.intake.deliveries import find_one
    from kobe_platform.settings import Settings

    settings = Settings()
    delivery = find_one(settings.inbox, settings.municipality, source, month)
    if delivery is None:
        raise typer.BadParameter("there is no such delivery in the inbox", param_hint=f"{source} {month}")
    return delivery


def _row(home: Path, delivery: Delivery, due: Step | None) -> dict[str, str]:
    """``outcome`` is ``accepted``, ``rejected``, ``held``, or ``due`` with the plan's word on why it is."""
    from kobe_platform.planning.words import told
    from kobe_platform.reception.outcomes import receipt_status

    outcome = receipt_status(home, delivery)
    waiting = due if outcome not in ("rejected", "held") else None
    return {
        "month": delivery.month,
        "source": delivery.source,
        "content_hash": delivery.content_hash,
        "outcome": "due" if waiting is not None or outcome == "none" else outcome,
        "reason": told(waiting) if waiting is not None else reason(home, delivery, outcome),
    }


def reason(home: Path, delivery: Delivery, outcome: Outcome) -> str:
    """Why a delivery was rejected or is held, from its receipt: rule, coordinates and remedy in Japanese."""
    from kobe_platform.intake.receipts import receipt
    from kobe_platform.vocabulary.coordinates import place

    if outcome == "accepted" or outcome == "none" or (told := receipt(home, delivery, outcome)) is None:
        return ""
    error = told["error"]
    return f"[{error['code']}] {error['ja']}{place(error['at'])}"
