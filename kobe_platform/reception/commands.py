"""`kobe deliveries …`: what lies in the inbox, what became of it, and an operator's word on what is held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    contracts, found = _inbox()
    rows = [_row(delivery, contracts) for delivery in found]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("月 month", "データ source", "結果 outcome", "理由 reason")
    for row in rows:
        table.add_row(row["month"], row["source"], row["outcome"], row["reason"].replace("[", r"\["))
    Console().print(table)


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
    from kobe_platform.deliveries import receipts
    from kobe_platform.settings import Settings

    delivery = _one(source, month)
    path = receipts(Settings().root, delivery) / f"{delivery.content_hash[:12]}.rejected.json"
    if not path.exists():
        raise typer.BadParameter("this delivery was not rejected", param_hint=f"{source} {month}")
    path.rename(path.with_suffix(".former"))
    typer.echo(f"{source} {month} will be tried again by `kobe run`")


def _inbox() -> tuple[Mapping[str, Contract], list[Delivery]]:
    from kobe_platform.contracts import load_contracts
    from kobe_platform.deliveries import find
    from kobe_platform.settings import Settings

    settings = Settings()
    contracts = load_contracts(settings.contracts)
    return contracts, find(settings.inbox, contracts, settings.municipality)


def _one(source: str, month: str) -> Delivery:
    for delivery in _inbox()[1]:
        if (delivery.source, delivery.month) == (source, month):
            return delivery
    raise typer.BadParameter("there is no such delivery in the inbox", param_hint=f"{source} {month}")


def _row(delivery: Delivery, contracts: Mapping[str, Contract]) -> dict[str, str]:
    from kobe_platform.clock import today
    from kobe_platform.reception.queue import receipt_status
    from kobe_platform.settings import Settings

    home = Settings().root
    outcome = receipt_status(home, delivery)
    lapsed = outcome == "none" and not contracts[delivery.source].legal.holds(today())
    return {
        "month": delivery.month,
        "source": delivery.source,
        "content_hash": delivery.content_hash,
        "outcome": "due" if outcome == "none" else outcome,
        "reason": LAPSED if lapsed else reason(home, delivery, outcome),
    }


def reason(home, delivery: Delivery, outcome: str) -> str:
    """Why a delivery was rejected or is held, from its receipt: rule, coordinates and remedy in Japanese."""
    from kobe_platform.deliveries import receipts

    path = receipts(home, delivery) / f"{delivery.content_hash[:12]}.{outcome}.json"
    if outcome not in ("rejected", "held") or not path.exists():
        return ""
    error = json.loads(path.read_text("utf-8"))["error"]
    where = ", ".join(f"{name} {value}" for name, value in error["at"].items() if name not in ("delivery", "rule"))
    return f"[{error['code']}] {error['ja']}" + (f"({where})" if where else "")
