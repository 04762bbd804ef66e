"""Applies controlled rounding or the cell-key method to the tables of one population."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model, build_model
from kobe_platform.disclosure.reports import PartResult, published, table_report
from kobe_platform.disclosure.spec import Spec
from kobe_platform.disclosure.table_index import refusal


def round_part(spec: Spec, cells: Mapping[str, pl.DataFrame]) -> PartResult:
    """Round all tables of a population together (:mod:`~kobe_platform.disclosure.methods.rounding`)."""
    from kobe_platform.disclosure.methods.rounding import round_model

    model = build_model(spec, cells)
    base = spec.tables[0].base
    assert base is not None
    rounded = round_model(model, base)
    return _shown(model, rounded.value, {"base": base}, {"beyond_one_step": rounded.further}, rounded.programs)


def noise_part(spec: Spec, cells: Mapping[str, pl.DataFrame], secret: bytes | None) -> PartResult:
    """Give all tables of a population their noise (:mod:`~kobe_platform.disclosure.methods.cell_key`)."""
    from kobe_platform.disclosure.methods.cell_key import noisy
    from kobe_platform.disclosure.methods.perturbation import perturbation_table

    model = build_model(spec, cells)
    noise = spec.tables[0].noise
    assert noise is not None
    least = int(model.k.max())
    table = perturbation_table(noise.most, noise.variance, least)
    value = noisy(model, cells, noise, table, secret)
    parameters = {
        "noise": noise.model_dump(exclude={"keys"}),
        "keys": "records" if noise.keys else "coordinates",
        "most_certain": round(table.most_certain(), 4),
    }
    return _shown(model, value, parameters, {}, 0)


def refuse_patterns(*given: Mapping[str, pl.DataFrame]) -> None:
    """A pattern (former, sensitive) for a table that shows every row cannot be kept: refuse it."""
    for frames in given:
        for name in frames:
            raise refusal(
                "a perturbed table hides no cells, so it cannot keep a pattern", "disclosure.method", table=name
            )


def _shown(
    model: Model, value: np.ndarray, parameters: Mapping[str, Any], quality: Mapping[str, Any], programs: int
) -> PartResult:
    """Rows and reports; what the reports count, they count in the shown figures, not in the true ones."""
    counted = (model.value > 0) & ~model.residual
    change = np.abs(value - model.value)[counted]
    quality = {**quality, "mean_change": round(float(change.mean()), 3) if len(change) else 0.0}
    nothing = np.zeros(model.size, dtype=bool)
    shown = dataclasses.replace(model, value=value)
    tables = {name: published(layout, value, nothing) for name, layout in model.layouts.items()}
    reports = [table_report(shown, layout, nothing, nothing, parameters, quality) for layout in model.layouts.values()]
    return PartResult(tables, reports, programs)
