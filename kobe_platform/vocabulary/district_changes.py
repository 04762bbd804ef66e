"""Finds which school districts became which, and when, by comparing the dated reference tables town by town.

A series by district ends where its district does: the tables count each person once, in the district of that month. So
readers are told what changed in the months that a chart shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kobe_platform.vocabulary.codes import in_force

Towns = Mapping[tuple[str, str], str]
"""Town and first lot number → district code."""


@dataclass(frozen=True)
class DistrictChange:
    """Districts that ended and what their towns belong to since, or one that was cut out of others.

    Attributes:
        month: first month (YYYY-MM) of the new state.
        former, now: names; ``former`` still exist where ``is_part``; ``now`` is empty where no town is left.
    """

    month: str
    former: tuple[str, ...]
    now: tuple[str, ...]
    is_part: bool = False

    @property
    def ja(self) -> str:
        """In words, without the month."""
        before, after = "・".join(self.former), "・".join(self.now)
        if self.is_part:
            return f"{before}の一部から{after}ができました" if before else f"{after}ができました"
        return f"{before}は{after}に変わりました" if after else f"{before}はなくなりました"


def district_changes(references: Sequence[tuple[str, pl.DataFrame]]) -> list[DistrictChange]:
    """Changes of districts, oldest first; a district that only changed its name under the same code is none.

    Args:
        references: month of delivery → the reference table (``town_code, lot_from, district_code, district_name,
            valid_from, valid_to``), oldest first; each holds until the next one.
    """
    found: list[DistrictChange] = []
    before: tuple[Towns, Mapping[str, str]] | None = None
    for month, table in _states(references):
        held = in_force(table, month)
        places = held.select(pl.col("town_code", "lot_from", "district_code").cast(pl.String).fill_null(""))
        towns = {(town, lot): code for town, lot, code in places.iter_rows() if code}
        told = held.select(pl.col("district_code", "district_name").cast(pl.String)).iter_rows()
        names = {code: name or code for code, name in told if code}
        if before is not None:
            found += _compared(month, before[0], towns, {**before[1], **names})
        before = towns, names
    return found


def _states(references: Sequence[tuple[str, pl.DataFrame]]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Months from which something else may hold, with the table that holds then."""
    ends = [*(month for month, _ in references[1:]), "9999-12"]
    for (month, table), end in zip(references, ends, strict=False):  # without a table, one end is left over
        days = pl.concat([table["valid_from"].cast(pl.String), table["valid_to"].cast(pl.String)])
        inside = {day[:7] for day in days.drop_nulls() if month < day[:7] < end}
        yield from ((moment, table) for moment in sorted({month, *inside}))


def _compared(month: str, before: Towns, after: Towns, names: Mapping[str, str]) -> Iterator[DistrictChange]:
    gone, new = set(before.values()) - set(after.values()), set(after.values()) - set(before.values())
    heirs: dict[str, set[str]] = defaultdict(set)
    parents: dict[str, set[str]] = defaultdict(set)
    for place in before.keys() & after.keys():
        if before[place] != after[place]:
            heirs[before[place]].add(after[place])
            parents[after[place]].add(before[place])
    merged: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for code in sorted(gone):
        merged[tuple(sorted(heirs[code]))].append(code)
    for now, former in merged.items():
        yield DistrictChange(month, tuple(names[c] for c in former), tuple(names[c] for c in now))
    for code in sorted(new - {one for now in merged for one in now}):
        yield DistrictChange(month, tuple(names[c] for c in sorted(parents[code])), (names[code],), is_part=True)
