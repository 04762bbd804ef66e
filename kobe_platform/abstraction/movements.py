"""Translates the reasons of events for statistics, by the sender's code, the two addresses and cancellations."""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.ages import read_column
from kobe_platform.abstraction.versions import CANCELS
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Area, Reason

MOVE, WITHIN, ACROSS, NONE = "move", "within_ward", "ward_move", "non_demographic"


def derive_reason(working: Working, column: Reason) -> None:
    """The lake's reason of each event.

    A move is ``ward_move`` or ``within_ward`` as its two addresses say. The cancellation of an earlier month's event
    is booked the other way round; that of a move goes back. Planned departures still to come are filtered: who has
    not left is a resident, and the departure comes again when it is confirmed (住民記録システム標準仕様書 6.1).
    """
    codes = working.texts(column.id)
    values = codes.values
    booked = values.replace_strict(column.codes, default=NONE, return_dtype=pl.String).str.strip_prefix(CANCELS)
    unlisted = ~values.is_in(list(column.codes))
    if unlisted.any():
        working.warned["code.unknown"] += int(codes.spread(unlisted).sum())
    frame = pl.DataFrame(
        {
            "reason": codes.spread(booked),
            "back": codes.spread(values.replace_strict(column.codes, default="").str.starts_with(CANCELS)),
            "before": _ward(working, column.before),
            "after": _ward(working, column.after),
            "unmoved": _same_place(working, column),
        }
    )
    moved = pl.col("reason") == MOVE
    one_end = moved & (pl.col("before").is_null() | pl.col("after").is_null())
    working.mark("set_aside", "value.missing", frame.select(one_end).to_series())
    reason = (
        pl.when(moved & pl.col("back") & pl.col("unmoved"))
        .then(pl.lit(NONE))
        .when(moved & (pl.col("before") != pl.col("after")))
        .then(pl.lit(ACROSS))
        .when(moved)
        .then(pl.lit(WITHIN))
        .otherwise("reason")
    )
    result = frame.select(reason.alias("reason")).to_series()
    working.derive(column.to, result)
    _filter_planned(working, column, result)


def booked_reasons(column: Reason) -> list[str]:
    """Every reason that the rule can yield for a contract's codes."""
    meanings = {meaning.removeprefix(CANCELS) for meaning in column.codes.values()}
    moves = {ACROSS, WITHIN} if MOVE in meanings else set()
    return sorted((meanings - {MOVE}) | moves | {NONE})


def _ward(working: Working, address: str) -> pl.Series:
    column = working.contract.column(address)
    assert isinstance(column, Area)
    return working.derived[column.to_ward]


def _same_place(working: Working, column: Reason) -> pl.Series:
    """Whether both addresses, lots included, are the same: nobody moved."""
    same = working.text(column.before) == working.text(column.after)
    if column.lots:
        same &= working.text(column.lots[0]) == working.text(column.lots[1])
    return same


def _filter_planned(working: Working, column: Reason, reason: pl.Series) -> None:
    """Departures after the month's end are filtered; other events after their processing day are counted."""
    on, processed = (read_column(working, name) for name in (column.event_on, column.processed_on))
    day = pl.col("y") * 10000 + pl.col("m").cast(pl.Int32) * 100 + pl.col("d")
    event, done = on.select(day).to_series(), processed.select(day).to_series()
    planned = reason.is_in(list(column.planned))
    last = int(working.month.replace("-", "")) * 100 + 31
    working.mark("filtered", "planned_departure", planned & (event > last))
    working.warned["event.after_processing"] += int((~planned & (event > done) & working.kept).fill_null(False).sum())
