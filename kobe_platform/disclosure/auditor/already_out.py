"""Works out what former releases alone give away under the present rules: no later release can take that back.

A relation, a definition or a higher minimum frequency that is added after a release makes an outsider's equations of
what he holds already. Where a cell's interval is too narrow by these alone, hiding it protects nothing any more. Such a
cell is forgiven, but only where the present tables leave it the whole interval that the former ones alone leave it:
tables that reach both of its ends are looked for, and nothing but such tables counts (decision 0048).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from kobe_platform.disclosure.auditor.bounds import Contradiction, Part, State, Undecided
from kobe_platform.disclosure.auditor.contradictions import part_of
from kobe_platform.disclosure.auditor.definitions import impossible_cells
from kobe_platform.disclosure.auditor.figures import Figures
from kobe_platform.disclosure.auditor.system import System, build_system, components
from kobe_platform.disclosure.spec import Spec

Interval = tuple[int, int]


@dataclass
class AlreadyOut:
    """Former releases without the present tables, under the present specification.

    Args:
        read: gives the specification and the figures of present and former tables together; called when it is first
            needed. What the present tables alone show or hide is not looked at: their cells are unknowns of 0 or more,
            or nobody where their codes never go together.
    """

    read: Callable[[], tuple[Spec, Figures]]
    _held: _Held | None = None

    def covers(self, part: Part, unknown: int, figures: Figures, cell: int) -> bool:
        """Whether a cell is exposed already, and no more so by what a part of the present system says of it.

        Args:
            unknown: the cell's place in the part; figures: those in which it has the number ``cell``.
        """
        interval = self._known.interval(self._known.number(figures, cell))
        try:
            return interval is not None and part.reaches(unknown, *interval)
        except Contradiction:
            return False

    def tells(self, figures: Figures, cell: int) -> bool:
        """Whether a former release shows a cell itself."""
        number = self._known.number(figures, cell)
        return number is not None and bool(self._known.figures.before[number] >= 0)

    @property
    def _known(self) -> _Held:
        if self._held is None:
            self._held = _Held(*self.read())
        return self._held


@dataclass
class _Held:
    """The equations of former releases, and what has been solved of them."""

    spec: Spec
    figures: Figures
    system: System = field(init=False)
    place: dict[int, tuple[int, int]] = field(default_factory=dict)
    components: list[tuple[np.ndarray, np.ndarray]] = field(init=False)
    parts: dict[int, Part | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        figures = self.figures
        nobody = impossible_cells(self.spec, figures) & (figures.before < 0) & ~figures.residual
        value = np.where(nobody & (figures.lower_before == 0), 0, figures.before)
        alone = replace(figures, value=value, now=figures.before, lower=figures.lower_before)
        self.system = build_system(self.spec, alone)
        self.components = components(self.system)
        for number, (unknowns, _) in enumerate(self.components):
            cells = self.system.cells[unknowns]
            self.place |= {int(cells[at]): (number, at) for at in np.flatnonzero(cells >= 0).tolist()}

    def number(self, figures: Figures, cell: int) -> int | None:
        """The number here of a cell of other figures; None where it is not here."""
        key = figures.keys.row(cell, named=True)
        if any(code for name, code in key.items() if name not in self.figures.keys.columns):
            return None
        wanted = [pl.col(name) == key.get(name, "") for name in self.figures.keys.columns]
        found = self.figures.keys.with_row_index("cell").filter(*wanted)["cell"]
        return int(found[0]) if len(found) else None

    def interval(self, cell: int | None) -> Interval | None:
        """Bounds that surely hold of a cell by former releases alone, where they are too narrow; else None.

        They are proven, and never only the farthest tables that were found: too long an interval asks too much of the
        present tables, too short a one would let them narrow it.
        """
        if cell is None or cell not in self.place:
            return None
        number, unknown = self.place[cell]
        part, figures = self._part(number), self.figures
        if part is None:
            return None
        try:
            width, k, residual = int(figures.width[cell]), int(figures.k[cell]), bool(figures.residual[cell])
            if part.judge(unknown, width, k, residual) is not State.NARROW:
                return None
            return part.bounds(unknown)
        except (Contradiction, Undecided):
            return None

    def _part(self, number: int) -> Part | None:
        if number not in self.parts:
            unknowns, equations = self.components[number]
            try:
                self.parts[number] = part_of(self.system.part(unknowns, equations)) if len(equations) else None
            except (Contradiction, Undecided):
                self.parts[number] = None
        return self.parts[number]
