"""The commands ``kobe site``, ``kobe release`` and ``kobe serve``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.errors import PlatformError
from kobe_platform.governance.approvals import REASONS
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from kobe_platform.lounge.sharing import SharedReleases

site_app = typer.Typer(help="Sites of the data lounge.", no_args_is_help=True)
release_app = typer.Typer(help="Releases: what is published, and the way back.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Report as JSON.")]


@contextmanager
def reported() -> Iterator[None]:
    """A platform error as one readable line and exit code 1."""
    try:
        yield
    except PlatformError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@release_app.command("list")
def list_releases(as_json: AsJson = False) -> None:
    """List releases, oldest first; * marks the one in force."""
    from kobe_platform.lounge.release import current, releases_of

    releases = Settings().releases
    now = current(releases)
    known = releases_of(releases)
    if as_json:
        rows = [
            {"id": r.id, "created_at": r.created_at, "current": bool(now and r.id == now.id), "pruned_at": r.pruned_at}
            for r in known
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for release in known:
        mark = "*" if now and release.id == now.id else " "
        rest = f"  pruned {release.pruned_at[:10]}" if release.pruned_at else ""
        told = f"{len(release.tables)} tables  {len(release.pages)} pages"
        typer.echo(f"{mark} {release.id}  {release.created_at}  {told}{rest}")
    if not known:
        typer.echo("no release yet")


@release_app.command("show")
def show_release(
    release_id: Annotated[str, typer.Argument(help="Default: the one in force.")] = "", as_json: AsJson = False
) -> None:
    """Show one release: tables with counts, sites, and whether its files are as they were written."""
    from kobe_platform.errors import LoungeError
    from kobe_platform.lounge.release import current, releases_of, verify

    releases = Settings().releases
    with reported():
        found = [r for r in releases_of(releases) if r.id == release_id] if release_id else [current(releases)]
        if not found or found[0] is None:
            raise LoungeError("there is no such release", code="release.unknown", remedy="kobe release list")
    release = found[0]
    strange = verify(release)
    if as_json:
        record = json.loads((release.path / "release.json").read_text(encoding="utf-8"))
        typer.echo(json.dumps({**record, "changed_files": strange}, ensure_ascii=False, indent=1))
    else:
        typer.echo(f"{release.id}  {release.created_at}")
        for name, told in release.tables.items():
            first, last = told["periods"]
            typer.echo(f"  {name:34} {first}–{last}  {told['rows']:>8,} cells  {told['suppressed']:>6,} suppressed")
        for site, pages in release.sites.items():
            typer.echo(f"  site {site}: {', '.join(pages)}")
        typer.echo(f"  files: {len(release.files)}, changed since: {len(strange)}")
    if strange:
        raise typer.Exit(1)


@release_app.command("rollback")
def roll_back(release_id: Annotated[str, typer.Argument(help="Default: the one before the current.")] = "") -> None:
    """Put a former release in force again."""
    from kobe_platform.lounge.release import rollback

    settings = Settings()
    with reported():
        release = rollback(settings.releases, release_id or None, _shared(settings))
    typer.echo(f"{release.id} is in force")


@release_app.command("prune")
def prune_releases(
    keep: Annotated[int | None, typer.Option(help="Releases that stay whole. Default: KOBE_KEEP_RELEASES.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take away the pages and tables of old releases; their records, and newer releases than the one in force, stay."""
    from kobe_platform.lounge.pruning import prune

    settings = Settings()
    keep = settings.keep_releases if keep is None else keep
    if keep is None:
        raise typer.BadParameter("say how many stay, or set KOBE_KEEP_RELEASES", param_hint="--keep")
    with reported():
        pruned = prune(settings.releases, keep, shared=_shared(settings))
    lines = [*(f"{name} pruned" for name in pruned), f"{len(pruned)} releases pruned"]
    typer.echo(json.dumps({"pruned": pruned}) if as_json else "\n".join(lines))


@site_app.callback()
def site() -> None:
    """Sites of the data lounge."""


@site_app.command("build")
def build_sites() -> None:
    """Build the pages again over the tables of the release in force (after a change of pages or theme)."""
    from kobe_platform.lounge.release import rebuild

    settings = Settings()
    with reported():
        held_back = _withheld(settings)
        release = rebuild(
            settings.dashboards,
            settings.releases,
            withheld=held_back,
            progress=lambda step: typer.echo(f"… {step}", err=True),
            shared=_shared(settings),
        )
    typer.echo(f"{release.id} {'made' if release.made else 'unchanged'}: {', '.join(release.pages)}")
    for slug, reason in held_back.items():
        typer.echo(f"  left out: {slug} ({REASONS[reason]})")


def _shared(settings: Settings) -> SharedReleases | None:
    from kobe_platform.lounge.sharing import shared_releases

    return shared_releases(settings.store_url, settings.releases)


def _withheld(settings: Settings) -> dict[str, str]:
    """Pages without a live approval, for the tables of the release in force."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.governance.database import open_database
    from kobe_platform.lounge.pages import load_pages
    from kobe_platform.lounge.release import current
    from kobe_platform.published import load_published
    from kobe_platform.release.collect import withheld_pages
    from kobe_platform.trials import Trials
    from kobe_platform.vocabulary.clock import today

    release = current(settings.releases)
    return withheld_pages(
        open_database(settings.governance),
        load_pages(settings.dashboards),
        load_published(
            settings.statistics, settings.forecast_files, trials=Trials(settings.trials), unusual=settings.watch_files
        ),
        load_contracts(settings.contracts),
        str(release.facts["basis"]) if release else "register",
        today(),
    )
