"""Takes a delivery in: reads its bytes once, verifies, parses and screens it, and keeps the columns that rules read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from kobe_platform.contracts import Contract, Layout
from kobe_platform.errors import ConfigurationError
from kobe_platform.intake.deliveries import Delivery, read_bytes, read_verified, verify_bytes, verify_manifest
from kobe_platform.intake.extracts import delimited, fixed
from kobe_platform.intake.extracts.bytewise import ByteColumns, compact, plain
from kobe_platform.intake.extracts.delimited import TextSource
from kobe_platform.intake.extracts.encodings import trimmed, undecodable, well_encoded
from kobe_platform.intake.extracts.framing import unframed
from kobe_platform.intake.extracts.leak_check import judge_leaks, search_leaks
from kobe_platform.intake.extracts.public import public_frame
from kobe_platform.intake.extracts.published import PublishedFigures, read_published
from kobe_platform.intake.extracts.screening import Screening, screen
from kobe_platform.intake.manifest import Manifest, ManifestFile
from kobe_platform.vocabulary.clock import today
from kobe_platform.vocabulary.rules import rejection, worded_for

ENCODING = "delivery_encoding"
"""Column of raw that names the encoding of its row's bytes, so that they can be read without the delivery."""


@dataclass(frozen=True, repr=False)
class Taken:
    """What raw keeps of a delivery.

    Attributes:
        rows: binary columns that some rule reads, in the contract's order, and ``delivery_encoding``; of a public
            source a frame of its typed columns (text and Int64).
        facts: ``rows`` (delivered), ``kept``, ``set_aside``, ``warned``, ``normalised`` (counts by rule), ``encoding``.
    """

    rows: pl.DataFrame | ByteColumns
    facts: dict[str, object]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as Polars has them."""
        return self.rows if isinstance(self.rows, pl.DataFrame) else self.rows.frame()

    def first(self, rows: int) -> pl.DataFrame:
        """The first so many rows."""
        if isinstance(self.rows, pl.DataFrame):
            return self.rows.head(rows)
        return self.rows.frame(rows=pl.int_range(min(rows, self.rows.height), dtype=pl.UInt32, eager=True))


@dataclass(frozen=True, repr=False)
class _ParsedFile:
    """One parsed file: its rows, and what is needed to find a row's line.

    Attributes:
        again: reads the file once more, verified like the first time: its bytes are not held while its rows are looked
            at, and only a refusal asks for a line.
    """

    at: Mapping[str, str]
    table: pa.Table
    again: Callable[[], TextSource]
    records_before: int = 0
    figures: PublishedFigures | None = None

    def place(self, row: int, layout: Layout) -> dict[str, str | int]:
        """Coordinates of a row."""
        if self.figures is not None:
            return {**self.at, **self.figures.at(row)}
        record, source = row + self.records_before, self.again()
        if layout.form == "fixed":
            return {**self.at, "line": source.lines_before + record + 1}
        return {**self.at, "line": delimited.line_of(source, record)}


def take_in(delivery: Delivery, contract: Contract, *, previous_sequence: int | None = None) -> Taken:
    """Verifies, parses and screens a delivery; keeps the bytes of the columns that some rule reads.

    Codes that identify by law, names and whatever else no rule reads exist in this call's memory only.

    Raises:
        ConfigurationError: the contract's legal basis is not in force today (``contract.lapsed``); no row is read.
        DeliveryRejected: any rule of severity R; the error names delivery, file, line, column, rule and counts.
    """
    if not contract.legal.holds(today()):
        raise ConfigurationError(
            "the legal basis of this source is not in force: its delivery stays where it is",
            code="contract.lapsed",
            at={"source": contract.name, "month": delivery.month},
            remedy="renew the basis and its days in the contract, with the section that owns the data",
            ja="このデータの法的根拠の期間外です。取り込みません",
        )
    with worded_for(contract.sensitivity):
        return _taken(delivery, contract, previous_sequence)


def _taken(delivery: Delivery, contract: Contract, previous_sequence: int | None) -> Taken:
    manifest = verify_manifest(delivery, contract, previous_sequence=previous_sequence)
    layout = _layout(contract, manifest)
    normalised: dict[str, int] = {}
    parts = [_read(delivery, file, contract, layout, manifest.encoding, normalised) for file in manifest.files]
    table = _together([part.table for part in parts])
    offsets = np.cumsum([0, *(part.table.num_rows for part in parts)])

    def locate(row: int) -> dict[str, str | int]:
        which = int(np.searchsorted(offsets, row, side="right")) - 1
        return parts[which].place(row - int(offsets[which]), layout)

    encoding = "utf-8" if layout.table else manifest.encoding  # published tables were read as texts
    screening = Screening(ByteColumns.of(table), contract, encoding, delivery.month, manifest.kind, locate)
    screening.normalised.update(normalised)
    taken = screened(screening)
    return replace(taken, facts={**taken.facts, "encoding": manifest.encoding})


def screened(screening: Screening) -> Taken:
    """What raw keeps of a delivery in memory, once it has passed every check.

    Raises:
        DeliveryRejected: as :func:`take_in`.
    """
    with ThreadPoolExecutor(1) as beside:
        searched = beside.submit(search_leaks, screening)
        screen(screening)  # what is told first, if both refuse
        aside = judge_leaks(screening, searched.result())
    return _reduced(screening, aside)


def _together(tables: list[pa.Table]) -> pa.Table:
    """The rows of all files of a delivery."""
    if len(tables) == 1:
        return tables[0]
    rows = [pa.table({n: plain(t.column(n).combine_chunks()) for n in t.column_names}) for t in tables]
    whole = pa.concat_tables(rows)
    return compact(dict(zip(whole.column_names, whole.columns, strict=True)))


def _layout(contract: Contract, manifest: Manifest) -> Layout:
    suffix = manifest.files[0].name[manifest.files[0].name.rfind(".") :]
    for layout in contract.layouts:
        if manifest.layout == layout.form or (manifest.layout is None and suffix in layout.suffix):
            return layout
    raise rejection("manifest.kind", delivery=f"{manifest.source}/{manifest.month}", file="manifest.json")


def _read(
    delivery: Delivery,
    file: ManifestFile,
    contract: Contract,
    layout: Layout,
    encoding: str,
    normalised: dict[str, int],
) -> _ParsedFile:
    def again() -> TextSource:
        return _source(read_verified(delivery, file), delivery, file, layout, encoding)

    data = read_bytes(delivery, file)
    parsed, refusal = None, None
    with ThreadPoolExecutor(1) as beside:  # nothing is kept or said of a file before its digest is known
        verified = beside.submit(verify_bytes, data, delivery, file)
        try:
            parsed = _cut(_source(data, delivery, file, layout, encoding), contract, layout, normalised, again, file)
        except Exception as error:
            refusal = error
    verified.result()
    if parsed is None:
        raise refusal or ConfigurationError("nothing was parsed", code="extracts.parse")
    return parsed


def _cut(
    source: TextSource,
    contract: Contract,
    layout: Layout,
    normalised: dict[str, int],
    again: Callable[[], TextSource],
    file: ManifestFile,
) -> _ParsedFile:
    """The rows of a file, as many as its manifest says."""
    if layout.table:
        figures = read_published(source, contract, layout, layout.table)
        parsed = _ParsedFile(source.at, figures.table, again, figures=figures)
        rows = figures.records
    elif layout.form == "fixed":
        table = fixed.parse(source, contract)
        parsed = _ParsedFile(source.at, compact(dict(zip(table.column_names, table.columns, strict=True))), again)
        rows = table.num_rows
    else:
        table, put_right = _parsed(source, contract, layout)
        normalised.update(put_right)
        parsed, rows = _ParsedFile(source.at, table, again, 1), table.num_rows
    if rows != file.rows:
        raise rejection("file.rows", **source.at, rows=rows, manifest=file.rows)
    return parsed


def _source(content: bytes, delivery: Delivery, file: ManifestFile, layout: Layout, encoding: str) -> TextSource:
    """A file's bytes without what stands around its column line and its rows."""
    data = memoryview(content) if layout.form == "workbook" else trimmed(content)
    source = TextSource({**delivery.at, "file": file.name}, data, encoding)
    return source if layout.table else unframed(source, layout, file.rows)


def _parsed(source: TextSource, contract: Contract, layout: Layout) -> tuple[pa.Table, dict[str, int]]:
    """Columns of a delimited file; of what is wrong with it, its encoding is told first."""
    refusal: Exception | None = None
    sound: list[bool] = []

    def look(column: pa.Array) -> None:
        sound.append(well_encoded(column, source.encoding))

    try:
        ids, size, put_right = delimited.header_columns(source, contract, layout)
        table = delimited.parse(source, ids, size, layout, public=contract.sensitivity == "public", look=look)
        if undecodable(source.data[:size], source.encoding) is None and all(sound):
            return table.select([column.id for column in contract.columns]), put_right
    except Exception as error:
        refusal = error
    offset = undecodable(source.data, source.encoding)
    if offset is not None:
        line, column = delimited.position_of(source, offset, layout)
        raise rejection("file.encoding", **source.at, line=line, column_number=column) from None
    raise refusal or ConfigurationError("nothing was parsed", code="extracts.parse")


def _reduced(screening: Screening, aside: pl.Series) -> Taken:
    contract = screening.contract
    set_aside: Mapping[str, int] = {}
    if contract.sensitivity == "public":
        frame, set_aside = public_frame(screening)
        return Taken(frame, _facts(screening, frame.height, set_aside))
    kept = {column.id: screening.columns.held(column.id) for column in contract.read}
    kept[ENCODING] = _everywhere(screening.encoding.encode(), screening.height)
    rows = ByteColumns(kept, screening.height)
    if aside.any():
        rows = _without(rows, aside)
        set_aside = {"leak.coincidence": int(aside.sum())}
    return Taken(rows, _facts(screening, rows.height, set_aside))


def _without(rows: ByteColumns, aside: pl.Series) -> ByteColumns:
    """The other rows; no dictionary of theirs holds a value that only those set aside have."""
    others = (~aside).to_arrow()
    kept = {name: pa.chunked_array([rows.array(name).filter(others)]) for name in rows.columns}
    return ByteColumns.of(compact(kept))


def _everywhere(value: bytes, rows: int) -> pa.Array:
    """A column of one value, by dictionary; made by hand, as ``pa.array`` imports pandas where that is installed."""
    first = pa.Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(np.zeros(rows, dtype=np.int32))])
    bounds = pa.py_buffer(np.array([0, len(value)], dtype=np.int32))
    return pa.DictionaryArray.from_arrays(
        first, pa.Array.from_buffers(pa.binary(), 1, [None, bounds, pa.py_buffer(value)])
    )


def _facts(screening: Screening, kept: int, set_aside: Mapping[str, int]) -> dict[str, object]:
    return {
        "rows": screening.height,
        "kept": kept,
        "set_aside": dict(set_aside),
        "superseded": 0,
        "filtered": {},
        "warned": {rule: n for rule, n in sorted(screening.warned.items()) if n},
        "normalised": {rule: n for rule, n in sorted(screening.normalised.items()) if n},
        "encoding": screening.encoding,
    }
