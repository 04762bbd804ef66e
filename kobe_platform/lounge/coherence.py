"""Checks that the tags of a page fit together: names, nesting, parent dropdowns, titles of charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kobe_platform.lounge.binding import Bound, bind
from kobe_platform.lounge.downloads import download_fault
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.filters import FILTERS
from kobe_platform.lounge.guides import check_nesting
from kobe_platform.lounge.pages import Page
from kobe_platform.lounge.tags import Tag, walk

if TYPE_CHECKING:
    import polars as pl


def check_page(page: Page, results: Mapping[str, pl.DataFrame] | None = None, faults: Faults | None = None) -> None:
    """Check a page's tags as far as that goes without drawing them.

    Args:
        results: query → rows, to check columns as well; may lack queries that failed.
        faults: collects what is wrong; without it the first fault is raised.

    Raises:
        LoungeError: an unknown attribute, query, filter or column.
    """
    bind_page(page, results, faults or Faults())


def bind_page(page: Page, results: Mapping[str, pl.DataFrame] | None, faults: Faults) -> dict[int, Bound]:
    """Every tag of a page by its ``id``, bound and checked; arguments as in :func:`check_page`."""
    tags = [node for node in walk(page.nodes) if isinstance(node, Tag)]
    named = [tag for tag in tags if tag.name in FILTERS]
    names = [tag.attributes.get("name", "") for tag in named]
    cutting = [tag.attributes.get("name", "") for tag in named if tag.name != "Range"]
    twice = next((tag for tag in tags if "name" in tag.attributes and names.count(tag.attributes["name"]) > 1), None)
    if twice:
        faults.add(page.error("filter", "two filters share a name", "rename one", twice.line))
    check_nesting(page.nodes, page.error, faults)
    queries = [*(query.name for query in page.queries), *page.broken]
    units = page.meta.units
    bounds = {
        id(tag): bind(tag, page.error, queries=queries, filters=cutting, units=units, results=results, faults=faults)
        for tag in tags
    }
    _check_together(page, list(bounds.values()), faults)
    return bounds


def _check_together(page: Page, bounds: list[Bound], faults: Faults) -> None:
    """What one component asks of others: an upper Dropdown above it, a chart of that title."""
    above: list[str] = []
    for bound in bounds:
        if bound.name == "Dropdown" and bound["parent"] and bound["parent"] not in above:
            message = f"the upper Dropdown {bound['parent']} does not stand above {bound['name']}"
            faults.add(page.error("cascade", message, f"there are: {', '.join(above) or 'none'}", bound.tag.line))
        if bound.name == "Dropdown":
            above.append(bound["name"])
        fault = download_fault(bound, bounds, page.error) if bound.name == "Download" else None
        if fault:
            faults.add(fault)
