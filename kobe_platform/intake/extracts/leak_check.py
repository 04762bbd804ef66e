"""Searches a delivery for leaked codes while it is taken in: quickly over bytes, then exactly over numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kobe_platform.contracts import Column
from kobe_platform.contracts.columns import Never
from kobe_platform.intake import leaks
from kobe_platform.intake.extracts.bytewise import by_dictionary, is_digits, plain, sizes, values
from kobe_platform.intake.extracts.encodings import codec, decoded, normal
from kobe_platform.intake.extracts.screening import FEW, Screening
from kobe_platform.intake.extracts.texts import KANJI_DIGITS

SHORTEST, LONGEST = 11, 12
"""Digits of a token."""
_PLAIN = "^(?:[0-9]+|(?:[0-9]{1,6}-){1,3}[0-9]{1,6})$"
_FULL_WIDTH = "０１２３４５６７８９"


@dataclass(frozen=True, repr=False)
class Searched:
    """What a search of a delivery found: its own codes, and by column (in the contract's order) what stands there.

    Attributes:
        warned: counts by rule.
    """

    known: leaks.LeakSet
    found: Mapping[str, _Search]
    warned: Mapping[str, int]


def search_leaks(screening: Screening) -> Searched:
    """Search all columns but those of the codes themselves; nothing of the screening is changed."""
    known, warned = leak_set(screening)
    if screening.contract.sensitivity == "public":
        return Searched(known, {}, warned)
    names = [column.id for column in screening.contract.columns if not isinstance(column, Never)]
    with ThreadPoolExecutor(2) as two:  # the searches are bytes' and numbers' work
        searches = two.map(lambda name: _search(screening, name, known), names)
        return Searched(known, dict(zip(names, searches, strict=True)), warned)


def judge_leaks(screening: Screening, searched: Searched) -> pl.Series:
    """Rows to set aside because a key of theirs equals another person's code by coincidence (usually none).

    Raises:
        DeliveryRejected: ``leak.own_number``, ``leak.keyword``, ``leak.column`` with line and column (quirk 17).
    """
    screening.warned.update(searched.warned)
    aside = pl.Series("aside", [False]).new_from_index(0, screening.height)
    for name, search in searched.found.items():  # verdicts follow in the contract's order
        column = screening.contract.column(name)
        matches = _judged(screening, column, search, searched.known)
        if column.read and not matches.is_empty():
            aside = aside.scatter(matches["row"], True)
    return aside


def leak_set(screening: Screening) -> tuple[leaks.LeakSet, Mapping[str, int]]:
    """The delivery's own codes; by rule, how many My Numbers have a check digit that fails."""
    codes = []
    warned: Counter[str] = Counter()
    for column in screening.contract.having(Never):
        texts = normal(screening.columns.series(column.id), screening.encoding)
        if column.shape == "my_number":
            warned.update(_failing_check_digits(texts.filter(texts != "")))
        codes.append(texts)
    return leaks.LeakSet(codes), warned


def _failing_check_digits(numbers: pl.Series) -> Mapping[str, int]:
    """My Numbers whose check digit fails; where none passes, the numbers are no My Numbers, which is one warning."""
    failing = int((~leaks.passes_check(numbers)).sum())
    if failing and failing == len(numbers) >= FEW:
        return {"my_number.made_up": 1}
    return {"my_number.check_digit": failing}


@dataclass(frozen=True, repr=False)
class _Search:
    """What a search of values found; positions are those of the values.

    Attributes:
        found: ``row, token, padded`` (see :func:`kobe_platform.intake.leaks.tokens`).
        beside: positions of those beside the words for My Number.
        hits: distinct numbers that have My Number's check digit.
        shared: whether these are so many of the distinct numbers that the column holds My Numbers.
        matches: ``row, own`` of the delivery's own codes.
    """

    found: pl.DataFrame
    beside: pl.Series
    hits: int
    shared: bool
    matches: pl.DataFrame

    @property
    def suspects(self) -> bool:
        """Whether rows have to be counted."""
        return bool(len(self.beside) or self.shared or self.matches.height)


def _search(screening: Screening, name: str, known: leaks.LeakSet) -> _Search:
    """What a search of one column finds.

    Of a column held by dictionary the distinct values are searched, and the rows where one of them is suspected.
    """
    held = screening.columns.held(name)
    search = _searched(values(held), screening.encoding, known)
    if search.suspects and by_dictionary(held):
        search = _searched(plain(held), screening.encoding, known)
    return search


def _judged(screening: Screening, column: Column, search: _Search, known: leaks.LeakSet) -> pl.DataFrame:
    """Coincidences of one column with the leak set, few enough to be such."""
    if len(search.beside):
        raise screening.reject("leak.keyword", int(search.beside[0]), column.id, rows=len(search.beside))
    if search.shared:
        raise screening.reject("leak.column", int(search.found["row"][0]), column.id, rows=search.hits)
    if not column.digits:
        screening.warned["leak.lone"] += search.hits
    matches = search.matches
    own = matches.filter("own")
    if own.height or (matches.height and matches.height > leaks.tolerated(known.coincidences(search.found))):
        first = own if own.height else matches
        raise screening.reject("leak.own_number", int(first["row"][0]), column.id, rows=matches.height)
    return matches


def _searched(array: pa.Array, encoding: str, known: leaks.LeakSet) -> _Search:
    found, beside = _tokens(array, encoding)
    numbers = leaks.written_numbers(found)
    hits = int(leaks.passes_check(numbers).sum())
    shared = len(numbers) >= leaks.COLUMN_TOKENS and hits > leaks.COLUMN_SHARE * len(numbers)
    return _Search(found, beside, hits, shared, known.matches(found))


def _tokens(array: pa.Array, encoding: str) -> tuple[pl.DataFrame, pl.Series]:
    """``row, token, padded`` of values, and positions of those beside the words for My Number.

    Digits and hyphens are read cheaply, what could be spelled otherwise exactly.
    """
    nowhere = pl.Series("row", [], dtype=pl.UInt32)
    lengths = sizes(array)
    fitting = lengths >= SHORTEST
    if is_digits(array):  # then a longer value is one number, and no token
        fitting &= lengths <= LONGEST
    long_enough = np.flatnonzero(fitting)
    if not len(long_enough):
        return pl.DataFrame(schema=leaks.TOKENS), nowhere
    rows = pl.Series("row", long_enough.astype(np.uint32))
    if len(long_enough) < len(array):
        array = array.take(pa.Array.from_buffers(pa.uint32(), len(rows), [None, pa.py_buffer(rows.to_numpy())]))
    plainly = pc.match_substring_regex(array, pattern=_PLAIN)
    found = _plain_numbers(array.filter(plainly), rows.filter(pl.Series(plainly)))
    others = pc.invert(plainly)
    rest, its_rows = array.filter(others), rows.filter(pl.Series(others))
    hit = pc.match_substring_regex(rest, pattern=_pattern(encoding))
    if not pc.any(hit).as_py():
        return found, nowhere
    its_rows = its_rows.filter(pl.Series(hit))
    texts = decoded(pl.Series(rest.filter(hit)), encoding)
    spelled = leaks.tokens(texts)
    spelled = spelled.with_columns(its_rows.gather(spelled["row"]).alias("row"))
    return pl.concat([found, spelled]), its_rows.filter(leaks.beside_keyword(texts))


def _plain_numbers(array: pa.Array, rows: pl.Series) -> pl.DataFrame:
    """Tokens of values that are nothing but ASCII digits, or short groups of them between hyphens."""
    texts = pl.Series("token", array).cast(pl.String).str.replace_all("-", "", literal=True)
    found = pl.DataFrame({"row": rows, "token": texts}).filter(pl.col("token").str.len_bytes().is_in([11, 12]))
    return leaks.with_lost_zeros(found)


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
