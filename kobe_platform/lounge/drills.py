"""Opens places of a chart in place: ``drill=COLUMN`` names the column that says what each row stands under.

The chart shows the rows under one place at a time, first those under the top; a place that rows stand under can be
opened. Every figure shown is a row of the query: nothing is added up, and what is hidden stays hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.binding import Bound, words

if TYPE_CHECKING:
    import polars as pl

Fail = Callable[[str, str, str, int], LoungeError]


@dataclass(frozen=True)
class Drill:
    """Places that can be opened.

    Attributes:
        name: of the choice in the address and in slices: ``c5.in``.
        root: the place whose rows are shown first.
        up: place that can be opened → the one above it.
    """

    name: str
    root: str
    up: Mapping[str, str]

    @property
    def places(self) -> frozenset[str]:
        """All whose rows can be shown."""
        return frozenset({self.root, *self.up})

    def as_spec(self) -> dict[str, Any]:
        """What the browser must know."""
        return {"name": self.name, "root": self.root, "up": dict(self.up)}


def place_column(bound: Bound) -> str:
    """The column that names the places: ``x``, or the first of a table."""
    return bound["x"] or words(bound["columns"])[0]


def drill_of(bound: Bound, frame: pl.DataFrame, identity: str, fail: Fail) -> tuple[Drill, pl.DataFrame]:
    """The places of a chart that can be opened, and its rows with a column of that choice.

    Args:
        frame: the query's rows; those under nothing are left out.
        identity: the component's id in the page.

    Raises:
        LoungeError: a table without ``columns``, or a place that no row names or that stands under itself
            (coordinates: line).
    """
    import polars as pl

    name = f"{identity}.in"
    if not bound["x"] and not bound["columns"]:
        raise fail("attribute", f"<{bound.name}> lacks columns", "add columns=…", bound.tag.line)
    above = pl.col(bound["drill"]).cast(pl.String)
    kept = frame.filter(above.is_not_null()).with_columns(above.alias(name))
    if not kept.height:
        return Drill(name, "", {}), kept
    root = kept[name][0]
    pairs = kept.select(pl.col(place_column(bound)).cast(pl.String), name).unique(maintain_order=True).rows()
    over = {place: parent for place, parent in pairs if place != parent}
    opened = [place for place in dict.fromkeys(kept[name].to_list()) if place != root]
    for place in opened:
        if not _reaches(place, root, over):
            message = f"drill of <{bound.name}> names {place}, which does not stand under {root}"
            remedy = f"give a row whose {place_column(bound)} is {place}, and let the first row stand under the top"
            raise fail("drill", message, remedy, bound.tag.line)
    return Drill(name, root, {place: over[place] for place in opened}), kept


def _reaches(place: str, root: str, over: Mapping[str, str]) -> bool:
    """Whether the places above lead to the top."""
    seen = set()
    while place != root and place in over and place not in seen:
        seen.add(place)
        place = over[place]
    return place == root
