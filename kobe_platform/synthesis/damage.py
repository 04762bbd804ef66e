"""Quirks of tables, files, manifests and folders: planted on request, most of them reason to reject a delivery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.synthesis.layout import REGISTER
from kobe_platform.synthesis.quirks import Quirk, Table

DELIMITED, FIXED = ("delimited",), ("fixed",)
UTF8 = ("utf-8", "utf-8-sig")
ONLY_REGISTER = (REGISTER,)


def _middle_line(data: bytes) -> tuple[int, int]:
    """Start and end of the line around the middle of the file, its line end left out."""
    start = data.index(b"\n", len(data) // 2) + 1
    end = data.find(b"\r\n", start)
    return start, end if end >= 0 else len(data)


def _undecodable(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    """Two bytes of a value in the middle become ones that are no character in any of the encodings."""
    start, _ = _middle_line(data)
    place = data.index(b",", start) if b"," in data[start : start + 64] else start + 200
    return data[: place - 2] + b"\xfd\xff" + data[place:]


def _two_encodings(data: bytes, rng: np.random.Generator, encoding: str) -> bytes:
    """One line of the file stands in the other encoding."""
    codec, other = ("cp932", "utf-8") if encoding == "cp932" else ("utf-8", "cp932")
    start, end = _middle_line(data)
    line = data[start:end].decode(codec).encode(other)
    return data[:start] + line + data[end:]


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
    def change(table: Table, rng: np.random.Generator) -> Table:
        return replace(table, rows=table.rows.drop(column))

    return change


def _extra_column(table: Table, rng: np.random.Generator) -> Table:
    rows = table.rows.with_columns(pl.lit("1").alias("collector"))
    return replace(table, rows=rows, headers={**table.headers, "collector": "収納区分"})


def _renamed(table: Table, rng: np.random.Generator) -> Table:
    return replace(table, headers={**table.headers, "sex": "セイベツ"})


def _reordered(table: Table, rng: np.random.Generator) -> Table:
    return replace(table, rows=table.rows.select(reversed(table.rows.columns)))


def _emptied(table: Table, rng: np.random.Generator) -> Table:
    return replace(table, rows=table.rows.head(0))


def _thinned(table: Table, rng: np.random.Generator) -> Table:
    """Three of a hundred rows are missing."""
    kept = rng.random(table.rows.height) >= 0.03
    return replace(table, rows=table.rows.filter(pl.Series(kept)))


def _revised(table: Table, rng: np.random.Generator) -> Table:
    """Some rows say something else than when the month was sent first."""
    changed = pl.Series(rng.random(table.rows.height) < 0.001)
    other = pl.when(pl.col("sex") == "1").then(pl.lit("2")).otherwise(pl.lit("1"))
    return replace(table, rows=table.rows.with_columns(sex=pl.when(changed).then(other).otherwise("sex")))


def _set(key: str, value: object):
    def change(manifest: dict) -> None:
        manifest[key] = value

    return change


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


QUIRKS = [
    Quirk("byte_order_mark", 1, "N", "宣言のない BOM", data=lambda d, r, e: b"\xef\xbb\xbf" + d.removeprefix(b"\xef\xbb\xbf"), encodings=UTF8),
    Quirk("line_feeds", 1, "N", "改行が LF", data=lambda d, r, e: d.replace(b"\r\n", b"\n")),
    Quirk("carriage_returns", 1, "N", "改行が CR", data=lambda d, r, e: d.replace(b"\r\n", b"\r")),
    Quirk("mixed_line_ends", 1, "N", "改行が混在", data=_mixed_ends, layouts=DELIMITED),
    Quirk("end_mark", 1, "N", "末尾の 0x1A", data=lambda d, r, e: d + b"\x1a"),
    Quirk("nul_tail", 1, "N", "末尾の NUL", data=lambda d, r, e: d + b"\0" * 64),
    Quirk("undecodable", 2, "R", "宣言した文字コードにないバイト", data=_undecodable),
    Quirk("two_encodings", 2, "R", "一つのファイルに二つの文字コード", ONLY_REGISTER, data=_two_encodings, layouts=DELIMITED),
    Quirk("cut_character", 2, "R", "固定長項目が文字の途中で切れる", ONLY_REGISTER, data=_cut_character, layouts=FIXED),
    Quirk("no_protection_column", 16, "R", "支援措置区分の項目がない", table=_without("protection"), layouts=DELIMITED),
    Quirk("no_header", 18, "R", "見出し行がない", table=lambda t, r: replace(t, headless=True), layouts=DELIMITED),
    Quirk("header_renamed", 18, "R", "項目名が違う", table=_renamed, layouts=DELIMITED),
    Quirk("column_added", 18, "R", "分類のない項目が増えた", table=_extra_column, layouts=DELIMITED),
    Quirk("column_missing", 18, "R", "項目が足りない", table=_without("sex"), layouts=DELIMITED),
    Quirk("columns_reordered", 18, "N", "項目の並びが違う", table=_reordered, layouts=DELIMITED),
    Quirk("count_differs", 19, "R", "件数が違う", manifest=_of_file("rows", lambda rows: rows + 1)),
    Quirk("hash_differs", 19, "R", "ハッシュ値が違う", manifest=_of_file("sha256", lambda digest: digest[::-1])),
    Quirk("size_differs", 19, "R", "大きさが違う", manifest=_of_file("bytes", lambda size: size - 1)),
    Quirk("truncated", 19, "R", "途中で切れた（マニフェストは切れた後に作成）", data=_truncated),
    Quirk("empty", 19, "R", "一行もない", table=_emptied),
    Quirk("wrong_city", 19, "R", "他団体のデータ", manifest=_set("municipality", "28203")),
    Quirk("wrong_month", 19, "R", "別の月のデータ", manifest=_next_month),
    Quirk("wrong_source", 19, "R", "別の業務のデータ", manifest=_set("source", "national_health_insurance")),
    Quirk("file_missing", 19, "R", "ファイルがない", folder=_no_file),
    Quirk("row_count_jump", 20, "hold", "件数が前月から大きく変わる", ONLY_REGISTER, table=_thinned),
    Quirk("late", 21, "late", "遅れて届く", manifest=_late),
    Quirk("sent_again", 22, "nothing", "同じ内容の再送", manifest=_set("created_at", "2099-01-01T00:00:00+09:00")),
    Quirk("revised", 23, "hold", "同じ月の、内容の違う再送", table=_revised),
    Quirk("difference_missing", 24, "R", "差分の欠落", ONLY_REGISTER, manifest=_difference(1)),
    Quirk("difference_out_of_order", 24, "R", "差分の順序違い", ONLY_REGISTER, manifest=_difference(-1)),
    Quirk("no_manifest", 26, "wait", "マニフェストがまだない", folder=_no_manifest),
]  # fmt: skip
"""Quirks of tables, files, manifests and folders."""
