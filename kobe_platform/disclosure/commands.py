"""The commands ``kobe protect`` and ``kobe audit``, which protect and audit plain CSV tables.

Exit codes: 0 done and safe; 1 a cell cannot be protected, or the audit refuses; 2 the input or its specification is
not what it must be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    import polars as pl

    from kobe_platform.disclosure.auditor import AuditReport
    from kobe_platform.disclosure.previous_release import FormerRelease
    from kobe_platform.disclosure.reports import ProtectionReport
    from kobe_platform.disclosure.spec import Spec
    from kobe_platform.errors import DisclosureError

    Progress = Callable[[str, int, int], None]

REFUSED, UNUSABLE = 1, 2
_REFUSALS = tuple(f"disclosure.{why}" for why in ("unprotected", "fixed", "audit", "ring", "undecided"))

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC.toml", help="Rules, dimensions, tables (docs/disclosure.md).")]
PreviousDirs = Annotated[
    list[Path] | None,
    typer.Option("--previous", help="Earlier release of the same date (repeat, oldest first): the attacker has it."),
]
Json = Annotated[bool, typer.Option("--json", help="Report as JSON on standard output.")]


def protect(
    spec_file: SpecFile,
    cells_dir: Annotated[Path, typer.Argument(metavar="CELLS_DIR", help="TABLE.csv of finest cells.")],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Where the published TABLE.csv files go.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes for populations that nothing ties together.")] = 1,
    hidden_dir: Annotated[
        Path | None, typer.Option("--hidden", help="Former release of the same date: what it hides stays hidden.")
    ] = None,
    start_dir: Annotated[
        Path | None, typer.Option("--start", help="Last month's release: its pattern is preferred, its merging kept.")
    ] = None,
    sensitive_dir: Annotated[
        Path | None, typer.Option("--sensitive", help="TABLE.csv of rows that are sensitive whatever their count.")
    ] = None,
    wishes_dir: Annotated[
        Path | None, typer.Option("--wishes", help="TABLE.csv of rows to hide, to keep shown or to hide before others.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key", help="Secret of the cell-key method: a file of 32 random bytes or more.")
    ] = None,
    previous: PreviousDirs = None,
    as_json: Json = False,
) -> None:
    """Protect all tables together, each by its method, audit the result, and write it only if it is safe."""
    from kobe_platform.disclosure.files import (
        read_cells,
        read_coarsening,
        read_previous,
        read_rows,
        read_wishes,
        write_published,
    )
    from kobe_platform.disclosure.methods.cell_key import read_secret
    from kobe_platform.disclosure.protection import protect as run
    from kobe_platform.disclosure.spec import Spec
    from kobe_platform.errors import DisclosureError

    try:
        spec = Spec.load(spec_file)
        cells = read_cells(spec, cells_dir)
        hidden, start = _former(spec, hidden_dir), _former(spec, start_dir)
        sensitive = read_rows(spec, sensitive_dir) if sensitive_dir else None
        wishes = read_wishes(spec, wishes_dir) if wishes_dir else None
        secret = read_secret(key_file) if key_file else None
        coarsening = {
            table: choice
            for former in (start_dir, hidden_dir)
            if former
            for table, choice in read_coarsening(former).items()
        }
        earlier = read_previous(spec, previous or ())
        with _progress() as show:
            protected = run(
                spec, cells, hidden=hidden, start=start, sensitive=sensitive, wishes=wishes, secret=secret,
                coarsening=coarsening, previous=earlier, workers=workers, progress=show,
            )  # fmt: skip
            verdict = _audited(protected.spec, protected.tables, earlier, cells, show)
        record = protected.report.published_record() | {"audit": verdict.published_record()}
        record |= {"coarsening": dict(protected.coarsening)}
        write_published(protected.tables, record, out_dir)
    except DisclosureError as error:
        _fail(error, as_json)
    else:
        _report_protection(protected.report, verdict, as_json)


def audit(
    spec_file: SpecFile,
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Published TABLE.csv files.")],
    previous: PreviousDirs = None,
    cells_dir: Annotated[
        Path | None, typer.Option("--cells", help="The finest cells of magnitudes: contributors attack too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Attack published tables: exit 1 when a hidden cell is not open, or anything stays undecided."""
    from kobe_platform.disclosure.auditor import audit as run
    from kobe_platform.disclosure.files import read_cells, read_coarsening, read_previous, read_release
    from kobe_platform.disclosure.methods.coarsening import coarsened_spec
    from kobe_platform.disclosure.spec import Spec
    from kobe_platform.errors import DisclosureError

    try:
        spec = Spec.load(spec_file)
        if any(table.coarsen for table in spec.tables):
            spec = coarsened_spec(spec, read_coarsening(out_dir))
        tables, earlier = read_release(spec, out_dir), read_previous(spec, previous or ())
        magnitudes = [table for table in spec.tables if table.magnitude]
        cells = read_cells(spec.model_copy(update={"tables": tuple(magnitudes)}), cells_dir) if cells_dir else None
        with _progress() as show:
            verdict = run(spec, tables, previous=earlier, contributions=cells, progress=show)
    except DisclosureError as error:
        _fail(error, as_json)
    else:
        _report_audit(verdict, as_json)
        if not verdict.publishable:
            raise typer.Exit(REFUSED)


def _former(spec: Spec, folder: Path | None) -> dict[str, pl.DataFrame] | None:
    """Published tables of a former release; tables that it does not have yet are left out."""
    from kobe_platform.disclosure.files import read_published

    if folder is None:
        return None
    names = [table.name for table in spec.tables if (folder / f"{table.name}.csv").exists()]
    return read_published(names, {table.name: table.dimensions for table in spec.tables}, folder)


def _audited(
    spec: Spec,
    tables: Mapping[str, pl.DataFrame],
    previous: Sequence[FormerRelease | Mapping[str, pl.DataFrame]],
    cells: Mapping[str, pl.DataFrame],
    show: Progress,
) -> AuditReport:
    """The verdict on what was just protected; a refusal is raised."""
    from kobe_platform.disclosure.auditor import audit as run

    # Means are published by others, from the counts; `kobe audit` reads them where they lie beside these tables.
    without = spec.model_copy(update={"means": ()})
    verdict = run(without, tables, previous=previous, contributions=cells, progress=show)
    if not verdict.publishable:
        raise verdict.refusal(verdict.findings[0].coordinates)
    return verdict


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress line on standard error, where that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("reading") as status:
        yield lambda stage, done, of: status.update(f"{stage}: {done:,} of {of:,}")


def _fail(error: DisclosureError, as_json: bool) -> NoReturn:
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps({"safe": False, "error": error.as_record()}, ensure_ascii=False))
    Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
    raise typer.Exit(REFUSED if error.code in _REFUSALS else UNUSABLE) from None


def _report_protection(report: ProtectionReport, verdict: AuditReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**report.as_record(), "audit": verdict.as_record()}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("table", "method", "k", "width", "cells", "suppressed", "finest cells shown", "count shown")
    for row in report.tables:
        numbers = (row.minimum_frequency, row.interval_width, f"{row.cells:,}", f"{row.suppressed:,}")
        shares = (f"{row.share_published:.1%}", f"{row.share_shown:.2%}")
        table.add_row(row.table, row.method, *map(str, numbers), *shares)
    console = Console()
    console.print(table)
    for row in report.tables:
        if row.kept_in_vain:
            console.print(f"{row.table}: {row.kept_in_vain:,} rows that were to stay shown had to be hidden")
    console.print(f"protected in {report.seconds:.1f} s, audited as safe in {verdict.seconds:.1f} s")
    for line in _exposed(verdict):
        console.print(line)


def _report_audit(verdict: AuditReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(verdict.as_record(), ensure_ascii=False))
        return
    more = len(verdict.findings[50:])
    for finding in verdict.findings[:50]:
        where = ", ".join(f"{column} {code}" for column, code in finding.coordinates.items())
        typer.echo(f"{finding.rule}: {finding.table} ({where}): {finding.message}")
    if more:
        typer.echo(f"… and {more:,} more (--json has them all)")
    for line in _exposed(verdict):
        typer.echo(line)
    word = "safe" if verdict.publishable else f"NOT safe, {len(verdict.findings):,} findings"
    typer.echo(f"{word}: {verdict.counts['hidden']:,} hidden cells audited in {verdict.seconds:.1f} s")


def _exposed(verdict: AuditReport) -> list[str]:
    """A line for each table of which former releases alone give cells away."""
    told = "former releases alone give them away, and these tables no more of them (--json names them)"
    return [f"exposed: {table}: {cells:,} cells: {told}" for table, cells in verdict.exposed_by_table.items()]
