"""Checks the ways in which readers may look at a chart: ``views="index year"`` of lines, ``"year rank"`` of bars.

The browser works each out from the published figures that the chart shows (``comparing.js``): an index over the first
period shown, the change on the same period of the year before, places in order of size. What a hidden figure goes into
is hidden itself, so a view says no more than the rows do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.binding import Bound, words
from kobe_platform.lounge.formats import is_period

if TYPE_CHECKING:
    import polars as pl

Fail = Callable[[str, str, str, int], LoungeError]
INDEX, YEAR, RANK = "index", "year", "rank"


def check_views(chart: Bound, frame: pl.DataFrame, fail: Fail) -> None:
    """That the views asked for fit the chart.

    Raises:
        LoungeError: views of a stack or beside a band, an index or a change over groups, or an order of periods
            (coordinates: line).
    """
    asked = words(chart["views"])
    if asked and (chart["stacked"] or chart["normalize"] or chart["lower"]):
        remedy = "take stacked, normalize or lower and upper out, or views"
        raise fail("views", f"<{chart.name}> has views and is a stack or has a band", remedy, chart.tag.line)
    periods = all(is_period(str(place)) for place in frame[chart["x"]].unique()) if asked else True
    for view in asked:
        if frame.height and (view == RANK) == periods:
            over = "groups, which periods are not" if view == RANK else "periods"
            message = f"views={view} is for {over}: column {chart['x']}"
            remedy = "take it out" if view == RANK else "take it out, or let x be a column of periods (2025, 2025-07)"
            raise fail("views", message, remedy, chart.tag.line)
