"""What makes a whole delivery unfit, found while all its columns are in memory and before anything is written.

Keys that a spreadsheet rewrote, rows that contradict each other, code systems that are not the contract's, and codes that
identify by law outside their columns. Each rule speaks with file, line and column, never with a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from kobe_platform import vocabulary
from kobe_platform.contracts import Column, Contract
from kobe_platform.contracts.columns import Area, Codes, Drop, EventMonth, Filter, Pseudonym, Reason, Relationship
from kobe_platform.errors import DeliveryRejected
from kobe_platform.extracts.dates import read_dates
from kobe_platform.extracts.encodings import decoded, distinct
from kobe_platform.extracts.texts import normalised
from kobe_platform.rules import rejection

FEW = 10
"""Fewer deviations than this reject nothing by their share alone, unless they are most of the rows."""
CHECK_WEIGHTS = (2, 3, 4, 5, 6, 7)
"""Weights of a resident key's check digit, from the right, repeated."""

Locate = Callable[[int], dict[str, str | int]]


@dataclass
class Screening:
    """A delivery in memory: all columns as bytes, and where each row stands in which file.

    Attributes:
        locate: row → coordinates (delivery, file, line).
        keys: normalised texts of the columns with a contracted number of digits.
        warned, normalised: counts by rule.
    """

    frame: pl.DataFrame
    contract: Contract
    encoding: str
    month: str
    kind: str
    locate: Locate
    keys: dict[str, pl.Series] = field(default_factory=dict)
    warned: Counter[str] = field(default_factory=Counter)
    normalised: Counter[str] = field(default_factory=Counter)

    def reject(self, rule: str, row: int, column: str, **counts: int) -> DeliveryRejected:
        """The rejection at one row and column."""
        return rejection(rule, **self.locate(row), column=column, **counts)


def screen(screening: Screening) -> None:
    """All checks but the leak detector's, in order of what the sender should hear first.

    Raises:
        DeliveryRejected: ``key.*``, ``code.threshold``, ``manifest.month``.
    """
    for column in screening.contract.columns:
        if column.digits:
            _check_key(screening, column)
    _check_repeats(screening)
    for column in screening.contract.columns:
        _check_codes(screening, column)
    _check_months(screening)
    _count_expired(screening)


def texts(screening: Screening, name: str) -> tuple[pl.Series, pl.Series]:
    """Distinct normalised texts of a column and each row's index into them."""
    values, index = distinct(screening.frame[name])
    return normalised(decoded(values, screening.encoding)), index


def _check_key(screening: Screening, column: Column) -> None:
    """A key has its digits, all of them; full-width digits and spaces are put right (quirks 4, 5)."""
    raw = screening.frame[column.id]
    pattern = rf"^\d{{{column.digits}}}$"
    plain = raw.cast(pl.String, strict=False)
    right = plain.str.contains(pattern).fill_null(False)
    optional = isinstance(column, Pseudonym) and column.optional
    key = plain
    if not right.all():
        blank = raw.bin.size() == 0
        others = (~right & ~blank).arg_true()
        rest = normalised(decoded(raw.gather(others), screening.encoding))
        wrong = ~rest.str.contains(pattern) & (rest != "")
        if wrong.any():
            row = int(others.gather(wrong.arg_true()[:1])[0])
            raise screening.reject("key.spreadsheet", row, column.id, rows=int(wrong.sum()))
        key = pl.Series(column.id, plain.fill_null("")).scatter(others, rest)
        empty = (key == "").arg_true()
        if len(empty) and not optional:
            raise screening.reject("key.blank", int(empty[0]), column.id, rows=len(empty))
        if len(others):
            screening.normalised["key.width"] += len(others)
    screening.keys[column.id] = key.rename(column.id)
    if column.check_digit:
        failed = int((~_check_digit_holds(key.filter(key != ""))).sum())
        screening.warned["key.check_digit"] += failed


def _check_digit_holds(keys: pl.Series) -> pl.Series:
    """Modulo 11 over the digits before the last, weights 2…7 from the right, repeated; remainders 0 and 1 give 0."""
    if keys.is_empty():
        return pl.Series([], dtype=pl.Boolean)
    number = pl.Series("number", keys).cast(pl.Int64)
    frame = number.to_frame()
    last, rest, total = pl.col("number") % 10, pl.col("number") // 10, pl.lit(0, pl.Int64)
    for position in range(14):
        total = total + (rest // 10**position % 10) * CHECK_WEIGHTS[position % 6]
    remainder = total % 11
    return frame.select(pl.when(remainder <= 1).then(0).otherwise(11 - remainder) == last).to_series()


def _check_repeats(screening: Screening) -> None:
    """One row a person in a snapshot, one content a history key elsewhere; wholly identical rows are one (quirk 9)."""
    contract, snapshot = screening.contract, screening.kind == "snapshot"
    history = [column.id for column in contract.columns if column.rule == "history"]
    names = [*contract.key, *(history if not snapshot else [])]
    if not names:
        return
    key = pl.DataFrame([screening.keys[name] if name in screening.keys else screening.frame[name] for name in names])
    if key.height == (key.to_series().n_unique() if key.width == 1 else key.n_unique()):
        return
    again = ~key.is_first_distinct() & screening.frame.is_first_distinct()
    rule = "key.repeated" if snapshot else "key.conflict"
    if again.any():
        raise screening.reject(rule, int(again.arg_true()[0]), names[0], rows=int(again.sum()))


def _check_codes(screening: Screening, column: Column) -> None:
    """Codes outside the list are other or unknown in small numbers, another code system in large ones (quirk 12)."""
    known = _known(column)
    if known is None:
        return
    values, index = texts(screening, column.id)
    odd = ~known(values) & (values != "")
    if not odd.any():
        return
    rows = odd.gather(index).arg_true()
    share = getattr(column, "unknown_share", 0.05)
    if len(rows) > share * len(index) and (len(rows) >= FEW or 2 * len(rows) > len(index)):
        raise screening.reject("code.threshold", int(rows[0]), column.id, rows=len(rows))


def _known(column: Column) -> Callable[[pl.Series], pl.Series] | None:
    """How to tell a column's listed codes; None for columns without a list."""
    match column:
        case Codes():
            listed = list(column.mapping)
        case Relationship() | Reason():
            listed = list(column.codes)
        case Filter():
            listed = [*column.keep, *column.codes]
        case Area():
            inside = list(vocabulary.wards())
            return lambda values: values.str.slice(0, 5).is_in(inside)
        case _:
            return None
    if isinstance(column, Relationship):
        return lambda values: values.is_in(listed) | chained(values, listed)
    return lambda values: values.is_in(listed)


def chained(values: pl.Series, listed: list[str]) -> pl.Series:
    """Whether a relationship is a chain of two to four listed two-digit codes (子の妻 …)."""
    single = "|".join(code for code in listed if len(code) == 2)
    return values.str.contains(f"^(?:{single}){{2,4}}$") if single else values.is_in(listed)


def _check_months(screening: Screening) -> None:
    """An extract of events most of which are another month's is another month's extract."""
    for column in screening.contract.having(EventMonth):
        values, index = texts(screening, column.id)
        read = read_dates(values, screening.contract.dates)
        year, month = (int(part) for part in screening.month.split("-"))
        other = ((read["y"] != year) | (read["m"] != month)).fill_null(False)
        rows = other.gather(index).arg_true()
        if 2 * len(rows) > max(len(index), 1):
            raise screening.reject("manifest.month", int(rows[0]), column.id, rows=len(rows))


def _count_expired(screening: Screening) -> None:
    """Periods of stay that ended before the month began: counted while they are in memory, never written (quirk 10)."""
    first_of_month = int(screening.month.replace("-", "")) * 100
    for column in screening.contract.having(Drop):
        if column.warn_expired:
            values, index = texts(screening, column.id)
            read = read_dates(values, screening.contract.dates)
            day = read["y"].cast(pl.Int64) * 10000 + read["m"].cast(pl.Int64) * 100 + read["d"].cast(pl.Int64)
            expired = (day < first_of_month).fill_null(False)
            screening.warned["residence.expired"] += int(expired.gather(index).sum())
