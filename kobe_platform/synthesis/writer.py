"""Writes tables as files of an extract (CP932 or UTF-8, delimited or fixed width), and the manifest beside them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.errors import ConfigurationError

ROWS_AT_ONCE = 150_000
"""Rows that are encoded at a time; limits the memory for a large delivery."""
ENCODINGS = ("cp932", "utf-8", "utf-8-sig")
LAYOUTS = ("delimited", "fixed")


@dataclass(frozen=True)
class Form:
    """How a delivery is written: ``encoding`` of :data:`ENCODINGS`, ``layout`` of :data:`LAYOUTS`."""

    encoding: str = "cp932"
    layout: str = "delimited"

    def __post_init__(self) -> None:
        for value, known in ((self.encoding, ENCODINGS), (self.layout, LAYOUTS)):
            if value not in known:
                raise ConfigurationError(
                    "unknown form of an extract", code="synthesis.form", remedy="choose one of " + ", ".join(known)
                )

    @property
    def codec(self) -> str:
        """The codec of the rows; a byte-order mark stands before the first one only."""
        return "utf-8" if self.encoding == "utf-8-sig" else self.encoding

    @property
    def mark(self) -> bytes:
        """Bytes before the first byte of data."""
        return b"\xef\xbb\xbf" if self.encoding == "utf-8-sig" else b""


def write_delimited(
    frame: pl.DataFrame, path: Path, form: Form, headers: Mapping[str, str] | None = None, *, headless: bool = False
) -> None:
    """Write ``frame`` (text columns) with a header row, CRLF, quotes only where they are needed.

    Args:
        headers: column → header; a column that it does not name keeps its own.
        headless: leave the header row out.
    """
    names = [(headers or {}).get(name, name) for name in frame.columns]
    with path.open("wb") as file:
        file.write(form.mark)
        if not headless:
            file.write((",".join(names) + "\r\n").encode(form.codec))
        for start in range(0, frame.height, ROWS_AT_ONCE):
            buffer = io.BytesIO()
            part = frame.slice(start, ROWS_AT_ONCE).with_columns(pl.when(pl.all() != "").then(pl.all()))
            part.write_csv(buffer, include_header=False, line_terminator="\r\n", quote_style="necessary")
            raw = buffer.getvalue()
            file.write(raw if form.codec == "utf-8" else raw.decode("utf-8").encode(form.codec))


def write_fixed(frame: pl.DataFrame, path: Path, form: Form, widths: Mapping[str, int]) -> None:
    """Write ``frame`` as lines of fixed width in bytes, padded with ASCII spaces, CRLF, without a header.

    A text too long for its item is cut between characters, never inside one.
    """
    with path.open("wb") as file:
        file.write(form.mark)
        for start in range(0, frame.height, ROWS_AT_ONCE):
            part = frame.slice(start, ROWS_AT_ONCE)
            columns = [_fixed_column(part[name], widths[name], form.codec) for name in frame.columns]
            end = np.broadcast_to(np.frombuffer(b"\r\n", dtype=np.uint8), (part.height, 2))
            file.write(np.hstack([*columns, end]).tobytes())


def _fixed_column(values: pl.Series, width: int, codec: str) -> np.ndarray:
    """Bytes of one column, shape (rows, width): ASCII as it stands, else each distinct text encoded once."""
    values = values.fill_null("")
    if bool((values.str.len_bytes() <= width).all()) and not values.str.contains(r"[^\x00-\x7f]").any():
        padded = values.str.pad_end(width).to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = padded.buffers()
        first = np.frombuffer(offsets, dtype=np.int64)[padded.offset]
        return np.frombuffer(data, dtype=np.uint8)[first : first + len(values) * width].reshape(-1, width)
    coded = values.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    encoded = [_fit(text, width, codec) for text in coded.dictionary.to_pylist()]
    table = np.frombuffer(b"".join(encoded), dtype=np.uint8).reshape(-1, width)
    return table[coded.indices.to_numpy()]


def _fit(text: str, width: int, codec: str) -> bytes:
    raw = text.encode(codec)
    while len(raw) > width:
        text = text[:-1]
        raw = text.encode(codec)
    return raw.ljust(width)


def describe_file(path: Path, rows: int) -> dict[str, object]:
    """A file's entry in the manifest: name, rows of data, SHA-256, size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "rows": rows, "sha256": digest, "bytes": path.stat().st_size}


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write ``manifest.json`` last and in one step, so that a half-written delivery has none."""
    draft = folder / ".manifest.json.part"
    draft.write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / "manifest.json")
