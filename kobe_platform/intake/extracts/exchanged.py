"""Detects columns whose headers were exchanged, so that each has the other's values.

Where the values do not fit, the contract tells: what is wrong in one column is right in another, and the other way
round. Where both still parse, as sex and kind of resident (1 and 2 both) do, the month before tells: each column is
distributed as the other was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import polars as pl

from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Column, Day, Number, Reason

FITTING = 0.8
"""Share of a column's rows that must fit the other column's rule."""
FEWEST, SAMPLE = 100, 20_000
"""Rows of a month below which, and above which no more, distributions are compared."""
PREFIXES = (5, 3)
"""Leading bytes by which values are told apart: whole codes, wards, years and months; era and year."""
LIKER = 4
"""How many times more like the other column's former values than like its own a column must be."""
FEWEST_KEYS = 5
"""Figures of public extracts are compared key by key; fewer keys than this say nothing."""
FEWEST_PERCENT = 1
"""Percent of the figures by which two public columns must differ from their own former values."""

Pair = tuple[str, str]


def fits_the_other(name: str, fits: Mapping[str, Mapping[str, float]]) -> str | None:
    """The column whose values fit ``name``'s rule while those of ``name`` fit its rule.

    Args:
        fits: column whose rule is asked → column whose values are tried → the share of rows that fit.
    """
    for other in fits:
        if other != name and fits[other].get(name, 0) >= FITTING and fits[name].get(other, 0) >= FITTING:
            return other
    return None


def exchanged(now: pl.DataFrame, former: pl.DataFrame, contract: Contract) -> Pair | None:
    """Two columns of raw that are distributed as each other was in the month before; None where there are none.

    Args:
        now, former: rows as raw holds them (binary columns; of public extracts typed ones).
    """
    if contract.sensitivity == "public":
        return _of_figures(now, former, contract)
    if min(now.height, former.height) < FEWEST:
        return None
    names = [column.id for column in contract.read if column.id in now.columns and column.id in former.columns]
    beside = next((column.id for column in contract.having(Reason) if column.id in names), None)
    for width in PREFIXES:
        profiles = [_profiles(frame.head(SAMPLE), names, width, beside) for frame in (now, former)]
        if pair := _liker(names, *profiles, least=contract.thresholds.exchanged):
            return pair
    return None


def _profiles(frame: pl.DataFrame, names: Sequence[str], width: int, beside: str | None) -> dict[str, pl.DataFrame]:
    """Per column the share of rows by leading bytes; of events, reason by reason, as blanks belong to reasons."""
    found = {}
    for name in names:
        value = pl.col(name).bin.slice(0, width)
        keys = (
            [value.alias("value")] if beside in (None, name) else [value.alias("value"), pl.col(beside).alias("beside")]
        )
        shares = frame.group_by(keys).len().with_columns(share=pl.col("len") / frame.height).drop("len")
        found[name] = shares if "beside" in shares.columns else shares.with_columns(beside=pl.lit(b""))
    return found


def _distance(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """Total variation: 0 where both are the same, 1 where they share nothing."""
    joined = one.join(other, on=["value", "beside"], how="full", suffix="_other", nulls_equal=True)
    apart = (pl.col("share").fill_null(0) - pl.col("share_other").fill_null(0)).abs().sum()
    return float(joined.select(apart).item()) / 2


def _liker(
    names: Sequence[str], now: Mapping[str, pl.DataFrame], former: Mapping[str, pl.DataFrame], *, least: float
) -> Pair | None:
    own = {name: _distance(now[name], former[name]) for name in names}
    moved = [name for name in names if own[name] >= least]
    for one, other in combinations(moved, 2):
        across = _distance(now[one], former[other]) + _distance(now[other], former[one])
        if LIKER * across <= own[one] + own[other]:
            return one, other
    return None


def _of_figures(now: pl.DataFrame, former: pl.DataFrame, contract: Contract) -> Pair | None:
    """Two columns of public figures, compared key by key, days aside."""
    days = {column.id for column in contract.having(Day)}
    key = [contract.column(name).outputs[0] for name in contract.key if name not in days]
    figures = [column.to for column in contract.having(Number) if column.id not in contract.key and not column.breaks]
    if not key or len(figures) < 2 or not {*key, *figures} <= {*now.columns} & {*former.columns}:
        return None
    both = now.select(*key, *figures).join(former.select(*key, *figures), on=key, suffix="_former")
    if both.height < FEWEST_KEYS:
        return None
    for one, other in combinations(figures, 2):
        own = _apart(both, one, one) + _apart(both, other, other)
        across = _apart(both, one, other) + _apart(both, other, one)
        whole = both.select((pl.col(f"{one}_former") + pl.col(f"{other}_former")).sum()).item()
        if 100 * own >= FEWEST_PERCENT * whole > 0 and LIKER * across <= own:
            return one, other
    return None


def _apart(both: pl.DataFrame, one: str, other: str) -> int:
    return both.select((pl.col(one) - pl.col(f"{other}_former")).abs().sum()).item()


def named(contract: Contract, pair: Pair) -> Pair:
    """The ids of two columns by what raw calls them: public columns are called by what they yield."""
    by_output: dict[str, Column] = {column.outputs[0]: column for column in contract.columns if column.outputs}
    ids = {column.id for column in contract.columns}
    one, other = (name if name in ids else by_output[name].id for name in pair)
    return one, other
