"""Draws Download: buttons for a query's rows, for a chart of the page, or for the page on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.binding import Bound, Fail, words
from kobe_platform.lounge.components import COMPONENTS

CSV, PNG, PRINT = "csv", "png", "print"
CHARTLESS = ("BigValue", "DataTable", "Heatmap", "Map")
"""What has a table to save and no picture."""
_OFFERED: Mapping[str, Sequence[str]] = {"data": (CSV,), "chart": (CSV, PNG), "page": (PRINT,)}


def download_fault(bound: Bound, page: Sequence[Bound], fail: Fail) -> LoungeError | None:
    """What is wrong with a Download; None where nothing is.

    Args:
        page: every component of the page; a chart is named by its title.
        fail: makes the page's error from code, message, remedy and line.
    """
    line = bound.tag.line
    kinds = [kind for kind in _OFFERED if bound[kind]]
    if len(kinds) != 1:
        return fail("download", "<Download> names not one thing", "write one of data={…}, chart=…, page", line)
    kind = kinds[0]
    if kind == "data" and not bound["title"]:
        return fail("attribute", "<Download> lacks title", "add title=…", line)
    strange = [word for word in words(bound["as"]) if word not in _OFFERED[kind]]
    if strange:
        message = f"as of <Download> is not as it must be: {strange[0]}"
        return fail("attribute", message, f"there are: {', '.join(_OFFERED[kind])}", line)
    return _chart_fault(bound, page, fail) if kind == "chart" else None


def _chart_fault(bound: Bound, page: Sequence[Bound], fail: Fail) -> LoungeError | None:
    drawn = [one for one in page if COMPONENTS[one.name].draws and one.name != "BigValue"]
    named = [one for one in drawn if one["title"] == bound["chart"]]
    if len(named) != 1:
        how = "names no" if not named else "names more than one"
        titles = ", ".join(one["title"] for one in drawn)
        message = f"<Download> {how} chart or table of this page: {bound['chart']}"
        return fail("download", message, f"there are: {titles}", bound.tag.line)
    if PNG in words(bound["as"]) and named[0].name in CHARTLESS:
        return fail("attribute", "as of <Download> is not as it must be: png", "there are: csv", bound.tag.line)
    return None


def download_html(bound: Bound) -> str:
    """Where the browser puts the buttons of a chart or of the page; without JavaScript nothing stands there."""
    kind = "chart" if bound["chart"] else "page"
    asked = words(bound["as"]) or list(_OFFERED[kind])
    return (
        f'<p class="lounge-download" data-{kind}="{escape(bound[kind])}" data-as="{" ".join(asked)}" '
        f'data-label="{escape(bound["title"])}"></p>'
    )
