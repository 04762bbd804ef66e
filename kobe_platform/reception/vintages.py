"""Compares a delivery that was sent again with the one in force, and counts the differences."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def difference(former: pl.DataFrame, revised: pl.DataFrame, key: Sequence[str]) -> dict[str, int]:
    """Rows that came, went and changed between two raw extracts of one source and month.

    Args:
        former, revised: binary columns as raw holds them.
        key: the columns that tell rows apart; without one (or where raw lacks it) whole rows are compared.

    Returns:
        ``{"rows", "former_rows", "added", "removed", "changed"}``: counts, nothing else.
    """
    shared = [name for name in revised.columns if name in former.columns]
    identity = [name for name in key if name in shared] or shared
    before, after = (_fingerprints(frame, identity, shared) for frame in (former, revised))
    joined = after.join(before, on="identity", how="full", suffix="_former")
    came, went = pl.col("identity_former").is_null(), pl.col("identity").is_null()
    changed = ~came & ~went & (pl.col("content") != pl.col("content_former"))
    counts = joined.select(added=came.sum(), removed=went.sum(), changed=changed.sum()).row(0, named=True)
    return {"rows": revised.height, "former_rows": former.height, **{k: int(v) for k, v in counts.items()}}


def _fingerprints(frame: pl.DataFrame, identity: Sequence[str], content: Sequence[str]) -> pl.DataFrame:
    """One row an identity; both columns are 64-bit hashes that live in memory only."""
    hashed = frame.select(
        identity=pl.struct(list(identity)).hash(seed=1), content=pl.struct(list(content)).hash(seed=2)
    )
    return hashed.group_by("identity").agg(pl.col("content").sum())
