"""Holds the table that abstraction works on: columns that were read, columns derived, the fate of each row."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from kobe_platform.contracts import Contract
from kobe_platform.contracts.columns import OnlyFor
from kobe_platform.intake.extracts.bytewise import ByteColumns, distinct, flat, is_visible_ascii
from kobe_platform.intake.extracts.encodings import decoded
from kobe_platform.intake.extracts.taking import ENCODING
from kobe_platform.intake.extracts.texts import has_gaiji, normalised
from kobe_platform.vocabulary.rules import rules

KEPT = 0
AHEAD = 3
"""Columns that are read before they are asked for, at most: each is some 30 MB of a city's register."""


@dataclass(frozen=True, repr=False)
class Distinct:
    """A column by its distinct texts: ``values`` and, for each row, which one it has."""

    values: pl.Series
    index: pl.Series

    def spread(self, of_values: pl.Series) -> pl.Series:
        """What was worked out for each distinct text, for every row."""
        return of_values.gather(self.index)

    def rows(self, of_values: pl.Series) -> int:
        """How many rows have a text for which something (Boolean) holds."""
        return int(self.spread(of_values).sum()) if of_values.any() else 0


@dataclass(repr=False)
class Working:
    """One delivery on its way through abstraction. All columns have as many rows as ``raw``, set-aside ones included.

    Attributes:
        raw: binary columns as raw holds them.
        derived: lake columns so far, by name.
        references: public reference tables by source; ``companions``: other raw extracts of the month by source.
        warned, normalised: counts by rule.
        hidden: whether the row is of a protected person or household (None until known).
    """

    raw: ByteColumns
    contract: Contract
    month: str
    references: Mapping[str, pl.DataFrame]
    companions: Mapping[str, pl.DataFrame]
    pseudonym_key: Callable[[str], bytes]
    derived: dict[str, pl.Series] = field(default_factory=dict)
    warned: Counter[str] = field(default_factory=Counter)
    normalised: Counter[str] = field(default_factory=Counter)
    hidden: pl.Series | None = None
    _texts: dict[str, Distinct] = field(default_factory=dict)
    _ahead: dict[str, Future[tuple[Distinct, pl.Series | None]]] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)
    _beside: ThreadPoolExecutor | None = None
    _dates: dict[str, pl.DataFrame] = field(default_factory=dict)
    _fates: list[tuple[str, str]] = field(default_factory=list)
    _fate: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.UInt8))

    def __post_init__(self) -> None:
        self._fate = pl.Series("fate", [KEPT], dtype=pl.UInt8).new_from_index(0, self.height)

    @property
    def height(self) -> int:
        """Rows of the delivery."""
        return self.raw.height

    def texts(self, name: str) -> Distinct:
        """A column's distinct normalised texts; they are decoded once and kept."""
        if name not in self._texts:
            ahead = self._ahead.pop(name, None)
            self._read_on()
            texts, read = self._read(name) if ahead is None or ahead.cancel() else ahead.result()
            if read is not None:
                self.normalised["text.normalised"] += texts.rows(texts.values != read)
                self.warned["text.gaiji"] += texts.rows(has_gaiji(texts.values))
            self._texts[name] = texts
        return self._texts[name]

    def _read(self, name: str) -> tuple[Distinct, pl.Series | None]:
        """A column's distinct normalised texts, and as they were before where that may be something else."""
        values, index = distinct(self._bytes.held(name))
        if is_visible_ascii(flat(values)):  # normal already
            return Distinct(values.cast(pl.String), index), None
        read = decoded(values, self._encoding)
        return Distinct(normalised(read), index), read

    @contextmanager
    def reading_ahead(self, names: Iterable[str]) -> Iterator[None]:
        """A second thread reads the next few of these columns in their order, as far as nobody has asked for them."""
        _ = self._bytes, self._encoding  # worked out before, not twice
        with ThreadPoolExecutor(1) as self._beside:
            self._waiting = deque(name for name in names if name in self._bytes.columns)
            self._read_on()
            try:
                yield
            finally:
                self._waiting.clear()
                self._ahead.clear()
        self._beside = None

    def _read_on(self) -> None:
        while self._waiting and self._beside is not None and len(self._ahead) < AHEAD:
            name = self._waiting.popleft()
            if name not in self._texts:
                self._ahead[name] = self._beside.submit(self._read, name)

    def text(self, name: str) -> pl.Series:
        """A column's normalised text for every row."""
        column = self.texts(name)
        return column.spread(column.values).rename(name)

    @cached_property
    def _encodings(self) -> list[str]:
        """Encodings of the rows."""
        if ENCODING not in self.raw.columns:
            return []
        return [encoding.decode() for encoding in distinct(self.raw.held(ENCODING))[0]]

    @cached_property
    def _encoding(self) -> str:
        """Encoding of all rows, or UTF-8 where rows of several were brought to it."""
        return self._encodings[0] if len(self._encodings) == 1 else "utf-8"

    @cached_property
    def _bytes(self) -> ByteColumns:
        """Raw, brought to UTF-8 where its rows are in several encodings (a difference laid over a full extract)."""
        if len(self._encodings) <= 1:
            return self.raw
        parts = []
        for (encoding,), part in self.raw.frame().with_row_index("place").group_by(ENCODING):
            names = [name for name in self.raw.columns if name != ENCODING]
            parts.append(part.with_columns(decoded(part[n], encoding.decode()).cast(pl.Binary).alias(n) for n in names))
        return ByteColumns.of(pl.concat(parts).sort("place").drop("place"))

    def mark(self, kind: str, rule: str, rows: pl.Series) -> None:
        """Takes rows out: ``kind`` is superseded, filtered or set_aside; the first mark of a row counts.

        Args:
            rows: Boolean, null counts as false.
        """
        if kind == "set_aside" and rules()[rule].severity != "Q":
            raise ValueError(f"{rule} does not set rows aside")
        chosen = rows.fill_null(False) & (self._fate == KEPT)
        if chosen.any():
            if (kind, rule) not in self._fates:
                self._fates.append((kind, rule))
            number = self._fates.index((kind, rule)) + 1
            frame = pl.DataFrame({"fate": self._fate, "chosen": chosen})
            marked = pl.when("chosen").then(pl.lit(number, pl.UInt8)).otherwise("fate").alias("fate")
            self._fate = frame.select(marked).to_series()

    @property
    def kept(self) -> pl.Series:
        """Which rows are still in."""
        return self._fate == KEPT

    def derive(self, name: str, values: pl.Series) -> None:
        """Adds a lake column."""
        self.derived[name] = values.rename(name)

    def applies(self, only_for: OnlyFor | None) -> pl.Series | None:
        """Rows for which ``only_for`` {column, value} holds; None where it does not restrict."""
        if not only_for:
            return None
        output = self.contract.column(only_for["column"]).outputs[0]
        return (self.derived[output] == only_for["value"]).fill_null(False)

    def facts(self) -> dict[str, object]:
        """Counts: every row is kept, superseded, filtered or set aside, once."""
        counted = dict(self._fate.value_counts().iter_rows())
        by_kind: dict[str, dict[str, int]] = {"superseded": {}, "filtered": {}, "set_aside": {}}
        for number, (kind, rule) in enumerate(self._fates, start=1):
            by_kind[kind][rule] = counted.get(number, 0)
        return {
            "rows": self.height,
            "kept": counted.get(KEPT, 0),
            "set_aside": by_kind["set_aside"],
            "superseded": sum(by_kind["superseded"].values()),
            "filtered": by_kind["filtered"],
            "warned": {rule: n for rule, n in sorted(self.warned.items()) if n},
            "normalised": {rule: n for rule, n in sorted(self.normalised.items()) if n},
        }
