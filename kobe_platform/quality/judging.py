"""Judges a suite by counts of distinct values; results have the form of Great Expectations' validation results.

They hold counts, percentages and the contract's own words, and never a value of a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from kobe_platform.quality.suite import Expectation
from kobe_platform.quality.tally import Tally

FEW = 10
"""Fewer rows than this fail no share, unless they are most of the rows (as intake has it)."""

_PREFIXES = ("expect_column_values_to_", "expect_compound_columns_to_", "expect_table_")
_NOTHING_RAISED = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


def settled(expected: Iterable[Expectation], tally: Tally) -> tuple[Expectation, ...]:
    """The suite for this many rows: a share never fails by fewer than ten rows, unless they are most of them.

    A tenth of eight foreigners is one person: ``mostly`` is lowered where the rows that it is a share of are few.
    """
    return tuple(_lowered(one, tally) for one in expected)


def _lowered(expectation: Expectation, tally: Tally) -> Expectation:
    mostly = expectation.kwargs.get("mostly")
    if mostly is None or not tally.has(expectation.columns):
        return expectation
    rows, missing, _ = _counted(expectation, tally)
    considered = rows if expectation.type.endswith("_be_null") else rows - missing
    few = (considered - (FEW - 1)) / considered if considered else 1.0
    return replace(expectation, kwargs={**expectation.kwargs, "mostly": max(0.5, min(mostly, few))})


def judge(suite_name: str, expected: Sequence[Expectation], tally: Tally) -> dict[str, Any]:
    """The validation of a partition: ``success``, ``statistics`` and ``results``, in the suite's order."""
    results = [_judged(one, tally) for one in expected]
    return validation(suite_name, results)


def validation(suite_name: str, results: Sequence[Mapping]) -> dict[str, Any]:
    """Results of expectations as one validation."""
    met = sum(result["success"] for result in results)
    return {
        "success": met == len(results),
        "suite_name": suite_name,
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": met,
            "unsuccessful_expectations": len(results) - met,
            "success_percent": 100 * met / len(results) if results else None,
        },
        "results": list(results),
        "meta": {},
    }


def result_of(expectation: Expectation, success: bool, result: Mapping, *, raised: str | None = None) -> dict:
    """One result; ``raised`` says why the expectation could not be judged (then it failed)."""
    told = {"raised_exception": True, "exception_message": raised, "exception_traceback": None}
    return {
        "success": success,
        "expectation_config": expectation.as_dict(),
        "result": dict(result),
        "exception_info": told if raised else _NOTHING_RAISED,
        "meta": {},
    }


def names(expected: Iterable[Expectation]) -> list[str]:
    """A short name of each expectation that no other of the suite has: ``ward.be_in_set``, ``ward.be_in_set.2``."""
    seen: Counter[str] = Counter()
    told = []
    for one in expected:
        kind = next(one.type.removeprefix(prefix) for prefix in _PREFIXES if one.type.startswith(prefix))
        name = f"{one.kwargs.get('column', 'table')}.{kind}"
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return told


def _judged(expectation: Expectation, tally: Tally) -> dict:
    if not tally.has(expectation.columns):
        return result_of(expectation, False, {}, raised="a column is absent")
    if expectation.type in _OF_TABLES:
        return result_of(expectation, *_OF_TABLES[expectation.type](expectation.kwargs, tally))
    rows, missing, unexpected = _counted(expectation, tally)
    about_nulls = expectation.type.endswith("_be_null")
    considered = rows if about_nulls else rows - missing
    met = not considered or (considered - unexpected) / considered >= expectation.kwargs.get("mostly", 1)
    return result_of(expectation, met, _counts(rows, None if about_nulls else missing, unexpected))


def _counts(rows: int, missing: int | None, unexpected: int) -> dict[str, object]:
    """``missing`` is None for expectations about nulls, which leave none out."""
    of_all = 100 * unexpected / rows if rows else None
    present = rows - (missing or 0)
    of_present = 100 * unexpected / present if present else None
    told: dict[str, object] = {"element_count": rows, "unexpected_count": unexpected, "unexpected_percent": of_present}
    if missing is None:
        return told
    return {
        **told,
        "missing_count": missing,
        "missing_percent": 100 * missing / rows if rows else None,
        "unexpected_percent_total": of_all,
        "unexpected_percent_nonmissing": of_present,
    }


def _counted(expectation: Expectation, tally: Tally) -> tuple[int, int, int]:
    """Rows that the expectation is about, those of them without a value, and those that do not meet it."""
    kwargs, kind = expectation.kwargs, expectation.type
    if kind in ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"):
        again, missing = tally.repeated(kwargs.get("column_list") or [kwargs["column"]])
        return tally.rows, missing, again
    condition = kwargs.get("row_condition")
    if condition is None and kind == "expect_column_values_to_not_be_null":
        missing = tally.nulls(kwargs["column"])
        return tally.rows, missing, missing
    values, n = tally.values(kwargs["column"], condition)
    rows, missing = int(n.sum()), int(n.filter(values.is_null()).sum())
    if kind == "expect_column_values_to_not_be_null":
        return rows, missing, missing
    if kind == "expect_column_values_to_be_null":
        return rows, missing, rows - missing
    return rows, missing, int(n.filter(_unexpected(values, kind, kwargs) & values.is_not_null()).sum())


def _unexpected(values: pl.Series, kind: str, kwargs: Mapping) -> pl.Series:
    """Which distinct values do not meet the expectation; all of them where they are of a type that it is not about."""
    try:
        return _OF_VALUES[kind](values, kwargs).fill_null(False)
    except pl.exceptions.PolarsError:
        return values.is_not_null()


def _outside(values: pl.Series, kwargs: Mapping) -> pl.Series:
    outside = pl.Series([False]).new_from_index(0, len(values))
    if kwargs.get("min_value") is not None:
        outside |= values < kwargs["min_value"]
    if kwargs.get("max_value") is not None:
        outside |= values > kwargs["max_value"]
    return outside


_OF_VALUES: Mapping[str, Callable[[pl.Series, Mapping], pl.Series]] = {
    "expect_column_values_to_be_in_set": lambda values, kwargs: ~values.is_in(kwargs["value_set"]),
    "expect_column_values_to_not_be_in_set": lambda values, kwargs: values.is_in(kwargs["value_set"]),
    "expect_column_values_to_match_regex": lambda values, kwargs: ~values.str.contains(kwargs["regex"]),
    "expect_column_values_to_be_between": _outside,
}


def _columns_match(kwargs: Mapping, tally: Tally) -> tuple[bool, dict[str, object]]:
    return set(tally.columns) == set(kwargs["column_set"]), {"observed_value": sorted(tally.columns)}


def _rows_between(kwargs: Mapping, tally: Tally) -> tuple[bool, dict[str, object]]:
    most = kwargs.get("max_value")
    met = kwargs.get("min_value", 0) <= tally.rows and (most is None or tally.rows <= most)
    return met, {"observed_value": tally.rows}


_OF_TABLES = {
    "expect_table_columns_to_match_set": _columns_match,
    "expect_table_row_count_to_be_between": _rows_between,
}
