"""Writes the figures of many matrices of one shape as JSON.

Millions of cells pass here, so nothing is done cell by cell: figures are put into their places in one flat array, in
which two numbers that no figure comes near stand for hidden figures and for absent ones, and Polars writes the array.
Texts, and numbers of other kinds, are written one by one before they are put into their places.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from kobe_platform.lounge.formats import SUPPRESSED
from kobe_platform.lounge.tables import SUPPRESSED_STATUS

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

_X, _NULL = json.dumps(SUPPRESSED), "null"
_SMALL = 2000
"""Cells up to which Python has written an array of whole numbers before Polars begins."""


class _StandIns(NamedTuple):
    """What stands for a hidden figure and for an absent one, as Polars writes them too, and what figures stay below."""

    hidden: float
    absent: float
    beyond: float
    words: tuple[str, str]


_WHOLE = _StandIns(-(1 << 63) + 1, -(1 << 63), 1 << 62, ("-9223372036854775807", "-9223372036854775808"))
_BROKEN = _StandIns(-1.7976931348623157e308, -1.5e308, 1e307, ("-1.7976931348623157e+308", "-1.5e+308"))


@dataclass(frozen=True)
class Comparison:
    """What figures are compared with: themselves ``lag`` places earlier along x, or another column."""

    label: str
    lag: int = 0
    column: str = ""


class Placed(ABC):
    """The figures of a query's rows, ready to be put into places."""

    @abstractmethod
    def matrices(self, rows: np.ndarray, places: np.ndarray, shape: tuple[int, int, int]) -> list[str]:
        """JSON of each matrix, less its outermost brackets.

        Args:
            rows: of the frame, and ``places`` of each in the array; a place without a row is not available.
            shape: matrices, series, x; each series is followed by its differences, one line per comparison.
        """


def figures_of(frame: pl.DataFrame, y: str, compared: Sequence[Comparison]) -> Placed:
    """The figures in column ``y``, and what they are compared with."""
    columns = [y, *(one.column for one in compared if one.column)]
    whole = all(frame[column].dtype.is_integer() for column in columns)
    numbers = {column: _numbers(frame, column, whole=whole) for column in columns}
    known = {column: values for column, values in numbers.items() if values is not None}
    return _Numbers(known, y, compared, whole) if len(known) == len(numbers) else _OneByOne(frame, y, compared)


def _numbers(frame: pl.DataFrame, column: str, *, whole: bool) -> np.ndarray | None:
    """A column's figures with the numbers that stand for others; None where it has figures of another kind."""
    import numpy as np
    import polars as pl

    told, hidden = frame[column], _hidden(frame, column)
    if whole:
        told = _signed(told)
        if told.dtype != pl.Int64:
            return None
        least, most = cast(int, told.min() or 0), cast(int, told.max() or 0)
        values = (told.fill_null(_WHOLE.absent) if told.null_count() else told).to_numpy()
    else:
        if told.dtype != pl.Float64:
            return None
        values = told.to_numpy()
        finite = np.isfinite(values)
        least, most = values.min(initial=0, where=finite), values.max(initial=0, where=finite)
        values = np.where(finite, values, _BROKEN.absent)
    kind = _WHOLE if whole else _BROKEN
    if most >= kind.beyond or least <= -kind.beyond:
        return None
    return values if hidden is None else np.where(hidden.to_numpy(), kind.hidden, values)


class _Numbers(Placed):
    """Figures that are all whole or all doubles."""

    def __init__(self, numbers: dict[str, np.ndarray], y: str, compared: Sequence[Comparison], whole: bool) -> None:
        self._numbers, self._y, self._compared = numbers, y, compared
        self._whole, self._kind = whole, _WHOLE if whole else _BROKEN

    def matrices(self, rows: np.ndarray, places: np.ndarray, shape: tuple[int, int, int]) -> list[str]:
        import numpy as np

        lines = {column: self._placed(values, rows, places, shape) for column, values in self._numbers.items()}
        figures = lines[self._y]
        if self._compared:
            told = (self._difference(figures, lines, one) for one in self._compared)
            figures = np.stack([figures, *told], axis=2).reshape(shape[0], -1, shape[2])
        text = _written(figures)
        for number, word in zip(self._kind.words, (_X, _NULL), strict=True):
            text = text.replace(number, word)
        return text.split("\n")

    def _placed(self, values: np.ndarray, rows: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        import numpy as np

        lines = np.full(shape, self._kind.absent, dtype=values.dtype)
        lines.reshape(-1)[places] = values[rows]
        return lines

    def _difference(self, figures: np.ndarray, lines: dict[str, np.ndarray], compared: Comparison) -> np.ndarray:
        """The differences, line by line; one of a hidden figure is hidden."""
        import numpy as np
        import polars as pl

        lag, (hidden_as, absent_as, *_) = compared.lag, self._kind
        if compared.column:
            other = lines[compared.column]
        else:
            other = np.full_like(figures, absent_as)
            other[..., lag:] = figures[..., : max(0, figures.shape[-1] - lag)]
        hidden = (figures == hidden_as) | (other == hidden_as)
        absent = (figures == absent_as) | (other == absent_as)
        told = np.where(hidden | absent, 0, figures) - np.where(hidden | absent, 0, other)
        if not self._whole:
            told = pl.Series(told.reshape(-1)).round(6).to_numpy().reshape(told.shape)
        told = np.where(hidden, hidden_as, np.where(absent, absent_as, told))
        if not compared.column:
            told[..., :lag] = absent_as
        return told


def _written(matrices: np.ndarray) -> str:
    """A line for each matrix."""
    import polars as pl

    if matrices.size <= _SMALL and matrices.dtype.kind == "i":
        text = json.dumps(matrices.tolist(), separators=(",", ":"))
        return text[2:-2].replace("]],[[", "]\n[")
    text = pl.Series("", matrices.reshape(-1)).reshape(matrices.shape).to_frame().write_ndjson()
    return text[5:-3].replace(']}\n{"":[', "\n")


class _OneByOne(Placed):
    """Texts and numbers of any kind."""

    def __init__(self, frame: pl.DataFrame, y: str, compared: Sequence[Comparison]) -> None:
        import polars as pl

        self._compared, self._rows = compared, _texts(frame, y)
        for column in {one.column for one in compared if one.column}:
            self._rows = self._rows.hstack(_texts(frame, column).select(pl.all().name.suffix(f"_{column}")))

    def matrices(self, rows: np.ndarray, places: np.ndarray, shape: tuple[int, int, int]) -> list[str]:
        import numpy as np
        import polars as pl

        n, n_series, n_x = shape
        source = np.full(n * n_series * n_x, self._rows.height, dtype=np.uint32)
        source[places] = rows
        index = pl.Series(source).set(pl.Series(source == self._rows.height), None)
        dense = self._rows.select(pl.all().gather(index))
        lines = _lines(dense["text"], n_x)
        for one in self._compared:
            lines = lines + "," + _lines(_differences(dense, n_x, one), n_x)
        return lines.reshape((-1, n_series)).arr.join(",").to_list()


def _lines(texts: pl.Series, length: int) -> pl.Series:
    """JSON lists of ``length`` texts each."""
    return "[" + texts.fill_null(_NULL).reshape((-1, length)).arr.join(",") + "]"


def _texts(frame: pl.DataFrame, y: str) -> pl.DataFrame:
    """``text`` (JSON of each figure), ``value`` (null where there is no number) and ``hidden``."""
    import polars as pl

    column = frame[y]
    if not column.dtype.is_numeric():
        text = pl.Series([json.dumps(value, ensure_ascii=False) for value in column.to_list()], dtype=pl.String)
        return pl.DataFrame(
            {"text": text, "value": pl.Series([None] * frame.height, dtype=pl.Float64), "hidden": False}
        )
    known = column.is_not_null() & (column.is_finite() if column.dtype.is_float() else True)
    hidden = _hidden(frame, y)
    hidden = pl.repeat(False, frame.height, eager=True) if hidden is None else hidden
    told = pl.DataFrame({"value": column, "hidden": hidden, "known": known})
    shown = pl.col("known") & ~pl.col("hidden")
    counted = told["value"] if column.dtype.is_float() else _signed(told["value"])
    return told.select(
        text=pl.when("hidden").then(pl.lit(_X)).when("known").then(pl.col("value").cast(pl.String)),
        value=pl.when(shown).then(counted),
        hidden="hidden",
    )


def _differences(dense: pl.DataFrame, length: int, compared: Comparison) -> pl.Series:
    """JSON of the differences, line by line; one of a hidden figure is hidden."""
    import polars as pl

    value, hidden = pl.col("value"), pl.col("hidden").fill_null(False)
    if compared.column:
        other, other_hidden = pl.col(f"value_{compared.column}"), pl.col(f"hidden_{compared.column}").fill_null(False)
        lacks = pl.lit(False)
    else:
        other, other_hidden = value.shift(compared.lag), hidden.shift(compared.lag, fill_value=False)
        lacks = pl.int_range(pl.len()) % length < compared.lag
    return dense.select(
        pl.when(lacks)
        .then(None)
        .when(hidden | other_hidden)
        .then(pl.lit(_X))
        .otherwise((value - other).round(6).cast(pl.String))
    ).to_series()


def _signed(figures: pl.Series) -> pl.Series:
    """Whole numbers whose differences are whole numbers, too (Int64); doubles where they are too large for that."""
    import polars as pl

    whole = figures.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == figures.null_count() else figures.cast(pl.Float64)


def _hidden(frame: pl.DataFrame, column: str) -> pl.Series | None:
    """Which figures of a column are hidden; None where nothing tells it."""
    status = status_of(frame, column)
    if status is None:
        return None
    hidden = frame[status] == SUPPRESSED_STATUS
    return hidden.fill_null(False) if hidden.null_count() else hidden


def status_of(frame: pl.DataFrame, column: str) -> str | None:
    """The column that tells whether a figure is suppressed: ``<column>_status`` or, failing that, ``status``."""
    return next((name for name in (f"{column}_status", "status") if name in frame.columns), None)
