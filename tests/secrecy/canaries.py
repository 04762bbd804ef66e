"""Made-up persons that are planted in extracts, and a search that finds them in whatever form they were kept.

The values belong to nobody: the numbers have wrong check digits, and the names and addresses do not exist.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

PLANTED = {
    "atena_no": "990077553311008",
    "my_number": "907715533118",
    "resident_code": "90771553319",
    "residence_card_no": "ZQ90771553XK",
    "name": "隠岐原　鳴門之介",
    "kana": "オキノハラ　ナルトノスケ",
    "maiden_name": "裏隠岐原",
    "alias": "ＯＫＩＮＯＨＡＲＡ　ＮＡＲＵ",
    "domicile": "神戸市中央区隠密町七丁目番外地",
    "domicile_head": "隠岐原　頼母之輔",
    "annex": "隠密荘７７５５号",
    "phone": "078-990-7755331",
    "account": "99077553319",
    "notes": "隠岐原家備忘之写",
    "lot": "77553番地の9907",
    "household_no": "990775533100",
}
"""Column id of ``resident_register`` → a value that must be found nowhere."""

ENCODINGS = ("utf-8", "cp932", "utf-16-le", "utf-16-be", "euc_jp")


@dataclass(frozen=True)
class Finding:
    """Where a canary was found: never which value, so that a failing test does not show one either."""

    place: str
    column: str
    form: str


def forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Every byte string by which ``value`` could have been kept: encodings, hex, base64, common hashes."""
    for encoding in ENCODINGS:
        try:
            raw = value.encode(encoding)
        except UnicodeEncodeError:
            continue
        yield encoding, raw
        yield f"{encoding} hex", raw.hex().encode()
        yield f"{encoding} HEX", raw.hex().upper().encode()
        yield from ((f"{encoding} base64+{shift}", core) for shift, core in _base64_cores(raw))
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, raw)
            yield f"{encoding} {algorithm}", digest.digest()
            yield f"{encoding} {algorithm} hex", digest.hexdigest().encode()
    yield "json escape", json.dumps(value)[1:-1].encode()


def _base64_cores(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The part of the base64 text that does not depend on what stands before and after, for the three alignments."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        start, stop = -(-shift * 4 // 3), len(text) - (4 if (len(raw) + shift) % 3 else 0)
        core = text[start:stop]
        if len(core) >= 12:
            yield shift, core


class Search:
    """Looks for values in bytes, and in what compressed files, archives, databases and tables hold."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self.needles = [(column, form, needle) for column, value in values for form, needle in forms(value)]

    def tree(self, root: Path) -> list[Finding]:
        """All findings below ``root``: in the names of files, and in files as they lie and as they read."""
        found: list[Finding] = []
        for path in sorted(root.rglob("*")):
            place = str(path.relative_to(root))
            found += self.data(place.encode(), f"name of {place}")
            if path.is_file() and not path.is_symlink():
                found += self.file(path, place)
        return found

    def file(self, path: Path, place: str) -> list[Finding]:
        """Findings in one file."""
        found = self.data(path.read_bytes(), place)
        with path.open("rb") as file:
            head = file.read(16)
        if head.startswith(b"SQLite format 3"):
            found += self._sqlite(path, place)
        if head.startswith(b"PAR1"):
            frame = pl.read_parquet(path)
            found += self.data(frame.write_csv().encode(), f"{place} (as a table)")
        return found

    def data(self, data: bytes, place: str, depth: int = 0) -> list[Finding]:
        """Findings in bytes and, three layers deep, in what they decompress to."""
        found = [Finding(place, column, form) for column, form, needle in self.needles if needle in data]
        if depth < 3:
            for kind, inner in unpacked(data):
                found += self.data(inner, f"{place} > {kind}", depth + 1)
        return found

    def _sqlite(self, path: Path, place: str) -> list[Finding]:
        found: list[Finding] = []
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
            for name in names:
                for row in connection.execute(f'select * from "{name}"'):
                    for cell in row:
                        if isinstance(cell, (str, bytes)):
                            data = cell.encode() if isinstance(cell, str) else cell
                            found += self.data(data, f"{place} table {name}")
        return found


def unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What a compressed or archived byte string holds; nothing for others."""
    openers = [
        (b"\x1f\x8b", "gzip", gzip.decompress),
        (b"BZh", "bzip2", bz2.decompress),
        (b"\xfd7zXZ", "xz", lzma.decompress),
        (b"\x78\x9c", "zlib", zlib.decompress),
        (b"\x78\x01", "zlib", zlib.decompress),
        (b"\x78\xda", "zlib", zlib.decompress),
    ]
    for magic, kind, opener in openers:
        if data.startswith(magic):
            try:
                yield kind, opener(data)
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                continue
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f"zip {name}", archive.read(name)
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                if file is not None:
                    yield f"tar {member.name}", file.read()
