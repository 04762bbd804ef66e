"""Decides which rows count: latest versions of records, events that were not cancelled, present residents."""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Filter, History, Netting, Reason
from kobe_platform.intake.extracts.screening import repeated, repeats

CANCELS = "cancels:"


def drop_identical(working: Working) -> None:
    """Rows that are wholly the same as another are one (quirk 9)."""
    key = [name for name in working.contract.key if name in working.raw.columns]
    if key:
        several = repeated(working.raw.frame(key))
        again = repeats(working.raw.frame(rows=several), several)
        rows = pl.int_range(0, working.height, dtype=pl.UInt32, eager=True)
        working.mark("superseded", "identical", rows.is_in(again.implode()))


def latest_version(working: Working, column: History) -> None:
    """Of several versions of a record the one with the largest history number is current; gaps only warn (quirk 10)."""
    record = working.texts(column.of).index
    several = record.is_duplicated() & working.kept
    if not several.any():
        return
    table = pl.DataFrame({"record": record, "version": number(working, column.id)}).with_row_index("row")
    versions = table.filter(several).sort("record", "version", "row")
    latest = versions.unique("record", keep="last", maintain_order=True)["row"]
    older = versions["row"].filter(~versions["row"].is_in(latest.implode()))
    working.mark("superseded", "older_version", table["row"].is_in(older.implode()))
    version = pl.col("version")
    gaps = versions.group_by("record").agg((version.max() - version.min() + 1 > pl.len()).alias("gap"))
    working.warned["history.gap"] += int(gaps["gap"].fill_null(False).sum())


def number(working: Working, name: str) -> pl.Series:
    """A column of whole numbers (Int64), null where it is none."""
    column = working.texts(name)
    return column.spread(column.values.cast(pl.Int64, strict=False))


def keep_states(working: Working, column: Filter) -> None:
    """Rows in a state that is kept stay; an unknown state is filtered as ``other`` and counted."""
    states = working.texts(column.id)
    for state, name in column.codes.items():
        working.mark("filtered", f"{column.id}.{name}", states.spread(states.values == state))
    unlisted = ~states.values.is_in([*column.keep, *column.codes])
    if unlisted.any():
        rows = states.spread(unlisted)
        working.warned["code.unknown"] += int(rows.sum())
        working.mark("filtered", f"{column.id}.other", rows)


def net_cancellations(working: Working, column: Netting) -> None:
    """An event and the cancellation that names it in the same delivery take each other out (quirk 25).

    A cancellation that was itself cancelled undoes nothing. One whose event lies in an earlier delivery stays and is
    booked the other way round by the reason's rule.
    """
    reason = working.contract.column(column.reason)
    assert isinstance(reason, Reason)
    reasons = working.texts(column.reason)
    cancelling = [code for code, meaning in reason.codes.items() if meaning.startswith(CANCELS)]
    events = pl.DataFrame(
        {
            "person": working.texts(column.person).index,
            "version": number(working, column.version),
            "target": number(working, column.id),
            "cancels": reasons.spread(reasons.values.is_in(cancelling)),
            "kept": working.kept,
        }
    ).with_row_index("row")
    working.mark("set_aside", "event.cancels_nothing", events["cancels"] & events["target"].is_null())
    events = events.filter("kept")
    pairs = (
        events.filter(pl.col("cancels") & pl.col("target").is_not_null())
        .join(events, left_on=["person", "target"], right_on=["person", "version"], suffix="_target")
        .select(by="row", undone="row_target")
        .filter(pl.col("by") != pl.col("undone"))
    )
    void = _void(pairs)
    netted = pl.concat([pairs["by"], pairs["undone"].filter(pairs["undone"].is_in(void.implode()))]).unique()
    rows = pl.int_range(0, working.height, dtype=pl.UInt32, eager=True)
    working.mark("superseded", "netted", rows.is_in(netted.implode()))


def _void(pairs: pl.DataFrame) -> pl.Series:
    """Rows undone by a cancellation that is not undone itself; chains are as short as their longest history."""
    void = pairs["undone"].clear()
    for _ in range(pairs.height + 1):
        active = pairs.filter(~pl.col("by").is_in(void.implode()))
        following = active["undone"].unique().sort()
        if following.equals(void):
            break
        void = following
    return void
