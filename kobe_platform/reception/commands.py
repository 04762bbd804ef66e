"""`kobe deliveries …`: what lies in the inbox, what became of it, and an operator's word on what is held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from kobe_platform.contracts import Contract
    from kobe_platform.deliveries import Delivery

deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries and their receipts.", add_completion=False)

Source = Annotated[str, typer.Argument(help="The source, as its folder is named.")]
Month = Annotated[str, typer.Argument(help="The month, YYYY-MM.")]
LAPSED = "[contract.lapsed] このデータの法的根拠の期間外です"
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
    from kobe_platform.deliveries import approve as record
    from kobe_platform.reception.queue import receipt_status
    from kobe_platform.settings import Settings

    settings, delivery = Settings(), _one(source, month)
    if receipt_status(settings.root, delivery) != "held":
        raise typer.BadParameter("this delivery is not held", param_hint=f"{source} {month}")
    record(settings.root, delivery, settings.principal)
    typer.echo(f"approved {source} {month} {delivery.content_hash[:12]}; run `kobe run`")


@deliveries_app.command()
def retry(source: Source, month: Month) -> None:
    """Let a rejected delivery be tried once more, after its contract was corrected; the receipt is kept aside."""
    from kobe_platform.custody.durable import sync_folder
    from kobe_platform.deliveries import receipt, receipts
    from kobe_platform.settings import Settings

    home, delivery = Settings().root, _one(source, month)
    if receipt(home, delivery, "rejected") is None:
        raise typer.BadParameter("this delivery was not rejected", param_hint=f"{source} {month}")
    path = receipts(home, delivery) / f"{delivery.content_hash[:12]}.rejected.json"
    path.rename(path.with_suffix(".former"))
    sync_folder(path.parent)
    typer.echo(f"{source} {month} will be tried again by `kobe run`")


def _rows() -> list[dict[str, str]]:
    from kobe_platform.clock import today
    from kobe_platform.contracts import load_contracts
    from kobe_platform.deliveries import find
    from kobe_platform.settings import Settings

    settings, day = Settings(), today()
    contracts = load_contracts(settings.contracts)
    found = find(settings.inbox, contracts, settings.municipality)
    return [_row(settings.root, delivery, contracts, day) for delivery in found]


def _one(source: str, month: str) -> Delivery:
    from kobe_platform.deliveries import find_one
    from kobe_platform.settings import Settings

    settings = Settings()
    delivery = find_one(settings.inbox, settings.municipality, source, month)
    if delivery is None:
        raise typer.BadParameter("there is no such delivery in the inbox", param_hint=f"{source} {month}")
    return delivery


def _row(home: Path, delivery: Delivery, contracts: Mapping[str, Contract], day: date) -> dict[str, str]:
    from kobe_platform.reception.queue import receipt_status

    outcome = receipt_status(home, delivery)
    lapsed = outcome == "none" and not contracts[delivery.source].legal.holds(day)
    return {
        "month": delivery.month,
        "source": delivery.source,
        "content_hash": delivery.content_hash,
        "outcome": "due" if outcome == "none" else outcome,
        "reason": LAPSED if lapsed else reason(home, delivery, outcome),
    }


def reason(home: Path, delivery: Delivery, outcome: str) -> str:
    """Why a delivery was rejected or is held, from its receipt: rule, coordinates and remedy in Japanese."""
    from kobe_platform.deliveries import receipt

    if outcome not in ("rejected", "held") or (told := receipt(home, delivery, outcome)) is None:
        return ""
    error = told["error"]
    where = ", ".join(f"{name} {value}" for name, value in error["at"].items() if name not in ("delivery", "rule"))
    return f"[{error['code']}] {error['ja']}" + (f"({where})" if where else "")
