"""The audit of a specification: each population's tables by the auditor of their method, one verdict.

A method without an auditor has no way through here: nothing can be published by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from kobe_platform.disclosure.auditor import verdict
from kobe_platform.disclosure.auditor.figures import Figures, read_figures
from kobe_platform.disclosure.auditor.verdict import MOST_FINDINGS, AuditReport, Finding
from kobe_platform.disclosure.previous_release import FormerRelease, check_former
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.disclosure.spec import Spec, Table
from kobe_platform.errors import DisclosureError

_MESSAGES = {
    "hidden": "a table of this method shows every row",
    "unrounded": "a figure is not a multiple of the base",
    "small": "a published figure is below the minimum frequency",
    "contradiction": "published figures contradict each other",
    "narrow": "the interval that follows is narrower than what is promised",
    "exact": "the figure follows exactly",
    "dominated": "one contributor's part follows too closely, for another or for everybody",
    "undecided": "no proof was found within the budget",
}


def audit(
    spec: Spec,
    tables: Mapping[str, pl.DataFrame],
    *,
    previous: Sequence[FormerRelease | Mapping[str, pl.DataFrame]] = (),
    contributions: Mapping[str, pl.DataFrame] | None = None,
    above: Sequence[Scenarios] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> AuditReport:
    """Attack published tables.

    Args:
        tables: table → dimension columns, ``value`` (null when suppressed), ``status``.
        previous: former releases, which the attack on suppressed tables uses besides (:func:`verdict.audit`).
        contributions: the finest cells of magnitude tables, for the attacks of contributors; only who made the tables
            has them.
        above: what totals over several municipalities ask of suppressed tables of this one (:mod:`scenarios`).

    Raises:
        DisclosureError: the files are not what the specification promises.
    """
    began = time.perf_counter()
    check_former(spec, previous)
    kinds: dict[str, list[Table]] = {}
    for table in spec.tables:
        kinds.setdefault("magnitudes" if table.magnitude else table.method, []).append(table)
    if set(kinds) == {"suppression"}:
        return verdict.audit(spec, tables, previous=previous, above=above, progress=progress)
    reports = []
    for kind, members in sorted(kinds.items()):
        names = {table.name for table in members}
        relations = tuple(r for r in spec.relations if {t.table for t in (*r.left, *r.right)} <= names)
        means = tuple(mean for mean in spec.means if mean.of in names)
        part = spec.model_copy(update={"tables": tuple(members), "relations": relations, "means": means})
        if kind == "suppression":
            reports.append(verdict.audit(part, tables, previous=previous, above=above, progress=progress))
        else:
            reports.append(_by_method(kind, part, tables, contributions))
    findings = tuple(finding for report in reports for finding in report.findings)
    counts: dict[str, int] = {}
    for report in reports:
        for name, number in report.counts.items():
            counts[name] = counts.get(name, 0) + number
    superseded = tuple(one for report in reports for one in report.superseded)
    exposed = tuple(one for report in reports for one in report.exposed)
    return AuditReport(findings, counts, round(time.perf_counter() - began, 3), superseded, exposed)


def _by_method(
    kind: str, spec: Spec, tables: Mapping[str, pl.DataFrame], contributions: Mapping[str, pl.DataFrame] | None
) -> AuditReport:
    began = time.perf_counter()
    figures = read_figures(spec, tables)
    findings = [_finding("contradiction", table, where) for table, where in figures.contradictions]
    if not findings:
        found = _attack(kind, spec, figures)
        if kind == "magnitudes" and contributions is not None and not found:
            from kobe_platform.disclosure.auditor.contributors import audit_contributors

            found = audit_contributors(spec, figures, contributions)
        findings = _findings(found, figures)
    counts = {"cells": len(figures.value), "hidden": int(figures.hidden.sum())}
    for rule in sorted({finding.rule for finding in findings}):
        counts[rule] = sum(finding.rule == rule for finding in findings)
    return AuditReport(tuple(findings), counts, round(time.perf_counter() - began, 3))


def _attack(kind: str, spec: Spec, figures: Figures) -> list[tuple[str, int]]:
    if kind == "rounding":
        from kobe_platform.disclosure.auditor.rounded import audit_rounded

        return audit_rounded(spec, figures)
    if kind == "cell_key":
        from kobe_platform.disclosure.auditor.noisy import audit_noisy

        return audit_noisy(spec, figures)
    if kind == "magnitudes":
        from kobe_platform.disclosure.auditor.sums import audit_sums

        return audit_sums(spec, figures)
    raise DisclosureError("a method has no auditor", code="disclosure.method", remedy="see docs/disclosure.md")


def _findings(found: list[tuple[str, int]], figures: Figures) -> list[Finding]:
    return [_finding(rule, *figures.where(cell)) for rule, cell in sorted(set(found))[:MOST_FINDINGS]]


def _finding(rule: str, table: str, coordinates: Mapping[str, str]) -> Finding:
    return Finding(rule, table, {key: str(value) for key, value in coordinates.items()}, _MESSAGES[rule])
