"""The command ``kobe pages``: starts a page, checks pages, shows them while they are written."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kobe_platform.lounge.commands import AsJson, reported
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from kobe_platform.lounge.checking import Checked
    from kobe_platform.lounge.workshop.assembling import PagePlan
    from kobe_platform.lounge.workshop.site import WorkshopSite

pages_app = typer.Typer(help="Pages (dashboards): write, check and see them.", no_args_is_help=True)

Sample = Annotated[
    bool, typer.Option("--sample", help="Made-up figures of every statistic instead of the release in force.")
]


@pages_app.command("check")
def check_pages(
    pages: Annotated[list[str] | None, typer.Argument(metavar="[PAGE]...", help="Tell of these pages alone.")] = None,
    as_json: AsJson = False,
    sample: Sample = False,
) -> None:
    """Tell everything that is wrong with any page, with file, line and what to do; exit 1 where something is.

    What may stay and is hardly meant (a value that no row has, a query without rows, a manual that is a draft) is told
    as 確認 and changes nothing about the exit code.
    """
    from kobe_platform.lounge.checking import check_folder
    from kobe_platform.lounge.database import ReleaseDatabase
    from kobe_platform.lounge.workshop.tables import kinds_of, tables_at_hand

    settings = Settings()
    with reported(), tables_at_hand(settings, sample=sample) as (tables, _, words), ReleaseDatabase(tables) as database:
        checked = check_folder(settings.dashboards, kinds_of(settings), database, pages or ()).of(pages or ())
    if as_json:
        told = [{**one.as_record(), "stops": one in checked.faults} for one in (*checked.faults, *checked.doubts)]
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _tell(checked, words)
    if checked.faults:
        raise typer.Exit(1)


def _tell(checked: Checked, words: str) -> None:
    from kobe_platform.lounge.explanations import explain, place

    for fault in (*checked.faults, *checked.doubts):
        remedy = f" – {fault.remedy}" if fault.remedy else ""
        mark = "" if fault in checked.faults else "（確認）"
        typer.echo(f"{place(fault)}: {mark}{explain(fault)}\n    [{fault.code}] {fault.message}{remedy}", err=True)
    faults = f"{len(checked.faults)} fault{'' if len(checked.faults) == 1 else 's'}"
    doubts = f", {len(checked.doubts)} to look at" if checked.doubts else ""
    typer.echo(f"{checked.pages} pages checked over {words}: {faults}{doubts}")


@pages_app.command("tables")
def list_tables(
    word: Annotated[str, typer.Argument(help="Only tables whose name, title or breakdowns hold this.")] = "",
) -> None:
    """The published tables that a page may show: name, title, unit, and what they are broken down by."""
    from kobe_platform.lounge.tables import read_index
    from kobe_platform.lounge.workshop.assembling import dimension_title
    from kobe_platform.lounge.workshop.tables import tables_at_hand

    with reported(), tables_at_hand(Settings()) as (tables, _, words):
        facts, _ = read_index(tables)
    shown = 0
    for name, one in sorted(facts.items()):
        by = "、".join(dimension_title(one, dimension) for dimension in one.dimensions)
        line = f"{name}  {one.title}（{one.unit or '単位なし'}）  {by or '内訳なし'}"
        if word in line:
            typer.echo(line)
            shown += 1
    typer.echo(f"{len(facts)}表のうち{shown}表（{words}）。次：kobe pages new --from 表名", err=True)


@pages_app.command("new")
def new_page(
    title: Annotated[str, typer.Argument(help="The page's title, in Japanese; that of the table with --from.")] = "",
    slug: Annotated[
        str, typer.Option(help="File name: small letters, digits and _. Made from the title if absent.")
    ] = "",
    owner: Annotated[str, typer.Option(help="Section that answers for the page; that of the table with --from.")] = "",
    application: Annotated[str, typer.Option(help="Number of the データ利用申請書.")] = "",
    gallery: Annotated[bool, typer.Option("--gallery", help="Begin with a sample of every component.")] = False,
    table: Annotated[str, typer.Option("--from", metavar="TABLE", help="Of this table (kobe pages tables).")] = "",
    area: Annotated[str, typer.Option(help="With --from: the area that the page opens with (code or name).")] = "",
    charts: Annotated[str, typer.Option(help="With --from: of value, line, bar, table.")] = "value line bar table",
) -> None:
    """Begin a page: writes pages/SLUG.md and manuals/SLUG.md, which pass every check as they are.

    A page over register data needs the number of its data-use application (--application); kobe pages check says so.
    """
    from kobe_platform.errors import ConfigurationError
    from kobe_platform.lounge.workshop.assembling import body_of, contents_of, manual_of
    from kobe_platform.lounge.workshop.new import write_new

    settings = Settings()
    given: dict[str, Any] = {}
    needs_application = False
    try:
        if table:
            plan = _plan(settings, table, area, charts.replace(",", " ").split())
            title = title or plan.table.title or table
            owner = owner or plan.table.owner
            given = {"body": body_of(plan), "contents": contents_of(plan), "manual": manual_of(plan)}
            needs_application = plan.is_protected and not application
        elif not title:
            raise typer.BadParameter("a page needs a title, or --from TABLE")
        written = write_new(
            settings.dashboards, title, slug, owner=owner or "所管課", application=application, today=date.today(),
            gallery=gallery, **given,
        )  # fmt: skip
    except ConfigurationError as error:
        typer.echo(f"{error.ja}\n  {error}", err=True)
        raise typer.Exit(2) from None
    for path in written:
        typer.echo(path)
    if needs_application:
        typer.echo(
            "公開には、データ利用申請書の番号が要ります。ページの application: に書きます（例 R7-0001）。", err=True
        )
    rest = "見て直し" if table else "書き"
    typer.echo(f"次：kobe pages serve で{rest}、kobe pages check {written[0].stem} で検査します。", err=True)


def _plan(settings: Settings, table: str, area: str, charts: list[str]) -> PagePlan:
    """What a page of a table is made of, by the tables at hand; one of no release yet by made-up figures of it."""
    import polars as pl

    from kobe_platform.lounge.tables import read_index
    from kobe_platform.lounge.workshop.assembling import planned
    from kobe_platform.lounge.workshop.tables import tables_at_hand

    for sample in (False, True):
        with tables_at_hand(settings, sample=sample) as (tables, _, _):
            facts, hierarchies = read_index(tables)
            dims = {name: pl.read_parquet(tables / f"dim_{name}.parquet") for name in hierarchies}
        if table in facts:
            break
    return planned(table, facts, dims, area=area, figures=charts)


@pages_app.command("serve")
def serve_pages(
    port: Annotated[int, typer.Option(help="TCP port.")] = 8010,
    audience: Annotated[str, typer.Option(help="Show only what this audience sees; every page if absent.")] = "",
    sample: Sample = False,
) -> None:
    """Show the pages while they are written: what is saved is there within two seconds, or what is wrong with it."""
    import tempfile

    from kobe_platform.lounge.database import ReleaseDatabase
    from kobe_platform.lounge.workshop.site import WorkshopSite
    from kobe_platform.lounge.workshop.tables import tables_at_hand

    settings = Settings()
    with (
        reported(),
        tables_at_hand(settings, sample=sample) as (tables, basis, words),
        ReleaseDatabase(tables, keep=True) as database,
        tempfile.TemporaryDirectory(prefix="kobe-pages-") as scratch,
    ):
        site = WorkshopSite(settings.dashboards, database, Path(scratch), basis, audience or None)
        started = time.monotonic()
        site.refresh()
        tell(site)
        typer.echo(f"http://127.0.0.1:{port}/  ({words}; {time.monotonic() - started:.1f} s; Ctrl-C ends it)")
        run(site, port)


def tell(site: WorkshopSite) -> None:
    """One line per fault in the terminal, or that all is well."""
    from kobe_platform.lounge.explanations import explain, place

    for fault in site.faults:
        typer.echo(f"{place(fault)}: {explain(fault)}", err=True)
    typer.echo(f"{len(site.faults)} faults" if site.faults else f"version {site.version} is up", err=True)


def run(site: WorkshopSite, port: int) -> None:
    """Serve and watch until interrupted."""
    import threading

    import uvicorn

    from kobe_platform.lounge.workshop.server import build_app, watch

    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(site, stop, tell), daemon=True)
    watcher.start()
    try:
        uvicorn.run(build_app(site), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
    finally:
        stop.set()
        watcher.join()
