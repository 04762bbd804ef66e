"""What one municipality hands over to its prefecture for a month: published tables, and counts of itself as a whole.

Of its published tables everything goes along that an outsider has: rows, specification, what was released of the month
before. Beside them stand the finest cells of those statistics whose totals may tell more than published figures do,
counted for the municipality as a whole: no row about a person, no pseudonym, no count of a ward or a district that is
not published.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from kobe_platform.disclosure import FormerRelease, Spec
from kobe_platform.errors import DisclosureError

COUNT = "count"
"""Column of the counts in the cells that are handed over."""


@dataclass(frozen=True)
class Handed:
    """A month of a group of statistics as one municipality handed it over.

    Attributes:
        municipality: five-digit code. group: such as ``stocks/month``. content: digest of the published tables and of
            which of them are summed.
        basis: ``register`` or ``synthetic``.
        spec: the specification that its tables were audited by.
        tables: published tables of the group by name: dimensions, ``value``, ``status``.
        former: what was released of the same month before, oldest first.
        cells: statistic → finest cells of the municipality as a whole: dimensions without its area, ``count``; only of
            statistics whose totals may be more than sums of published figures.
        covers: of a yearly group the months (``YYYY-MM``) that it counts.
        recorded: digest of its record of releases of the month, answers on demand among them, that ``former`` is of.
    """

    municipality: str
    month: str
    group: str
    content: str
    basis: str
    spec: Spec
    tables: Mapping[str, pl.DataFrame]
    former: tuple[FormerRelease, ...]
    cells: Mapping[str, pl.DataFrame] = field(repr=False)
    covers: tuple[str, ...] = ()
    recorded: str = ""

    def as_record(self) -> dict[str, Any]:
        """JSON-ready, for the pipe and for the prefecture's encrypted record; :meth:`of` reads it."""
        return {
            "municipality": self.municipality,
            "month": self.month,
            "group": self.group,
            "content": self.content,
            "basis": self.basis,
            "spec": self.spec.model_dump_json(),
            "tables": packed(self.tables),
            "former": [
                {"spec": one.spec.model_dump_json() if one.spec else "", "tables": packed(one.tables)}
                for one in self.former
            ],
            "cells": packed(self.cells),
            "covers": list(self.covers),
            "recorded": self.recorded,
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Handed:
        """From :meth:`as_record`.

        Raises:
            DisclosureError: ``prefecture.handed``: it is not what a municipality hands over; no value is told.
        """
        try:
            former = tuple(
                FormerRelease(unpacked(one["tables"]), Spec.model_validate_json(one["spec"]) if one["spec"] else None)
                for one in record["former"]
            )
            told = {name: str(record[name]) for name in ("municipality", "month", "group", "content", "basis")}
            spec = Spec.model_validate_json(record["spec"])
            return cls(**told, spec=spec, tables=unpacked(record["tables"]), former=former,
                       cells=unpacked(record["cells"]), covers=tuple(record.get("covers", ())),
                       recorded=str(record.get("recorded", "")))  # fmt: skip
        except (KeyError, TypeError, ValueError, OSError, pl.exceptions.PolarsError):
            raise DisclosureError(
                "what a municipality handed over cannot be read",
                code="prefecture.handed",
                remedy="bring both homes to one version (kobe upgrade) and publish again",
                ja="市町村から受け取った数値を読めません",
            ) from None


def is_new(release: FormerRelease, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether a former release says anything that the present tables do not."""
    return release.spec is not None or any(
        name not in tables
        or set(table.columns) != set(tables[name].columns)
        or not table.equals(tables[name].select(table.columns))
        for name, table in release.tables.items()
    )


def packed(tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Tables as text: Arrow files in base64, by name; :func:`unpacked` reads them."""
    return {name: base64.b64encode(_ipc(table)).decode() for name, table in sorted(tables.items())}


def _ipc(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def unpacked(told: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    """The tables of :func:`packed`."""
    return {name: pl.read_ipc(io.BytesIO(base64.b64decode(text))) for name, text in told.items()}
