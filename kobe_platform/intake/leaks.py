"""Searches texts, tables and files for codes that identify a person by law, such as My Number (privacy design §2).

Nothing that is written or leaves the platform may hold such a code. A check digit alone cannot decide: a tenth of
random twelve-digit numbers pass it. The tests are therefore, in this order: an exact match with the delivery's own
codes, which are in this process's memory only; the words for My Number beside a hit; a column in which more than 30 %
of the distinct tokens pass. A single hit only warns. Results hold places and counts, never a token.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from kobe_platform.intake.extracts.bytewise import content, flat
from kobe_platform.intake.extracts.texts import KANJI_DIGITS, normalised

WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
KEYWORD = "個人番号|マイナンバー|ﾏｲﾅﾝﾊﾞｰ|(?i:my[ _-]?number)"
COLUMN_SHARE = 0.3
COLUMN_TOKENS = 20
TOKENS = {"row": pl.UInt32, "token": pl.String, "padded": pl.Boolean}
HYPHENS = "-‐‑‒–—―−ー－ｰ─━_"
_CARD = r"[A-Z]{2}\d{8}[A-Z]{2}"

ANY_DIGIT = (
    r"0-9\p{Nd}\p{No}〇一二三四五六七八九"
    r"\x{2F00}\x{2F06}\x{2F0B}\x{F9D1}\x{32C0}-\x{32CB}\x{3358}-\x{3370}\x{3378}\x{3379}\x{339F}-\x{33AF}"
    r"\x{33E0}-\x{33FE}\x{1F214}\x{1F229}\x{1F22A}\x{1F241}\x{1F242}"
)
"""Characters in which :func:`canonical` reads a digit, for a regular expression; all but ``0-9`` may be two."""
SEPARATORS = r"\s\p{Zs}\p{Pd}\p{Pc}⁻₋−─━ーｰ\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}"
"""Characters that it may leave out between two digits."""
SHORTEST_NUMBER = 10**10
"""The smallest number of eleven digits."""
_FEWEST = 8
"""Digits of the shortest code, a residence card's."""


def passes_check(tokens: pl.Series) -> pl.Series:
    """Whether twelve-digit texts have My Number's check digit (weights 6,5,4,3,2,7,6,5,4,3,2; modulo 11)."""
    if tokens.is_empty():
        return pl.Series(tokens.name, [], dtype=pl.Boolean)
    passes = np.zeros(len(tokens), dtype=bool)
    of_length = (tokens.str.len_bytes() == len(WEIGHTS) + 1).fill_null(False)
    digits = content(flat(tokens.filter(of_length))).reshape(-1, len(WEIGHTS) + 1) - ord("0")
    remainder = sum(weight * digits[:, place].astype(np.int16) for place, weight in enumerate(WEIGHTS)) % 11
    expected = np.where(remainder <= 1, 0, 11 - remainder)
    passes[of_length.to_numpy()] = (digits <= 9).all(axis=1) & (digits[:, -1] == expected)
    return pl.Series(tokens.name, passes)


def canonical(texts: pl.Series) -> pl.DataFrame:
    """Texts as numbers may be read in them: NFKC, kanji digits, upper case; then without hyphens, spaces, or both.

    One column for each reading: a number written in groups is found in the reading that joins them, a number beside
    another one in the reading that keeps them apart.
    """
    plain = normalised(texts).str.replace_many(list(KANJI_DIGITS), list(KANJI_DIGITS.values())).str.to_uppercase()
    hyphen = f"[{re.escape(HYPHENS)}]"
    frame = pl.DataFrame({"plain": plain.str.replace_all(r"(\d\.)\d{2,}", "$1")})
    text = pl.col("plain")
    return frame.with_columns(
        _joined(text, hyphen).alias("hyphens"),
        _joined(text, r"\s").alias("spaces"),
        _joined(text, f"(?:{hyphen}|\\s)").alias("both"),
    )


def _patterns() -> list[str]:
    """What a text with a code holds: eight digits with only separators between them, or four, one of them not 0-9.

    Loose on purpose: it is asked of every text that leaves, and :func:`canonical` of few.
    """
    digit, odd, between = f"[{ANY_DIGIT}]", f"[{ANY_DIGIT}&&[^0-9]]", f"[{SEPARATORS}]*"
    least = _FEWEST // 2
    mixed = (between.join([digit] * place + [odd] + [digit] * (least - place - 1)) for place in range(least))
    return [between.join(["[0-9]"] * _FEWEST), *mixed]


_POSSIBLE = "|".join(_patterns())


def possible(texts: pl.Series) -> pl.Series:
    """Whether each text could hold a code in a reading of it (:func:`canonical`): a quick look before it is read."""
    return texts.str.contains(_POSSIBLE).fill_null(False)


def _joined(text: pl.Expr, separator: str) -> pl.Expr:
    return text.str.replace_all(f"(\\d){separator}{{1,3}}", "$1")


def tokens(texts: pl.Series) -> pl.DataFrame:
    """``row`` (position in ``texts``), ``token``, ``padded``: runs of 11 or 12 digits, and residence-card numbers.

    Eleven digits also yield, as ``padded``, the twelve that they would be with the leading zero that they may have
    lost: for exact matches only, since every mobile telephone number has eleven. Runs of 13 and more hold no token.
    """
    rows = possible(texts).arg_true()
    readings = canonical(texts.gather(rows)).insert_column(0, rows.alias("row"))
    found = pl.concat(
        readings.select("row", pl.col(name).str.extract_all(rf"\d+|{_CARD}").alias("token")).explode("token")
        for name in readings.columns[1:]
    )
    found = found.filter(pl.col("token").str.len_chars().is_in([11, 12])).unique(maintain_order=True)
    return with_lost_zeros(found)


def with_lost_zeros(found: pl.DataFrame) -> pl.DataFrame:
    """``row, token`` with ``padded``: eleven digits also as the twelve that they may have been."""
    short = found.filter(pl.col("token").str.contains(r"^\d{11}$"))
    padded = short.with_columns(pl.format("0{}", "token").alias("token"), pl.lit(True).alias("padded"))
    return pl.concat([found.with_columns(pl.lit(False).alias("padded")), padded])


def written_numbers(found: pl.DataFrame) -> pl.Series:
    """The distinct twelve-digit tokens as they were written."""
    numbers = found.filter(~pl.col("padded") & pl.col("token").str.contains(r"^\d{12}$"))
    return numbers["token"].unique()


class LeakSet:
    """The codes of one delivery that identify by law, with the row of each; they are only in memory and never shown.

    Numbers are compared as numbers, so that one with a lost leading zero is found; other codes are compared as texts.
    """

    def __init__(self, codes: Iterable[pl.Series]) -> None:
        tables = [pl.DataFrame({"code": normalised(texts)}).with_row_index("owner") for texts in codes]
        table = pl.concat(tables) if tables else pl.DataFrame(schema={"owner": pl.UInt32, "code": pl.String})
        table = table.filter(pl.col("code") != "").with_columns(_as_number("code"))
        self._numbers = table.filter(pl.col("number").is_not_null()).select("number", "owner")
        self._others = table.filter(pl.col("number").is_null()).select(token="code", owner="owner")

    def __len__(self) -> int:
        return self._numbers.height + self._others.height

    def __repr__(self) -> str:
        return f"LeakSet({len(self)} codes)"

    __str__ = __repr__

    def __reduce__(self):
        raise TypeError("a leak set stays in its process")

    def matches(self, found: pl.DataFrame) -> pl.DataFrame:
        """``row`` and ``own`` (the code is its own row's) of the tokens (see :func:`tokens`) that are in the set."""
        if found.is_empty():
            return pl.DataFrame(schema={"row": pl.UInt32, "own": pl.Boolean})
        numbered = found.filter(~pl.col("padded")).select("row", "token", _as_number("token"))
        by_number = numbered.join(self._numbers, on="number", how="inner").select("row", "owner")
        by_text = found.join(self._others, on="token", how="inner").select("row", "owner")
        matched = pl.concat([by_number, by_text])
        return matched.group_by("row").agg((pl.col("owner") == pl.col("row")).any().alias("own")).sort("row")

    def coincidences(self, found: pl.DataFrame) -> float:
        """How many matches would be expected by chance if the codes were random numbers of eleven digits or more."""
        tokens = found.filter(~pl.col("padded")).group_by(pl.col("token").str.len_chars().alias("length"))
        counts = tokens.agg(pl.col("token").n_unique()).iter_rows()
        return sum(n * self._numbers.height / 10.0**length for length, n in counts)


def _as_number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False).alias("number")


def tolerated(expected: float) -> float:
    """Most matches that chance explains; 0 where even one would be rare."""
    return 3 + 10 * expected if expected >= 1e-3 else 0


# ── files and texts that leave the platform ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Suspicion:
    """A suspected code: ``rule`` as in the list of intake rules, where, and how many tokens; never the token."""

    rule: str
    place: str
    column: str
    count: int

    @property
    def refuses(self) -> bool:
        """Whether the rule refuses (a lone hit only warns)."""
        return self.rule != "leak.lone"


def judge(texts: pl.Series, *, place: str, column: str = "", known: LeakSet | None = None) -> list[Suspicion]:
    """Suspicions in a column of texts, or in the lines of one document.

    Args:
        known: codes that must not occur at all, while a delivery is being taken in.
    """
    texts = texts.drop_nulls()
    texts = texts.filter(possible(texts))
    if texts.is_empty():
        return []
    found = tokens(texts)
    findings = []
    if known is not None and (n := known.matches(found).height):
        findings.append(Suspicion("leak.own_number", place, column, n))
    if n := int(beside_keyword(texts).sum()):
        findings.append(Suspicion("leak.keyword", place, column, n))
    numbers = written_numbers(found)
    hits = int(passes_check(numbers).sum())
    if len(numbers) >= COLUMN_TOKENS and hits > COLUMN_SHARE * len(numbers):
        findings.append(Suspicion("leak.column", place, column, hits))
    elif hits:
        findings.append(Suspicion("leak.lone", place, column, hits))
    return findings


def beside_keyword(texts: pl.Series) -> pl.Series:
    """Whether each text has a twelve-digit number within a few characters after the words for My Number."""
    rows = possible(texts).arg_true()
    beside = canonical(texts.gather(rows))["both"].str.contains(rf"(?:{KEYWORD})\D{{0,12}}\d{{12}}(?:\D|$)")
    return pl.Series(texts.name, [False]).new_from_index(0, len(texts)).scatter(rows.filter(beside), True)


def scan_text(text: str, place: str, *, known: LeakSet | None = None) -> list[Suspicion]:
    """Suspicions in one text (a message, a page, a log), line by line."""
    return judge(pl.Series(text.splitlines(), dtype=pl.String), place=place, known=known)


def scan_frame(frame: pl.DataFrame, place: str, *, known: LeakSet | None = None) -> list[Suspicion]:
    """Suspicions in each column of a table: texts, whole numbers, and floats that are whole."""
    texts = {column.name: found for column in frame if (found := _texts(column)).len()}
    if not texts or not possible(pl.concat(texts.values())).any():
        return []
    return [finding for name, found in texts.items() for finding in judge(found, place=place, column=name, known=known)]


def _texts(column: pl.Series) -> pl.Series:
    """A column's distinct values as texts; none for types that cannot hold a number of eleven digits."""
    if column.dtype.is_numeric() and _small(column):
        return pl.Series([], dtype=pl.String)
    values = column.unique()
    if values.dtype == pl.Binary:
        return pl.Series([_text(value) for value in values if value], dtype=pl.String)
    if values.dtype.is_float():
        values = values.filter((values == values.floor()) & (values.abs() < 1e15)).cast(pl.Int64)
    if values.dtype.is_nested():
        return pl.Series(
            [json.dumps(value, ensure_ascii=False, default=str) for value in values.to_list()], dtype=pl.String
        )
    return values.cast(pl.String)


def _small(column: pl.Series) -> bool:
    """Whether no number in a column has eleven digits before its point."""
    largest = column.cast(pl.Float64, strict=False).abs().max()
    return not isinstance(largest, float) or largest < SHORTEST_NUMBER


def _text(data: bytes) -> str:
    for encoding in ("utf-8", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def scan_file(path: Path, *, place: str | None = None, known: LeakSet | None = None) -> list[Suspicion]:
    """Suspicions in a file's name and content: Parquet as a table (with its metadata), all else as text."""
    return _scanned(_parts(path, place or path.name), known)


def scan_tree(root: Path, *, known: LeakSet | None = None) -> list[Suspicion]:
    """Suspicions in every file below a folder, in the order of their names."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return _scanned((part for path in files for part in _parts(path, path.relative_to(root).as_posix())), known)


_Piece = tuple[str, str | pl.DataFrame]
TOGETHER = 4_000_000
"""Characters of many texts that are searched at once."""


def _parts(path: Path, place: str) -> Iterator[_Piece]:
    """The parts of a file that are searched, each with its place: name, text, or a table with its metadata."""
    yield f"name of {place}", path.name
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if not is_parquet:
        yield place, _text(path.read_bytes())
        return
    metadata = pl.read_parquet_metadata(path)
    described = "\n".join(f"{key} {value}" for key, value in metadata.items() if key != "ARROW:schema")
    yield f"metadata of {place}", described
    yield place, pl.read_parquet(path)


def _scanned(parts: Iterable[_Piece], known: LeakSet | None) -> list[Suspicion]:
    """Suspicions in parts, in their order; texts are searched :data:`TOGETHER` characters at a time."""
    findings: dict[int, list[Suspicion]] = {}
    batch: dict[int, tuple[str, str]] = {}
    size = 0
    for number, (place, part) in enumerate(parts):
        if isinstance(part, pl.DataFrame):
            findings[number] = scan_frame(part, place, known=known)
            continue
        batch[number] = (place, part)
        size += len(part)
        if size > TOGETHER:
            findings |= _searched(batch, known)
            batch, size = {}, 0
    findings |= _searched(batch, known)
    return [finding for number in sorted(findings) for finding in findings[number]]


def _searched(texts: Mapping[int, tuple[str, str]], known: LeakSet | None) -> dict[int, list[Suspicion]]:
    """Suspicions by number of the text; they are looked at together first, as hardly any text could hold a code."""
    looked_at = possible(pl.Series([text for _, text in texts.values()], dtype=pl.String))
    suspected = _suspected({number: text for number, (_, text) in itertools.compress(texts.items(), looked_at)})
    return {number: scan_text(texts[number][1], texts[number][0], known=known) for number in suspected}


def _suspected(texts: Mapping[int, str]) -> list[int]:
    """Numbers of the texts in a line of which :func:`judge` could find anything: a token, or the words beside one."""
    split = [(number, line) for number, text in texts.items() for line in text.splitlines()]
    lines = pl.DataFrame(split, schema={"number": pl.UInt32, "line": pl.String}, orient="row")
    lines = lines.filter(possible(lines["line"]))
    telling = pl.concat([tokens(lines["line"])["row"], beside_keyword(lines["line"]).arg_true()])
    return lines["number"].gather(telling).unique().sort().to_list()
