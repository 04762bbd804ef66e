"""What former releases of the same date leave of the choice: cells that stay hidden, cells that are told already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.model import Layout, Model
from kobe_platform.disclosure.spec import PUBLISHED, FormerRelease


@dataclass(frozen=True)
class Released:
    """Masks over a model's variables.

    Attributes:
        hidden: some former release hid it.
        told: shown by a former release whose every figure (of the population) is still the true one: to hide it would
            protect nothing.
        unshown: where a release was corrected since, all but the cells that it shows as they still are; an outsider
            would take these for unchanged, so others are hidden rather.
    """

    hidden: np.ndarray
    told: np.ndarray
    unshown: np.ndarray


def read_released(model: Model, releases: Sequence[FormerRelease]) -> Released:
    """Former releases' rows at the cells that the model has; tables and codes that it lacks are left to the audit."""
    hidden, told, unchanged = (np.zeros(model.size, dtype=bool) for _ in range(3))
    corrected = False
    for release in releases:
        shown: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for name, frame in release.tables.items():
            layout = model.layouts.get(name)
            if layout is None or not set(layout.columns) <= set(frame.columns):
                continue
            rows = _known(layout, frame)
            cells = layout.variables.ravel()[layout.locate(rows, "a former release")]
            published = (rows["status"] == PUBLISHED).to_numpy()
            hidden[cells[~published]] = True
            values = rows["value"].fill_null(-1).to_numpy()[published]
            shown.setdefault(layout.table.population, []).append((cells[published], values))
        for parts in shown.values():
            cells = np.concatenate([cells for cells, _ in parts])
            same = model.value[cells] == np.concatenate([values for _, values in parts])
            (told if same.all() else unchanged)[cells[same]] = True
            corrected |= not same.all()
    return Released(hidden, told, ~unchanged if corrected else np.zeros(model.size, dtype=bool))


def _known(layout: Layout, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows whose codes the layout has."""
    known = [pl.col(c).cast(pl.String).is_in(list(t.codes)) for c, t in zip(layout.columns, layout.trees, strict=True)]
    return frame.filter(*known)
