"""Turns the rows of a query into matrices for each choice of filters, and writes them as small files named by hash.

The browser never sums, pivots or sorts rows: for every choice of the filters it finds one ready matrix (series × x).
The first Dropdown that a component listens to decides its file, so that a ward's figures come without the other wards'.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kobe_platform.lounge.cells import Comparison, Placed, figures_of, status_of
from kobe_platform.lounge.formats import SUPPRESSED, Cell, is_period
from kobe_platform.lounge.tables import SUPPRESSED_STATUS
from kobe_platform.vocabulary.months import months_between

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

KEY = "|"
"""Joins the values of the filters that select a matrix inside a slice."""


APART = "\x1f"
"""Stands between the panel and the series in a series' name, where a chart is drawn as small multiples."""

MANY_ROWS = 10_000
"""Rows from which it is looked whether they come in runs."""
MOST_KEYS = 1 << 22
"""Choices of several filters that are numbered by arithmetic; more are joined as texts."""


class SeveralRows(Exception):
    """Two rows of a query fall on one cell: a filter or a series is missing."""


class Texts(tuple[str, ...]):
    """Texts along an axis, which slices share."""

    @cached_property
    def json(self) -> str:
        """The list as JSON, made once."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))


class WrittenCells(Mapping[str, list[list[Cell]]]):
    """Key → series × x figures, kept as JSON and read only where somebody looks: of a page's matrices that is one."""

    def __init__(self, keys: Sequence[str], text: str) -> None:
        """Take the keys, in order, and the JSON object that holds them."""
        self._keys = keys
        self.text = text

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._keys)

    @cached_property
    def _read(self) -> dict[str, list[list[Cell]]]:
        return json.loads(self.text)

    def __getitem__(self, key: str) -> list[list[Cell]]:
        return self._read[key]

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


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
    cells: WrittenCells

    def as_record(self) -> dict[str, Any]:
        """As the slice file holds it."""
        return {"x": self.x, "s": self.series, "v": self.cells}


def cells_of(frame: pl.DataFrame, column: str) -> list[Cell]:
    """A column's figures with ``"X"`` where its status says suppressed.

    The status is ``<column>_status`` or, failing that, ``status``; a null without it is "not available". Text columns
    come through as they are.
    """
    values = frame[column].to_list()
    if frame[column].dtype.is_temporal():
        return [None if value is None else str(value) for value in values]
    status = status_of(frame, column)
    if status is None or not frame[column].dtype.is_numeric():
        return values
    hidden = (frame[status] == SUPPRESSED_STATUS).to_list()
    return [SUPPRESSED if h else v for v, h in zip(values, hidden, strict=True)]


def matrices(
    frame: pl.DataFrame,
    *,
    x: str,
    y: str,
    series: str = "",
    sliced_by: str = "",
    keys: Sequence[str] = (),
    compared: Sequence[Comparison] = (),
) -> dict[str, Matrix]:
    """Cut rows into matrices, one per value of ``sliced_by`` (one under ``""`` where that is empty).

    Orders are those in which texts first occur in the rows; months missing between the first and the last are added,
    so that a missing month is a gap.

    Args:
        frame: a query's rows.
        x, series, sliced_by, keys: its text columns; ``y`` its figures.
        compared: put after each series' figures, for each comparison, their differences: X where either side is
            suppressed, not available where either lacks.

    Raises:
        SeveralRows: a cell has more than one row.
    """
    if not frame.height:
        return {}
    return dict(_Cut(frame, x, series, sliced_by, keys).matrices(frame, y, compared))


class _Cut:
    """Where each row of a frame goes: slice, key, series and x as numbers, and their texts.

    Slices of one shape (keys, series, x) are written together (:mod:`kobe_platform.lounge.cells`).
    """

    def __init__(self, frame: pl.DataFrame, x: str, series: str, sliced_by: str, keys: Sequence[str]) -> None:
        import numpy as np

        nowhere: tuple[list[str], np.ndarray] = [""], np.zeros(frame.height, dtype=np.int64)
        x_texts, x_index = _without_holes(*_coded(frame, x))
        axes = (
            _joined(frame, keys) if keys else nowhere,
            _coded(frame, series) if series else nowhere,
            (x_texts, x_index),
        )
        self.texts = [texts for texts, _ in axes]
        self.slices: list[str]
        self.slice: np.ndarray
        self.slices, self.slice = _coded(frame, sliced_by) if sliced_by else nowhere
        if frame.height == math.prod(map(len, (self.slices, *self.texts))):  # each cell has its row, or one has two
            self.present = [np.ones((len(self.slices), len(texts)), dtype=bool) for texts in self.texts]
        else:
            self.present = [self._present(len(texts), index) for texts, index in axes]
        if all(is_period(text) for text in x_texts):
            self.present[2][:] = True
        self.shape = np.stack([present.sum(axis=1) for present in self.present])
        self.place = [self._place(present, index) for present, (_, index) in zip(self.present, axes, strict=True)]
        self._shared: list[dict[bytes, Texts]] = [{}, {}, {}]

    def _present(self, codes: int, index: np.ndarray) -> np.ndarray:
        import numpy as np

        present = np.zeros(len(self.slices) * codes, dtype=bool)
        present[self.slice * codes + index] = True
        return present.reshape(len(self.slices), codes)

    def _place(self, present: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Place of each row's code among those that its slice has."""
        return index if present.all() else (present.cumsum(axis=1) - 1)[self.slice, index]

    def _present_texts(self, axis: int, position: int) -> Texts:
        """The texts along an axis that a slice has; one and the same object for slices that have the same ones."""
        import numpy as np

        has = self.present[axis][position]
        shared, key = self._shared[axis], has.tobytes()
        if key not in shared:
            shared[key] = Texts(self.texts[axis][i] for i in np.flatnonzero(has))
        return shared[key]

    def matrices(self, frame: pl.DataFrame, y: str, compared: Sequence[Comparison]) -> Iterator[tuple[str, Matrix]]:
        """Each slice's matrix, in the order of the slices."""
        import numpy as np

        found: dict[int, Matrix] = {}
        figures = figures_of(frame, y, compared)
        shapes, kind = np.unique(self.shape, axis=1, return_inverse=True)
        for number, shape in enumerate(shapes.T):
            members = np.flatnonzero(kind == number)
            keys, series, points = (int(n) for n in shape)
            texts = self._texts(figures, members, (keys, series, points))
            for position, text in zip(members.tolist(), texts, strict=True):
                k, s, x = (self._present_texts(axis, position) for axis in range(3))
                found[position] = Matrix(x, s, WrittenCells(k, text))
        return ((self.slices[position], found[position]) for position in sorted(found))

    def _texts(self, figures: Placed, members: np.ndarray, shape: tuple[int, int, int]) -> Iterator[str]:
        """JSON of every slice of one shape (keys, series, x)."""
        import numpy as np

        n_keys, n_series, n_x = shape
        rows, at, (k, s, x) = self._rows(members)
        places = ((at * n_keys + k) * n_series + s) * n_x + x
        taken = np.zeros(len(members) * n_keys * n_series * n_x, dtype=bool)
        taken[places] = True
        if np.count_nonzero(taken) != len(rows):
            raise SeveralRows
        inside = figures.matrices(rows, places, (len(members) * n_keys, n_series, n_x))
        told = map(add, self._heads(members), inside)
        return (f"{{{'],'.join(islice(told, n_keys))}]}}" for _ in members)

    def _rows(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]:
        """The rows of some slices, the place of each one's slice among these, and its places along the axes."""
        import numpy as np

        if len(members) == len(self.slices):
            return np.arange(len(self.slice)), self.slice, self.place
        rank = np.full(len(self.slices), -1)
        rank[members] = np.arange(len(members))
        rows = np.flatnonzero(rank[self.slice] >= 0)
        return rows, rank[self.slice[rows]], [place[rows] for place in self.place]

    def _heads(self, members: np.ndarray) -> list[str]:
        """The keys of every matrix as JSON and what follows, slice after slice."""
        import numpy as np

        known = [f"{json.dumps(text, ensure_ascii=False)}:[" for text in self.texts[0]]
        return [known[i] for i in np.nonzero(self.present[0][members])[1].tolist()]


def _coded(frame: pl.DataFrame, column: str):
    """Distinct texts in order of first occurrence, and each row's index among them."""
    import polars as pl

    told = frame[column]
    if not isinstance(told.dtype, pl.Categorical) or told.null_count():
        told = told.cast(pl.String).fill_null("不明").cast(pl.Categorical)
    first, index = _by_first(told.to_physical().to_numpy())
    return told[first].cast(pl.String).to_list(), index


def _by_first(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row in which each code first occurs, in that order, and each row's place in it."""
    import numpy as np

    rows = len(codes)
    starts = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    if 4 * len(starts) < rows > MANY_ROWS:  # what is ordered comes in runs
        starts = np.concatenate([[0], starts])
        first, place = _by_first(codes[starts])
        return starts[first], np.repeat(place, np.diff(starts, append=rows))
    first = np.full(int(codes.max(initial=0)) + 1, rows)
    first[codes[::-1]] = np.arange(rows - 1, -1, -1)  # of several rows of one code the last one written stays
    present = np.flatnonzero(first < rows)
    ordered = present[np.argsort(first[present])]
    place = np.empty(len(first), dtype=np.int64)
    place[ordered] = np.arange(len(ordered))
    return first[ordered], place[codes]


def _joined(frame: pl.DataFrame, columns: Sequence[str]):
    import numpy as np
    import polars as pl

    if not columns:
        return [""], np.zeros(frame.height, dtype=np.int64)
    if len(columns) == 1:
        return _coded(frame, columns[0])
    parts = [_coded(frame, column) for column in columns]
    sizes = [len(texts) for texts, _ in parts]
    if math.prod(sizes) <= MOST_KEYS and not any(frame[column].null_count() for column in columns):
        first, index = _by_first(np.ravel_multi_index([own for _, own in parts], sizes))
        joined = [KEY.join(texts[own[row]] for texts, own in parts) for row in first]
        if len(set(joined)) == len(joined):
            return joined, index
    texts = frame.select(pl.concat_str([pl.col(c).cast(pl.String) for c in columns], separator=KEY).alias("key"))
    return _coded(texts, "key")


def _without_holes(texts: list[str], index):
    """Months between the first and the last added in their places; other texts as they are."""
    import numpy as np

    if not all(is_period(text) and len(text) == 7 for text in texts):
        return texts, index
    full = months_between(min(texts), max(texts))
    place = {month: position for position, month in enumerate(full)}
    return full, np.array([place[text] for text in texts], dtype=np.int64)[index]


def faceted(frame: pl.DataFrame, facet: str, series: str) -> tuple[pl.DataFrame, str]:
    """The frame with a column that names panel and series together, and that column's name."""
    import polars as pl

    own = pl.col(series).cast(pl.String).fill_null("不明") if series else pl.lit("")
    panel = pl.col(facet).cast(pl.String).fill_null("不明")
    return frame.with_columns(pl.concat_str([panel, own], separator=APART).alias("_panel")), "_panel"


def rows_of(
    frame: pl.DataFrame, columns: Sequence[str], *, sliced_by: str = "", keys: Sequence[str] = ()
) -> dict[str, dict[str, list[Sequence[Cell]]]]:
    """Rows of a flat table by slice and key, in the query's order."""
    shown = list(zip(*(cells_of(frame, column) for column in columns), strict=True))
    key_texts, key_index = _joined(frame, keys)
    slice_texts, slice_index = _coded(frame, sliced_by) if sliced_by else ([""], 0 * key_index)
    first, place = _by_first(slice_index * len(key_texts) + key_index)
    kept: list[list[Sequence[Cell]]] = [[] for _ in first]
    for row, number in zip(shown, place.tolist(), strict=True):
        kept[number].append(row)
    found: dict[str, dict[str, list[Sequence[Cell]]]] = {}
    for rows, s, k in zip(kept, slice_index[first].tolist(), key_index[first].tolist(), strict=True):
        found.setdefault(slice_texts[s], {})[key_texts[k]] = rows
    return found


def as_json(value: Any) -> str:
    """Compact JSON with sorted keys; what is written already goes in as it is."""
    parts: list[str] = []
    _tell(value, parts)
    return "".join(parts)


def _tell(value: Any, parts: list[str]) -> None:
    """Add the JSON of a value to the parts: figures of a slice are long, and each joining would copy them."""
    if isinstance(value, WrittenCells):
        parts.append(value.text)
    elif isinstance(value, Texts):
        parts.append(value.json)
    elif isinstance(value, dict) or (not isinstance(value, list) and isinstance(value, Mapping)):  # the latter is slow
        before = "{"
        for key in sorted(value):
            parts.append(f"{before}{_text_json(key)}:")
            _tell(value[key], parts)
            before = ","
        parts.append("}" if value else "{}")
    else:
        parts.append(json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False))


@lru_cache(maxsize=4096)
def _text_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_slice(directory: Path, record: Mapping[str, Any]) -> str:
    """Write one slice under a name that its content decides, so that browsers may keep it without asking again.

    Returns:
        The file's name.
    """
    data = as_json(record).encode()
    name = f"{hashlib.sha256(data).hexdigest()[:16]}.json"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)
    return name
