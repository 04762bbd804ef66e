"""Reads the published rows of every table as cells, one for each distinct figure however many tables show it.

A cell is named by its population and, for each classification, the code that stands for its set of finest codes; so the
same figure in two tables is one cell. Rows that the specification promises must all be there, and no others.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from kobe_platform.disclosure.spec import PUBLISHED, SUPPRESSED, Spec, Table
from kobe_platform.errors import DisclosureError

LARGEST = 2.0**52
"""Up to here a float holds every whole number, and a sum of two."""
FORMER = " (previous "
"""Part of the name of a former release's table or dimension."""
GATHERED = "\0"
"""Begins the name of a set of finest codes that no code of the base stands for, and parts its members."""


def is_former(name: str) -> bool:
    """Whether a table or dimension is that of a former release."""
    return FORMER in name


@dataclass(frozen=True)
class Codes:
    """A dimension as the auditor reads it: code → parent (None at the root), code → its finest codes in the base.

    ``canonical`` names that set: one name for one set, so one cell for one figure.
    """

    parent: Mapping[str, str | None]
    canonical: Mapping[str, str]
    finest: Mapping[str, frozenset[str]]
    residual: frozenset[str]
    root: str


@dataclass
class Figures:
    """All cells of all tables.

    Attributes:
        rows: table → every promised row (codes, residual ones included) with ``cell`` (its number), ``shown``.
        codes: dimension → its codes.
        value: cell → published figure (−1 where unknown); where the present is silent, a former release's.
        now, before: the same by the present tables alone, and by former releases alone.
        lower: cell → least value that an outsider must assume of an unknown cell; lower_before: who has former releases
            alone.
        k, width: the rule in force; residual: never published.
        hidden: the present tables show it as suppressed; hidden_before: those of a former release do.
        changed: shown with two figures, by the present and by a former release or by two of these; or a zero in one
            of them and hidden in another where it must be 1 or more.
        population: cell → its population; keys: that, and for each base the name of the cell's set of finest codes.
        former: names of the tables that are former releases'.
        contradictions: (table, coordinates) of rows that cannot be: two present figures for one cell.
    """

    rows: dict[str, pl.DataFrame]
    codes: dict[str, Codes]
    value: np.ndarray
    now: np.ndarray
    before: np.ndarray
    lower: np.ndarray
    lower_before: np.ndarray
    k: np.ndarray
    width: np.ndarray
    residual: np.ndarray
    hidden: np.ndarray
    hidden_before: np.ndarray
    changed: np.ndarray
    population: np.ndarray
    keys: pl.DataFrame
    former: frozenset[str] = frozenset()
    contradictions: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def where(self, cell: int) -> tuple[str, dict[str, str]]:
        """The first table that holds a cell, and its codes there (nothing where ``cell`` is −1)."""
        for name, rows in self.rows.items():
            found = rows.filter(pl.col("cell") == cell)
            if found.height:
                return name, found.drop("cell", "shown", "value").row(0, named=True)
        return "", {}


def read_figures(spec: Spec, tables: Mapping[str, pl.DataFrame], former: frozenset[str] = frozenset()) -> Figures:
    """Arrange published tables.

    Args:
        tables: table → dimension columns, ``value`` (null when suppressed), ``status``.
        former: names of the tables that are those of former releases.

    Raises:
        DisclosureError: a table, column or promised row is missing, a row is given twice or was not promised, a status
            is unknown, a suppressed row carries a figure or a published one none.
    """
    clean = {table.name: _clean(table, tables) for table in spec.tables}
    codes = _codes(spec, clean)
    promised = {table.name: _promised(spec, table, codes, clean[table.name]) for table in spec.tables}
    bases = sorted({_base(spec, d) for table in spec.tables for d in table.dimensions.values()})
    keyed = []
    for number, table in enumerate(spec.tables):
        column_of = {_base(spec, d): (c, d) for c, d in table.dimensions.items()}
        expressions = []
        for base in bases:
            if base in column_of:
                column, dimension = column_of[base]
                mapping = codes[dimension].canonical
                expressions.append(pl.col(column).replace_strict(mapping, return_dtype=pl.String).alias(f"base {base}"))
            else:
                expressions.append(pl.lit("").alias(f"base {base}"))
        rule = table.rule(spec.rule)
        residual = pl.any_horizontal([pl.col(c).is_in(sorted(codes[d].residual)) for c, d in table.dimensions.items()])
        keyed.append(
            promised[table.name].select(
                pl.lit(table.population).alias("population"),
                *expressions,
                pl.lit(number).alias("table"),
                "value",
                "shown",
                residual.alias("residual"),
                pl.lit(rule.minimum_frequency).alias("k"),
                pl.lit(rule.width).alias("width"),
                pl.lit(rule.zeros == "hidden").alias("zeros_hidden"),
                pl.lit(table.name in former).alias("before"),
                pl.lit(table.name.rpartition(FORMER)[2] if table.name in former else "").alias("release"),
            )
        )
    keys = [f"base {b}" for b in bases]
    return _gather(spec, promised, codes, pl.concat(keyed), keys, former)


def _zeros_hidden(everything: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Whether a hidden cell may be 0 for all that is known: in no release that hides it are zeros published.

    Also whether it is none by a former release.
    """
    hidden = everything.filter(pl.col("shown") & pl.col("value").is_null())
    by_release = hidden.group_by(*key, "release").agg(pl.col("zeros_hidden").any(), pl.col("before").all())
    positive = ~pl.col("zeros_hidden")
    return by_release.group_by(key).agg(
        (~positive).all().alias("zeros_hidden"), (positive & pl.col("before")).any().alias("positive_before")
    )


def _gather(
    spec: Spec,
    promised: dict[str, Any],
    codes: dict[str, Any],
    everything: pl.DataFrame,
    bases: list[str],
    former: frozenset[str],
) -> Figures:
    key = ["population", *bases]
    value, suppressed = pl.col("value"), pl.col("shown") & pl.col("value").is_null()
    present = pl.when(~pl.col("before")).then(value)
    ruled = {name: pl.when(~pl.col("before")).then(pl.col(name)).max() for name in ("k", "width")}
    cells = (
        everything.group_by(key, maintain_order=True)
        .agg(
            value.min().alias("least"),
            value.max().alias("most"),
            present.min().alias("least now"),
            present.max().alias("now"),
            pl.when(pl.col("before")).then(value).max().alias("before"),
            pl.col("residual").all(),
            (suppressed & ~pl.col("before")).any().alias("hidden"),
            (suppressed & pl.col("before")).any().alias("hidden_before"),
            *(rule.fill_null(pl.col(name).max()).alias(name) for name, rule in ruled.items()),
        )
        .join(_zeros_hidden(everything, key), on=key, how="left", nulls_equal=True, maintain_order="left")
        .with_row_index("cell")
        .with_columns(pl.col("cell").cast(pl.Int64))
    )
    numbers = everything.select(*key, "table").join(
        cells.select(*key, "cell"), on=key, how="left", maintain_order="left"
    )
    rows = {
        table.name: promised[table.name].with_columns(cell=numbers.filter(pl.col("table") == i)["cell"])
        for i, table in enumerate(spec.tables)
    }
    residual = cells["residual"].to_numpy()
    lower = np.where(residual | cells["zeros_hidden"].fill_null(False).to_numpy(), 0, 1)
    now = cells["now"].fill_null(-1).to_numpy().astype(np.int64)
    figures = Figures(
        rows,
        codes,
        np.where(now >= 0, now, cells["most"].fill_null(-1).to_numpy()).astype(np.int64),
        now,
        cells["before"].fill_null(-1).to_numpy().astype(np.int64),
        lower.astype(np.int64),
        (cells["positive_before"].fill_null(False).to_numpy() & ~residual).astype(np.int64),
        cells["k"].to_numpy().astype(np.int64),
        cells["width"].to_numpy().astype(np.int64),
        residual.copy(),
        cells["hidden"].to_numpy().copy(),
        cells["hidden_before"].to_numpy().copy(),
        (cells["least"] != cells["most"]).fill_null(False).to_numpy().copy(),
        cells["population"].to_numpy(),
        cells.select(key),
        former,
    )
    figures.changed |= figures.hidden & (figures.now < 0) & (figures.value == 0) & (figures.lower > 0)
    figures.changed |= figures.hidden_before & (figures.value == 0) & (figures.lower_before > 0)
    for cell in cells.filter(pl.col("least now") != pl.col("now"))["cell"]:
        figures.contradictions.append(figures.where(cell))
    return figures


def _base(spec: Spec, dimension: str) -> str:
    return spec.dimension(dimension).of or dimension


def _clean(table: Table, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    if table.name not in tables:
        raise published_fault("a published table is missing", table.name)
    frame = tables[table.name]
    for column in (*table.dimensions, "value", "status"):
        if column not in frame.columns:
            raise published_fault("a published table lacks a column", table.name, column=column)
    frame = frame.select(
        *(pl.col(c).cast(pl.String) for c in table.dimensions),
        pl.col("value").cast(pl.Float64, strict=False),
        pl.col("status").cast(pl.String),
    )
    faults = (
        (~pl.col("status").is_in([PUBLISHED, SUPPRESSED]).fill_null(False), "a row has an unknown status"),
        ((pl.col("status") == SUPPRESSED) & pl.col("value").is_not_null(), "a suppressed row carries a figure"),
        ((pl.col("status") == PUBLISHED) & pl.col("value").is_null(), "a published row has no figure"),
        ((pl.col("value") < 0) | (pl.col("value") != pl.col("value").floor()), "a figure is not a count"),
        (pl.col("value") > LARGEST, "a figure is too large to be computed with exactly"),
    )
    found = frame.select(wrong.any().alias(message) for wrong, message in faults).row(0)
    for (wrong, message), any_row in zip(faults, found, strict=True):
        if any_row:
            bad = frame.with_row_index("row").filter(wrong)
            raise published_fault(message, table.name, row=int(bad["row"][0]) + 1)
    return frame.with_columns(pl.col("value").cast(pl.Int64))


def _codes(spec: Spec, clean: Mapping[str, pl.DataFrame]) -> dict[str, Codes]:
    seen: dict[str, set[str]] = {}
    for table in spec.tables:
        for column, dimension in table.dimensions.items():
            base = _base(spec, dimension)
            seen.setdefault(base, set())
            for name in {dimension} if is_former(dimension) else {dimension, base}:
                seen.setdefault(name, set()).update(clean[table.name][column].drop_nulls().to_list())
    parents = {name: _parents(spec, name, codes) for name, codes in seen.items()}
    return {name: _canonical(spec, name, parents) for name in parents}


def _parents(spec: Spec, name: str, seen: set[str]) -> dict[str, str | None]:
    dimension = spec.dimension(name)
    source = dimension.hierarchy
    if source is None:
        flat = {code: dimension.total for code in sorted(seen | set(dimension.residual)) if code != dimension.total}
        return {dimension.total: None, **flat}
    if isinstance(source, pl.DataFrame):
        pairs = source.select(pl.col("code").cast(pl.String), pl.col("parent").cast(pl.String)).rows()
    elif isinstance(source, dict):
        pairs = list(source.items())
    else:
        raise published_fault("a hierarchy was not read from its file", "", dimension=name)
    parents = {code: parent or None for code, parent in pairs}
    if len(parents) != len(pairs) or sum(p is None for p in parents.values()) != 1:
        raise published_fault("a hierarchy has no single root or names a code twice", "", dimension=name)
    for code in parents:
        step, at = 0, code
        while parents[at] is not None:
            at, step = parents[at], step + 1
            if at not in parents or step > len(parents):
                raise published_fault("a hierarchy has a cycle or an unknown parent", "", dimension=name)
    return parents


def _finest(parents: Mapping[str, str | None]) -> dict[str, frozenset[str]]:
    inner = set(parents.values())
    sets: dict[str, set[str]] = {code: set() for code in parents}
    for code in parents:
        if code not in inner:
            at: str | None = code
            while at is not None:
                sets[at].add(code)
                at = parents[at]
    return {code: frozenset(leaves) for code, leaves in sets.items()}


def _canonical(spec: Spec, name: str, parents: Mapping[str, Mapping[str, str | None]]) -> Codes:
    own = parents[name]
    root = next(code for code, parent in own.items() if parent is None)
    residual = frozenset(spec.dimension(name).residual)
    base = _base(spec, name)
    base_root = next(code for code, parent in parents[base].items() if parent is None)
    if name == base:
        return Codes(own, {code: "" if code == root else code for code in own}, _finest(own), residual, root)
    base_sets = _finest(parents[base])
    of_set: dict[frozenset[str], str] = {}
    for code in parents[base]:
        of_set.setdefault(base_sets[code], code)
    gathered, sets = spec.dimension(name).consists_of, _finest(own)
    canonical, finest = {}, {}
    for code in own:
        leaves: set[str] = set()
        for leaf in [code] if code in gathered or code in base_sets else sets[code]:
            for part in gathered.get(leaf, (leaf,)):
                leaves |= base_sets.get(part) or {_unlinked(name, base, part)}
        if code in base_sets and code not in gathered:
            name_of = code
        else:
            name_of = of_set.get(frozenset(leaves), GATHERED + GATHERED.join(sorted(leaves)))
        finest[code] = frozenset(leaves)
        canonical[code] = "" if name_of == base_root else name_of
    return Codes(own, canonical, finest, residual, root)


def _unlinked(name: str, base: str, code: str) -> str:
    """A code that the base does not know: a former release may have one; in the present it is an error."""
    if not is_former(name):
        raise published_fault("a regrouping has a code that is not in its base", "", dimension=name)
    return f"{code}{FORMER}{base})"


def _promised(spec: Spec, table: Table, codes: Mapping[str, Codes], clean: pl.DataFrame) -> pl.DataFrame:
    axes = [
        pl.DataFrame({column: list(codes[dimension].parent)}, schema={column: pl.String})
        for column, dimension in table.dimensions.items()
    ]
    grid = functools.reduce(lambda product, axis: product.join(axis, how="cross"), axes)
    columns = list(table.dimensions)
    if clean.select(columns).is_duplicated().any():
        raise published_fault("a published row is given twice", table.name)
    shown = ~pl.any_horizontal([pl.col(c).is_in(sorted(codes[d].residual)) for c, d in table.dimensions.items()])
    promised = grid.with_columns(shown=shown).join(
        clean.with_columns(found=True).drop("status"), on=columns, how="left", maintain_order="left"
    )
    if promised.filter(pl.col("shown") & pl.col("found").is_null()).height:
        lacking = promised.filter(pl.col("shown") & pl.col("found").is_null()).height
        raise published_fault("promised rows are missing from a published table", table.name, rows=lacking)
    if promised.filter(pl.col("shown")).height != clean.height:
        raise published_fault("a published table has rows that were not promised", table.name)
    return promised.drop("found")


def published_fault(message: str, table: str, **at: str | int) -> DisclosureError:
    """The error of a published table that is not what the specification promises."""
    return DisclosureError(
        message,
        code="disclosure.published",
        at={**({"table": table} if table else {}), **at},
        remedy="publish exactly what the specification promises",
    )
