"""Made-up small cities: a few districts in two wards, some of them almost wholly of foreign residents."""

from __future__ import annotations

import numpy as np
import polars as pl

from kobe_platform.vocabulary import codes as vocabulary
from tests.unit.statistics.lake_frames import FAMILIES

WARDS = vocabulary.wards()[:2]
AREAS = vocabulary.districts(
    pl.DataFrame(
        [(ward, f"{index}{number}", f"{index}の{number}", "2009-04-01", "")
         for index, ward in enumerate(WARDS, 1) for number in range(1, 4)],
        schema=["ward_code", "district_code", "district_name", "valid_from", "valid_to"],
        orient="row",
    ),
    "2025-07",
)  # fmt: skip


def city(seed: int) -> pl.DataFrame:
    """Residents household by household; districts of some ten to some hundred households."""
    rng = np.random.default_rng(seed)
    share = rng.choice([0.03, 0.2, 0.8])
    rows = []
    for index, ward in enumerate(WARDS, 1):
        for number in range(1, 4):
            foreign_here = 1 - 0.1 * rng.random() if rng.random() < 0.15 else share * rng.random()
            for _ in range(int(rng.choice([12, 25, 60, 150]) * (0.5 + rng.random()))):
                placed = f"{index}{number}" if rng.random() > 0.01 else "unknown"
                rows += _household(rng, ward, placed, rng.random() < foreign_here)
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(
        pl.Series("person_id", rng.permutation(len(rows)) + 1, dtype=pl.UInt64),
        pl.col("age", "household_size").cast(pl.Int16),
        *(pl.col(c).cast(pl.String) for c in ("nationality", "residence_status", "stay_duration", "family_type")),
    )


def _household(rng: np.random.Generator, ward: str, district: str, foreign: bool) -> list[dict]:
    size = int(rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.4, 0.28, 0.15, 0.1, 0.04, 0.02, 0.01]))
    family = str(rng.choice(FAMILIES[min(size, 3)]))
    return [
        {
            "ward": ward,
            "district": district,
            "resident_type": "foreign" if foreign else "japanese",
            "sex": str(rng.choice(["male", "female"])),
            "age": int(rng.integers(0, 91)),
            "is_representative": number == 0,
            "household_size": size if number == 0 else None,
            "family_type": family if number == 0 else None,
            "nationality": str(rng.choice(["KOR", "CHN", "VNM", "PER"], p=[0.5, 0.3, 0.15, 0.05])) if foreign else None,
            "residence_status": str(rng.choice(["permanent", "student", "artist"])) if foreign else None,
            "stay_duration": str(rng.choice(["0", "1-2", "10+"])) if foreign else None,
        }
        for number in range(size)
    ]
