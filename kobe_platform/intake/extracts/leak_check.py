"""Searches a delivery for leaked codes while it is taken in: quickly over bytes, then exactly over numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kobe_platform.contracts import Column
from kobe_platform.contracts.columns import Never
from kobe_platform.intake import leaks
from kobe_platform.intake.extracts.encodings import codec, decoded
from kobe_platform.intake.extracts.screening import FEW, Screening
from kobe_platform.intake.extracts.texts import KANJI_DIGITS, normalised

SHORTEST = 11
_PLAIN = "^(?:[0-9]+|(?:[0-9]{1,6}-){1,3}[0-9]{1,6})$"
_FULL_WIDTH = "０１２３４５６７８９"


def check_leaks(screening: Screening) -> pl.Series:
    """Rows to set aside because a key of theirs equals another person's code by coincidence (usually none).

    Raises:
        DeliveryRejected: ``leak.own_number``, ``leak.keyword``, ``leak.column`` with line and column (quirk 17).
    """
    known = leak_set(screening)
    aside = pl.Series("aside", [False]).new_from_index(0, screening.height)
    if screening.contract.sensitivity == "public":
        return aside
    for column in screening.contract.columns:
        if not isinstance(column, Never):
            matches = _check_column(screening, column, known)
            if column.read and not matches.is_empty():
                aside = aside.scatter(matches["row"], True)
    return aside


def leak_set(screening: Screening) -> leaks.LeakSet:
    """The delivery's own codes; counts My Numbers whose check digit fails."""
    codes = []
    for column in screening.contract.having(Never):
        texts = normalised(decoded(screening.series(column.id), screening.encoding))
        if column.shape == "my_number":
            _count_check_digits(screening, texts.filter(texts != ""))
        codes.append(texts)
    return leaks.LeakSet(codes)


def _count_check_digits(screening: Screening, numbers: pl.Series) -> None:
    """My Numbers whose check digit fails; where none passes, the numbers are no My Numbers, which is one warning."""
    failing = int((~leaks.passes_check(numbers)).sum())
    if failing and failing == len(numbers) >= FEW:
        screening.warned["my_number.made_up"] += 1
    else:
        screening.warned["my_number.check_digit"] += failing


def _check_column(screening: Screening, column: Column, known: leaks.LeakSet) -> pl.DataFrame:
    """Coincidences of one column with the leak set, few enough to be such."""
    found = _tokens(screening, column)
    if found.is_empty():
        return known.matches(found)
    numbers = leaks.written_numbers(found)
    hits = int(leaks.passes_check(numbers).sum())
    if len(numbers) >= leaks.COLUMN_TOKENS and hits > leaks.COLUMN_SHARE * len(numbers):
        raise screening.reject("leak.column", int(found["row"][0]), column.id, rows=hits)
    if not column.digits:
        screening.warned["leak.lone"] += hits
    matches = known.matches(found)
    own = matches.filter("own")
    if own.height or (matches.height and matches.height > leaks.tolerated(known.coincidences(found))):
        first = own if own.height else matches
        raise screening.reject("leak.own_number", int(first["row"][0]), column.id, rows=matches.height)
    return matches


def _tokens(screening: Screening, column: Column) -> pl.DataFrame:
    """``row, token, padded`` of a column: digits and hyphens cheaply, what could be spelled otherwise exactly."""
    array = screening.array(column.id)
    sizes = np.diff(np.frombuffer(array.buffers()[1] or b"", dtype=np.int32)) if len(array) else np.zeros(0)
    long_enough = np.flatnonzero(sizes[: len(array)] >= SHORTEST)
    if not len(long_enough):
        return pl.DataFrame(schema=leaks.TOKENS)
    rows = pl.Series("row", long_enough.astype(np.uint32))
    if len(long_enough) < len(array):
        array = array.take(pa.Array.from_buffers(pa.uint32(), len(rows), [None, pa.py_buffer(rows.to_numpy())]))
    plain = pc.match_substring_regex(array, pattern=_PLAIN)
    found = _plain_numbers(array.filter(plain), rows.filter(pl.Series(plain)))
    others = pc.invert(plain)
    rest, its_rows = array.filter(others), rows.filter(pl.Series(others))
    hit = pl.Series(pc.match_substring_regex(rest, pattern=_pattern(screening.encoding)))
    if not hit.any():
        return found
    return pl.concat([found, _spelled_numbers(screening, column, its_rows.filter(hit))])


def _plain_numbers(array: pa.Array, rows: pl.Series) -> pl.DataFrame:
    """Tokens of values that are nothing but ASCII digits, or short groups of them between hyphens."""
    texts = pl.Series("token", array).cast(pl.String).str.replace_all("-", "", literal=True)
    found = pl.DataFrame({"row": rows, "token": texts}).filter(pl.col("token").str.len_bytes().is_in([11, 12]))
    return leaks.with_lost_zeros(found)


def _spelled_numbers(screening: Screening, column: Column, rows: pl.Series) -> pl.DataFrame:
    """Tokens of values that could hold a number in another spelling; refuses one beside the words for My Number."""
    texts = decoded(screening.series(column.id).gather(rows), screening.encoding)
    beside = leaks.beside_keyword(texts)
    if beside.any():
        row = int(rows.gather(beside.arg_true()[:1])[0])
        raise screening.reject("leak.keyword", row, column.id, rows=int(beside.sum()))
    found = leaks.tokens(texts)
    return found.with_columns(rows.gather(found["row"]).alias("row"))


@cache
def _pattern(encoding: str) -> str:
    """A regular expression over bytes: eleven digits of any kind, or a residence-card number; loose on purpose."""
    digit = _any_of("0123456789" + _FULL_WIDTH + "".join(KANJI_DIGITS), encoding)
    separator = _any_of(leaks.HYPHENS + "_ \u3000\t", encoding)
    wide_letters = map(chr, [*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B)])
    letter = f"(?:[A-Za-z]|{_any_of(''.join(wide_letters), encoding)})"
    return f"(?s)(?:{digit}{separator}{{0,3}}){{{SHORTEST}}}|{letter}{{2}}{digit}{{8}}{letter}{{2}}"


def _any_of(characters: str, encoding: str) -> str:
    spelled = []
    for character in characters:
        try:
            spelled.append("".join(f"\\x{byte:02x}" for byte in character.encode(codec(encoding))))
        except UnicodeEncodeError:
            continue
    return f"(?:{'|'.join(spelled)})"
