"""The leak detector on a delivery that is being taken in: fast over bytes, exact on what could be a number."""

from __future__ import annotations

import polars as pl
import pyarrow.compute as pc

from kobe_platform import leaks
from kobe_platform.contracts import Column
from kobe_platform.contracts.columns import Never
from kobe_platform.extracts.encodings import codec, decoded, flat
from kobe_platform.extracts.screening import Screening
from kobe_platform.extracts.texts import KANJI_DIGITS, normalised

SHORTEST = 11
_FULL_WIDTH = "０１２３４５６７８９"


def check_leaks(screening: Screening) -> pl.Series:
    """Rows to set aside because a key of theirs equals another person's code by coincidence (usually none).

    Raises:
        DeliveryRejected: ``leak.own_number``, ``leak.keyword``, ``leak.column`` with line and column (quirk 17).
    """
    known = leak_set(screening)
    aside = pl.Series("aside", [False]).new_from_index(0, screening.frame.height)
    if screening.contract.sensitivity == "public":
        return aside
    for column in screening.contract.columns:
        if not isinstance(column, Never):
            aside |= _check_column(screening, column, known)
    return aside


def leak_set(screening: Screening) -> leaks.LeakSet:
    """The delivery's own codes; counts My Numbers whose check digit fails."""
    codes = []
    for column in screening.contract.codes_by_law:
        texts = normalised(decoded(screening.frame[column.id], screening.encoding))
        if column.shape == "my_number":
            numbers = texts.filter(texts != "")
            screening.warned["my_number.check_digit"] += int((~leaks.passes_check(numbers)).sum())
        codes.append(texts)
    return leaks.LeakSet(codes)


def _check_column(screening: Screening, column: Column, known: leaks.LeakSet) -> pl.Series:
    aside = pl.Series("aside", [False]).new_from_index(0, screening.frame.height)
    rows = suspects(screening.frame[column.id], screening.encoding)
    if rows.is_empty():
        return aside
    texts = decoded(screening.frame[column.id].gather(rows), screening.encoding)
    found = leaks.tokens(texts)
    found = found.with_columns(pl.Series("row", rows.gather(found["row"])))
    _refuse_suspicious(screening, column, texts, found, rows)
    matches = known.matches(found)
    if matches.is_empty():
        return aside
    own = matches.filter("own")
    limit = leaks.tolerated(known.coincidences(found))
    if own.height or matches.height > limit:
        first = own if own.height else matches
        raise screening.reject("leak.own_number", int(first["row"][0]), column.id, rows=matches.height)
    return aside.scatter(matches["row"], True) if column.read else aside


def _refuse_suspicious(
    screening: Screening, column: Column, texts: pl.Series, found: pl.DataFrame, rows: pl.Series
) -> None:
    """Keyword beside a number; a column full of numbers that pass; lone hits are counted."""
    beside = leaks.beside_keyword(texts)
    if beside.any():
        row = int(rows.gather(beside.arg_true()[:1])[0])
        raise screening.reject("leak.keyword", row, column.id, rows=int(beside.sum()))
    numbers = leaks.written_numbers(found)
    hits = int(leaks.passes_check(numbers).sum())
    if len(numbers) >= leaks.COLUMN_TOKENS and hits > leaks.COLUMN_SHARE * len(numbers):
        raise screening.reject("leak.column", int(found["row"][0]), column.id, rows=hits)
    if not column.digits:
        screening.warned["leak.lone"] += hits


def suspects(column: pl.Series, encoding: str) -> pl.Series:
    """Rows whose bytes could hold eleven digits in any spelling, or a residence-card number; loose on purpose."""
    size = column.bin.size()
    if (size.max() or 0) < SHORTEST:
        return pl.Series([], dtype=pl.UInt32)
    long_enough = (size >= SHORTEST).arg_true()
    array = flat(column.gather(long_enough))
    hit = pl.Series(pc.match_substring_regex(array, pattern=_pattern(encoding)))
    return long_enough.filter(hit)


def _pattern(encoding: str) -> str:
    """A regular expression over bytes: digits of every kind, with separators between them."""
    digit = _any_of("0123456789" + _FULL_WIDTH + "".join(KANJI_DIGITS), encoding)
    separator = _any_of(leaks.HYPHENS + "_ \u3000\t", encoding)
    letter = "(?:[A-Za-z]|" + _any_of("".join(map(chr, range(0xFF21, 0xFF3B))), encoding) + ")"
    return f"(?s)(?:{digit}{separator}{{0,3}}){{{SHORTEST}}}|{letter}{{2}}{digit}{{8}}{letter}{{2}}"


def _any_of(characters: str, encoding: str) -> str:
    spelled = []
    for character in characters:
        try:
            spelled.append("".join(f"\\x{byte:02x}" for byte in character.encode(codec(encoding))))
        except UnicodeEncodeError:
            continue
    return f"(?:{'|'.join(spelled)})"
