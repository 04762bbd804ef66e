"""The commands ``kobe contracts check`` and ``kobe lake quality``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from kobe_platform.contracts import Contract
    from kobe_platform.lake import PartitionStore

contracts_app = typer.Typer(no_args_is_help=True, help="The contracts of the sources.", add_completion=False)


@contracts_app.callback()
def _family() -> None:
    """Keeps `check` a command of its own although it is the only one."""


@contracts_app.command()
def check() -> None:
    """Load every contract and run it over a few generated rows; exit 2 with file, line and reason where one cannot."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.quality.trial import try_contract
    from kobe_platform.settings import Settings

    contracts = load_contracts(Settings().contracts)
    for contract in contracts.values():
        try_contract(contract, contracts)
        typer.echo(f"{contract.name}: loads and runs")


def quality_report(store: PartitionStore, contract: Contract, month: str, *, second: bool) -> dict[str, Any]:
    """``validation`` and ``suite`` of a month of the lake in the form of Great Expectations.

    Args:
        second: let that library judge too; adds ``great_expectations``, its validation, and ``disagreements``.

    Raises:
        LakeError: there is no such partition (``lake.absent``), or its rows were destroyed.
    """
    from kobe_platform.lake import PartitionId
    from kobe_platform.quality.judging import names
    from kobe_platform.quality.partitions import validate_month
    from kobe_platform.quality.suite import as_suite

    judged = validate_month(store, contract, month)
    report = {
        "success": judged.validation["success"],
        "names": names(judged.expected),
        "suite": as_suite(contract.name, judged.expected),
        "validation": judged.validation,
    }
    if second:
        from kobe_platform.quality.second_opinion import disagreements, great_expectations

        frame = store.read(PartitionId("lake", contract.name, month))
        other = great_expectations(contract.name, judged.expected, frame)
        differing = list(disagreements(judged.expected, judged.validation, other))
        report |= {
            "success": report["success"] and not differing,
            "great_expectations": other,
            "disagreements": differing,
        }
    return report


def told(report: dict[str, Any]) -> str:
    """The report in lines: what was expected, and how many rows are otherwise."""
    lines = []
    for name, result in zip(report["names"], report["validation"]["results"], strict=True):
        lines.append(f"{'met' if result['success'] else 'NOT MET':8} {name}{_rows(result)}")
    statistics = report["validation"]["statistics"]
    lines.append(f"{statistics['successful_expectations']} of {statistics['evaluated_expectations']} expectations met")
    if "disagreements" in report:
        differing = report["disagreements"]
        agreed = "Great Expectations says the same of all" if not differing else "Great Expectations differs on: "
        lines.append(agreed + ", ".join(differing))
    return "\n".join(lines)


def _rows(result: dict[str, Any]) -> str:
    counts = result["result"]
    if message := result["exception_info"]["exception_message"]:
        return f"  ({message})"
    if not counts.get("unexpected_count"):
        return ""
    return f"  ({counts['unexpected_count']:,} of {counts['element_count']:,} rows)"
