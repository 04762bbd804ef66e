"""Maps the cells of a table to positions in an array: one axis for each column, one position for each node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kobe_platform.disclosure.spec import Table
from kobe_platform.disclosure.trees import Tree
from kobe_platform.errors import DisclosureError


@dataclass(frozen=True)
class TableIndex:
    """Where a table's cells stand: ``variables`` has one axis a column, one position a node of its tree."""

    table: Table
    columns: tuple[str, ...]
    trees: tuple[Tree, ...]
    variables: np.ndarray

    def frame(self, positions: np.ndarray) -> pl.DataFrame:
        """Codes of the flat ``positions`` (into the raveled array), one text column a dimension."""
        indices = np.unravel_index(positions, self.variables.shape)
        return pl.DataFrame(
            {
                column: pl.Series(values=list(tree.codes), dtype=pl.String).gather(index)
                for column, tree, index in zip(self.columns, self.trees, indices, strict=True)
            }
        )

    def shown(self) -> np.ndarray:
        """Flat positions of the published rows, the first column varying slowest."""
        grid = np.ix_(*(tree.shown for tree in self.trees))
        return np.arange(self.variables.size).reshape(self.variables.shape)[grid].ravel()

    def locate(self, rows: pl.DataFrame, subject: str) -> np.ndarray:
        """Flat positions of rows given by their codes.

        Raises:
            DisclosureError: a column is missing or a code unknown (coordinates: table, column, row).
        """
        flat = np.zeros(rows.height, dtype=np.int64)
        for column, tree in zip(self.columns, self.trees, strict=True):
            if column not in rows.columns:
                raise refusal(f"{subject} lack a column", "disclosure.column", table=self.table.name, column=column)
            codes = rows[column].cast(pl.String)
            nodes = codes.replace_strict(list(tree.codes), list(range(len(tree))), default=None, return_dtype=pl.Int64)
            unknown = nodes.is_null().arg_max() if nodes.null_count() else None
            if unknown is not None:
                at: dict[str, str | int] = {"table": self.table.name, "column": column, "row": unknown + 1}
                raise refusal(f"{subject} hold a code that is not in the hierarchy", "disclosure.code", **at)
            flat = flat * len(tree) + nodes.to_numpy()
        return flat


def refusal(message: str, code: str, /, **at: str | int) -> DisclosureError:
    """An error about the specification or the cells, by coordinates."""
    return DisclosureError(message, code=code, at=at, remedy="correct the specification or the cells")
