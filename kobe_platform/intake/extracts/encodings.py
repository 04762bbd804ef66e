"""Checks that a whole file is in its declared encoding, and decodes distinct values.

CP932 trail bytes are never below 0x40, so commas, quotes and line ends are found in bytes and nothing needs decoding to
be parsed. Validity is checked by the distinct values of the columns, over the whole file where one
of them is at fault; values are decoded once per distinct value, where they are needed.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kobe_platform.intake.extracts.bytewise import flat, is_ascii, is_visible_ascii
from kobe_platform.intake.extracts.texts import normalised

CHUNK = 1 << 20
"""Bytes decoded at a time."""
TOGETHER = 1 << 14
"""Values of a column that are checked at a time."""
BOM = b"\xef\xbb\xbf"


def codec(encoding: str) -> str:
    """Python's name of a manifest's encoding."""
    return {"utf-8-sig": "utf-8"}.get(encoding, encoding)


def trimmed(data: bytes) -> memoryview:
    """The file without byte-order mark, padding NULs and the end mark of old systems (0x1A) (quirk 1)."""
    start = len(BOM) if data.startswith(BOM) else 0
    stop = len(data)
    while stop > start and data[stop - 1] in (0x00, 0x1A):
        stop -= 1
    return memoryview(data)[start:stop]


def undecodable(data: memoryview, encoding: str) -> int | None:
    """Offset of the first byte that is no character of ``encoding``; None where all are (quirk 2).

    CP932's single bytes 0x80, 0xA0 and 0xFD–0xFF, which Python passes on, are refused too: no Japanese text holds them.
    """
    name, start, size = codec(encoding), 0, len(data)
    while start < size:
        stop = _line_end(data, min(start + CHUNK, size))
        try:
            text = str(data[start:stop], name)
        except UnicodeDecodeError as error:
            return start + error.start
        if name == "cp932" and not text.isascii() and (offset := _stray(text)) is not None:
            return start + offset
        start = stop
    return None


def _line_end(data: memoryview, at: int) -> int:
    """The end of the line that holds ``at``: chunks must not cut a character."""
    while at < len(data):
        window = bytes(data[at : at + 4096])
        found = min((i for i in (window.find(b"\n"), window.find(b"\r")) if i >= 0), default=-1)
        if found >= 0:
            return at + found + 1
        at += len(window)
    return len(data)


STRAY = ("\x80", "\xa0", "\uf8f0", "\uf8f1", "\uf8f2", "\uf8f3")


def _stray(text: str) -> int | None:
    found = [i for mark in STRAY if (i := text.find(mark)) >= 0]
    return len(text[: min(found)].encode("cp932")) if found else None


def well_encoded(array: pa.Array, encoding: str) -> bool:
    """Whether each value of a binary array, as far as it is a text of its own, is one of ``encoding``."""
    return is_ascii(array) or all(
        undecodable(memoryview(_lines(array.slice(start, TOGETHER))), encoding) is None
        for start in range(0, len(array), TOGETHER)
    )


def _lines(array: pa.Array) -> pa.Buffer:
    """Values with a line feed between them, which turns a cut character into bytes that do not decode."""
    whole = pa.Array.from_buffers(pa.list_(array.type), 1, [None, _bounds(len(array))], children=[array])
    between = pa.Array.from_buffers(array.type, 1, [None, _bounds(1), pa.py_buffer(b"\n")])
    return pc.binary_join(whole, between[0])[0].as_buffer()


def _bounds(length: int) -> pa.Buffer:
    """The offsets of an array of one value; made by hand, as ``pa.array`` imports pandas where that is installed."""
    return pa.py_buffer(np.array([0, length], dtype=np.int32))


def decoded(values: pl.Series, encoding: str) -> pl.Series:
    """Text of binary values, of a file whose encoding was checked before."""
    if encoding != "cp932":
        return values.cast(pl.String)
    array = flat(values)
    if is_ascii(array):
        return values.cast(pl.String)
    odd = pl.Series(pc.match_substring_regex(array, pattern="[\\x80-\\xff]"))
    others = odd.arg_true()
    texts = pl.Series([raw.decode("cp932") for raw in values.gather(others).to_list()], dtype=pl.String)
    plain = pl.DataFrame({"raw": values, "odd": odd}).select(pl.when("odd").then(b"").otherwise("raw"))
    return plain.to_series().cast(pl.String).scatter(others, texts).rename(values.name)


def normal(values: pl.Series, encoding: str) -> pl.Series:
    """Normalised texts of binary values; visible ASCII is normal already."""
    if is_visible_ascii(flat(values)):
        return values.cast(pl.String)
    return normalised(decoded(values, encoding))
