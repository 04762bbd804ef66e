"""Groups of one dimension that overlap, no table of their base beside them: an outsider counts with what they share."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.spec import Spec, Table

SCHEMA = {"equation": pl.Int64, "cell": pl.Int64, "sign": pl.Int64}
_Sums = list[tuple[tuple[str, str], list[frozenset[str]]]]
"""(view, code) of a group, and the parts that make it up."""


def overlap_equations(spec: Spec, figures: Figures) -> pl.DataFrame:
    """Group = Σ its parts, at every combination of other codes where two views stand without their base.

    Returns:
        ``equation, cell, sign``; a part that no table shows is an unknown of its own, numbered from −2 downwards.
    """
    entries: list[tuple[int, int, int]] = []
    equation, unseen = 0, -1
    for base, population in _places(spec):
        shapes: dict[tuple[str, ...], _Sums] = {}
        for shown in _combinations(spec, figures, base, population):
            views = tuple(sorted({view for view, _ in shown}))
            if views not in shapes:
                shapes[views] = _sums(figures, views)
            of_set = {figures.codes[view].finest[code]: cell for (view, code), cell in shown.items()}
            for group, parts in shapes[views]:
                for part in parts:
                    if part not in of_set:
                        unseen -= 1
                        of_set[part] = unseen
                entries += [(equation, of_set[part], 1) for part in parts]
                entries.append((equation, shown[group], -1))
                equation += 1
    return pl.DataFrame(entries, schema=SCHEMA, orient="row")


def _base(spec: Spec, dimension: str) -> str:
    return spec.dimension(dimension).of or dimension


def _places(spec: Spec) -> list[tuple[str, str]]:
    """(base, population) where suppressed counts stand in two views of the base or more."""
    views: dict[tuple[str, str], set[str]] = {}
    for table in spec.tables:
        for dimension in table.dimensions.values() if table.method == "suppression" and not table.magnitude else ():
            if dimension != _base(spec, dimension):
                views.setdefault((_base(spec, dimension), table.population), set()).add(dimension)
    return sorted(place for place, names in views.items() if len(names) > 1)


def _combinations(spec: Spec, figures: Figures, base: str, population: str) -> list[dict[tuple[str, str], int]]:
    """(view, code) → cell, for every combination of the other dimensions that has two views and not the base."""
    tables = [t for t in spec.tables if t.population == population]
    others = sorted({_base(spec, d) for t in tables for d in t.dimensions.values()} - {base})
    frames = [_frame(spec, figures, table, base, others) for table in tables]
    rows = pl.concat([frame for frame in frames if frame is not None])
    keys = [f"at {number}" for number in range(len(others))]
    over = rows.with_columns(place=pl.struct(keys).rank("dense") if keys else pl.lit(1))
    open_places = (
        over.group_by("place")
        .agg(pl.col("view").n_unique().alias("views"), (pl.col("view") == base).any().alias("based"))
        .filter((pl.col("views") > 1) & ~pl.col("based"))["place"]
    )
    found: dict[int, dict[tuple[str, str], int]] = {}
    chosen = over.filter(pl.col("place").is_in(open_places.implode())).sort("place", maintain_order=True)
    for place, view, code, cell in chosen.select("place", "view", "code", "cell").iter_rows():
        found.setdefault(place, {})[view, code] = cell
    return list(found.values())


def _frame(spec: Spec, figures: Figures, table: Table, base: str, others: list[str]) -> pl.DataFrame | None:
    column_of = {_base(spec, d): (c, d) for c, d in table.dimensions.items()}
    if base not in column_of:
        return None
    column, view = column_of[base]
    at = []
    for number, other in enumerate(others):
        code = pl.lit("")
        if other in column_of:
            name, dimension = column_of[other]
            code = pl.col(name).replace_strict(figures.codes[dimension].canonical, return_dtype=pl.String)
        at.append(code.alias(f"at {number}"))
    return figures.rows[table.name].select(*at, pl.lit(view).alias("view"), pl.col(column).alias("code"), "cell")


def _sums(figures: Figures, views: tuple[str, ...]) -> _Sums:
    """Groups that are no part themselves, with their parts: sets of finest codes that lie in the same groups."""
    groups: dict[tuple[str, str], frozenset[str]] = {}
    for view in views:
        codes = figures.codes[view]
        owners = set(codes.parent.values())
        groups |= {(view, code): codes.finest[code] for code in codes.parent if code not in owners}
    parts = _parts(groups)
    return [
        (group, [part for part in parts if part <= finest]) for group, finest in groups.items() if finest not in parts
    ]


def _parts(groups: Mapping[tuple[str, str], frozenset[str]]) -> list[frozenset[str]]:
    inside: dict[str, list[tuple[str, str]]] = {}
    for group, finest in groups.items():
        for leaf in sorted(finest):
            inside.setdefault(leaf, []).append(group)
    together: dict[tuple, set[str]] = {}
    for leaf, members in inside.items():
        together.setdefault(tuple(members), set()).add(leaf)
    return [frozenset(leaves) for leaves in together.values()]
