"""What it costs to hide a total: more the more levels lie below it."""

from __future__ import annotations

import itertools

import polars as pl

from kobe_platform.disclosure import Dimension, Rule, Spec, Table
from kobe_platform.disclosure.model import build_model

AREAS = {"T": None, "w0": "T", "w1": "T", "d0": "w0", "d1": "w0", "d2": "w1", "d3": "w1"}


def test_a_city_total_counts_one_level_more_than_a_wards():
    dimensions = {"area": Dimension(hierarchy=AREAS), "sex": Dimension(total="T")}
    spec = Spec(rule=Rule(), dimensions=dimensions, tables=(Table(name="t", dimensions=["area", "sex"]),))
    rows = list(itertools.product(["d0", "d1", "d2", "d3"], ["m", "f"]))
    cells = pl.DataFrame(rows, schema=["area", "sex"], orient="row").with_columns(persons=pl.lit(20))
    model = build_model(spec, {"t": cells})
    layout = model.layouts["t"]
    frame = layout.frame(layout.shown())
    heights = dict(zip(frame.select("area", "sex").rows(), model.height[layout.variables.ravel()[layout.shown()]]))
    expected = {"T": 2, "w0": 1, "w1": 1, "d0": 0, "d3": 0}
    assert all(heights[area, "m"] == levels for area, levels in expected.items())
    assert all(heights[area, "T"] == levels + 1 for area, levels in expected.items())
