"""Protects a group: makes one specification of its tables, has it protected, then audited separately."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from kobe_platform.disclosure import (
    Attack,
    AuditReport,
    Costs,
    Dimension,
    FormerRelease,
    Relation,
    Rule,
    Spec,
    Table,
    Term,
    audit,
    protect,
)
from kobe_platform.disclosure.protection import ProtectionReport
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.statistics.attesting import seen
from kobe_platform.statistics.definition import Statistic
from kobe_platform.statistics.history import under
from kobe_platform.statistics.identities import totals_hold
from kobe_platform.statistics.means import mean_rule, published_means, telling_means, without
from kobe_platform.statistics.relations import Entry, definitions
from kobe_platform.statistics.trees import dimension, regrouped
from kobe_platform.statistics.wishes import frames, unmet
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

TOTALS_LAST = Costs(totals=6)
"""Pages show totals first: hiding one costs as much as six of the cells that it is the sum of (decision 0007)."""


@dataclass(frozen=True)
class TiedMonth:
    """One month of a monthly table that a yearly one is the sum of: its finest cells and its published form."""

    statistic: Statistic
    month: str
    cells: pl.DataFrame
    published: pl.DataFrame


@dataclass(frozen=True)
class GroupResult:
    """Published tables (``period``, dimensions, ``value``, ``status``), facts per table, and the audit's report.

    ``seen`` is the digest of what the audit read (:func:`attesting.seen`).
    """

    tables: Mapping[str, pl.DataFrame]
    facts: Mapping[str, Mapping[str, object]]
    audit: AuditReport
    seen: str


def protect_group(
    statistics: Iterable[Statistic],
    cells: Mapping[str, pl.DataFrame],
    areas: Hierarchy | None,
    *,
    period: str,
    previous: Sequence[FormerRelease] = (),
    start: Mapping[str, pl.DataFrame] | None = None,
    months: Sequence[TiedMonth] = (),
    above: Sequence[Scenarios] = (),
) -> GroupResult:
    """Protect all tables of one group for one period, and have the auditor attack the result.

    Args:
        statistics: the members of one group.
        cells: finest cells of each (see :func:`compute.compute_group`).
        areas: city → ward → district of the month; None where no table needs it.
        period: ``2025-07`` or ``2025``.
        previous: former releases of the same period (:func:`history.former_releases`): what they hid stays hidden, and
            they are part of the attack.
        start: published tables of the period before: their pattern is preferred where there is a choice.
        months: the released months that yearly tables are sums of (:class:`definition.Tie`).
        above: what totals over municipalities that are out ask of these tables (:mod:`totals_out`).

    Raises:
        DisclosureError: a cell cannot be protected, the audit is not satisfied (table, rule, coordinates), or a ring of
            tables is too large to be audited.
    """
    chosen = list(statistics)
    counts = [statistic for statistic in chosen if statistic.kind == "frequency"]
    tied = [month for month in months if any(t.table == month.statistic.name for s in counts for t in s.ties)]
    spec = specification(chosen, areas, tied)
    all_cells = {s.name: cells[s.name] for s in counts} | {_name(m): m.cells for m in tied}
    hidden = {_name(m): _hidden_rows(m.published) for m in tied}
    former = under(spec, previous)
    wishes, lost = frames(counts, period, areas)
    protected = protect(
        spec, all_cells, hidden=hidden, start=_patterns(start or {}, counts), wishes=wishes, previous=former
    )
    means = {
        statistic.name: published_means(
            statistic, cells[statistic.name], areas, _count_table(statistic, counts, protected.tables)
        )
        for statistic in chosen
        if statistic.kind == "mean"
    }
    verdict, means = audited(protected.spec, protected.tables, means, former, above)
    if not verdict.publishable:
        raise verdict.refusal({"period": period})
    tables = {name: _dated(table, period) for name, table in {**protected.tables, **means}.items()}
    tables = {statistic.name: tables[statistic.name] for statistic in chosen}
    wrong = [found for s in counts for found in totals_hold(s, tables[s.name], areas)]
    if wrong:
        raise DisclosureError(
            "published totals and their parts contradict each other: nothing of this group is published",
            code="disclosure.contradiction",
            at={"period": period, "table": wrong[0].identity, "findings": len(wrong)},
            remedy="report the finding: the engine ought to have kept the tables additive",
            ja="公表値の合計と内訳が一致しないため公表しません",
        )
    facts = _facts(chosen, tables, protected.report, verdict, lost)
    told = seen(protected.spec, {**protected.tables, **means}, former, above)
    return GroupResult(tables, facts, verdict, told)


def audited(
    spec: Spec,
    counts: Mapping[str, pl.DataFrame],
    means: Mapping[str, pl.DataFrame],
    previous: Sequence[FormerRelease] = (),
    above: Sequence[Scenarios] = (),
) -> tuple[AuditReport, dict[str, pl.DataFrame]]:
    """The auditor's verdict, and the means that may stay: where they tell too much, they give way and not the counts.

    First those at the findings' codes of their first column (the area) are hidden, then all that have a hidden count
    behind them; what is found even then is the counts' own.
    """
    shown = dict(means)
    verdict = audit(spec, {**counts, **shown}, previous=previous, above=above)
    for everywhere in (False, True):
        if verdict.publishable or not shown:
            break
        for mean in spec.means:
            column = mean.on[0]
            found = {finding.coordinates.get(column) for finding in verdict.findings}
            rows = telling_means(mean, shown[mean.table], counts[mean.of])
            rows = rows if everywhere else rows.filter(pl.col(column).is_in(sorted(found - {None})))
            shown[mean.table] = without(shown[mean.table], rows)
        verdict = audit(spec, {**counts, **shown}, previous=previous, above=above)
    return verdict, shown


def specification(statistics: Sequence[Statistic], areas: Hierarchy | None, tied: Sequence[TiedMonth] = ()) -> Spec:
    """The disclosure specification of a group: dimensions, tables, means, and what ties them."""
    counts = [statistic for statistic in statistics if statistic.kind == "frequency"]
    rules = [mean_rule(statistic, counts) for statistic in statistics if statistic.kind == "mean"]
    dimensions: dict[str, Dimension] = {}
    tables = []
    for statistic in counts:
        columns = {}
        for column, name in statistic.dimensions.items():
            role = statistic.roles.get(column, "")
            columns[column] = _add_dimension(dimensions, name, role, areas, counts)
        tables.append(
            Table(
                name=statistic.name,
                dimensions=columns,
                measure=statistic.measure,
                population=statistic.population,
                minimum_frequency=statistic.minimum_frequency,
            )
        )
    for month in tied:
        columns = {
            column: _add_dimension(dimensions, name, month.statistic.roles.get(column, ""), areas, counts)
            for column, name in month.statistic.dimensions.items()
        }
        tables.append(
            Table(
                name=_name(month),
                dimensions=columns,
                measure=month.statistic.measure,
                population=f"{month.statistic.population}@{month.month}",
                fixed=True,
                minimum_frequency=month.statistic.minimum_frequency,
            )
        )
    entries = [Entry(s, s.name, s.population) for s in counts]
    entries += [Entry(m.statistic, _name(m), f"{m.statistic.population}@{m.month}", m.month) for m in tied]
    said = definitions(entries, dimensions)
    said["relations"] = (*said["relations"], *_sums(counts, tied))
    return Spec(
        rule=Rule(minimum_frequency=10),
        attack=Attack(member=tuple(statistic.name for statistic in counts if statistic.member) or False),
        costs=TOTALS_LAST,
        dimensions=dimensions,
        tables=tuple(tables),
        **said,
        means=tuple(rule for rule in rules if rule is not None),
    )


def _add_dimension(
    dimensions: dict[str, Dimension], name: str, role: str, areas: Hierarchy | None, counts: Sequence[Statistic]
) -> str:
    """Put a hierarchy (and the finer one that it regroups) among the dimensions; its name there."""
    label = f"{role}.{name}" if role else name
    if label not in dimensions:
        finer = regrouped(name, {n for s in counts for n in s.dimensions.values()}, areas)
        base = None
        if finer is not None:
            base = _add_dimension(dimensions, finer, role, areas, counts)
        dimensions[label] = dimension(name, base, finer, areas)
    return label


def _sums(counts: Sequence[Statistic], tied: Sequence[TiedMonth]) -> list[Relation]:
    """A year is the sum of its months, in the columns that both have."""
    relations = []
    for statistic in counts:
        for tie in statistic.ties:
            months = tuple(_name(month) for month in tied if month.statistic.name == tie.table)
            if months:
                relations.append(
                    Relation(
                        name=f"{statistic.name} is the sum of {tie.table}",
                        on=tie.on,
                        left=(Term(table=statistic.name, at=tie.at),),
                        right=months,
                    )
                )
    return relations


def _name(month: TiedMonth) -> str:
    return f"{month.statistic.name}@{month.month}"


def _hidden_rows(table: pl.DataFrame) -> pl.DataFrame:
    return table.drop("period", "value", strict=False).filter(pl.col("status") == "suppressed")


def _patterns(tables: Mapping[str, pl.DataFrame], counts: Sequence[Statistic]) -> dict[str, pl.DataFrame]:
    """Hidden rows of earlier tables, as far as their codes still exist (the engine refuses unknown codes)."""
    wanted = {statistic.name for statistic in counts}
    return {name: _hidden_rows(table) for name, table in tables.items() if name in wanted}


def _count_table(
    mean: Statistic, counts: Sequence[Statistic], tables: Mapping[str, pl.DataFrame]
) -> pl.DataFrame | None:
    """The published counts of the same population over the same columns: where they hide, the mean hides."""
    for statistic in counts:
        if statistic.population == mean.population and mean.dimensions.items() <= statistic.dimensions.items():
            trees = hierarchies()
            others = [c for c in statistic.dimensions if c not in mean.dimensions]
            totals = [pl.col(c) == trees[statistic.dimensions[c]].root for c in others]
            return tables[statistic.name].filter(*totals).select(*mean.dimensions, "status")
    return None


def _dated(table: pl.DataFrame, period: str) -> pl.DataFrame:
    return table.select(pl.lit(period).alias("period"), pl.all())


def _facts(
    chosen: Sequence[Statistic],
    tables: Mapping[str, pl.DataFrame],
    report: ProtectionReport,
    verdict: AuditReport,
    lost: Mapping[str, int],
) -> dict[str, dict]:
    """Facts per table. Where there are any: ``exposed``, cells that former releases alone give away (decision 0048),
    and ``wishes``, how many did not come true.
    """
    told = {entry.table: entry for entry in report.tables}
    facts: dict[str, dict] = {}
    for statistic in chosen:
        table = tables[statistic.name]
        suppressed = table.filter(pl.col("status") == "suppressed").height
        facts[statistic.name] = {"rows": table.height, "published": table.height - suppressed, "suppressed": suppressed}
        if statistic.name in verdict.exposed_by_table:
            facts[statistic.name]["exposed"] = verdict.exposed_by_table[statistic.name]
        entry = told.get(statistic.name)
        if entry is not None:
            facts[statistic.name] |= {
                "method": entry.method,
                "minimum_frequency": entry.minimum_frequency,
                "interval_width": entry.interval_width,
                "rule": "minimum_frequency",
                "engine_version": report.engine_version,
            } | unmet(entry.kept_in_vain, lost.get(statistic.name, 0))
    return facts
