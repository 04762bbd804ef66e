"""Defines what one municipality must leave possible, so that totals over several give no hidden cell away.

A total that is out ties hidden figures of several municipalities. Each of them publishes on, and none sees what the
others publish meanwhile. So who publishes the totals picks some tables of all municipalities that agree with all that
is out, and tells each of them its own part of these: the scenarios. As long as everyone leaves each of its scenarios
possible, any two tables of its own that fit scenarios can be completed to tables of all (decision 0072). Scenarios are
worked out from what is published alone: there is no count of anybody in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

Cell = tuple[str, tuple[tuple[str, str], ...]]
"""A table, and pairs of a column and a code."""


@dataclass(frozen=True)
class Scenarios:
    """A municipality's own part of tables of all municipalities that agree with every total that is out.

    Attributes:
        cells: its hidden figures that stand in sums over municipalities.
        values: scenario → a value of each of these cells; no two are the same.
        known: hidden cells that are narrower than their width in all scenarios, with the values between which they
            lie there: they must go on to reach both.
        basis: table → digest (:func:`table_digest`) of what was published of it when the scenarios were found.
    """

    cells: tuple[Cell, ...]
    values: tuple[tuple[int, ...], ...]
    known: tuple[tuple[Cell, int, int], ...] = ()
    basis: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`as_record`."""
        return hashlib.sha256(json.dumps(self.as_record(), sort_keys=True).encode()).hexdigest()

    def as_record(self) -> dict[str, Any]:
        """JSON-ready; :meth:`of` reads it."""
        known = [{**_record(cell), "least": least, "most": most} for cell, least, most in self.known]
        return {"cells": [_record(cell) for cell in self.cells], "values": [list(one) for one in self.values],
                "known": known, "basis": dict(self.basis)}  # fmt: skip

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Scenarios:
        """From :meth:`as_record`.

        Raises:
            ValueError: it is none.
        """
        try:
            cells = tuple(_cell(one) for one in record["cells"])
            values = tuple(tuple(int(value) for value in one) for one in record["values"])
            known = tuple((_cell(one), int(one["least"]), int(one["most"])) for one in record["known"])
            basis = {str(name): str(digest) for name, digest in record["basis"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("these are no scenarios") from error
        if any(len(one) != len(cells) for one in values) or (cells and not values):
            raise ValueError("these are no scenarios")
        return cls(cells, values, known, basis)


def _record(cell: Cell) -> dict[str, Any]:
    return {"table": cell[0], "codes": dict(cell[1])}


def _cell(record: Mapping[str, Any]) -> Cell:
    return str(record["table"]), tuple(sorted((str(k), str(v)) for k, v in record["codes"].items()))


def table_digest(table: pl.DataFrame) -> str:
    """SHA-256 of a published table, whatever the order of its rows and columns."""
    told = table.select(pl.col(name).cast(pl.String) for name in sorted(table.columns))
    return hashlib.sha256(told.sort(told.columns, nulls_last=True).write_csv().encode()).hexdigest()
