"""Linked tables of two populations with residuals, a coarser view and inclusion: what is written is always safe."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from kobe_platform.disclosure import Dimension, Relation, Rule, Spec, Table, audit, protect

WARDS = [f"w{i}" for i in range(3)]


def problem(seed):
    """Residents by district × age × sex and by ward × age; a part of them by district × age and by district × sex."""
    random = np.random.default_rng(seed)
    wards = {"c": None, **dict.fromkeys(WARDS, "c")}
    tree = {**wards, **{f"d{i}": f"w{i % 3}" for i in range(random.integers(4, 12))}, **{f"u{w}": w for w in WARDS}}
    leaves = [code for code in tree if code not in set(tree.values())]
    ages = [f"a{i}" for i in range(random.integers(2, 6))]
    mean = random.choice([3, 8, 20, 60])
    rows = [
        (d, a, s, int(random.poisson(mean * random.lognormal(0, 1) * (0.01 if s == "unknown" else 1))))
        for d, a, s in itertools.product(leaves, ages, ["m", "f", "unknown"])
    ]
    everyone = pl.DataFrame(rows, schema=["area", "age", "sex", "persons"], orient="row")
    part = everyone.with_columns(persons=pl.Series(random.binomial(everyone["persons"].to_numpy(), 0.3)))
    total = pl.col("persons").sum()
    cells = {
        "all": everyone,
        "wards": everyone.with_columns(pl.col("area").replace_strict(tree)).group_by("area", "age").agg(total),
        "part_age": part.group_by("area", "age").agg(total),
        "part_sex": part.group_by("area", "sex").agg(total),
    }
    dimensions = {
        "area": Dimension(hierarchy=tree, residual=[f"u{w}" for w in WARDS]),
        "ward": Dimension(hierarchy=wards, of="area"),
        "age": Dimension(total="T"),
        "sex": Dimension(total="T", residual=["unknown"]),
    }
    tables = (
        Table(name="all", dimensions=["area", "age", "sex"], population="all"),
        Table(name="wards", dimensions={"area": "ward", "age": "age"}, population="all"),
        Table(name="part_age", dimensions=["area", "age"], population="part"),
        Table(name="part_sex", dimensions=["area", "sex"], population="part"),
    )
    inclusion = Relation(name="part of all", on=["area", "age"], left=["part_age"], right=["all"], sense="<=")
    rule = Rule(minimum_frequency=int(random.choice([3, 5, 10])), zeros="hidden" if seed % 3 == 0 else "published")
    return Spec(rule=rule, dimensions=dimensions, tables=tables, relations=(inclusion,)), cells


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_what_is_protected_is_found_safe(seed):
    spec, cells = problem(seed)
    protected = protect(spec, cells).tables
    report = audit(spec, protected)
    assert report.publishable, report.findings[:3]
    hidden = sum(frame.filter(pl.col("status") == "suppressed").height for frame in protected.values())
    assert report.counts["hidden"] <= hidden
