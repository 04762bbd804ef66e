"""Checks a whole delivery, with all its columns in memory, for faults that make it unfit, before anything is written.

It finds keys that a spreadsheet rewrote, rows that contradict each other, code systems that are not the contract's, and
codes that identify by law outside their columns. Each rule speaks with file, line and column, never with a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow.compute as pc

from kobe_platform.contracts import Column, Contract
from kobe_platform.contracts.columns import (
    Area,
    Attainment,
    CoarseArea,
    Drop,
    EventMonth,
    Filter,
    History,
    MappedCodes,
    Pseudonym,
    Reason,
    Relationship,
)
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.extracts.bytewise import ByteColumns, content, distinct, flat
from kobe_platform.intake.extracts.code_systems import UNPLACED, five_digits, is_place, seeming_system
from kobe_platform.intake.extracts.dates import read_dates
from kobe_platform.intake.extracts.encodings import decoded
from kobe_platform.intake.extracts.exchanged import FITTING, fits_the_other
from kobe_platform.intake.extracts.texts import normalised
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.courses import load_courses
from kobe_platform.vocabulary.rules import rejection

FEW = 10
"""Fewer deviations than this reject nothing by their share alone, unless they are most of the rows."""
CHECK_WEIGHTS = (2, 3, 4, 5, 6, 7)
"""Weights of a resident key's check digit, from the right, repeated."""

Locate = Callable[[int], dict[str, str | int]]


@dataclass(repr=False)
class Screening:
    """A delivery in memory: all columns as bytes, and where each row stands in which file.

    Attributes:
        columns: by id.
        locate: row → coordinates (delivery, file, line).
        keys: normalised texts of the columns with a contracted number of digits.
        warned, normalised: counts by rule.
    """

    columns: ByteColumns
    contract: Contract
    encoding: str
    month: str
    kind: str
    locate: Locate
    keys: dict[str, pl.Series] = field(default_factory=dict)
    warned: Counter[str] = field(default_factory=Counter)
    normalised: Counter[str] = field(default_factory=Counter)

    @property
    def height(self) -> int:
        """Rows of the delivery."""
        return self.columns.height

    def reject(self, rule: str, row: int, column: str, **counts: int | str) -> DeliveryRejected:
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
    if screening.contract.sensitivity != "public":  # whose values are looked at first
        check_repeats(screening)
        _check_versions(screening)
    for column in screening.contract.columns:
        _check_codes(screening, column)
    _check_months(screening)
    _count_expired(screening)


def texts(screening: Screening, name: str) -> tuple[pl.Series, pl.Series]:
    """Distinct normalised texts of a column and each row's index into them."""
    values, index = distinct(screening.columns.held(name))
    return normalised(decoded(values, screening.encoding)), index


def _check_key(screening: Screening, column: Column) -> None:
    """A key has its digits, all of them; full-width digits and spaces are put right (quirks 4, 5)."""
    raw = screening.columns.series(column.id)
    pattern = f"^[0-9]{{{column.digits}}}$"
    right = pl.Series(pc.match_substring_regex(screening.columns.array(column.id), pattern=pattern))
    optional = isinstance(column, Pseudonym) and column.optional
    if right.all():
        key = raw.cast(pl.String)
    else:
        blank = raw.bin.size() == 0
        others = (~right & ~blank).arg_true()
        rest = normalised(decoded(raw.gather(others), screening.encoding))
        wrong = ~rest.str.contains(pattern) & (rest != "")
        if wrong.any():
            row = int(others.gather(wrong.arg_true()[:1])[0])
            if 2 * int(wrong.sum()) > screening.height:
                _check_exchanged(screening, row, column.id)
            raise screening.reject("key.spreadsheet", row, column.id, rows=int(wrong.sum()))
        plain = pl.DataFrame({"raw": raw, "right": right}).select(pl.when("right").then("raw").otherwise(b""))
        key = plain.to_series().cast(pl.String).scatter(others, rest)
        empty = (key == "").arg_true()
        if len(empty) and not optional:
            raise screening.reject("key.blank", int(empty[0]), column.id, rows=len(empty))
        if len(others):
            screening.normalised["key.width"] += len(others)
    screening.keys[column.id] = key.rename(column.id)
    if column.check_digit:
        failed = int((~_check_digit_holds(key.filter(key != ""))).sum())
        screening.warned["key.check_digit"] += failed


def _check_digit_holds(keys: pl.Series) -> np.ndarray:
    """Modulo 11 over the digits before the last, weights 2…7 from the right, repeated; remainders 0 and 1 give 0.

    Args:
        keys: texts of the same number of ASCII digits.
    """
    if keys.is_empty():
        return np.array([], dtype=np.bool_)
    digits = content(flat(keys)).reshape(len(keys), -1) - ord("0")
    weights = [CHECK_WEIGHTS[place % len(CHECK_WEIGHTS)] for place in range(digits.shape[1] - 1)]
    total = sum(weight * digits[:, -2 - place].astype(np.int16) for place, weight in enumerate(weights)) % 11
    return np.where(total <= 1, 0, 11 - total) == digits[:, -1]


def check_repeats(screening: Screening) -> None:
    """One row a person in a snapshot, one content a history key elsewhere; wholly identical rows are one (quirk 9).

    A contract with ``history`` lets several versions of a record stand in a snapshot too.
    """
    contract, snapshot = screening.contract, screening.kind == "snapshot"
    history = [column.id for column in contract.columns if column.rule == "history"]
    names = [*contract.key, *(history if contract.history or not snapshot else [])]
    if not names:
        return
    key = pl.DataFrame(
        [screening.keys[name] if name in screening.keys else screening.columns.series(name) for name in names]
    )
    several = repeated(key)
    again = repeats(key[several], several)
    if len(again):
        whole = pl.DataFrame([screening.columns.at_rows(column.id, several) for column in contract.columns])
        again = again.filter(~again.is_in(repeats(whole, several).implode()))
    if len(again):
        rule = "key.repeated" if snapshot else "key.conflict"
        raise screening.reject(rule, int(again[0]), names[0], rows=len(again))


def _check_versions(screening: Screening) -> None:
    """Each row of a difference says which version of its record it is, where the contract knows versions."""
    if screening.kind != "difference":
        return
    for column in screening.contract.having(History):
        values, index = texts(screening, column.id)
        rows = values.cast(pl.Int64, strict=False).is_null().gather(index).arg_true()
        if len(rows):
            raise screening.reject("difference.version", int(rows[0]), column.id, rows=len(rows))


def repeated(key: pl.DataFrame) -> pl.Series:
    """Rows (positions) whose key another row has too; only they can be the same as another."""
    alike = key.to_series().is_duplicated() if key.width == 1 else key.is_duplicated()
    return alike.arg_true().cast(pl.UInt32).rename("row")


def repeats(rows: pl.DataFrame, positions: pl.Series) -> pl.Series:
    """Positions of those of some rows that are the same as an earlier one of them."""
    chosen = rows.with_columns(positions)
    first = chosen.unique([name for name in chosen.columns if name != "row"], keep="first", maintain_order=True)
    return chosen["row"].filter(~chosen["row"].is_in(first["row"].implode()))


def _check_codes(screening: Screening, column: Column) -> None:
    """Codes outside the list are other or unknown in small numbers, another code system in large ones (quirk 12)."""
    known = _known(column)
    if known is None:
        return
    for name in (column.id, *getattr(column, "prefer", ())):
        values, index = texts(screening, name)
        odd = ~known(values) & (values != "")
        if not odd.any():
            continue
        rows = odd.gather(index).arg_true()
        share = getattr(column, "unknown_share", 0.05)
        if len(rows) > share * len(index) and (len(rows) >= FEW or 2 * len(rows) > len(index)):
            _check_exchanged(screening, int(rows[0]), name)
            seems = _seems(column, values, index)
            raise screening.reject("code.threshold", int(rows[0]), name, rows=len(rows), **seems)


def _seems(column: Column, values: pl.Series, index: pl.Series) -> dict[str, str]:
    """The system of codes that a column of places or nationalities seems to have instead of the declared one."""
    if not isinstance(column, CoarseArea | MappedCodes) or (
        isinstance(column, MappedCodes) and column.list != "countries"
    ):
        return {}
    counts = pl.Series("n", [0] * len(values), dtype=pl.Int64)
    counted = index.value_counts(name="n")
    counts = counts.scatter(counted[index.name], counted["n"].cast(pl.Int64))
    system = seeming_system(values, counts, but=column.system)
    return {"seems": system} if system else {}


def _check_exchanged(screening: Screening, row: int, name: str) -> None:
    """Refuses by both names where a wrong column's values fit another column, and that one's values this one.

    Raises:
        DeliveryRejected: ``columns.exchanged``.
    """
    tests = {column.id: test for column in screening.contract.columns if (test := _form(column)) is not None}
    if name not in tests:
        return
    fits: dict[str, dict[str, float]] = {other: {} for other in tests}
    told, index = texts(screening, name)
    for other, test in tests.items():
        fits[other][name] = _share(test, told, index)
        if other != name and fits[other][name] >= FITTING:
            fits[name][other] = _share(tests[name], *texts(screening, other))
    if exchanged := fits_the_other(name, fits):
        raise screening.reject("columns.exchanged", row, name, other_column=exchanged)


def _form(column: Column) -> Callable[[pl.Series], pl.Series] | None:
    """How to tell the values of a column from those of another: its digits or its codes."""
    if column.digits:
        return lambda values: values.str.contains(f"^[0-9]{{{column.digits}}}$")
    return _known(column)


def _share(test: Callable[[pl.Series], pl.Series], values: pl.Series, index: pl.Series) -> float:
    """The share of filled rows that a test lets pass."""
    filled = (values != "").gather(index)
    passed = test(values).gather(index).filter(filled).drop_nulls()
    return int(passed.sum()) / len(passed) if len(passed) else 0.0


def _known(column: Column) -> Callable[[pl.Series], pl.Series] | None:
    """How to tell a column's listed codes; None for columns without a list."""
    match column:
        case MappedCodes():
            listed = list(column.mapping)
        case Relationship() | Reason():
            listed = list(column.codes)
        case Attainment():
            listed = list(load_courses().courses)
        case Filter():
            listed = [*column.keep, *column.codes]
        case CoarseArea():
            return lambda values: _is_coarse(five_digits(values, column.system))
        case Area():
            inside = list(vocabulary.wards())
            return lambda values: values.str.slice(0, 5).is_in(inside)
        case _:
            return None
    if isinstance(column, Relationship):
        return lambda values: values.is_in(listed) | chained(values, listed)
    return lambda values: values.is_in(listed)


def _is_coarse(codes: pl.Series) -> pl.Series:
    """Whether codes are a place's: of a municipality, a prefecture, a country (Z and three letters), or not known."""
    countries = [f"Z{code}" for code in vocabulary.code_list("countries")]
    return is_place(codes) | codes.is_in([*countries, UNPLACED])


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
