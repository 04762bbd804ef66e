"""Chooses which totals over municipalities are shown, so that no hidden cell of any of them follows from these.

What each municipality has published stands. A total that is the sum of published figures tells nothing new, and is
shown. Of the others as many are shown as the auditor lets pass: it attacks the tables of municipalities and totals
together, circle by circle (decision 0063). What it finds is answered by hiding totals; nothing that a municipality
shows or hides is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
import polars as pl

from kobe_platform.disclosure import SUPPRESSED, AuditReport, Finding, audit
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture.handed import Handed
from kobe_platform.prefecture.joint import TOTAL, JointTables, Summed, SummedCells, joint, published_rows, sums_of
from kobe_platform.prefecture.scenarios import scenarios_of

MOST_HIDDEN = 10_000
"""Hidden figures of all tables of the municipalities that are attacked at once; of more, circles are made."""
ROUNDS = 8
"""How often totals are withdrawn by what the auditor finds, before all telling totals are hidden."""

Shown = dict[str, np.ndarray]
"""Table → which totals are shown, cell by cell of its sums."""


@dataclass(frozen=True)
class FormerTotals:
    """A former release of the same month: what it was made from, and its tables of municipalities."""

    handed: Sequence[Handed]
    tables: Mapping[str, pl.DataFrame]

    def has(self, summed: Summed) -> bool:
        """Whether a statistic was summed in it: others of its group may be since."""
        known = all(summed.plain or summed.statistic in one.cells for one in self.handed)
        return known and summed.table in self.tables


@dataclass(frozen=True)
class Totals:
    """Tables of municipalities and their total, as they may be published.

    Attributes:
        tables: by name: area (codes of municipalities, :data:`joint.TOTAL`), dimensions, ``value``, ``status``.
        circles: how many parts the attack had; none where only sums of published figures are, and ever were, shown.
        programs: solved by the auditor in the last attacks of all parts.
        scenarios: municipality → what it must leave possible of the totals that are out; others are not there.
    """

    tables: Mapping[str, pl.DataFrame]
    circles: int
    programs: int
    scenarios: Mapping[str, Scenarios] = field(default_factory=dict)


@dataclass
class _Circle:
    """Municipalities that are attacked together, and the totals that the last attack on them was made with."""

    chosen: tuple[int, ...]
    asked: Shown = field(default_factory=dict)
    report: AuditReport | None = None


def protect_totals(
    handed: Sequence[Handed],
    summed: Sequence[Summed],
    former: Sequence[FormerTotals] = (),
    *,
    workers: int = 1,
    together: int | None = None,
) -> Totals:
    """Totals of one group and month over municipalities.

    Args:
        handed: what each municipality handed over, all of one month and group.
        summed: the statistics of the group that are summed.
        former: former releases of the same month, of the same municipalities, oldest first. A total that one of them
            hid stays hidden. One that tells something new is shown again only if its hidden cells are the same and
            come to the same: else how they changed would follow.
        workers: processes for circles; the result does not depend on it.
        together: most municipalities of a circle; by default as many as hide :data:`MOST_HIDDEN` figures together.

    Raises:
        DisclosureError: ``prefecture.codes`` or ``prefecture.handed`` (what was handed over does not fit together);
            as the auditor's refusal where not even the tables without any such total pass. ``prefecture.scenarios``:
            what municipalities must leave possible was not found, though no such total is shown any more.
    """
    sums = [sums_of(handed, one) for one in summed]
    then = [(one.handed, [sums_of(one.handed, s) for s in summed if one.has(s)], one.tables) for one in former]
    earlier = [(h, s, {x.summed.table: _was_shown(x, t[x.summed.table]) for x in s}) for h, s, t in then]
    # Totals of published figures alone say nothing new: there is nothing to attack.
    told = any((was[x.summed.table] & x.telling).any() for _, cells, was in earlier for x in cells)
    attacked = told or any(not one.plain for one in summed)
    circles = [_Circle(chosen) for chosen in _circles(handed, sums, together)] if attacked else []
    shown = {one.summed.table: _first(one, circles, earlier) for one in sums}
    shown = _passed(handed, sums, shown, circles, earlier, workers)
    try:
        scenarios = scenarios_of(handed, sums, shown, earlier)
    except DisclosureError:
        shown = {s.summed.table: shown[s.summed.table] & ~s.telling for s in sums}
        shown = _passed(handed, sums, shown, circles, earlier, workers)
        scenarios = scenarios_of(handed, sums, shown, earlier)
    names, everyone = [one.municipality for one in handed], range(len(handed))
    tables = {one.summed.table: _as_published(one, names, everyone, shown[one.summed.table]) for one in sums}
    programs = sum(c.report.counts.get("programs", 0) for c in circles if c.report)
    return Totals(tables, len(circles), programs, scenarios)


def _passed(
    handed: Sequence[Handed],
    sums: Sequence[SummedCells],
    shown: Shown,
    circles: Sequence[_Circle],
    earlier: Sequence[tuple[Sequence[Handed], Sequence[SummedCells], Shown]],
    workers: int,
) -> Shown:
    """The totals that the auditor lets pass, of those that are to be shown."""
    for turn in range(ROUNDS + 1):
        due = [circle for circle in circles if circle.report is None or _changed(circle, sums, shown)]
        joints = [joint(handed, sums, circle.chosen, shown, earlier) for circle in due]
        for circle, report in zip(due, _attacked(joints, workers), strict=True):
            circle.report, circle.asked = report, _told(circle, sums, shown)
        refused = [circle.report for circle in circles if circle.report and not circle.report.publishable]
        if not refused:
            break
        if turn == ROUNDS - 1:
            shown = {s.summed.table: shown[s.summed.table] & ~s.telling for s in sums}
        elif turn < ROUNDS:
            shown = _withdrawn([c for c in circles if c.report in refused], sums, shown, handed)
    else:
        raise refused[0].refusal({"month": handed[0].month, "municipalities": len(handed)})
    return shown


def _as_published(sums: SummedCells, names: Sequence[str], everyone: Sequence[int], shown: np.ndarray) -> pl.DataFrame:
    """The rows of a release: a total that is not shown is suppressed, though it were a sum of published figures."""
    rows = published_rows(sums, names, everyone, shown)
    away = pl.Series("away", [*(~shown).tolist(), *[False] * (rows.height - len(shown))])
    kept = pl.when(away)
    return rows.with_columns(
        kept.then(None).otherwise("value").alias("value"),
        kept.then(pl.lit("suppressed")).otherwise("status").alias("status"),
    )


def _circles(handed: Sequence[Handed], sums: Sequence[SummedCells], together: int | None) -> list[tuple[int, ...]]:
    """Municipalities of like size together, which hide like cells behind like counts; all in one where that will do."""
    size = np.max([one.counts.max(axis=0) for one in sums], axis=0)
    order = np.argsort(-size, kind="stable")
    if together is not None:
        return [tuple(part.tolist()) for part in np.array_split(order, -(-len(order) // together))]
    hidden = np.array([_hidden(handed[number]) for number in order.tolist()])
    before = np.cumsum(hidden) - hidden
    circle = before * max(1, -(-int(hidden.sum()) // MOST_HIDDEN)) // max(1, int(hidden.sum()))
    return [tuple(order[circle == number].tolist()) for number in np.unique(circle)]


def _hidden(one: Handed) -> int:
    return sum(int((table["status"] == SUPPRESSED).sum()) for table in one.tables.values())


def _was_shown(sums: SummedCells, table: pl.DataFrame) -> np.ndarray:
    rows = table.filter(pl.col(sums.summed.area) == TOTAL)
    columns = sums.codes.columns
    found = sums.codes.join(rows, on=columns, how="left", maintain_order="left") if columns else rows
    return (found["status"] == "published").fill_null(False).to_numpy()


def _first(
    sums: SummedCells,
    circles: Sequence[_Circle],
    earlier: Sequence[tuple[Sequence[Handed], Sequence[SummedCells], Shown]],
) -> np.ndarray:
    """The totals that are tried first."""
    shown = ~sums.telling | ((sums.total >= sums.k) & (not sums.summed.plain))
    for circle in circles:  # the only hidden cell of a circle would follow from its total
        shown &= sums.hidden[:, list(circle.chosen)].sum(axis=1) != 1
    for _, then, was in earlier:
        before = next((one for one in then if one.summed == sums.summed), None)
        if before is None:
            continue
        if not before.codes.equals(sums.codes):
            raise DisclosureError(
                "the codes of a month's table were changed after its totals were released",
                code="prefecture.codes",
                at={"table": sums.summed.statistic},
                remedy="give the statistic another name; totals of this month stay as they were released",
                ja="公表した月の表の区分が変わったため、合計を作り直しません",
            )
        out = was[sums.summed.table]
        same = (before.hidden == sums.hidden).all(axis=1) & (_away(before) == _away(sums))
        shown &= out & (same | ~sums.telling)
    return shown


def _away(sums: SummedCells) -> np.ndarray:
    """What the hidden cells of each total come to."""
    return np.asarray((sums.counts * sums.hidden).sum(axis=1))


def _told(circle: _Circle, sums: Sequence[SummedCells], shown: Shown) -> Shown:
    """Of the totals that a circle has a hidden cell of, which are shown: all that its attack depends on."""
    return {s.summed.table: shown[s.summed.table] & s.hidden[:, list(circle.chosen)].any(axis=1) for s in sums}


def _changed(circle: _Circle, sums: Sequence[SummedCells], shown: Shown) -> bool:
    now = _told(circle, sums, shown)
    return any(not np.array_equal(now[name], circle.asked[name]) for name in now)


def _attacked(joints: Sequence[JointTables], workers: int) -> list[AuditReport]:
    if workers > 1 and len(joints) > 1:
        with ProcessPoolExecutor(min(workers, len(joints)), mp_context=get_context("spawn")) as pool:
            return list(pool.map(attack, joints))
    return [attack(one) for one in joints]


def attack(one: JointTables) -> AuditReport:
    """The auditor on a circle."""
    return audit(one.spec, one.tables, previous=one.previous)


def _withdrawn(
    refused: Sequence[_Circle], sums: Sequence[SummedCells], shown: Shown, handed: Sequence[Handed]
) -> Shown:
    """What is shown after half of the totals are hidden that the findings lead to, of each circle and table.

    Where they lead to none, all totals are hidden that a hidden cell of the circle has a part in.

    Raises:
        DisclosureError: nothing is left to hide for any circle: their own tables do not pass.
    """
    kept = {name: mask.copy() for name, mask in shown.items()}
    for circle in refused:
        telling, before = _told(circle, sums, kept), _number(kept)
        for one in sums:
            found = np.zeros(len(one.codes) or 1, dtype=bool)
            for finding in circle.report.findings if circle.report else ():
                found |= _implicated(finding, one, handed, kept[one.summed.table])
            kept[one.summed.table][_smaller_half(found, one, circle)] = False
        if _number(kept) == before:
            kept = {name: mask & ~telling[name] for name, mask in kept.items()}
    first = refused[0]
    if first.report is not None and _number(kept) == _number(shown):
        raise first.report.refusal({"month": handed[0].month, "municipalities": len(first.chosen)})
    return kept


def _smaller_half(found: np.ndarray, sums: SummedCells, circle: _Circle) -> np.ndarray:
    """Of the totals found, the half with the least in hidden cells: the other half may pass without them."""
    chosen = list(circle.chosen)
    away = (sums.counts[:, chosen] * sums.hidden[:, chosen]).sum(axis=1)
    places = np.flatnonzero(found)
    return places[np.argsort(away[places], kind="stable")][: -(-len(places) // 2)]


def _number(shown: Shown) -> int:
    return sum(int(mask.sum()) for mask in shown.values())


def _implicated(finding: Finding, sums: SummedCells, handed: Sequence[Handed], shown: np.ndarray) -> np.ndarray:
    """Telling totals to hide for a finding: its own cell's; where that is hidden already, those in line with it."""
    names = {sums.summed.table, *(f"{one.municipality}.{sums.summed.statistic}" for one in handed)}
    if finding.table not in names:
        return np.zeros(len(shown), dtype=bool)
    alike = [(sums.codes[column] == finding.coordinates.get(column, "")).to_numpy() for column in sums.codes.columns]
    equal = np.sum(alike, axis=0) if alike else np.zeros(len(shown), dtype=np.int64)
    own = sums.telling & shown & (equal == len(alike))
    return own if own.any() else sums.telling & shown & (equal == len(alike) - 1)
