"""Compares two raw extracts of one source, and counts by ward the rows that came, went and changed.

Rows are compared by their normalised texts, so that another encoding, another width of digits or another order of rows
is no change. Hashes and texts live in memory only; what is returned are counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kobe_platform.abstraction.versions import keep_states, number
from kobe_platform.abstraction.worktable import Working
from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import Area, Filter, History
from kobe_platform.intake.extracts.bytewise import ByteColumns
from kobe_platform.intake.extracts.taking import ENCODING
from kobe_platform.reception.accounting import WORDS
from kobe_platform.vocabulary.codes import hierarchies, wards

ELSEWHERE = "unknown"
"""Stands for the ward of rows whose address names none."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class VintageChanges:
    """How one extract differs from another.

    Attributes:
        rows, former_rows: of both.
        by_kind: ``added``, ``removed``, ``changed`` → rows.
        by_ward: ward → the same, wards without any left out; empty where the source has no addresses.
    """

    rows: int
    former_rows: int
    by_kind: Mapping[str, int]
    by_ward: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Without wards: ``rows``, ``former_rows``, ``added``, ``removed``, ``changed``."""
        return {"rows": self.rows, "former_rows": self.former_rows, **self.by_kind}


def difference(former: pl.DataFrame, revised: pl.DataFrame, contract: Contract, month: str) -> VintageChanges:
    """Rows that came, went and changed between two raw extracts of one source.

    Args:
        former, revised: binary columns as raw holds them. Rows are told apart by the contract's key; without one (or
            where raw lacks it) whole rows are compared.
    """
    before, after = fingerprints(former, contract, month), fingerprints(revised, contract, month)
    joined = after.join(before, on="identity", how="full", suffix="_former")
    came, went = pl.col("identity_former").is_null(), pl.col("identity").is_null()
    kinds = {"added": came, "removed": went, "changed": ~came & ~went & (pl.col("content") != pl.col("content_former"))}
    return VintageChanges(revised.height, former.height, *counted(joined, kinds))


def counted(joined: pl.DataFrame, kinds: Mapping[str, pl.Expr]) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Rows of each kind, in all and by ward (where a row changed its ward, by the one after).

    Args:
        joined: fingerprints after, and with the suffix ``_former`` before.
        kinds: name → which rows.
    """
    ward = pl.coalesce("ward", "ward_former").alias("ward")
    sums = joined.group_by(ward).agg(rows.fill_null(False).sum().alias(name) for name, rows in kinds.items())
    by_kind = {name: int(sums[name].sum()) for name in kinds}
    by_ward = {
        str(row["ward"]): {name: int(row[name]) for name in kinds if row[name]}
        for row in sums.drop_nulls("ward").iter_rows(named=True)
        if any(row[name] for name in kinds)
    }
    return by_kind, {ward: by_ward[ward] for ward in sorted(by_ward, key=_place)}


def fingerprints(raw: pl.DataFrame, contract: Contract, month: str, *, present: bool = False) -> pl.DataFrame:
    """``identity``, ``content`` (64-bit hashes), ``version`` and ``ward`` of the rows of a raw extract.

    Rows that are wholly the same are one (quirk 9); several other rows of one identity are one, whatever their order.

    Args:
        present: whether rows in a state that is not kept (moved out, died) are left out.
    """
    working = Working(ByteColumns.of(raw), contract, month, {}, {}, _no_key)
    if present:
        for column in contract.having(Filter):
            keep_states(working, column)
    names = [name for name in raw.columns if name != ENCODING]
    key = [name for name in contract.key if name in names] or names
    version = next((column.id for column in contract.having(History) if column.id in names), None)
    frame = pl.DataFrame(
        {
            "identity": _hashed(working, key),
            "content": _hashed(working, names),
            "version": number(working, version)
            if version
            else pl.Series([0], dtype=pl.Int64).new_from_index(0, raw.height),
            "ward": ward_of(working),
        }
    )
    kept = (frame.filter(working.kept) if present else frame).unique(["identity", "content"])
    return kept.group_by("identity").agg(pl.col("content").sum(), pl.col("version").max(), pl.col("ward").min())


def ward_of(working: Working) -> pl.Series:
    """The ward of each row by its address (of several addresses, the last that names one); null without addresses."""
    columns = [column.id for column in working.contract.having(Area) if column.id in working.raw.columns]
    inside = list(wards())
    found = pl.Series("ward", [None], dtype=pl.String).new_from_index(0, working.height)
    for name in columns:
        texts = working.texts(name)
        code = texts.values.str.slice(0, 5)
        ward = texts.spread(code.zip_with(code.is_in(inside), pl.Series([None], dtype=pl.String)))
        found = ward.zip_with(ward.is_not_null(), found)
    return found.fill_null(ELSEWHERE).rename("ward") if columns else found.rename("ward")


def told_by_ward(by_ward: Mapping[str, Mapping[str, int]]) -> str:
    """Counts by ward in words, in the city's order of wards: ``東灘区 追加3・変更1、灘区 削除2``."""
    names = {code.code: code.label for code in hierarchies()["ward"].codes}
    return "、".join(
        f"{names.get(ward, '区不明')} " + "・".join(f"{WORDS.get(kind, kind)}{rows}" for kind, rows in kinds.items())
        for ward, kinds in by_ward.items()
    )


def as_names(by_ward: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Counts by ward under names that Dagster's metadata takes: ``ward.28101``."""
    return {f"ward.{ward}": dict(kinds) for ward, kinds in by_ward.items()}


def _place(ward: str) -> tuple[int, str]:
    order = wards()
    return (order.index(ward) if ward in order else len(order)), ward


def _hashed(working: Working, names: Iterable[str]) -> pl.Series:
    """One hash a row over the normalised texts of some columns; each distinct text is hashed once."""
    total = np.zeros(working.height, dtype=np.uint64)
    for place, name in enumerate(names):
        texts = working.texts(name)
        total = (total ^ texts.spread(texts.values.hash(seed=place)).to_numpy()) * _MIX
        total ^= total >> np.uint64(29)
    return pl.Series("hash", total, dtype=pl.UInt64)


def _no_key(purpose: str) -> bytes:
    raise AssertionError("nothing is pseudonymised where extracts are compared")
