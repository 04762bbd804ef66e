"""所管課の対応: the listed changes of the newest months, and what their sections say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.errors import GovernanceError, LoungeError
from kobe_platform.governance.people import Person, names
from kobe_platform.governance.responses import Change, SectionResponse, respond, responses
from kobe_platform.governance.schema import RESPONSES
from kobe_platform.lounge.pages import readable_pages
from kobe_platform.lounge.release import current
from kobe_platform.lounge.tables import read_index
from kobe_platform.lounge.unusual import page_of
from kobe_platform.unusual.tables import (
    ACTUAL,
    APART,
    AREA,
    EXPECTED,
    FIGURE,
    LOWER,
    NAMES,
    RANK,
    SERIES,
    UPPER,
    USUAL_RANGES,
)
from kobe_platform.web.sites import site_of
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page, refusal

SHOWN = 12
"""Months that are listed, counted back from the newest."""
NOT_SEEN = "「いつもと違う動き」は、この利用者には公開されていません。"


@dataclass(frozen=True)
class ListedChange:
    """A listed figure in words, with what was said of it.

    Attributes:
        change: its month, series and area as codes.
        usual: expected, lower and upper.
        owner: section that answers for it.
        said: the newest first.
    """

    change: Change
    title: str
    actual: int
    usual: tuple[int, int, int]
    owner: str
    said: tuple[SectionResponse, ...]


async def responses_page(request: Request) -> Response:
    """The listed changes, with a form at each that the reader's section answers for."""
    return await _shown(request)


async def responses_save(request: Request) -> Response:
    """Keep what a section says of a change."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    change = tuple(str(form.get(name, "")) for name in ("month", "series", "area"))
    listed = await run_in_threadpool(_listed, portal, person)
    found = next((one for one in listed or () if one.change == change), None)
    if found is None:
        return refusal(request, "その月・系列の動きはありません。", 404)
    told = (portal.database, person, found.change, found.owner, str(form.get("state", "")), str(form.get("note", "")))
    try:
        await run_in_threadpool(respond, *told)
    except GovernanceError as error:
        return await _shown(request, message=error.ja, status=403 if error.code == "response.section" else 422)
    return RedirectResponse("/responses", status_code=303)


async def _shown(request: Request, *, message: str = "", status: int = 200) -> Response:
    portal: Portal = request.app.state.portal
    listed = await run_in_threadpool(_listed, portal, request.state.session.person)
    if listed is None:
        return refusal(request, NOT_SEEN, 404)
    known = await run_in_threadpool(names, portal.database)
    months = list(dict.fromkeys(one.change[0] for one in listed))
    values = {"months": months, "listed": listed, "names": known, "kinds": RESPONSES, "message": message}
    return page(request, "responses.html", status=status, **values)


def _listed(portal: Portal, person: Person) -> list[ListedChange] | None:
    """The listed changes of the release in force, newest first; None where the reader does not see their page."""
    try:
        release = current(portal.settings.releases)
    except LoungeError:
        return None
    told = page_of(readable_pages(portal.settings.dashboards).values())
    site = site_of(release, person) if release else None
    if release is None or told is None or site is None or told.slug not in release.sites[site]:
        return None
    tables = release.path / "tables"
    facts = read_index(tables)[0].get(USUAL_RANGES)
    if facts is None:
        return []
    rows = pl.read_parquet(tables / f"{USUAL_RANGES}.parquet")
    labels = {name: _labels(tables / f"dim_{name}.parquet") for name in (NAMES, "ward")}
    return _changes(portal, rows, labels, facts.more.get("watches", {}))


def _changes(
    portal: Portal, rows: pl.DataFrame, labels: Mapping[str, Mapping[str, str]], owners: Mapping[str, str]
) -> list[ListedChange]:
    keys = ["period", SERIES, AREA]
    wide = {name: pl.col("value").filter(pl.col(FIGURE) == name).first() for name in _FIGURES}
    months = rows["period"].unique().sort(descending=True).head(SHOWN).to_list()
    kept = rows.filter(pl.col("period").is_in(months)).group_by(keys).agg(**wide).drop_nulls(RANK)
    said = responses(portal.database, months)
    found = []
    for row in kept.sort(["period", RANK], descending=[True, False]).iter_rows(named=True):
        change = (row["period"], row[SERIES], row[AREA])
        title = f"{labels['ward'].get(row[AREA], row[AREA])} {labels[NAMES].get(row[SERIES], row[SERIES])}"
        usual = (row[EXPECTED], row[LOWER], row[UPPER])
        owner = owners.get(row[SERIES].partition(APART)[0], "")
        found.append(ListedChange(change, title, row[ACTUAL], usual, owner, tuple(said.get(change, ()))))
    return found


_FIGURES = (ACTUAL, EXPECTED, LOWER, UPPER, RANK)


def _labels(path) -> dict[str, str]:
    rows = pl.read_parquet(path, columns=["code", "label"])
    return dict(zip(rows["code"], rows["label"], strict=True))
