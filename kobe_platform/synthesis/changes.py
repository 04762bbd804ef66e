"""Makes the difference (異動差分) of a month from the register's rows now and a month ago."""

from __future__ import annotations

import polars as pl

from kobe_platform.synthesis.city import City
from kobe_platform.synthesis.rows import register_rows

ALIVE = "1"
"""住民状態 of a resident."""
REMOVED = "9"
"""住民状態 of a record that ended in another way than a move or death."""


def changed_rows(former: pl.DataFrame, rows: pl.DataFrame, city: City) -> pl.DataFrame:
    """The records that came or changed since the month before, and those that ended, with their state.

    Args:
        former, rows: the register as it was sent a month ago, and as it would be sent now, dirt included.
        city: now; who left it is in it still, with a state.
    """
    before, now, gone = (_keyed(frame) for frame in (former, rows, register_rows(city, city.departed)))
    changed = now.join(before, on=rows.columns, how="anti", maintain_order="left")
    alive = before.filter(pl.col("resident_state") == ALIVE)
    ended = alive.join(now, on="key", how="anti", maintain_order="left")
    departed = gone.join(ended, on="key", how="semi", maintain_order="left")
    rest = ended.join(departed, on="key", how="anti", maintain_order="left")
    return pl.concat([changed, departed, rest.with_columns(resident_state=pl.lit(REMOVED))]).drop("key")


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without nulls, and the number by which a record is known, however it was written."""
    key = pl.col("atena_no").fill_null("").str.normalize("NFKC").str.strip_chars()
    return rows.select(pl.all().fill_null(""), key=key)
