"""Coarsens sparse tables: merges codes, step by step, until suppression hides less than the specification allows.

The specification lists the steps in order. After each one the table is protected and the share that it still shows is
measured. The steps that were taken are public, since the merged table shows them. Codes that were merged in one month
stay merged in later ones; otherwise a finer month could split the figures of a coarser one (the same rule as for areas,
privacy.md §3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict

import polars as pl

from kobe_platform.disclosure.reports import PartResult, TableReport
from kobe_platform.disclosure.spec import Dimension, Spec, Table
from kobe_platform.disclosure.table_index import refusal
from kobe_platform.errors import DisclosureError

if TYPE_CHECKING:
    from kobe_platform.disclosure.protection import IndependentPart


class StepsTaken(TypedDict):
    """The steps taken on one table: how many, and for each the codes that were kept (None: one level up)."""

    steps: int
    kept: list[list[str] | None]


def coarsened(
    part: IndependentPart,
    earlier: Mapping[str, Mapping[str, object]],
    protect: Callable[[IndependentPart], PartResult],
    at_most: Callable[[IndependentPart], PartResult],
) -> tuple[PartResult, dict[str, StepsTaken]]:
    """Protect a part, coarsening its tables until each shows the share that is asked for, or all steps are taken.

    Args:
        earlier: last month's choices; their steps are taken at once.
        protect: suppresses a part.
        at_most: hides only the primary cells of a part: the most that could be shown. A step after which even that
            is too little is passed over without a search.

    Raises:
        DisclosureError: the part cannot be protected even with all steps taken.
    """
    wanted = [table for table in part.spec.tables if table.coarsen]
    choices: dict[str, StepsTaken] = {table.name: _read(table, earlier.get(table.name)) for table in wanted}
    first: dict[str, float] = {}
    while True:
        tried = _merged(part, choices)
        result: PartResult | None = at_most(tried) if wanted else None
        open_steps = [t for t in wanted if t.coarsen and choices[t.name]["steps"] < len(t.coarsen.steps)]
        if result is None or not _first_short(open_steps, result):
            try:
                result = protect(tried)
            except DisclosureError as error:
                if error.code != "disclosure.unprotected" or not open_steps:
                    raise
                result = None
        for report in result.reports if result else ():
            if report.table in choices:
                first.setdefault(report.table, _share(part.spec.table(report.table), report))
        short = _first_short(open_steps, result) if result else open_steps[0]
        if short is not None:
            _take_step(short, choices[short.name], tried)
        elif result is not None:
            return _told(result, wanted, choices, first), choices


def _first_short(tables: list[Table], result: PartResult) -> Table | None:
    """The first table that shows a smaller share than its specification asks for."""
    reports = {report.table: report for report in result.reports}
    return next((t for t in tables if t.coarsen and _share(t, reports[t.name]) < t.coarsen.until), None)


def coarsened_spec(spec: Spec, choices: Mapping[str, Mapping[str, object]]) -> Spec:
    """The specification of the tables as they are published after the steps that ``choices`` names.

    Raises:
        DisclosureError: a choice does not fit the specification.
    """
    for table in spec.tables:
        if table.coarsen and table.name in choices:
            choice = _read(table, choices[table.name])
            for step, kept in zip(table.coarsen.steps, choice["kept"], strict=False):
                spec = _step(spec, table.name, step.column, step.into, kept)
    return spec


def _read(table: Table, choice: Mapping[str, object] | None) -> StepsTaken:
    """The choice in a caller's mapping, checked against the table's steps."""
    if choice is None:
        return {"steps": 0, "kept": []}
    assert table.coarsen is not None
    kept = choice.get("kept")
    fits = isinstance(kept, list) and choice.get("steps") == len(kept) <= len(table.coarsen.steps)
    for step, codes in zip(table.coarsen.steps, kept if isinstance(kept, list) else [], strict=False):
        texts = isinstance(codes, list) and all(isinstance(code, str) for code in codes)
        fits = fits and (texts if step.keep else codes is None)
    if not fits or not isinstance(kept, list):
        raise refusal("a former coarsening does not fit the specification", "disclosure.coarsening", table=table.name)
    return {"steps": len(kept), "kept": list(kept)}


def _share(table: Table, report: TableReport) -> float:
    assert table.coarsen is not None
    return report.share_published if table.coarsen.of == "cells" else report.share_shown


def _told(
    result: PartResult, wanted: list[Table], choices: Mapping[str, StepsTaken], first: Mapping[str, float]
) -> PartResult:
    """The result with a report of the coarsening: steps taken, share shown before and after."""
    said = {table.name: table for table in wanted}
    reports = []
    for report in result.reports:
        table = said.get(report.table)
        if table is not None and table.coarsen is not None:
            after, steps = _share(table, report), choices[report.table]["steps"]
            told = {
                "steps": [step.model_dump(exclude_none=True) for step in table.coarsen.steps[:steps]],
                "of": table.coarsen.of, "until": table.coarsen.until, "reached": after >= table.coarsen.until,
            }  # fmt: skip
            shares = {"share_before_at_most": first.get(report.table, 0.0), "share_after": after}
            report = dataclasses.replace(
                report, parameters={**report.parameters, "coarsening": told}, quality={**report.quality, **shares}
            )
        reports.append(report)
    return PartResult(result.tables, reports, result.programs)


def _take_step(table: Table, choice: StepsTaken, tried: IndependentPart) -> None:
    """Add the next step of a table to its choice; for a gathering, choose the largest codes by what they count now."""
    assert table.coarsen is not None
    step = table.coarsen.steps[choice["steps"]]
    kept: list[str] | None = None
    if step.keep is not None:
        cells = tried.cells[table.name]
        sizes = cells.group_by(pl.col(step.column).cast(pl.String)).agg(pl.col(table.measure).sum().alias("size"))
        residual = tried.spec.dimension(tried.spec.table(table.name).dimensions[step.column]).residual
        sizes = sizes.filter(~pl.col(step.column).is_in([*residual, step.into]))
        largest = sizes.sort(["size", step.column], descending=[True, False])[step.column].head(step.keep)
        kept = largest.sort().to_list()  # an order by size would reveal hidden counts between shown ones
    choice["steps"] += 1
    choice["kept"].append(kept)


def _merged(part: IndependentPart, choices: Mapping[str, StepsTaken]) -> IndependentPart:
    """The part with the chosen steps: specification, cells and patterns."""
    spec, cells = part.spec, dict(part.cells)
    hidden, start, sensitive, wishes = dict(part.hidden), dict(part.start), dict(part.sensitive), dict(part.wishes)
    for table in part.spec.tables:
        if table.coarsen is None:
            continue
        for step, kept in zip(table.coarsen.steps, choices[table.name]["kept"], strict=False):
            codes = _codes(spec, table.name, step.column, cells[table.name])
            target = _target(spec, table.name, step.column, step.into, kept, codes)
            spec = _step(spec, table.name, step.column, step.into, kept)
            cells[table.name] = _summed(table, cells[table.name], step.column, target)
        if choices[table.name]["steps"]:
            for rows in (hidden, start, sensitive, wishes):
                if table.name in rows:
                    rows[table.name] = _still_there(spec, table.name, rows[table.name])
    return dataclasses.replace(
        part, spec=spec, cells=cells, hidden=hidden, start=start, sensitive=sensitive, wishes=wishes
    )


def _summed(table: Table, cells: pl.DataFrame, column: str, target: Mapping[str, str]) -> pl.DataFrame:
    if table.magnitude:
        raise refusal("a table of magnitudes cannot be coarsened by rule", "disclosure.coarsening", table=table.name)
    if cells.select(list(table.dimensions)).is_duplicated().any():
        raise refusal("a cell is given twice", "disclosure.duplicate", table=table.name)
    codes = pl.col(column).cast(pl.String)
    return (
        cells.with_columns(codes.replace(target))
        .group_by(list(table.dimensions), maintain_order=True)
        .agg(pl.col(table.measure).sum())
    )


def _still_there(spec: Spec, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of an earlier pattern whose codes the coarser table still has."""
    for column, dimension in spec.table(name).dimensions.items():
        links = _links(spec.dimension(dimension))
        if links is not None:
            rows = rows.filter(pl.col(column).cast(pl.String).is_in(list(links)))
    return rows


def _links(dimension: Dimension) -> dict[str, str | None] | None:
    """code → parent of a dimension that has a hierarchy."""
    source = dimension.hierarchy
    if source is None or isinstance(source, str):
        return None
    if isinstance(source, pl.DataFrame):
        return {code: parent or None for code, parent in source.select(pl.col("code", "parent").cast(pl.String)).rows()}
    return {code: parent or None for code, parent in source.items()}


def _deepest(links: Mapping[str, str | None], at: Mapping[str, str]) -> list[str]:
    """The codes of the deepest level.

    Raises:
        DisclosureError: nothing but the total would be left.
    """
    depth: dict[str, int] = {}
    for code in links:
        steps, above = 0, links[code]
        while above is not None and steps <= len(links):
            steps, above = steps + 1, links.get(above)
        depth[code] = steps
    last = max(depth.values())
    if last < 2 or last > len(links):
        raise refusal("a step of coarsening would leave nothing but the total", "disclosure.coarsening", **at)
    return [code for code in links if depth[code] == last]


def _codes(spec: Spec, name: str, column: str, cells: pl.DataFrame) -> list[str]:
    """The finest codes of a column: those of its hierarchy, or those in its rows where it has none."""
    dimension = spec.dimension(spec.table(name).dimensions[column])
    links = _links(dimension)
    if links is None:
        return sorted(set(cells[column].cast(pl.String)) | set(dimension.residual))
    return [code for code in links if code not in set(links.values())]


def _target(
    spec: Spec, name: str, column: str, into: str | None, kept: list[str] | None, codes: list[str]
) -> dict[str, str]:
    """Code → the code that it is merged into, for the codes that disappear."""
    dimension = spec.dimension(spec.table(name).dimensions[column])
    if into is not None and kept is not None:
        return {code: into for code in codes if code not in {*kept, into, *dimension.residual}}
    links = _links(dimension)
    at = {"table": name, "column": column}
    if links is None:
        raise refusal("a step of coarsening needs a hierarchy, or keep and into", "disclosure.coarsening", **at)
    return {code: parent for code in _deepest(links, at) if (parent := links[code]) is not None}


def _step(spec: Spec, name: str, column: str, into: str | None, kept: list[str] | None) -> Spec:
    """The specification after one step on a column of a table: the column gets a dimension that only this table has."""
    table = spec.table(name)
    label = table.dimensions[column]
    dimension = spec.dimension(label)
    links = _links(dimension)
    base = dimension.of or label
    shared = any(
        other.name != name and base in {d, spec.dimension(d).of}
        for other in spec.tables
        for d in other.dimensions.values()
    )
    if shared and links is None:
        at = {"table": name, "column": column}
        raise refusal(
            "a column that other tables share needs a hierarchy to be coarsened", "disclosure.coarsening", **at
        )
    new, gone = _links_after(spec, name, column, into, kept)
    residual = tuple(code for code in dimension.residual if code in new)
    consists_of: dict[str, tuple[str, ...]] = {}
    if shared:
        finer = dict(dimension.consists_of)
        for code, parts in gone.items():
            consists_of[code] = tuple(part for one in parts for part in finer.get(one, (one,)))
        consists_of |= {code: parts for code, parts in finer.items() if code in new}
    merged = Dimension(hierarchy=new, residual=residual, of=base if shared else None, consists_of=consists_of)
    own = f"{label}~{name}" if "~" not in label else label
    tables = tuple(
        t.model_copy(update={"dimensions": {**t.dimensions, column: own}}) if t.name == name else t for t in spec.tables
    )
    return spec.model_copy(update={"dimensions": {**spec.dimensions, own: merged}, "tables": tables})


def _links_after(
    spec: Spec, name: str, column: str, into: str | None, kept: list[str] | None
) -> tuple[dict[str, str | None], dict[str, list[str]]]:
    """The coarser hierarchy of a column, and which codes each merged code of it stands for."""
    dimension = spec.dimension(spec.table(name).dimensions[column])
    links = _links(dimension)
    gone: dict[str, list[str]] = {}
    if into is None or kept is None:
        for code, parent in _target(spec, name, column, None, None, []).items():
            gone.setdefault(parent, []).append(code)
        merged = {code for codes in gone.values() for code in codes}
        return {code: parent for code, parent in (links or {}).items() if code not in merged}, gone
    total = dimension.total if links is None else next(code for code, parent in links.items() if parent is None)
    old = [] if links is None else [code for code, parent in links.items() if parent is not None]
    if links is not None and any(links[code] != total for code in old):
        raise refusal("only flat columns can be gathered", "disclosure.coarsening", table=name, column=column)
    new: dict[str, str | None] = {total: None, **dict.fromkeys((*kept, into, *dimension.residual), total)}
    gone[into] = [code for code in old if code not in new or code == into]
    return new, gone
