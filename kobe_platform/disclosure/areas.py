"""The area rule: areas with too few households, men or women are merged into a neighbour before any cell is looked at.

Source: the city's own town tables, whose note says that small towns are merged (合算) with the one beside them; the
least number in them is 7 households, 7 men and 7 women (privacy.md §3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from kobe_platform.errors import DisclosureError

LEAST = 7
COUNTS = ("households", "male", "female")


def merge_small_areas(
    counts: pl.DataFrame,
    neighbours: Mapping[str, Sequence[str]],
    previous: Mapping[str, str] | None = None,
    *,
    least: int = LEAST,
) -> dict[str, str]:
    """Area → the area that it is shown with (itself where it is large enough), also named by one of its members.

    What was merged in ``previous`` stays merged, so that no month can be taken from another; then the smallest group
    that is still too small joins its smallest neighbouring group, until none is.

    Args:
        counts: ``area, households, male, female``, one row an area.
        neighbours: area → its neighbours, nearest first; one that is not in ``counts`` is ignored.
        previous: last month's result; areas that are gone are ignored, new ones start alone.
        least: fewest households, men and women that an area may have (an area with nobody at all counts as small too:
            merging it costs nothing, and it may fill up by ones).

    Returns:
        One entry an area; a group is named by its area with the most households (of ``previous`` where that holds on).

    Raises:
        DisclosureError: an area stands twice, a count is negative or missing, or a small area has no neighbour left.
    """
    _check(counts)
    size = {row[0]: list(row[1:]) for row in counts.sort("area").select("area", *COUNTS).iter_rows()}
    leader = _earlier(size, previous or {})
    members: dict[str, list[str]] = {}
    for area, head in leader.items():
        members.setdefault(head, []).append(area)
    totals = {head: [sum(size[a][i] for a in group) for i in range(3)] for head, group in members.items()}
    while True:
        small = [head for head, total in totals.items() if min(total) < least]
        if not small:
            return dict(sorted(leader.items()))
        head = min(small, key=lambda h: (totals[h], h))
        beside = {leader[n] for a in members[head] for n in neighbours.get(a, ()) if n in leader} - {head}
        if not beside:
            raise DisclosureError(
                "an area is too small and has no neighbour to be merged with",
                code="disclosure.area",
                at={"area": head, "members": len(members[head])},
                remedy="name a neighbour for it",
            )
        target = min(beside, key=lambda h: (totals[h], h))
        if not (previous and target in previous.values()) and totals[head][0] > totals[target][0]:
            head, target = target, head
        for area in members[head]:
            leader[area] = target
        members[target] += members.pop(head)
        totals[target] = [a + b for a, b in zip(totals[target], totals.pop(head), strict=True)]


def _earlier(size: Mapping[str, list[int]], previous: Mapping[str, str]) -> dict[str, str]:
    """Groups of last month over the areas that still are, named as they were where that area still is."""
    groups: dict[str, list[str]] = {}
    for area in size:
        groups.setdefault(previous.get(area, area), []).append(area)
    leader = {}
    for name, group in groups.items():
        head = name if name in group else max(group, key=lambda a: (size[a][0], a))
        leader.update(dict.fromkeys(group, head))
    return leader


def _check(counts: pl.DataFrame) -> None:
    missing = [c for c in ("area", *COUNTS) if c not in counts.columns]
    if missing:
        raise _error("the counts of areas lack a column", column=missing[0])
    if counts["area"].n_unique() != counts.height:
        raise _error("an area stands twice", rows=counts.height)
    for column in COUNTS:
        if counts[column].null_count() or (counts[column] < 0).any():
            raise _error("a count of an area is missing or negative", column=column)


def _error(message: str, **at: str | int) -> DisclosureError:
    return DisclosureError(message, code="disclosure.area", at=at, remedy="give area, households, male, female")
