"""Makes the published rows of protected tables, and reports for each what was hidden, as counts and shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.spec import PUBLISHED, SUPPRESSED, Rule, Spec, Table
from kobe_platform.disclosure.table_index import TableIndex

ENGINE_VERSION = "2"
PUBLIC = (
    "table", "method", "rule", "parameters", "zeros", "minimum_frequency", "interval_width",
    "cells", "suppressed", "share_published", "share_shown",
)  # fmt: skip
"""What of a :class:`TableReport` may stand beside the table: a new field of the report is not told until named here."""


@dataclass(frozen=True)
class TableReport:
    """What was done to one table, in counts.

    Attributes:
        method: ``suppression``, ``rounding`` or ``cell_key``; rule: what is sensitive, in words; parameters: of the
            method (base, noise, steps of coarsening), all of them public.
        cells: published rows, totals included; suppressed: those without a figure.
        share_published: finest cells shown above zero, as a share of these and the hidden ones.
        share_shown: what the finest cells that are shown count together, as a share of the total; 0 where the total is
            hidden or nothing.
        primary: rows suppressed by a rule; quality: how far shown figures lie from the counts; kept_in_vain: rows that
            were wished to stay shown and are suppressed. For the operator only.
    """

    table: str
    method: str
    minimum_frequency: int
    interval_width: int
    cells: int
    primary: int
    suppressed: int
    share_published: float
    share_shown: float
    rule: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    quality: Mapping[str, float] = field(default_factory=dict)
    zeros: str = "published"
    kept_in_vain: int = 0

    def public(self) -> dict[str, object]:
        """What may stand beside the table: the specification's own words, and what anybody can work out from its rows.

        A number that does not follow from the published rows is one more equation for an outsider, which the audit
        does not know (docs/disclosure.md, What is told of a protection).
        """
        told = asdict(self)
        return {name: told[name] for name in PUBLIC}


@dataclass(frozen=True)
class ProtectionReport:
    """Tables, engine version, number of programs solved and seconds taken."""

    tables: tuple[TableReport, ...]
    engine_version: str
    programs: int
    seconds: float

    def as_record(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)

    def published_record(self) -> dict[str, object]:
        """What is told of each table beside it (:meth:`TableReport.public`)."""
        return {"engine_version": self.engine_version, "tables": [table.public() for table in self.tables]}


@dataclass(frozen=True)
class Protected:
    """Published tables by name (dimension columns, ``value``, ``status``) and the report.

    Attributes:
        spec: the specification that the tables follow: the one given, with what was coarsened.
        coarsening: table → what was merged (see ``methods.coarsening``), for the audit and next month.
    """

    tables: dict[str, pl.DataFrame]
    report: ProtectionReport
    spec: Spec
    coarsening: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class PartResult:
    """One part of a protection: tables, their reports, programs solved."""

    tables: dict[str, pl.DataFrame]
    reports: list[TableReport]
    programs: int


def published(layout: TableIndex, value: np.ndarray, hidden: np.ndarray) -> pl.DataFrame:
    """The rows of a table as they are published: every margin, residual codes left out."""
    positions = layout.shown()
    ids = layout.variables.ravel()[positions]
    suppressed = pl.Series(values=hidden[ids], dtype=pl.Boolean)
    return layout.frame(positions).with_columns(
        value=pl.when(suppressed).then(None).otherwise(pl.Series(values=value[ids], dtype=pl.Int64)),
        status=pl.when(suppressed).then(pl.lit(SUPPRESSED)).otherwise(pl.lit(PUBLISHED)),
    )


def table_report(
    model: Model,
    layout: TableIndex,
    hidden: np.ndarray,
    primary: np.ndarray,
    parameters: Mapping[str, object] | None = None,
    quality: Mapping[str, float] | None = None,
    keep: np.ndarray | None = None,
) -> TableReport:
    """Counts and shares of one table, given which variables are hidden and which of them a rule named.

    Of the model's values only those of variables that are not hidden are read, beside ``primary`` and ``quality``.
    """
    positions = layout.shown()
    ids = layout.variables.ravel()[positions]
    finest = np.ones(layout.variables.shape, dtype=bool)
    for axis, tree in enumerate(layout.trees):
        shape = [1] * layout.variables.ndim
        shape[axis] = -1
        finest &= tree.leaf.reshape(shape)
    leaves = layout.variables.ravel()[positions[finest.ravel()[positions]]]
    shown = np.where(hidden[leaves], 0, model.value[leaves])
    above_zero, away = int(np.count_nonzero(shown)), int(np.count_nonzero(hidden[leaves]))
    root = layout.variables.ravel()[0]
    total = 0 if hidden[root] else int(model.value[root])
    rule = layout.table.rule(model.spec.rule)
    return TableReport(
        layout.table.name, layout.table.method, rule.minimum_frequency, promised_width(layout.table, rule),
        cells=len(ids), primary=int(primary[ids].sum()), suppressed=int(hidden[ids].sum()),
        share_published=round(above_zero / (above_zero + away), 6) if above_zero + away else 1.0,
        share_shown=round(int(shown.sum()) / total, 6) if total else 0.0,
        rule=rule_in_words(layout.table, rule), parameters=dict(parameters or {}),
        quality=dict(quality or {}), zeros=rule.zeros,
        kept_in_vain=0 if keep is None else int((hidden & keep)[ids].sum()),
    )  # fmt: skip


def promised_width(table: Table, rule: Rule) -> int:
    """How wide every interval is at least by a table's method (magnitudes: see the rule, each cell has its own)."""
    if table.base is not None:
        return table.base - 1
    if table.noise is not None or table.magnitude:
        return table.interval_width or 1
    return rule.width


def rule_in_words(table: Table, rule: Rule) -> str:
    """What is sensitive in a table, as the field writes it: ``0 < n < 10``, ``(1, 75 %) dominance`` …"""
    words = []
    if not table.magnitude:
        words.append(f"0 {'<=' if rule.zeros == 'hidden' else '<'} n < {rule.minimum_frequency}")
    if table.contributors or table.contributor:
        words.append(f"fewer than {rule.minimum_frequency} contributors")
    if rule.dominance:
        words.append(f"({rule.dominance.n}, {rule.dominance.percent:g} %) dominance")
    if rule.p_percent:
        words.append(f"p {rule.p_percent:g} %")
    if table.homogeneity:
        words.append("homogeneity of " + ", ".join(table.homogeneity))
    return "; ".join(words)
