"""Damages whole tables, files, manifests and folders of a synthetic delivery, as each quirk asks.

These quirks are planted on request only; intake rejects a delivery for most of them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.synthesis.effects import Effect, ExtractTable


def _middle_line(data: bytes) -> tuple[int, int]:
    """Start and end of the line around the middle of the file, its line end left out."""
    start = data.index(b"\n", len(data) // 2) + 1
    end = data.find(b"\r\n", start)
    return start, end if end >= 0 else len(data)


def _undecodable(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    """Two bytes of a value in the middle become bytes that are no character in any of the encodings."""
    start, _ = _middle_line(data)
    place = data.index(b",", start) if b"," in data[start : start + 64] else start + 200
    return data[: place - 2] + b"\x81 " + data[place:]


def _two_encodings(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    """Some lines of the file get the other encoding (several, since a single one could decode by chance)."""
    codec, other = ("cp932", "utf-8") if encoding == "cp932" else ("utf-8", "cp932")
    start, _ = _middle_line(data)
    end = start
    for _ in range(40):
        end = data.index(b"\r\n", end) + 2
    return data[:start] + data[start:end].decode(codec).encode(other) + data[end:]


def _cut_character(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    """A text of full-width characters is cut by bytes, inside its last one; the line keeps its length."""
    start, end = _middle_line(data)
    line = bytearray(data[start:end])
    name = slice(67, 127)
    text = ("霧" * 40).encode("cp932" if encoding == "cp932" else "utf-8")
    line[name] = b" " + text[:59]
    return data[:start] + bytes(line) + data[end:]


def _truncated(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    return data[: len(data) * 2 // 3 + 7]


def _mixed_ends(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    half = data.index(b"\r\n", len(data) // 2) + 2
    return data[:half] + data[half:].replace(b"\r\n", b"\n")


def _without(column: str):
    def change(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
        return replace(table, rows=table.rows.drop(column))

    return change


def _extra_column(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    rows = table.rows.with_columns(pl.lit("1").alias("collector"))
    return replace(table, rows=rows, headers={**table.headers, "collector": "収納区分"})


def _renamed(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    return replace(table, headers={**table.headers, "sex": "セイベツ"})


def _reordered(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    return replace(table, rows=table.rows.select(reversed(table.rows.columns)))


def _emptied(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    return replace(table, rows=table.rows.head(0))


def _thinned(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    """Three of a hundred rows are missing."""
    kept = rng.random(table.rows.height) >= 0.03
    return replace(table, rows=table.rows.filter(pl.Series(kept)))


def _revised(table: ExtractTable, rng: np.random.Generator) -> ExtractTable:
    """Some rows have other values than in the first delivery of the month."""
    changed = pl.Series(rng.random(table.rows.height) < 0.001)
    other = pl.when(pl.col("sex") == "1").then(pl.lit("2")).otherwise(pl.lit("1"))
    return replace(table, rows=table.rows.with_columns(sex=pl.when(changed).then(other).otherwise("sex")))


def _set(key: str, value: object):
    def change(manifest: dict) -> None:
        manifest[key] = value

    return change


def _of_a_neighbour(manifest: dict) -> None:
    manifest["municipality"] = "28203" if manifest["municipality"] != "28203" else "28100"


def _of_file(key: str, change):
    def apply(manifest: dict) -> None:
        entry = manifest["files"][0]
        entry[key] = change(entry[key])

    return apply


def _next_month(manifest: dict) -> None:
    manifest["month"] = str(np.datetime64(manifest["month"], "M") + 1)


def _late(manifest: dict) -> None:
    month = np.datetime64(manifest["month"], "M") + 3
    manifest["created_at"] = f"{month}-20T03:00:00+09:00"


def _difference(step: int):
    def change(manifest: dict) -> None:
        manifest["kind"] = "difference"
        manifest["sequence"] += step

    return change


def _no_manifest(folder: Path, manifest: dict) -> None:
    (folder / "manifest.json").unlink()


def _no_file(folder: Path, manifest: dict) -> None:
    (folder / manifest["files"][0]["name"]).unlink()


EFFECTS = {
    "byte_order_mark": Effect(data=lambda d, r, e: b"\xef\xbb\xbf" + d.removeprefix(b"\xef\xbb\xbf")),
    "line_feeds": Effect(data=lambda d, r, e: d.replace(b"\r\n", b"\n")),
    "carriage_returns": Effect(data=lambda d, r, e: d.replace(b"\r\n", b"\r")),
    "mixed_line_ends": Effect(data=_mixed_ends),
    "end_mark": Effect(data=lambda d, r, e: d + b"\x1a"),
    "nul_tail": Effect(data=lambda d, r, e: d + b"\0" * 64),
    "undecodable": Effect(data=_undecodable),
    "two_encodings": Effect(data=_two_encodings),
    "cut_character": Effect(data=_cut_character),
    "no_protection_column": Effect(table=_without("protection")),
    "no_header": Effect(table=lambda t, r: replace(t, headless=True)),
    "header_renamed": Effect(table=_renamed),
    "column_added": Effect(table=_extra_column),
    "column_missing": Effect(table=_without("sex")),
    "columns_reordered": Effect(table=_reordered),
    "count_differs": Effect(manifest=_of_file("rows", lambda rows: rows + 1)),
    "hash_differs": Effect(manifest=_of_file("sha256", lambda digest: digest[::-1])),
    "size_differs": Effect(manifest=_of_file("bytes", lambda size: size - 1)),
    "truncated": Effect(data=_truncated),
    "trailer_differs": Effect(data=lambda d, r, e: d + b"T,%d\r\n" % d.count(b"\n")),
    "empty": Effect(table=_emptied),
    "wrong_city": Effect(manifest=_of_a_neighbour),
    "wrong_month": Effect(manifest=_next_month),
    "wrong_source": Effect(manifest=_set("source", "national_health_insurance")),
    "file_missing": Effect(folder=_no_file),
    "row_count_jump": Effect(table=_thinned),
    "late": Effect(manifest=_late),
    "sent_again": Effect(manifest=_set("created_at", "2099-01-01T00:00:00+09:00")),
    "revised": Effect(table=_revised),
    "difference_missing": Effect(manifest=_difference(1)),
    "difference_out_of_order": Effect(manifest=_difference(-1)),
    "no_manifest": Effect(folder=_no_manifest),
}
"""Quirks of tables, files, manifests and folders."""
