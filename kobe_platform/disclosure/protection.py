"""Protects the tables of a specification, each population by its method; returns published rows and a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
import polars as pl

from kobe_platform.disclosure.methods.coarsening import StepsTaken, coarsened, coarsened_spec
from kobe_platform.disclosure.methods.perturbed import noise_part, refuse_patterns, round_part
from kobe_platform.disclosure.model import Model, build_model
from kobe_platform.disclosure.previous_release import FormerRelease, check_former
from kobe_platform.disclosure.released import read_released
from kobe_platform.disclosure.reports import (
    ENGINE_VERSION,
    PartResult,
    Protected,
    ProtectionReport,
    TableReport,
    published,
    table_report,
)
from kobe_platform.disclosure.spec import Spec, definitions
from kobe_platform.disclosure.suppression.exposed import eased
from kobe_platform.disclosure.suppression.primary import sensitive_cells
from kobe_platform.disclosure.suppression.search import Progress, Suppressor
from kobe_platform.disclosure.suppression.singletons import part_members
from kobe_platform.disclosure.suppression.wishes import read_wishes
from kobe_platform.errors import DisclosureError

__all__ = ["ENGINE_VERSION", "Protected", "ProtectionReport", "TableReport", "independent", "protect"]
MANY_CARRIED, PILED_UP = 200, 1.1
"""Carried cells from which a search without last month's pattern is compared; how many times fewer it must hide."""


@dataclass(frozen=True)
class IndependentPart:
    """Tables that share no population and no relation with the others, and what is given for them."""

    spec: Spec
    cells: Mapping[str, pl.DataFrame]
    hidden: Mapping[str, pl.DataFrame]
    start: Mapping[str, pl.DataFrame]
    sensitive: Mapping[str, pl.DataFrame]
    secret: bytes | None
    previous: tuple[FormerRelease, ...] = ()
    proven: tuple[str, ...] = ()
    doubted: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    wishes: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def protect(
    spec: Spec,
    cells: Mapping[str, pl.DataFrame],
    *,
    hidden: Mapping[str, pl.DataFrame] | None = None,
    start: Mapping[str, pl.DataFrame] | None = None,
    sensitive: Mapping[str, pl.DataFrame] | None = None,
    wishes: Mapping[str, pl.DataFrame] | None = None,
    secret: bytes | None = None,
    coarsening: Mapping[str, Mapping[str, object]] | None = None,
    previous: Sequence[FormerRelease] = (),
    proven: Collection[str] = (),
    doubted: Mapping[str, pl.DataFrame] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Protected:
    """Protect all tables of ``spec`` together, each population by its method.

    Args:
        spec: rules, hierarchies, tables, relations.
        cells: table → finest cells (dimension columns and the measure; absent = 0), fixed tables included.
        hidden: table → rows that stay hidden (the pattern of former releases of the same reference date; of a fixed
            table its whole pattern). Where a ``status`` column is present, its suppressed rows.
        start: table → rows of last month's pattern: hidden rather than others where there is a choice.
        sensitive: table → rows that are sensitive whatever their count.
        wishes: table → rows with the column ``wish`` (:mod:`suppression.wishes`): ``hide`` (sensitive whatever the
            count), ``keep`` (hidden for others only where nothing else will do) or ``yield`` (rather than others).
        secret: the operator's key of the cell-key method.
        coarsening: table → what was merged last month; it stays merged.
        previous: former releases of the same reference date: what they hid stays hidden, what they showed is no
            shield (see :mod:`released`).
        proven: fixed tables that were protected together before: their hidden cells are not proven to be open one by
            one again, which the audit must do afterwards.
        doubted: table → rows of proven tables that are proven all the same (those that an audit found narrow).
        workers: processes for parts that share no population and no relation (the result does not depend on it).
        progress: called with (stage, done, of).

    Returns:
        The tables with all margins, the same bytes for the same input.

    Raises:
        DisclosureError: input unsound, or a cell cannot be protected; then there is no output.
    """
    began = time.perf_counter()
    check_former(spec, previous)
    parts = [
        IndependentPart(
            part, _of(part, cells), _of(part, hidden), _of(part, start), _of(part, sensitive), secret, tuple(previous),
            tuple(table.name for table in part.tables if table.name in proven), _of(part, doubted),
            _of(part, wishes),
        )
        for part in independent(spec)
    ]  # fmt: skip
    earlier = coarsening or {}
    if workers > 1 and len(parts) > 1:
        with ProcessPoolExecutor(min(workers, len(parts)), mp_context=get_context("spawn")) as pool:
            results = list(pool.map(_protect_part, parts, [earlier] * len(parts)))
    else:
        results = [_protect_part(part, earlier, progress) for part in parts]
    tables = {name: frame for result, _ in results for name, frame in result.tables.items()}
    reports = {report.table: report for result, _ in results for report in result.reports}
    taken = {name: choice for _, choices in results for name, choice in choices.items()}
    names = [table.name for table in spec.tables]
    seconds = round(time.perf_counter() - began, 3)
    programs = sum(result.programs for result, _ in results)
    report = ProtectionReport(tuple(reports[name] for name in names), ENGINE_VERSION, programs, seconds)
    return Protected({name: tables[name] for name in names}, report, coarsened_spec(spec, taken), taken)


def independent(spec: Spec) -> list[Spec]:
    """The specification, split into parts that share no population, no relation and no definition."""
    group = {table.population: table.population for table in spec.tables}

    def leader(population: str) -> str:
        while group[population] != population:
            population = group[population]
        return population

    for relation in spec.relations:
        tied = [leader(spec.table(term.table).population) for term in (*relation.left, *relation.right)]
        for population in tied:
            group[leader(population)] = leader(tied[0])
    for one, other in spec.tied:
        group[leader(other)] = leader(one)
    parts = []
    for first in sorted({leader(population) for population in group}):
        tables = tuple(t for t in spec.tables if leader(t.population) == first)
        relations = tuple(r for r in spec.relations if leader(spec.table(r.left[0].table).population) == first)
        own = {table.population for table in tables}
        parts.append(spec.model_copy(update={"tables": tables, "relations": relations, **definitions(spec, own)}))
    return parts


def _of(part: Spec, frames: Mapping[str, pl.DataFrame] | None) -> dict[str, pl.DataFrame]:
    return {table.name: frames[table.name] for table in part.tables if frames and table.name in frames}


def _protect_part(
    part: IndependentPart, earlier: Mapping[str, Mapping[str, object]], progress: Progress | None = None
) -> tuple[PartResult, dict[str, StepsTaken]]:
    """One part by its method, and what was coarsened in it. A method that has no branch here has no output."""
    method = part.spec.tables[0].method
    if method != "suppression":
        refuse_patterns(part.hidden, part.sensitive, part.wishes)
    if method == "rounding":
        return round_part(part.spec, part.cells), {}
    if method == "cell_key":
        return noise_part(part.spec, part.cells, part.secret), {}
    if method == "suppression":
        return coarsened(part, earlier, lambda tried: _suppress_part(tried, progress), _only_primary)
    raise DisclosureError("a table has an unknown method", code="disclosure.method", remedy="see docs/disclosure.md")


def _suppress_part(part: IndependentPart, progress: Progress | None = None) -> PartResult:
    model = build_model(part.spec, part.cells)
    released = read_released(model, part.previous)
    ratchet = model.mask(part.hidden, "the former patterns") | released.hidden
    ratchet &= ~(model.known | model.residual | model.slack)
    wished = read_wishes(model, part.wishes)
    by_hand = model.mask(part.sensitive, "the sensitive cells") | wished.hide
    model, primary = sensitive_cells(model, part.cells, by_hand)
    out = released.told & (primary | ratchet)  # shown before, and no more: nothing is proven by what everybody knows
    ratchet &= ~out
    immovable = (model.fixed & ~ratchet) | (released.told & ~ratchet)
    begin = model.mask(part.start, "the starting pattern")
    proven = _proven(part, model)

    def searched(model: Model) -> Suppressor:
        def search_from(start: np.ndarray) -> Suppressor:
            preferred = begin | released.unshown
            return Suppressor(
                model, primary & ~out, ratchet, preferred, immovable, progress, begin=start, proven=proven,
                weights=wished.weights,
            )  # fmt: skip

        return _fewest(search_from, begin)

    try:
        search = searched(model)
    except DisclosureError as refused:
        easier = eased(model, released) if refused.code == "disclosure.unprotected" and released.told.any() else None
        if easier is None:
            raise
        model = easier
        search = searched(model)
    pattern = search.pattern
    if part.spec.attack.member:
        part_members(search)
    if any(layout.table.magnitude for layout in model.layouts.values()):
        from kobe_platform.disclosure.suppression.contributors import Contributors

        Contributors(search).guard(part.cells)
    _assert_open(model, pattern.primary & ~proven, pattern.proofs.spread)
    hidden = pattern.hidden | out
    tables = {name: published(layout, model.value, hidden) for name, layout in model.layouts.items()}
    reports = [table_report(model, layout, hidden, primary, keep=wished.keep) for layout in model.layouts.values()]
    return PartResult(tables, reports, search.solver.programs)


def _fewest(search_from: Callable[[np.ndarray], Suppressor], begin: np.ndarray) -> Suppressor:
    """The search that begins with last month's pattern; where that has piled up, one that only prefers it.

    What is hidden stays longer than it must, so each month adds to the pattern (decision 0008). Where the pattern is
    large, the other search's first pattern says by how much; only one of the two is finished.
    """
    carried = search_from(begin)
    carried.first_pattern()
    if carried.carried >= MANY_CARRIED:
        try:
            other = search_from(np.zeros_like(begin))
            other.first_pattern()
            if len(carried.complementary) > PILED_UP * len(other.complementary):
                other.finish()
                return other
        except DisclosureError:
            pass
    carried.finish()
    return carried


def _proven(part: IndependentPart, model: Model) -> np.ndarray:
    """Cells whose proof is left to the audit: those of proven tables, without what is doubted of them."""
    chosen = np.zeros(model.size, dtype=bool)
    for name in part.proven:
        chosen[model.layouts[name].variables.ravel()] = True
    return chosen & model.fixed & ~model.mask(part.doubted, "the doubted cells")


def _only_primary(part: IndependentPart) -> PartResult:
    """Reports as if nothing but what the rules name were hidden; no tables."""
    model = build_model(part.spec, part.cells)
    ratchet = model.mask(part.hidden, "the former patterns")
    by_hand = model.mask(part.sensitive, "the sensitive cells") | read_wishes(model, part.wishes).hide
    model, primary = sensitive_cells(model, part.cells, by_hand)
    hidden = primary | ratchet
    return PartResult({}, [table_report(model, layout, hidden, primary) for layout in model.layouts.values()], 0)


def _assert_open(model: Model, primary: np.ndarray, spread: np.ndarray) -> None:
    closed = primary & (spread < model.width)
    if closed.any():
        raise DisclosureError(
            "a primary cell is left without proof",
            code="disclosure.unprotected",
            at={**model.where(int(np.argmax(closed))), "cells": int(closed.sum())},
            remedy="report this: the engine refuses its own pattern",
        )
