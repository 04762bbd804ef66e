"""Reads public extracts as texts, days and whole numbers, and checks them against their contract.

A figure that a city publishes is believed no more than a personal extract: its period must be the delivery's, its codes
those of the lists, its numbers numbers, and its sums must add up. What is wrong is named by file, line and column.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from dataclasses import dataclass

import polars as pl

from kobe_platform.contracts import Contract, Dates
from kobe_platform.contracts.columns import Column, Day, Keep, Number
from kobe_platform.contracts.model import Complete, Sum, Total
from kobe_platform.intake.extracts.bytewise import distinct
from kobe_platform.intake.extracts.code_systems import LOCAL_GOVERNMENT, five_digits
from kobe_platform.intake.extracts.dates import AMBIGUOUS, BLANK, read_dates
from kobe_platform.intake.extracts.declaring import for_a_code, for_a_note, for_a_number, for_a_record
from kobe_platform.intake.extracts.encodings import decoded
from kobe_platform.intake.extracts.exchanged import fits_the_other
from kobe_platform.intake.extracts.plain import beyond, plain_texts, whole_numbers
from kobe_platform.intake.extracts.screening import Screening, check_repeats
from kobe_platform.intake.extracts.texts import normalised
from kobe_platform.vocabulary.rules import rejection

EVERYTHING = "all"
"""A column that has one value: what a total over no other columns is grouped by."""

_ALWAYS = ("period.other",)
"""Rules that reject at the first row, whatever share of wrong rows the contract allows."""
_CALENDARS = Dates()
MOST_NOTES = 100
"""Records without any figure that are looked at: tables have fewer notes."""


@dataclass(frozen=True)
class _Read:
    """One column: its values and, by rule, which distinct values are wrong, spread to rows."""

    values: pl.Series
    wrong: dict[str, pl.Series]


def public_frame(screening: Screening) -> tuple[pl.DataFrame, dict[str, int]]:
    """A public extract as typed columns, without the rows whose values are wrong (counts by rule).

    Raises:
        DeliveryRejected: where more rows are wrong than the contract sets aside, or figures contradict each other:
            ``value.form``, ``value.range``, ``code.unlisted``, ``period.other``, ``sum.parts``, ``sum.whole``,
            ``key.absent``, with the line and column of the first.
    """
    contract = screening.contract
    read = {
        column.id: _read(screening, column) for column in contract.columns if isinstance(column, Day | Keep | Number)
    }
    _check_notes(screening, read)
    wrong = _wrong(screening, read)
    check_repeats(screening)
    frame = pl.DataFrame({contract.column(name).outputs[0]: one.values for name, one in read.items()})
    frame = frame.with_row_index("row").filter(~wrong.rows) if wrong.counts else frame.with_row_index("row")
    for rule in contract.sums:
        _check_sum(screening, frame, rule)
    for total in contract.totals:
        _check_total(screening, frame, total)
    for complete in contract.complete:
        _check_complete(screening, frame, complete)
    return frame.drop("row"), wrong.counts


@dataclass(frozen=True)
class _Wrong:
    """Rows that are set aside, and how many by rule."""

    rows: pl.Series
    counts: dict[str, int]


def _wrong(screening: Screening, read: dict[str, _Read]) -> _Wrong:
    rows = screening.height
    rejected = pl.Series([False]).new_from_index(0, rows)
    first: tuple[int, str, str] | None = None
    counts: Counter[str] = Counter()
    for name, one in read.items():
        for rule, mask in one.wrong.items():
            fresh = mask & ~rejected
            counts[rule] += int(fresh.sum())
            found = mask.arg_true()
            if len(found) and rule in _ALWAYS:
                raise screening.reject(rule, int(found[0]), name, rows=len(found))
            if len(found) and (first is None or int(found[0]) < first[0]):
                first = int(found[0]), rule, name
            rejected |= mask
    if first is not None and counts.total() > screening.contract.thresholds.set_aside * rows:
        row, rule, name = first
        if 2 * counts.total() > rows:
            _check_exchanged(screening, row, name)
        raise screening.reject(rule, row, name, rows=counts.total(), **_declared(screening, row, name))
    return _Wrong(rejected, {rule: n for rule, n in counts.items() if n})


def _check_exchanged(screening: Screening, row: int, name: str) -> None:
    """Refuses by both names where two columns hold each other's values.

    Raises:
        DeliveryRejected: ``columns.exchanged``.
    """
    read = [column for column in screening.contract.columns if isinstance(column, Day | Keep | Number)]
    telling = [column for column in read if not isinstance(column, Keep) or column.listed or column.pattern]
    fits = {rule.id: {of.id: _fitting(screening, rule, of.id) for of in telling} for rule in telling}
    if name in fits and (other := fits_the_other(name, fits)):
        raise screening.reject("columns.exchanged", row, name, other_column=other)


def _fitting(screening: Screening, rule: Column, of: str) -> float:
    """The share of rows in which the values of one column fit the rule of another."""
    wrong = _read(screening, rule, of=of).wrong.values()
    masks = pl.DataFrame([mask.alias(str(number)) for number, mask in enumerate(wrong)])
    return 1 - float(masks.select(pl.any_horizontal(pl.all()).mean()).item() or 0)


def _check_notes(screening: Screening, read: dict[str, _Read]) -> None:
    """A record without any figure that begins as notes do is a note below a table, and no row.

    Raises:
        DeliveryRejected: ``value.form`` with the line that declares notes.
    """
    figures = [read[column.id].values for column in screening.contract.having(Number)]
    if not figures:
        return
    blank = pl.DataFrame([values.is_null().alias(str(n)) for n, values in enumerate(figures)])
    first = screening.contract.columns[0].id
    rows = blank.select(pl.all_horizontal(pl.all()).arg_true()).to_series()[:MOST_NOTES]
    columns = [screening.columns.at_rows(column.id, rows) for column in screening.contract.columns]
    records = zip(*(normalised(decoded(column, screening.encoding)).to_list() for column in columns), strict=True)
    for row, record in zip(rows, records, strict=True):
        if note := for_a_note(next(filter(None, record), "")):
            raise screening.reject("value.form", row, first, rows=1, **note)


def _declared(screening: Screening, row: int, name: str) -> dict[str, str | int]:
    """The line of the contract that would read a wrong value, where its form is one that cities use."""
    column = screening.contract.column(name)
    record = {one.id: _text(screening, one.id, row) for one in screening.contract.columns}
    text = record[name]
    if note := for_a_record(list(record.values())):
        return note
    if isinstance(column, Number):
        return for_a_number(text)
    return for_a_code(text, column) if isinstance(column, Keep) else {}


def _text(screening: Screening, name: str, row: int) -> str:
    raw = pl.Series([screening.columns.array(name)[row].as_py()], dtype=pl.Binary)
    return normalised(decoded(raw, screening.encoding))[0]


def _read(screening: Screening, column: Column, *, of: str = "") -> _Read:
    """A column by its rule; with ``of``, the values of another column by that rule."""
    values, index = distinct(screening.columns.held(of or column.id))
    texts = normalised(decoded(values, screening.encoding))
    if isinstance(column, Day):
        read, wrong = _days(texts, column, screening.month)
    elif isinstance(column, Number):
        read, wrong = _numbers(texts, column)
    else:
        assert isinstance(column, Keep)  # contracts of public figures have no other columns
        texts = _recoded(texts, column)
        read, odd = plain_texts(texts, column)
        listed = column.listed
        wrong = {"value.form": odd, "code.unlisted": ~texts.is_in(listed) & ~odd if listed else odd.clear(len(odd))}
        wrong["code.unlisted"] = wrong["code.unlisted"].fill_null(False)
    return _Read(read.gather(index), {rule: mask.gather(index) for rule, mask in wrong.items()})


def _recoded(texts: pl.Series, column: Keep) -> pl.Series:
    """What is kept instead of a sender's texts: five digits for six, and what ``codes`` says."""
    if column.system == LOCAL_GOVERNMENT:
        texts = five_digits(texts, column.system)
    told = [*_plain(list(column.codes))], list(column.codes.values())
    return texts.replace(*told) if column.codes else texts


def _numbers(texts: pl.Series, column: Number) -> tuple[pl.Series, dict[str, pl.Series]]:
    for marks, meaning in ((column.missing, ""), (column.zero, "0")):
        texts = texts.replace(_plain(list(marks)), [meaning] * len(marks)) if marks else texts
    read, odd = whole_numbers(texts)
    return read, {"value.form": odd, "value.range": beyond(read, column)}


def _days(texts: pl.Series, column: Day, month: str) -> tuple[pl.Series, dict[str, pl.Series]]:
    """ISO days; a form that names no day is the month's first or last, as the contract says."""
    parts = read_dates(texts, _CALENDARS)
    blank = parts["how"] == BLANK
    days = []
    for year, number, day, how in parts.select("y", "m", "d", "how").iter_rows():
        known = how != AMBIGUOUS and year and number
        last = monthrange(year, number)[1] if known else 0
        day = day or {"first": 1, "last": last}.get(column.day, 0)
        fits = known and 1 <= day <= last and (column.day == "any" or day == {"first": 1, "last": last}[column.day])
        days.append(f"{year:04d}-{number:02d}-{day:02d}" if fits else None)
    read = pl.Series(days, dtype=pl.String)
    odd = read.is_null() & ~(blank & column.optional)
    size = {"month": 7, "year": 4, "any": 0}[column.within]
    other = (read.str.slice(0, size) != month[:size]).fill_null(False)
    return read, {"value.form": odd, "period.other": other}


def _check_sum(screening: Screening, frame: pl.DataFrame, rule: Sum) -> None:
    """A row's total is the sum of its parts; rows that lack one of them are passed over."""
    names = [_output(screening.contract, name) for name in (rule.total, *rule.parts)]
    differs = frame.filter(pl.col(names[0]) != pl.sum_horizontal(pl.col(name) for name in names[1:]))
    differs = differs.drop_nulls(names)
    if differs.height:
        raise screening.reject("sum.parts", differs["row"][0], rule.total, rows=differs.height)


def _check_total(screening: Screening, frame: pl.DataFrame, rule: Total) -> None:
    """The row of the whole is the sum of the rows of all its parts, where both are there."""
    contract = screening.contract
    code = _output(contract, rule.column)
    by = [_output(contract, name) for name in rule.by] or [EVERYTHING]
    frame = frame.with_columns(pl.lit(0).alias(EVERYTHING))
    whole = frame.filter(pl.col(code) == rule.whole)
    parts = frame.filter(pl.col(code) != rule.whole)
    for name in rule.of:
        figure = _output(contract, name)
        summed = parts.group_by(by).agg(pl.col(figure).sum().alias("summed"), pl.col(figure).null_count().alias("open"))
        compared = whole.join(summed, on=by)
        differs = compared.filter((pl.col("open") == 0) & (pl.col(figure) != pl.col("summed")))
        if differs.height:
            raise screening.reject("sum.whole", differs["row"][0], name, rows=differs.height)


def _check_complete(screening: Screening, frame: pl.DataFrame, rule: Complete) -> None:
    """Every code that must be there is; the codes are public, so the first that is missing is named."""
    column = screening.contract.column(rule.column)
    wanted = rule.values or (column.listed if isinstance(column, Keep) else ())
    there = set(frame[column.outputs[0]].to_list())
    missing = [code for code in wanted if code not in there]
    if missing:
        at = screening.locate(0) if screening.height else {}
        at = {name: value for name, value in at.items() if name != "line"}
        raise rejection("key.absent", **at, column=rule.column, code=missing[0], missing=len(missing))


def _plain(texts: list[str]) -> list[str]:
    return normalised(pl.Series(texts, dtype=pl.String)).to_list()


def _output(contract: Contract, name: str) -> str:
    return contract.column(name).outputs[0]
