"""Rows of a query as the matrices that the browser looks up, cut into small hashed files.

The browser never sums, pivots or sorts rows: for every choice of the filters it finds one ready matrix (series × x).
The first Dropdown that a component listens to decides its file, so that a ward's figures come without the other wards'.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.formats import SUPPRESSED, Cell, is_period, months_between
from kobe_platform.lounge.tables import SUPPRESSED_STATUS

if TYPE_CHECKING:
    import polars as pl

KEY = "|"
"""Joins the values of the filters that select a matrix inside a slice."""


class SeveralRows(Exception):
    """Two rows of a query fall on one cell: a filter or a series is missing."""


@dataclass(frozen=True)
class Matrix:
    """What one component shows for one value of its slicing filter.

    Attributes:
        x: texts along the x axis (row headings of the table).
        series: texts of the series; one empty text where there is none.
        cells: key of the other filters → series × x figures.
    """

    x: tuple[str, ...]
    series: tuple[str, ...]
    cells: Mapping[str, list[list[Cell]]]

    def as_record(self) -> dict[str, Any]:
        """As the slice file holds it."""
        return {"x": self.x, "s": self.series, "v": self.cells}


def cells_of(frame: pl.DataFrame, column: str) -> list[Cell]:
    """A column's figures with ``"X"`` where its status says suppressed.

    The status is ``<column>_status`` or, failing that, ``status``; a null without it is "not available". Text columns
    come through as they are.
    """
    values = frame[column].to_list()
    status = next((name for name in (f"{column}_status", "status") if name in frame.columns), None)
    if status is None or not frame[column].dtype.is_numeric():
        return values
    hidden = (frame[status] == SUPPRESSED_STATUS).to_list()
    return [SUPPRESSED if h else v for v, h in zip(values, hidden, strict=True)]


def matrices(
    frame: pl.DataFrame, *, x: str, y: str, series: str = "", sliced_by: str = "", keys: Sequence[str] = ()
) -> dict[str, Matrix]:
    """Cut rows into matrices, one per value of ``sliced_by`` (one under ``""`` where that is empty).

    Orders are those in which texts first occur in the rows; months missing between the first and the last are added,
    so that a missing month is a gap.

    Args:
        frame: a query's rows.
        x, series, sliced_by, keys: its text columns; ``y`` its figures.

    Raises:
        SeveralRows: a cell has more than one row.
    """
    import numpy as np

    if not frame.height:
        return {}
    x_texts, x_index = _coded(frame, x)
    x_texts, x_index = _without_holes(x_texts, x_index)
    s_texts, s_index = _coded(frame, series) if series else ([""], np.zeros(frame.height, dtype=np.int64))
    slice_texts, slice_index = _coded(frame, sliced_by) if sliced_by else ([""], np.zeros(frame.height, dtype=np.int64))
    key_texts, key_index = _joined(frame, keys)
    cells = np.array(cells_of(frame, y), dtype=object)
    order = np.argsort(slice_index, kind="stable")
    bounds = np.searchsorted(slice_index[order], np.arange(len(slice_texts) + 1))
    timeline = all(is_period(text) for text in x_texts)
    found = {}
    for number, text in enumerate(slice_texts):
        rows = order[bounds[number] : bounds[number + 1]]
        xs = np.arange(len(x_texts)) if timeline else np.unique(x_index[rows])
        ss, ks = np.unique(s_index[rows]), np.unique(key_index[rows])
        shape = (len(ks), len(ss), len(xs))
        at = (
            np.searchsorted(ks, key_index[rows]),
            np.searchsorted(ss, s_index[rows]),
            np.searchsorted(xs, x_index[rows]),
        )
        if len(np.unique(np.ravel_multi_index(at, shape))) != len(rows):
            raise SeveralRows
        block = np.full(shape, None, dtype=object)
        block[at] = cells[rows]
        table = {key_texts[k]: block[i].tolist() for i, k in enumerate(ks)}
        found[text] = Matrix(tuple(x_texts[i] for i in xs), tuple(s_texts[i] for i in ss), table)
    return found


def _coded(frame: pl.DataFrame, column: str):
    """Distinct texts in order of first occurrence, and each row's index among them."""
    import polars as pl

    texts = frame[column].cast(pl.String).fill_null("不明")
    distinct = texts.unique(maintain_order=True)
    return distinct.to_list(), texts.cast(pl.Enum(distinct)).to_physical().to_numpy().astype("int64")


def _joined(frame: pl.DataFrame, columns: Sequence[str]):
    import numpy as np
    import polars as pl

    if not columns:
        return [""], np.zeros(frame.height, dtype=np.int64)
    joined = frame.select(pl.concat_str([pl.col(c).cast(pl.String) for c in columns], separator=KEY).alias("key"))
    return _coded(joined, "key")


def _without_holes(texts: list[str], index):
    """Months between the first and the last added in their places; other texts as they are."""
    import numpy as np

    if not all(is_period(text) and len(text) == 7 for text in texts):
        return texts, index
    full = months_between(min(texts), max(texts))
    place = {month: position for position, month in enumerate(full)}
    return full, np.array([place[text] for text in texts], dtype=np.int64)[index]


def rows_of(
    frame: pl.DataFrame, columns: Sequence[str], *, sliced_by: str = "", keys: Sequence[str] = ()
) -> dict[str, dict[str, list[list[Cell]]]]:
    """Rows of a flat table by slice and key, in the query's order."""
    shown = list(zip(*(cells_of(frame, column) for column in columns), strict=True))
    slice_texts, slice_index = _coded(frame, sliced_by) if sliced_by else ([""], [0] * frame.height)
    key_texts, key_index = _joined(frame, keys)
    found: dict[str, dict[str, list[list[Cell]]]] = {}
    for row, s, k in zip(shown, slice_index, key_index, strict=True):
        found.setdefault(slice_texts[s], {}).setdefault(key_texts[k], []).append(list(row))
    return found


def write_slice(directory: Path, record: Mapping[str, Any]) -> str:
    """Write one slice under a name that its content decides, so that browsers may keep it for ever.

    Returns:
        The file's name.
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text, encoding="utf-8")
    return name
