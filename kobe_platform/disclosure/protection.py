"""Protect the tables of a specification: model, primary rules, complementary suppression, published rows, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context

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

    def published_record(self, audit_counts: Mapping[str, int]) -> dict[str, object]:
        """What is told of each table beside it: never which cells, or how many, were primary."""
        tables = [{name: value for name, value in asdict(t).items() if name != "primary"} for t in self.tables]
        audit = {"safe": True, **{name: audit_counts[name] for name in ("cells", "hidden")}}
        return {"engine_version": self.engine_version, "tables": tables, "audit": audit}


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
    workers: int = 1,
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
        workers: processes for parts that share no population and no relation (the result does not depend on it).
        progress: called with (stage, done, of).

    Returns:
        The tables with all margins, the same bytes for the same input.

    Raises:
        DisclosureError: input unsound, or a cell cannot be protected; then there is no output.
    """
    began = time.perf_counter()
    parts = [
        (part, _of(part, cells), _of(part, hidden), _of(part, start), _of(part, sensitive))
        for part in independent(spec)
    ]
    if workers > 1 and len(parts) > 1:
        with ProcessPoolExecutor(min(workers, len(parts)), mp_context=get_context("spawn")) as pool:
            results = list(pool.map(_protect_part, parts))
    else:
        results = [_protect_part(part, progress) for part in parts]
    tables = {name: frame for frames, _, _ in results for name, frame in frames.items()}
    reports = {report.table: report for _, reports, _ in results for report in reports}
    names = [table.name for table in spec.tables]
    seconds = round(time.perf_counter() - began, 3)
    programs = sum(programs for _, _, programs in results)
    report = Report(tuple(reports[name] for name in names), ENGINE_VERSION, programs, seconds)
    return Protected({name: tables[name] for name in names}, report)


def independent(spec: Spec) -> list[Spec]:
    """The specification, split into parts that share no population and no relation."""
    group = {table.population: table.population for table in spec.tables}

    def leader(population: str) -> str:
        while group[population] != population:
            population = group[population]
        return population

    for relation in spec.relations:
        tied = [leader(spec.table(term.table).population) for term in (*relation.left, *relation.right)]
        for population in tied:
            group[leader(population)] = leader(tied[0])
    parts = []
    for first in sorted({leader(population) for population in group}):
        tables = tuple(t for t in spec.tables if leader(t.population) == first)
        relations = tuple(r for r in spec.relations if leader(spec.table(r.left[0].table).population) == first)
        parts.append(spec.model_copy(update={"tables": tables, "relations": relations}))
    return parts


def _of(part: Spec, frames: Mapping[str, pl.DataFrame] | None) -> dict[str, pl.DataFrame]:
    return {table.name: frames[table.name] for table in part.tables if frames and table.name in frames}


def _protect_part(part: tuple, progress: Progress | None = None) -> tuple[dict, list[TableReport], int]:
    spec, cells, hidden, start, sensitive = part
    model = build_model(spec, cells)
    ratchet = model.mask(hidden, "the former patterns") & ~(model.known | model.residual | model.slack)
    primary = primary_cells(model, model.mask(sensitive, "the sensitive cells"))
    immovable = model.fixed & ~ratchet
    search = Suppressor(model, primary, ratchet, model.mask(start, "the starting pattern"), immovable, progress)
    pattern = search.run()
    _assert_open(model, pattern.primary, pattern.proofs.spread)
    tables = {name: published(layout, model.value, pattern.hidden) for name, layout in model.layouts.items()}
    reports = [_report(model, layout, pattern.hidden, primary) for layout in model.layouts.values()]
    return tables, reports, search.solver.programs


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
