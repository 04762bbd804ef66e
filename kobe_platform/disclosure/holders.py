"""When two rows of a magnitude table are of one contributor: the one reading of names of engine and auditor."""

from __future__ import annotations

import polars as pl

from kobe_platform.disclosure.spec import Table
from kobe_platform.disclosure.table_index import refusal

UNSEEN = "[\\p{Cf}\ufe00-\ufe0f\U000e0100-\U000e01ef]"
"""Characters without a shape of their own: marks of format, and selectors of variants of a kanji."""


def holders(table: Table, frame: pl.DataFrame) -> pl.Series:
    """``owner``: a number for each row's contributor, from 1; the same for the same name.

    Widths (NFKC), blanks at the ends, blanks in a row and characters without a shape make no difference; all other
    spelling does.

    Raises:
        DisclosureError: a contributor has no name (coordinates: table, column; never the name).
    """
    assert table.contributor is not None
    names = frame[table.contributor].cast(pl.String).str.normalize("NFKC").str.replace_all(UNSEEN, "")
    names = names.str.replace_all(r"[\s\x00]+", " ").str.strip_chars()
    if names.null_count() or (names == "").any():
        raise refusal("a contributor has no name", "disclosure.count", table=table.name, column=table.contributor)
    return names.rank("dense").cast(pl.Int64).alias("owner")
