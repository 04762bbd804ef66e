"""The verdict on published tables: they may be published only if every hidden cell is shown to be open."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.already_out import AlreadyOut
from kobe_platform.disclosure.auditor.bounds import Contradiction, State, Undecided
from kobe_platform.disclosure.auditor.component import is_open
from kobe_platform.disclosure.auditor.contradictions import part_of, place_of
from kobe_platform.disclosure.auditor.figures import Figures, read_figures
from kobe_platform.disclosure.auditor.means import read_means
from kobe_platform.disclosure.auditor.presolve import Bounds, single_equations
from kobe_platform.disclosure.auditor.previous_release import (
    Corrected,
    already_out,
    apart,
    corrected_findings,
    join,
    ratchet,
)
from kobe_platform.disclosure.auditor.scenarios import RULE as ABOVE
from kobe_platform.disclosure.auditor.scenarios import beside_scenarios
from kobe_platform.disclosure.auditor.singletons import told_to_members
from kobe_platform.disclosure.auditor.system import System, build_system, components, rings_left_out
from kobe_platform.disclosure.previous_release import FormerRelease
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.disclosure.spec import Spec
from kobe_platform.errors import DisclosureError

MOST_FINDINGS = 10_000
MOST_NAMED = 100
"""So many equations that do not hold among published figures are named."""
_REMEDY = "make the named table coarser, or report the finding: the engine ought to have protected it"
_JA = "監査で推定可能な値が見つかったため公表しません"
_RING_REMEDY = "coarsen one of the tables, or publish the table of all their columns"
_RING_JA = "表どうしの組合せが大きすぎて監査できないため公表しません"
_ABOVE_REMEDY = "leave out what is new of this month or make it coarser; what it shows already stays"
_ABOVE_JA = "都道府県の公表済みの合計と合わせると推定できる値があるため公表しません"

_MESSAGES = {
    "narrow": "the interval that follows is narrower than the width and reaches below k",
    "exact": "the figure follows exactly",
    "small": "a published figure is below the minimum frequency",
    "undecided": "no proof was found within the budget",
    "contradiction": "published figures contradict each other",
    "ratchet": "a former release hid what is shown now",
    "singleton": "the only person of another hidden cell can work the figure out",
    "residual": "the residual that follows is narrower than the width and reaches below k",
    "ring": "tables of one population stand in a ring that is too large to be audited",
    ABOVE: "beside the totals over municipalities that are out it could follow more closely than was reckoned with",
    "exposed": "former releases alone give the figure away under the present rules; the tables tell no more of it",
}
_SUPERSEDED = "a former figure is not the present one, or cannot be true beside the present figures"


@dataclass(frozen=True)
class Finding:
    """One reason to refuse: rule, table and codes, never a value."""

    rule: str
    table: str
    coordinates: dict[str, str] = field(hash=False)
    message: str


@dataclass(frozen=True)
class AuditReport:
    """The verdict; :attr:`publishable` alone says what it comes to.

    Attributes:
        findings: reasons to refuse, at most ten thousand: what follows from the tables, what was not decided within the
            budget, and what was not asked at all.
        counts: unknown cells, hidden cells, joint tables too large to be asked for, parts, programs solved, findings
            by rule.
        seconds: time taken.
        superseded: where a former release (``release``: its number, the oldest is 1) shows other counts than the
            present tables, or such as cannot be true beside them. A correction does that, so it is no reason to refuse.
        exposed: cells that former releases alone give away under the present rules, and the present tables no further
            (:mod:`already_out`). Nothing mends that, so it is no reason to refuse; who publishes must know it.
    """

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    seconds: float
    superseded: tuple[Finding, ...] = ()
    exposed: tuple[Finding, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether the tables may be published: the audit was complete and found nothing."""
        return not self.findings

    @property
    def exposed_by_table(self) -> dict[str, int]:
        """Table → how many of its cells are exposed already; tables without any are left out."""
        return dict(sorted(Counter(one.table for one in self.exposed).items()))

    def refusal(self, at: Mapping[str, str | int] | None = None) -> DisclosureError:
        """The error of a report that is not publishable: rule and table of its first finding, and how many there are.

        Args:
            at: further coordinates, such as the period.
        """
        first = self.findings[0]
        ring = first.rule == "ring"
        if first.rule == ABOVE:
            return DisclosureError(
                f"the audit refuses the tables: {first.message}",
                code="disclosure.above",
                at={**(at or {}), "table": first.table, "findings": len(self.findings)},
                remedy=_ABOVE_REMEDY,
                ja=_ABOVE_JA,
            )
        return DisclosureError(
            f"the audit refuses the tables: {first.message}",
            code="disclosure.ring" if ring else "disclosure.audit",
            at={**(at or {}), "rule": first.rule, "table": first.table, "findings": len(self.findings)},
            remedy=_RING_REMEDY if ring else _REMEDY,
            ja=_RING_JA if ring else _JA,
        )

    def as_record(self) -> dict[str, object]:
        """JSON-ready."""
        return {"safe": self.publishable, **asdict(self)}

    def published_record(self) -> dict[str, object]:
        """What may stand beside the tables: it follows from them."""
        return {"safe": self.publishable, **{name: self.counts[name] for name in ("cells", "hidden")}}


def audit(
    spec: Spec,
    tables: Mapping[str, pl.DataFrame],
    *,
    previous: Sequence[FormerRelease | Mapping[str, pl.DataFrame]] = (),
    above: Sequence[Scenarios] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> AuditReport:
    """Attack published tables.

    What is found beside former releases is asked once more: whether these alone give it away already
    (:mod:`already_out`).

    Args:
        tables: table → dimension columns, ``value`` (null when suppressed), ``status``; published means among them.
        previous: former releases of the same reference date, oldest first (see :mod:`previous_release`).
        above: what totals over several municipalities that are out ask of this one (:mod:`scenarios`).

    Raises:
        DisclosureError: the files are not what the specification promises.
    """
    began = time.perf_counter()
    means = read_means(spec, tables)
    counted = {table.name: tables[table.name] for table in spec.tables if table.name in tables}
    attack = _attack(spec, counted, means, progress)
    corrected: tuple[Corrected, ...] = ()
    releases = [r if isinstance(r, FormerRelease) else FormerRelease(r) for r in previous]
    if releases and not attack.contradicted:
        attack, corrected = _with_former(spec, counted, means, releases, progress)
    findings, superseded = list(attack.findings), []
    for pair in corrected:
        found, (table, where) = corrected_findings(spec, counted, pair, _attack_part)
        findings += [_finding(*one) for one in found]
        number = next(n for n, release in enumerate(releases, 1) if release is pair.release)
        superseded.append(Finding("corrected", table, {**where, "release": str(number)}, _SUPERSEDED))
    solved = 0
    for scenarios in above if not attack.contradicted else ():
        rules, more = beside_scenarios(counted, attack.system, attack.figures, corrected, scenarios)
        findings += [_finding(rule, *attack.figures.where(cell)) for rule, cell in rules]
        solved += more
    everything = list(dict.fromkeys(findings))
    findings = [finding for finding in everything if finding.rule != "exposed"][:MOST_FINDINGS]
    exposed = tuple(finding for finding in everything if finding.rule == "exposed")
    counts = {**attack.counts, "programs": attack.counts["programs"] + solved}
    counts |= {"former": len(previous), "corrected": len(corrected), "exposed": len(exposed)}
    for rule in sorted({finding.rule for finding in findings}):
        counts[rule] = sum(finding.rule == rule for finding in findings)
    seconds = round(time.perf_counter() - began, 3)
    return AuditReport(tuple(findings), counts, seconds, tuple(superseded), exposed)


@dataclass(frozen=True)
class _Attack:
    """What one attack found; ``contradicted``: no table agrees with all the figures."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    contradicted: bool
    system: System
    figures: Figures


def _with_former(
    spec: Spec,
    counts: Mapping[str, pl.DataFrame],
    means: Mapping[str, pl.DataFrame],
    releases: Sequence[FormerRelease],
    progress: Callable[[str, int, int], None] | None,
) -> tuple[_Attack, tuple[Corrected, ...]]:
    """The attack with all former releases that one truth explains together with the present; the others apart.

    A release that shows no differing figure may still contradict the present in its sums. Then releases are taken one
    by one, newest first, and those that contradict what is there already count as corrected.
    """
    joined = join(spec, counts, releases)
    out = already_out(spec, counts, releases)
    attack = _attack(joined.spec, joined.tables, means, progress, joined.former, out)
    if not attack.contradicted:
        return attack, joined.corrected
    kept: list[FormerRelease] = []
    corrected: list[Corrected] = []
    for release in reversed(releases):
        joined = join(spec, counts, [release, *kept])
        tried = _attack(joined.spec, joined.tables, means, progress, joined.former)
        if tried.contradicted:
            place = next((f.table, f.coordinates) for f in tried.findings if f.rule == "contradiction")
            corrected.append(apart(spec, counts, release, place))
        else:
            kept.insert(0, release)
    joined, out = join(spec, counts, kept), already_out(spec, counts, kept)
    attack = _attack(joined.spec, joined.tables, means, progress, joined.former, out)
    return attack, (*joined.corrected, *corrected)


def _attack(
    spec: Spec,
    tables: Mapping[str, pl.DataFrame],
    means: Mapping[str, pl.DataFrame],
    progress: Callable[[str, int, int], None] | None,
    former: frozenset[str] = frozenset(),
    out: AlreadyOut | None = None,
) -> _Attack:
    figures = read_figures(spec, tables, former)
    findings = [_finding("contradiction", table, where) for table, where in figures.contradictions]
    told = figures.hidden & (figures.value >= 0)  # by a former release; from k on nothing small is told
    found: list[tuple[str, int]] = [
        ("exposed" if out is not None and out.tells(figures, cell) else "exact", cell)
        for cell in np.flatnonzero(told & (figures.value < figures.k)).tolist()
    ]
    shown = (figures.now > 0) & (figures.now < figures.k) & ~figures.residual
    found += [("small", cell) for cell in np.flatnonzero(shown).tolist()]
    found += [("ratchet", cell) for cell in ratchet(figures)]
    system = build_system(spec, figures, means)
    wrong = [system.named(system.impossible[n : n + 1]) for n in range(min(len(system.impossible), MOST_NAMED))]
    findings += [_finding("contradiction", *figures.where(cell)) for cell in dict.fromkeys(wrong)]
    findings += [_finding(*ring) for ring in rings_left_out(system)]
    asked = np.zeros(len(figures.value), dtype=bool)
    for table in spec.tables:
        if spec.attack.asks_of(table.name):
            asked[figures.rows[table.name]["cell"].to_numpy()] = True
    programs, parts = 0, []
    if not len(system.impossible) and not figures.contradictions:
        parts = components(system)
        bounds = single_equations(system.matrix, system.right, system.lower)
        told = _told_and_harmless(system, figures, bounds)
        for number, (unknowns, equations) in enumerate(parts):
            if progress and number % 20 == 0:
                progress("audit", number, len(parts))
            if told[unknowns].all():
                continue
            rules, solved = _attack_part(system, figures, unknowns, equations, out, member=asked, bounds=bounds)
            found += rules
            programs += solved
    found.sort(key=lambda one: one[0] == "exposed")  # what is refused stands before what is forgiven
    findings += [_finding(rule, *figures.where(int(cell))) for rule, cell in found[:MOST_FINDINGS]]
    counts = {
        "cells": len(figures.value),
        "hidden": int(figures.hidden.sum()),
        "unknown": len(system.cells),
        "joints_left_out": len(system.left_out),
        "parts": len(parts),
        "programs": programs,
    }
    contradicted = any(finding.rule == "contradiction" for finding in findings)
    return _Attack(tuple(findings), counts, contradicted, system, figures)


def _told_and_harmless(system: System, figures: Figures, bounds: Bounds) -> np.ndarray:
    """Mask of the unknowns that single equations tell, without a contradiction and without telling anything small.

    Most parts are one residual, which its equation tells: they need no look of their own.
    """
    cells, value = system.cells, np.where(bounds.determined, bounds.floor, 0)
    width, k = np.where(cells >= 0, figures.width[cells], 0), np.where(cells >= 0, figures.k[cells], 0)
    residual = (cells >= 0) & figures.residual[cells]
    harmless = bounds.determined & is_open((value, value), (value, value), width, k, residual)
    wrong = system.matrix @ value != system.right
    return harmless & (abs(system.matrix).T @ wrong == 0)


def _attack_part(
    system: System,
    figures: Figures,
    unknowns: np.ndarray,
    equations: np.ndarray,
    out: AlreadyOut | None = None,
    *,
    member: np.ndarray | None = None,
    bounds: Bounds | None = None,
) -> tuple[list[tuple[str, int]], int]:
    cells = system.cells[unknowns]
    wanted = cells >= 0
    if not len(equations):
        return [], 0
    width, k = np.where(wanted, figures.width[cells], 0), np.where(wanted, figures.k[cells], 0)
    own = system.part(unknowns, equations)
    try:
        part = part_of(own, bounds.of(unknowns) if bounds is not None else None)
        residuals = wanted & figures.residual[cells]
        part.spread_out(width, part.open_ones(width, k, residuals))
    except Contradiction:
        return [("contradiction", place_of(own))], 0
    except Undecided:
        return [("undecided", int(cell)) for cell in cells[wanted]], 0
    found = []
    for unknown in np.flatnonzero(wanted & ~part.open_ones(width, k, residuals)).tolist():
        cell, residual = int(cells[unknown]), bool(residuals[unknown])
        try:
            state = part.judge(unknown, int(width[unknown]), int(k[unknown]), residual)
        except Contradiction:
            state = State.UNDECIDED
        if state is State.OPEN:
            continue
        if out is not None and out.covers(part, unknown, figures, cell):
            found.append(("exposed", cell))
        elif state is State.UNDECIDED:
            found.append(("undecided", cell))
        else:
            exact = np.floor(part.ceiling[unknown] + 1e-6) == np.ceil(part.floor[unknown] - 1e-6)
            found.append(("exact" if exact else "residual" if residual else "narrow", cell))
    if member is not None and member[cells[wanted]].any():
        hidden = wanted & figures.hidden[cells] & member[cells]
        found += [("singleton", int(cells[unknown])) for unknown in told_to_members(part, hidden, k)]
    return found, part.programs


def _finding(rule: str, table: str, coordinates: dict[str, Any]) -> Finding:
    return Finding(rule, table, {key: str(value) for key, value in coordinates.items()}, _MESSAGES[rule])
