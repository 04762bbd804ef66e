"""Plausible published tables for the lounge's tests: every statistic's name and dimensions, figures by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from kobe_platform import vocabulary

MONTHS = ("2025-07", "2025-08", "2025-09", "2025-10", "2025-11", "2025-12")
DISTRICTS_PER_WARD = {
    "28101": 3,
    "28102": 2,
    "28110": 2,
    "28105": 2,
    "28109": 3,
    "28106": 1,
    "28107": 2,
    "28108": 3,
    "28111": 4,
}
NAMES = ("本山", "御影", "魚崎", "六甲", "灘", "雲中", "こうべ", "水木", "会下山", "有馬", "唐櫃", "桂木", "名倉", "北須磨",
         "妙法寺", "垂水", "多聞台", "舞多聞", "枝吉", "伊川谷", "月が丘", "有瀬")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A table to make up: dimension → hierarchy, mean of its finest cells per district, and what it counts."""

    dimensions: Mapping[str, str]
    scale: float
    unit: str = "人"
    period: str = "month"
    kind: str = "frequency"
    weights: Mapping[str, str] = field(default_factory=dict)


def _area(level: str, **dimensions: str) -> dict[str, str]:
    return {"area": level, **dimensions}


PLANS: dict[str, Plan] = {
    "population_ward": Plan(_area("ward", age="age5", sex="sex"), 550),
    "population_district": Plan(_area("district", age="age5", sex="sex"), 230),
    "mean_age": Plan(_area("district", sex="sex"), 46, "歳", kind="mean"),
    "households_size_ward": Plan(_area("ward", size="household_size"), 1500, "世帯"),
    "households_size_district": Plan(_area("district", size="household_size"), 600, "世帯"),
    "households_family_ward": Plan(_area("ward", family="family"), 1500, "世帯"),
    "households_family_district": Plan(_area("district", family="family"), 600, "世帯"),
    "foreigners_nationality_ward": Plan(_area("ward", nationality="nationality", sex="sex"), 9),
    "foreigners_age_ward": Plan(_area("ward", age="age10", sex="sex"), 40),
    "foreigners_stay_ward": Plan(_area("ward", stay="stay"), 150),
    "foreigners_status_ward": Plan(_area("ward", residence_status="status"), 70),
    "foreigners_district": Plan(_area("district", sex="sex"), 150),
    "foreigners_nationality_district": Plan(_area("district", nationality="nationality_major"), 60),
    "foreigners_age_district": Plan(_area("district", age="age_life"), 60),
    "foreigners_stay_district": Plan(_area("district", stay="stay"), 60),
    "foreigners_status_district": Plan(_area("district", residence_status="status_major"), 60),
    "births_year": Plan(_area("district", sex="sex"), 30, period="year"),
    "deaths_year": Plan(_area("district", sex="sex"), 45, period="year"),
    **{
        f"{name}_year": Plan(_area("district", **{column: hierarchy}), 45, period="year")
        for name, column, hierarchy in (
            ("moves_in_age", "age", "age_year"),
            ("moves_in_origin", "counterpart", "counterpart"),
            ("moves_out_age", "age", "age_year"),
            ("moves_out_destination", "counterpart", "counterpart"),
            ("ward_moves_in", "age", "age_year"),
            ("ward_moves_out", "age", "age_year"),
            ("within_ward", "age", "age_year"),
        )
    },
    "ward_moves_od_year": Plan({"origin": "ward", "destination": "ward"}, 40, period="year"),
    "immigration_notice_year": Plan(_area("ward"), 25, period="year"),
    "moves_in_month": Plan(_area("ward", age="age_month"), 25),
    "moves_out_month": Plan(_area("ward", age="age_month"), 25),
    "moves_in_district_month": Plan(_area("district"), 55),
    "moves_out_district_month": Plan(_area("district"), 55),
    "moves_in_hyogo_month": Plan({"counterpart": "hyogo"}, 30),
    "moves_out_hyogo_month": Plan({"counterpart": "hyogo"}, 30),
    "ward_moves_in_month": Plan(_area("ward"), 60),
    "ward_moves_out_month": Plan(_area("ward"), 60),
    "within_ward_month": Plan(_area("ward", sex="sex"), 40),
    "immigration_notice_month": Plan({"area": "ward"}, 3),
    "estimated_population": Plan(_area("ward", series="series"), 0, kind="public"),
}


def district_hierarchy(per_ward: Mapping[str, int] = DISTRICTS_PER_WARD) -> vocabulary.Hierarchy:
    """The school districts of the made-up city."""
    codes = [
        (ward, f"{i + 1:02d}{n + 1:02d}") for i, (ward, count) in enumerate(per_ward.items()) for n in range(count)
    ]
    label = [f"{NAMES[i % len(NAMES)]}{'' if i < len(NAMES) else i // len(NAMES) + 1}" for i in range(len(codes))]
    reference = pl.DataFrame(
        {
            "ward_code": [ward for ward, _ in codes],
            "district_code": [code for _, code in codes],
            "district_name": label,
            "valid_from": ["2010-04-01"] * len(codes),
            "valid_to": [""] * len(codes),
        }
    )
    return vocabulary.districts(reference, "2025-12")


def published(
    seed: int = 1, months: tuple[str, ...] = MONTHS, per_ward: Mapping[str, int] = DISTRICTS_PER_WARD
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], dict]:
    """Tables, hierarchies and facts as ``assemble`` takes them."""
    trees = {**vocabulary.hierarchies(), "district": district_hierarchy(per_ward)}
    tables, told = {}, {}
    for number, (name, plan) in enumerate(PLANS.items()):
        rng = np.random.default_rng([seed, number])
        periods = months if plan.period == "month" else tuple(sorted({month[:4] for month in months}))
        tables[name] = _estimate(months, rng) if name == "estimated_population" else _table(plan, periods, trees, rng)
        told[name] = {
            "title": _TITLES[name],
            "description": f"{_TITLES[name]}（試験用）",
            "unit": plan.unit,
            "owner": "企画調整局政策課",
            "period": plan.period,
            "kind": plan.kind,
            "minimum_frequency": None if plan.kind == "public" else (100 if plan.kind == "mean" else 10),
            "dimensions": dict(plan.dimensions),
        }
    needed = {hierarchy for plan in PLANS.values() for hierarchy in plan.dimensions.values()}
    dims = {name: trees[name].frame() for name in sorted(needed)}
    return tables, dims, {"basis": "synthetic", "municipality": "28100", "tables": told}


def _table(plan: Plan, periods: tuple[str, ...], trees: Mapping, rng: np.random.Generator) -> pl.DataFrame:
    frame = pl.DataFrame({"period": list(periods)})
    for column, hierarchy in plan.dimensions.items():
        frame = frame.join(pl.DataFrame({column: list(trees[hierarchy].leaves)}), how="cross")
    weight = np.ones(frame.height)
    for column, hierarchy in plan.dimensions.items():
        leaves = list(trees[hierarchy].leaves)
        weights = (
            rng.uniform(0.5, 1.5, len(leaves))
            if column in ("age", "area", "sex")
            else rng.uniform(0.1, 2.2, len(leaves))
        )
        weight *= frame[column].replace_strict(leaves, list(weights), return_dtype=pl.Float64).to_numpy()
    drift = 1 + 0.004 * frame["period"].rank("dense").to_numpy()
    value = rng.poisson(plan.scale * weight * drift)
    if "origin" in plan.dimensions:
        value[(frame["origin"] == frame["destination"]).to_numpy()] = 0
    frame = frame.with_columns(pl.Series("value", value.astype("int64")))
    for column, hierarchy in plan.dimensions.items():
        frame = _with_margins(frame, column, trees[hierarchy], plan)
    keys = ["period", *plan.dimensions]
    if plan.kind == "mean":
        age = 47 + (frame.select(keys[1:]).hash_rows(seed=7).to_numpy() % 50) / 10 + 0.05 * rng.random(frame.height)
        frame = frame.with_columns(pl.Series("value", np.round(age, 1)))
        hidden = pl.lit(pl.Series(rng.random(frame.height) < 0.02))
    else:
        lucky = pl.lit(pl.Series(rng.random(frame.height) < 0.01)) & (pl.col("value") < 60)
        hidden = (pl.col("value") > 0) & ((pl.col("value") < 10) | lucky)
    return frame.with_columns(
        value=pl.when(~hidden).then(pl.col("value")),
        status=pl.when(hidden).then(pl.lit("suppressed")).otherwise(pl.lit("published")),
    ).select(*keys, "value", "status")


def _with_margins(frame: pl.DataFrame, column: str, tree: vocabulary.Hierarchy, plan: Plan) -> pl.DataFrame:
    parent = {code.code: code.parent for code in tree.codes}
    pairs = []
    for leaf in tree.leaves:
        code: str | None = leaf
        while code is not None:
            pairs.append((leaf, code))
            code = parent[code]
    lineage = pl.DataFrame(pairs, schema=[column, "upper"], orient="row")
    keys = ["period", *plan.dimensions]
    return (
        frame.join(lineage, on=column).drop(column).rename({"upper": column})
        .group_by(keys, maintain_order=True).agg(pl.col("value").sum()).sort(keys)
    )  # fmt: skip


def _estimate(months: tuple[str, ...], rng: np.random.Generator) -> pl.DataFrame:
    wards = vocabulary.wards()
    people = dict(zip(wards, rng.integers(90_000, 240_000, len(wards)), strict=True))
    rows = []
    for month in months:
        for ward in wards:
            people[ward] += int(rng.normal(-150, 120))
        for area, total in [("28100", sum(people.values())), *people.items()]:
            male = int(total * 0.47)
            counts = {"population": total, "households": int(total * 0.49), "male": male, "female": total - male}
            rows += [(month, area, series, int(value), "published") for series, value in counts.items()]
    return pl.DataFrame(rows, schema=["period", "area", "series", "value", "status"], orient="row")


_TITLES = {
    "population_ward": "区別・年齢別・男女別人口",
    "population_district": "小学校区別・年齢別・男女別人口",
    "mean_age": "平均年齢",
    "households_size_ward": "区別・世帯人員別世帯数",
    "households_size_district": "小学校区別・世帯人員別世帯数",
    "households_family_ward": "区別・家族類型別世帯数",
    "households_family_district": "小学校区別・家族類型別世帯数",
    "foreigners_nationality_ward": "区別・国籍別外国人数",
    "foreigners_age_ward": "区別・年齢別外国人数",
    "foreigners_stay_ward": "区別・在留期間別外国人数",
    "foreigners_status_ward": "区別・在留資格別外国人数",
    "foreigners_district": "小学校区別・男女別外国人数",
    "foreigners_nationality_district": "小学校区別・国籍別外国人数",
    "foreigners_age_district": "小学校区別・年齢別外国人数",
    "foreigners_stay_district": "小学校区別・在留期間別外国人数",
    "foreigners_status_district": "小学校区別・在留資格別外国人数",
    "births_year": "出生（年次）",
    "deaths_year": "死亡（年次）",
    "moves_in_age_year": "市外からの転入・年齢別（年次）",
    "moves_in_origin_year": "市外からの転入・相手地域別（年次）",
    "moves_out_age_year": "市外への転出・年齢別（年次）",
    "moves_out_destination_year": "市外への転出・相手地域別（年次）",
    "ward_moves_in_year": "他区からの転入・年齢別（年次）",
    "ward_moves_out_year": "他区への転出・年齢別（年次）",
    "within_ward_year": "区内転居・年齢別（年次）",
    "ward_moves_od_year": "区間移動・転出元×転入先（年次）",
    "immigration_notice_year": "法務省通知による外国人の消除（年次）",
    "moves_in_month": "区別・年齢別転入（月次）",
    "moves_out_month": "区別・年齢別転出（月次）",
    "moves_in_district_month": "小学校区別転入（月次）",
    "moves_out_district_month": "小学校区別転出（月次）",
    "moves_in_hyogo_month": "県内他市町からの転入（月次）",
    "moves_out_hyogo_month": "県内他市町への転出（月次）",
    "ward_moves_in_month": "他区からの転入（月次）",
    "ward_moves_out_month": "他区への転出（月次）",
    "within_ward_month": "区内転居・男女別（月次）",
    "immigration_notice_month": "法務省通知による外国人の消除（月次）",
    "estimated_population": "推計人口",
}
