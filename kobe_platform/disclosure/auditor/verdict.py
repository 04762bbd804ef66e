"""The verdict on published tables: safe only if every hidden cell is shown to be open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.bounds import Contradiction, Part, State, Undecided
from kobe_platform.disclosure.auditor.figures import Figures, read_figures
from kobe_platform.disclosure.auditor.system import System, build_system, components
from kobe_platform.disclosure.spec import Spec

MOST_FINDINGS = 10_000

_MESSAGES = {
    "narrow": "the interval that follows is narrower than the width and reaches below k",
    "exact": "the figure follows exactly",
    "small": "a published figure is below the minimum frequency",
    "undecided": "no proof was found within the budget",
    "contradiction": "published figures contradict each other",
    "residual": "the residual that follows is narrower than the width and reaches below k",
}


@dataclass(frozen=True)
class Finding:
    """One reason to refuse: rule, table and codes, never a value."""

    rule: str
    table: str
    coordinates: dict[str, str]
    message: str


@dataclass(frozen=True)
class AuditReport:
    """The verdict.

    Attributes:
        safe: nothing was found and nothing is undecided.
        findings: reasons to refuse, at most ten thousand.
        counts: unknown cells, hidden cells, parts, programs solved, findings by rule.
        seconds: time taken.
    """

    safe: bool
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    seconds: float

    def as_record(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def audit(
    spec: Spec, tables: Mapping[str, pl.DataFrame], *, progress: Callable[[str, int, int], None] | None = None
) -> AuditReport:
    """Attack published tables.

    Args:
        tables: table → dimension columns, ``value`` (null when suppressed), ``status``.

    Raises:
        DisclosureError: the files are not what the specification promises.
    """
    began = time.perf_counter()
    figures = read_figures(spec, tables)
    findings = [_finding("contradiction", table, where) for table, where in figures.contradictions]
    found: list[tuple[str, int]] = [
        ("exact", c) for c in np.flatnonzero(figures.hidden & (figures.value >= 0)).tolist()
    ]
    shown = (figures.value > 0) & (figures.value < figures.k) & ~figures.residual
    found += [("small", cell) for cell in np.flatnonzero(shown).tolist()]
    system = build_system(spec, figures)
    if system.impossible:
        findings.append(_finding("contradiction", "", {"equations": str(system.impossible)}))
    programs, parts = 0, []
    if not findings:
        parts = components(system)
        for number, (unknowns, equations) in enumerate(parts):
            if progress and number % 20 == 0:
                progress("audit", number, len(parts))
            rules, solved = _attack(system, figures, unknowns, equations)
            found += rules
            programs += solved
    findings += [_finding(rule, *figures.where(cell)) for rule, cell in found[:MOST_FINDINGS]]
    counts = {
        "cells": len(figures.value),
        "hidden": int(figures.hidden.sum()),
        "unknown": len(system.cells),
        "parts": len(parts),
        "programs": programs,
    }
    for rule in sorted({finding.rule for finding in findings}):
        counts[rule] = sum(finding.rule == rule for finding in findings)
    return AuditReport(not findings, tuple(findings), counts, round(time.perf_counter() - began, 3))


def _attack(
    system: System, figures: Figures, unknowns: np.ndarray, equations: np.ndarray
) -> tuple[list[tuple[str, int]], int]:
    cells = system.cells[unknowns]
    wanted = cells >= 0
    if not len(equations):
        return [], 0
    width, k = np.where(wanted, figures.width[cells], 0), np.where(wanted, figures.k[cells], 0)
    try:
        part = Part(system.matrix[equations][:, unknowns], system.right[equations], system.lower[unknowns], wanted)
        settled = np.array(
            [part.harmless(u, int(width[u]), int(k[u]), bool(figures.residual[cells[u]])) for u in range(part.size)]
        )
        part.spread_out(width, settled)
    except Contradiction:
        return [("contradiction", int(cells[wanted][0]) if wanted.any() else 0)], 0
    except Undecided:
        return [("undecided", int(cell)) for cell in cells[wanted]], 0
    found = []
    for unknown in np.flatnonzero(wanted & (part.most - part.least < width)).tolist():
        cell = int(cells[unknown])
        residual = bool(figures.residual[cell])
        try:
            state = part.judge(unknown, int(width[unknown]), int(k[unknown]), residual)
        except Contradiction:
            state = State.UNDECIDED
        if state is State.UNDECIDED:
            found.append(("undecided", cell))
        elif state is State.NARROW:
            exact = np.floor(part.ceiling[unknown] + 1e-6) == np.ceil(part.floor[unknown] - 1e-6)
            found.append(("exact" if exact else "residual" if residual else "narrow", cell))
    return found, part.programs


def _finding(rule: str, table: str, coordinates: dict) -> Finding:
    return Finding(rule, table, {key: str(value) for key, value in coordinates.items()}, _MESSAGES[rule])
