"""Protect the tables of a specification: model, primary rules, complementary suppression, published rows, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Layout, Model, build_model
from kobe_platform.disclosure.primary import primary_cells
from kobe_platform.disclosure.spec import PUBLISHED, SUPPRESSED, Spec
from kobe_platform.disclosure.suppression import Progress, Suppressor
from kobe_platform.errors import DisclosureError

ENGINE_VERSION = "1"
METHOD = "suppression"


@dataclass(frozen=True)
class TableReport:
    """What was done to one table, in counts.

    Attributes:
        cells: published rows, totals included; nonzero: those with a count; suppressed; primary: suppressed by a rule.
        share_published: finest non-zero cells that are shown; share_of_total: what the hidden finest cells count
            together, as a share of the table's total.
    """

    table: str
    method: str
    minimum_frequency: int
    interval_width: int
    cells: int
    nonzero: int
    primary: int
    suppressed: int
    share_published: float
    share_of_total: float


@dataclass(frozen=True)
class Report:
    """Tables, engine version, number of programs solved and seconds taken."""

    tables: tuple[TableReport, ...]
    engine_version: str
    programs: int
    seconds: float

    def as_record(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Protected:
    """Published tables by name (dimension columns, ``value``, ``status``) and the report."""

    tables: dict[str, pl.DataFrame]
    report: Report


def protect(
    spec: Spec,
    cells: Mapping[str, pl.DataFrame],
    *,
    hidden: Mapping[str, pl.DataFrame] | None = None,
    start: Mapping[str, pl.DataFrame] | None = None,
    sensitive: Mapping[str, pl.DataFrame] | None = None,
    progress: Progress | None = None,
) -> Protected:
    """Suppress what must be hidden in all tables of ``spec`` together.

    Args:
        spec: rules, hierarchies, tables, relations.
        cells: table → finest cells (dimension columns and the measure; absent = 0), fixed tables included.
        hidden: table → rows that stay hidden (the pattern of former releases of the same reference date; of a fixed
            table its whole pattern). Where a ``status`` column is present, its suppressed rows.
        start: table → rows of last month's pattern: hidden rather than others where there is a choice.
        sensitive: table → rows that are sensitive whatever their count.
        progress: called with (stage, done, of).

    Returns:
        The tables with all margins, the same bytes for the same input.

    Raises:
        DisclosureError: input unsound, or a cell cannot be protected; then there is no output.
    """
    began = time.perf_counter()
    model = build_model(spec, cells)
    ratchet = model.mask(hidden, "the former patterns") & ~(model.known | model.residual | model.slack)
    primary = primary_cells(model, model.mask(sensitive, "the sensitive cells"))
    immovable = model.fixed & ~ratchet
    search = Suppressor(model, primary, ratchet, model.mask(start, "the starting pattern"), immovable, progress)
    pattern = search.run()
    _assert_open(model, pattern.primary, pattern.proofs.spread)
    tables = {name: published(layout, model.value, pattern.hidden) for name, layout in model.layouts.items()}
    reports = tuple(_report(model, layout, pattern.hidden, primary) for layout in model.layouts.values())
    seconds = time.perf_counter() - began
    return Protected(tables, Report(reports, ENGINE_VERSION, search.solver.programs, round(seconds, 3)))


def _assert_open(model: Model, primary: np.ndarray, spread: np.ndarray) -> None:
    closed = primary & (spread < model.width)
    if closed.any():
        raise DisclosureError(
            "a primary cell is left without proof",
            code="disclosure.unprotected",
            at={**model.where(int(np.argmax(closed))), "cells": int(closed.sum())},
            remedy="report this: the engine refuses its own pattern",
        )


def published(layout: Layout, value: np.ndarray, hidden: np.ndarray) -> pl.DataFrame:
    """The rows of a table as they are published: every margin, residual codes left out."""
    positions = layout.shown()
    ids = layout.variables.ravel()[positions]
    suppressed = pl.Series(values=hidden[ids], dtype=pl.Boolean)
    return layout.frame(positions).with_columns(
        value=pl.when(suppressed).then(None).otherwise(pl.Series(values=value[ids], dtype=pl.Int64)),
        status=pl.when(suppressed).then(pl.lit(SUPPRESSED)).otherwise(pl.lit(PUBLISHED)),
    )


def _report(model: Model, layout: Layout, hidden: np.ndarray, primary: np.ndarray) -> TableReport:
    positions = layout.shown()
    ids = layout.variables.ravel()[positions]
    finest = np.ones(layout.variables.shape, dtype=bool)
    for axis, tree in enumerate(layout.trees):
        shape = [1] * layout.variables.ndim
        shape[axis] = -1
        finest &= tree.leaf.reshape(shape)
    leaves = layout.variables.ravel()[positions[finest.ravel()[positions]]]
    nonzero = model.value[leaves] > 0
    total = int(model.value[layout.variables.ravel()[0]])
    rule = layout.table.rule(model.spec.rule)
    return TableReport(
        layout.table.name, METHOD, rule.minimum_frequency, rule.width,
        cells=len(ids), nonzero=int((model.value[ids] > 0).sum()),
        primary=int(primary[ids].sum()), suppressed=int(hidden[ids].sum()),
        share_published=round(1 - float(hidden[leaves][nonzero].mean()), 6) if nonzero.any() else 1.0,
        share_of_total=round(float(model.value[leaves][hidden[leaves]].sum()) / total, 6) if total else 0.0,
    )  # fmt: skip
