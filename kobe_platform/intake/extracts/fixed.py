"""Cuts fixed-width files into columns by bytes, with the contract's widths."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kobe_platform.contracts import Contract
from kobe_platform.intake.extracts.delimited import TextSource
from kobe_platform.intake.extracts.encodings import codec, undecodable
from kobe_platform.vocabulary.rules import rejection

SPACE = 0x20


def records(source: TextSource, contract: Contract) -> tuple[np.ndarray, dict[str, slice]]:
    """The file as a matrix rows × bytes (line ends cut off), and where each column stands in it.

    Raises:
        DeliveryRejected: ``file.record`` with the first line whose length is not the contract's.
    """
    widths = [column.width or 0 for column in contract.columns]
    length = sum(widths)
    raw = np.frombuffer(source.data, dtype=np.uint8)
    end = _line_end(source.data)
    if len(raw) and raw[-1] not in (0x0A, 0x0D):
        raw = np.concatenate((raw, np.frombuffer(end, dtype=np.uint8)))
    step = length + len(end)
    matrix = raw[: len(raw) // step * step].reshape(-1, step)
    ends_right = (matrix[:, length:] == np.frombuffer(end, dtype=np.uint8)).all(axis=1)
    breaks_inside = ((matrix[:, :length] == 0x0A) | (matrix[:, :length] == 0x0D)).any(axis=1)
    wrong = np.flatnonzero(~ends_right | breaks_inside)
    if len(wrong) or len(raw) % step:
        line = int(wrong[0]) + 1 if len(wrong) else len(matrix) + 1
        raise rejection("file.record", **source.at, line=source.lines_before + line, contracted_bytes=length)
    stops = np.cumsum(widths)
    places = {
        column.id: slice(int(stop) - width, int(stop))
        for column, stop, width in zip(contract.columns, stops, widths, strict=True)
    }
    return matrix[:, :length], places


def _line_end(data: memoryview) -> bytes:
    head = bytes(data[: 1 << 16])
    return b"\r\n" if b"\r\n" in head else b"\r" if b"\r" in head and b"\n" not in head else b"\n"


def parse(source: TextSource, contract: Contract) -> pa.Table:
    """All columns as binary of one chunk each, outer spaces cut.

    Raises:
        DeliveryRejected: ``file.record``; ``file.cut_character`` with line and column of the first field that ends
            inside a character.
    """
    matrix, places = records(source, contract)
    columns = {}
    for name, place in places.items():
        field = np.ascontiguousarray(matrix[:, place])
        if (field >= 0x80).any():
            _refuse_cut_characters(source, field, name)
        columns[name] = _trimmed(field)
    return pa.table(columns)


def _refuse_cut_characters(source: TextSource, field: np.ndarray, name: str) -> None:
    """Each field must decode on its own: a line feed after it turns a cut character into bytes that do not decode."""
    lines = np.full((field.shape[0], field.shape[1] + 1), 0x0A, dtype=np.uint8)
    lines[:, :-1] = field
    offset = undecodable(memoryview(lines.tobytes()), codec(source.encoding))
    if offset is not None:
        line = source.lines_before + offset // lines.shape[1] + 1
        raise rejection("file.cut_character", **source.at, line=line, column=name)


def _trimmed(field: np.ndarray) -> pa.Array:
    """Values without the spaces and NULs that pad them on either side; ideographic spaces stay (they are text)."""
    filler = (field == SPACE) | (field == 0)
    rows, width = field.shape
    first = np.argmin(filler, axis=1)
    last = width - np.argmin(filler[:, ::-1], axis=1)
    empty = filler.all(axis=1)
    first[empty], last[empty] = 0, 0
    positions = np.arange(width)
    kept = (positions >= first[:, None]) & (positions < last[:, None])
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(last - first, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(field[kept]))]
    return pa.Array.from_buffers(pa.binary(), rows, buffers)
