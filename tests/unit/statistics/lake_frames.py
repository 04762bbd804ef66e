"""Lake partitions by seed, with the columns that statistics read: no person behind them."""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic, load_statistics
from kobe_platform.vocabulary import codes as vocabulary

WARDS = vocabulary.wards()
REFERENCE = pl.DataFrame(
    [
        (ward, f"{index:02d}{number:02d}", f"第{index}の{number}", "2009-04-01", "")
        for index, ward in enumerate(WARDS, 1)
        for number in range(1, 4)
    ],
    schema=["ward_code", "district_code", "district_name", "valid_from", "valid_to"],
    orient="row",
)
AREAS = vocabulary.districts(REFERENCE, "2025-07")


def countable() -> dict[str, Statistic]:
    """The project's statistics over the sources that have frames here, and public ones; a city may add others."""
    loaded = load_statistics(Settings().statistics)
    here = {"resident_register", "resident_movements"}
    return {name: one for name, one in loaded.items() if one.kind == "public" or here.issuperset(one.sources)}


def register(rows: int = 20_000, seed: int = 1, unknown: float = 0.004) -> pl.DataFrame:
    """Residents; ``unknown`` is the share whose district is unknown, a tenth of it without age, few without sex."""
    rng = np.random.default_rng(seed)
    ward = rng.choice(WARDS, rows, p=np.linspace(1, 2, 9) / np.linspace(1, 2, 9).sum())
    number = rng.choice(["01", "02", "03"], rows, p=[0.5, 0.3, 0.2])
    index = {code: f"{place:02d}" for place, code in enumerate(WARDS, 1)}
    district = np.array([index[code] for code in ward]) + number
    foreign = rng.random(rows) < 0.05
    size, family = _households(rng, ward)
    age = rng.integers(0, 91, rows)
    return pl.DataFrame(
        {
            "person_id": rng.integers(1, 2**63, rows, dtype=np.uint64),
            "ward": ward,
            "district": np.where(rng.random(rows) < unknown, "unknown", district),
            "resident_type": np.where(foreign, "foreign", "japanese"),
            "sex": np.where(rng.random(rows) < unknown / 50, "unknown", rng.choice(["male", "female"], rows)),
            "age": pl.Series(age, dtype=pl.Int16),
            "is_representative": size > 0,
            "household_size": pl.Series(size, dtype=pl.Int16),
            "family_type": family,
            "nationality": _text(np.where(foreign, rng.choice(["KOR", "CHN", "VNM", "PER"], rows), None)),
            "residence_status": _text(np.where(foreign, rng.choice(["permanent", "student", "artist"], rows), None)),
            "stay_duration": _text(np.where(foreign, rng.choice(["0", "1-2", "10+"], rows), None)),
        }
    ).with_columns(
        pl.when(pl.lit(pl.Series(rng.random(rows) < unknown / 10))).then(None).otherwise("age").alias("age"),
        pl.when("is_representative").then("household_size").alias("household_size"),
        pl.when("is_representative").then("family_type").alias("family_type"),
    )


def _households(rng: np.random.Generator, ward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size and family type of each household at its first member (0 and an empty text at the others), ward by ward."""
    size, family = np.zeros(len(ward), np.int64), np.full(len(ward), "", dtype=object)
    for code in np.unique(ward):
        members = np.flatnonzero(ward == code)
        drawn = rng.choice([1, 2, 3, 4, 5, 6, 7], len(members), p=[0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02])
        ends = np.minimum(np.cumsum(drawn), len(members))
        starts = np.concatenate([[0], ends[:-1]])
        for start, end in zip(starts, ends, strict=True):
            if end > start:
                size[members[start]] = end - start
                family[members[start]] = rng.choice(FAMILIES[min(end - start, 3)])
    return size, family


FAMILIES = {
    1: ["single"],
    2: ["couple", "single_parent", "other"],
    3: ["couple_children", "single_parent", "three_generation", "other"],
}
"""Family types by size, 3 for three and more (kobe_platform/abstraction/households.py)."""


def _text(values: np.ndarray) -> pl.Series:
    return pl.Series(values.tolist(), dtype=pl.String)


REASONS = ("birth", "death", "in_domestic", "in_abroad", "out_domestic", "out_abroad", "ward_move", "within_ward")


def movements(rows: int = 4_000, seed: int = 2) -> pl.DataFrame:
    """Events of one month, both ends in the same ward unless it is a move between wards."""
    rng = np.random.default_rng(seed)
    people = register(rows, seed)
    reason = rng.choice(REASONS, rows)
    other = rng.permutation(rows)
    ward, district = people["ward"].to_numpy(), people["district"].to_numpy()
    leaves = np.isin(reason, ["death", "out_domestic", "out_abroad"])
    enters = np.isin(reason, ["birth", "in_domestic", "in_abroad"])
    apart = reason == "ward_move"
    reason = np.where(apart & (ward == ward[other]), "within_ward", reason)
    before = np.where(apart, ward[other], ward)
    return people.select("person_id", "sex", "age", "nationality", "residence_status", "resident_type").with_columns(
        pl.Series("event_id", rng.integers(1, 2**63, rows, dtype=np.uint64)),
        _text(reason).alias("reason"),
        _text(np.where(enters, None, before)).alias("ward_before"),
        _text(np.where(enters, None, np.where(apart, district[other], district))).alias("district_before"),
        _text(np.where(leaves, None, ward)).alias("ward_after"),
        _text(np.where(leaves, None, district)).alias("district_after"),
        pl.Series("counterpart", rng.choice(["28203", "28202", "27", "13", "asia_east", "unknown"], rows)),
        pl.Series("immigration_notice", rng.random(rows) < 0.1),
    )
