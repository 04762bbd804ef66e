"""Translates the sender's codes, texts and numbers into those of the vocabulary."""

from __future__ import annotations

import polars as pl

from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts.columns import Keep, MappedCodes, Number
from kobe_platform.intake.extracts.plain import beyond, plain_texts, whole_numbers
from kobe_platform.vocabulary.codes import band_codes


def map_codes(working: Working, column: MappedCodes) -> None:
    """Known codes are mapped, unknown ones are ``other`` and counted (quirk 12); what must or must not be there decides

    about the row (quirk 11).
    """
    codes = working.texts(column.id)
    values = codes.values
    mapped = values.replace_strict({"": column.blank, **column.mapping}, default=column.other, return_dtype=pl.String)
    unlisted = ~values.is_in([*column.mapping, ""])
    if unlisted.any():
        working.warned["code.unknown"] += int(codes.spread(unlisted).sum())
    result = codes.spread(mapped)
    present = codes.spread(values != "")
    applies = working.applies(column.only_for)
    if applies is not None:
        working.mark("set_aside", "value.unexpected", present & ~applies)
        if column.required:
            working.mark("set_aside", "value.missing", ~present & applies)
        result = _where(applies, result)
    elif column.required:
        working.mark("set_aside", "value.missing", result.is_null())
    working.derive(column.to, result == "true" if column.boolean else result)


def _where(condition: pl.Series, values: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"condition": condition, "value": values})
    return frame.select(pl.when("condition").then("value")).to_series()


def keep_text(working: Working, column: Keep) -> None:
    """Text as it is, blank as null; another form than the pattern's sets the row aside."""
    texts = working.texts(column.id)
    values, odd = plain_texts(texts.values, column)
    working.mark("set_aside", "value.form", texts.spread(odd))
    working.derive(column.to, texts.spread(values))


def keep_number(working: Working, column: Number) -> None:
    """A whole number (Int64), or its band; one outside the column's range sets the row aside."""
    texts = working.texts(column.id)
    numbers, odd = whole_numbers(texts.values)
    working.mark("set_aside", "value.form", texts.spread(odd))
    working.mark("set_aside", "value.range", texts.spread(beyond(numbers, column)))
    working.derive(column.to, texts.spread(banded(numbers, column.breaks) if column.breaks else numbers))


def banded(numbers: pl.Series, breaks: tuple[int, ...]) -> pl.Series:
    """Bands of whole numbers by lower bounds: (0, 1, 3) gives "0", "1-2", "3+"; null where none holds the number."""
    place = pl.Series(breaks, dtype=pl.Int64).search_sorted(numbers.cast(pl.Int64), side="right").cast(pl.Int64) - 1
    frame = pl.DataFrame({"n": numbers, "place": place})
    inside = pl.col("n").is_not_null() & (pl.col("place") >= 0)
    chosen = pl.lit(pl.Series(band_codes(breaks))).gather(pl.col("place").clip(0))
    return frame.select(pl.when(inside).then(chosen).alias("band")).to_series()
