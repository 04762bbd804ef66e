"""Finds what former releases of the same date fix: cells that must stay hidden, and cells that are already known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Model
from kobe_platform.disclosure.previous_release import FormerRelease
from kobe_platform.disclosure.spec import PUBLISHED, Spec
from kobe_platform.disclosure.table_index import TableIndex


@dataclass(frozen=True)
class Released:
    """Masks over a model's variables.

    Attributes:
        hidden: some former release hid it.
        told: shown by a former release whose every figure (of the population) is still the true one, and none of whose
            hidden cells, which were 1 or more, is a zero now: to hide it would protect nothing.
        unshown: where a release was corrected since, all but the cells that it shows as they still are; an outsider
            would take these for unchanged, so others are hidden rather.
    """

    hidden: np.ndarray
    told: np.ndarray
    unshown: np.ndarray


def read_released(model: Model, releases: Sequence[FormerRelease]) -> Released:
    """Former releases' rows at the cells of the model, margins included; other cells are left to the audit."""
    hidden, told, unchanged = (np.zeros(model.size, dtype=bool) for _ in range(3))
    corrected = False
    for release in releases:
        shown: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        emptied: set[str] = set()
        for name, frame in release.tables.items():
            layout = model.layouts.get(name)
            if layout is None and release.spec is not None:
                layout, frame = _as_margin(model, release.spec, name, frame)
            if layout is None or not set(layout.columns) <= set(frame.columns):
                continue
            rows = _known(layout, frame)
            cells = layout.variables.ravel()[layout.locate(rows, "a former release")]
            published = (rows["status"] == PUBLISHED).to_numpy()
            hidden[cells[~published]] = True
            if model.known[cells[~published]].any() and _zeros_were_shown(release.spec or model.spec, name):
                emptied.add(layout.table.population)
            values = rows["value"].fill_null(-1).to_numpy()[published]
            shown.setdefault(layout.table.population, []).append((cells[published], values))
        for population, parts in shown.items():
            cells = np.concatenate([cells for cells, _ in parts])
            same = model.value[cells] == np.concatenate([values for _, values in parts])
            still = same.all() and population not in emptied
            (told if still else unchanged)[cells[same]] = True
            corrected |= not still
    return Released(hidden, told, ~unchanged if corrected else np.zeros(model.size, dtype=bool))


def _zeros_were_shown(spec: Spec, name: str) -> bool:
    """Whether a hidden cell of a former table was surely 1 or more."""
    return spec.table(name).rule(spec.rule).zeros == PUBLISHED


def _as_margin(model: Model, spec: Spec, name: str, frame: pl.DataFrame) -> tuple[TableIndex | None, pl.DataFrame]:
    """A former table that the model lacks as a margin of one that it has, in the columns of that one."""
    former = next((table for table in spec.tables if table.name == name), None)
    if former is None:  # means
        return None, frame
    wanted = set(former.dimensions.values())
    for layout in sorted(model.layouts.values(), key=lambda layout: (len(layout.columns), layout.table.name)):
        here = layout.table.dimensions
        if layout.table.population != former.population or not wanted <= set(here.values()):
            continue
        source = {dimension: column for column, dimension in former.dimensions.items()}
        columns = [
            pl.col(source[here[column]]).alias(column)
            if here[column] in source
            else pl.lit(tree.codes[0]).alias(column)
            for column, tree in zip(layout.columns, layout.trees, strict=True)
        ]
        return layout, frame.select(*columns, "value", "status")
    return None, frame


def _known(layout: TableIndex, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows whose codes the layout has."""
    known = [pl.col(c).cast(pl.String).is_in(list(t.codes)) for c, t in zip(layout.columns, layout.trees, strict=True)]
    return frame.filter(*known)
