"""Derives the expectations on a source's lake columns from its contract, so that a new source has them at once.

Each expectation is data in the form of Great Expectations (type and keyword arguments), so that a suite can be
exported, read by other tools and judged by that library too. For each abstraction rule that makes lake columns, one
function here states which values these columns may hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from kobe_platform.abstraction.ages import PRECISION
from kobe_platform.abstraction.areas import coarse_areas
from kobe_platform.abstraction.households import CATEGORIES, FAMILIES
from kobe_platform.abstraction.movements import booked_reasons
from kobe_platform.contracts import Column, Contract
from kobe_platform.contracts import columns as rules
from kobe_platform.contracts.columns import OnlyFor
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.codes import UNKNOWN
from kobe_platform.vocabulary.courses import NO_LEVEL, load_courses

Condition = Mapping[str, object]
"""To which rows an expectation applies: ``type`` (comparison), ``column`` {name}, ``operator`` and ``parameter``.

Operators are ``==`` and ``!=``, which holds where the column is null."""


@dataclass(frozen=True)
class Expectation:
    """One expectation as Great Expectations writes it.

    Attributes:
        type: such as ``expect_column_values_to_be_in_set``.
        kwargs: its arguments; ``mostly`` is the least share of rows that has to meet it.
    """

    type: str
    kwargs: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads, that of its condition included."""
        named = [self.kwargs["column"]] if "column" in self.kwargs else list(self.kwargs.get("column_list", ()))
        if condition := self.kwargs.get("row_condition"):
            named.append(condition["column"]["name"])
        return tuple(named)

    def as_dict(self) -> dict[str, object]:
        """As a suite has it."""
        return {"type": self.type, "kwargs": dict(self.kwargs), "meta": {}, "severity": "critical"}


@dataclass(frozen=True, repr=False)
class Known:
    """What a month knows beside the contract.

    Attributes:
        month: YYYY-MM.
        references: the reference tables that the contract names, as they are in force for the month.
    """

    month: str
    references: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def expectations(contract: Contract, known: Known) -> tuple[Expectation, ...]:
    """What is expected of a source's partition of one month.

    The table has exactly the contract's columns and at least one row; what tells rows apart is unique; each column
    holds what its rule can yield, is there where the rule always yields something, and is unknown in no more than the
    contract's ``unknown_at_most``.
    """
    found = [
        Expectation("expect_table_columns_to_match_set", {"column_set": list(contract.outputs), "exact_match": True}),
        Expectation("expect_table_row_count_to_be_between", {"min_value": 1}),
        *_keys(contract),
    ]
    for column in contract.columns:
        if column.outputs:
            found += EXPECTS[type(column)](contract, column, known)
    return tuple(found)


def as_suite(name: str, expected: Iterable[Expectation]) -> dict[str, Any]:
    """An ExpectationSuite as JSON; ``gx.ExpectationSuite(**suite)`` reads it."""
    return {"name": name, "expectations": [one.as_dict() for one in expected], "meta": {}, "notes": None}


def _keys(contract: Contract) -> Iterator[Expectation]:
    """What intake lets stand once a key is unique in the lake, alone or together."""
    keys = set(contract.key)
    versions = {column.of for column in contract.having(rules.History)}  # one version a record is left of each
    told = {column.to: {column.id, *column.with_} for column in contract.having(rules.Pseudonym)}
    told |= {column.to: {column.id} for column in contract.having(rules.Keep)}
    alone = [name for name, made_of in told.items() if keys and keys <= made_of and versions <= made_of]
    for name in alone:
        yield Expectation("expect_column_values_to_be_unique", {"column": name})
    together = [next((name for name, made_of in told.items() if made_of == {key}), None) for key in contract.key]
    if len(keys) > 1 and not alone and all(together) and versions <= keys:
        yield Expectation("expect_compound_columns_to_be_unique", {"column_list": together})


def _values(kind: str, column: str, *, mostly: float | None = None, where: Condition | None = None, **kwargs: Any):
    """``expect_column_values_to_<kind>``; of a share of 0 that has to hold there is nothing to expect."""
    if mostly is not None and mostly <= 0:
        return
    optional = {"mostly": mostly, "row_condition": where}
    given = {name: value for name, value in optional.items() if value is not None}
    yield Expectation(f"expect_column_values_to_{kind}", {"column": column, **kwargs, **given})


def _present(column: str, *, missing: float = 0.0, where: Condition | None = None) -> Iterator[Expectation]:
    """No value is null, or no more than the share ``missing``."""
    yield from _values("not_be_null", column, mostly=1 - missing if missing else None, where=where)


def _one_of(column: str, values: Iterable) -> Iterator[Expectation]:
    yield from _values("be_in_set", column, value_set=list(dict.fromkeys(values)))


def _seldom(column: str, value: str, share: float) -> Iterator[Expectation]:
    yield from _values("not_be_in_set", column, value_set=[value], mostly=1 - share)


def _where(column: str, operator: str, value: object) -> Condition:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": value}


def _applies(contract: Contract, only_for: OnlyFor | None) -> tuple[Condition | None, Condition | None]:
    """Where a value may stand, and where it must not; None where it may stand everywhere."""
    if not only_for:
        return None, None
    named = contract.column(only_for["column"])
    output, value = named.outputs[0], only_for["value"]
    plain = value == "true" if getattr(named, "boolean", False) else value
    return _where(output, "==", plain), _where(output, "!=", plain)


def _absent(column: str, elsewhere: Condition | None) -> Iterator[Expectation]:
    if elsewhere is not None:
        yield from _values("be_null", column, where=elsewhere)


def _pseudonym(contract: Contract, column: rules.Pseudonym, known: Known) -> Iterator[Expectation]:
    if not column.optional:
        yield from _present(column.to, missing=column.unknown_at_most if column.hide_protected else 0.0)


def _codes(contract: Contract, column: rules.MappedCodes, known: Known) -> Iterator[Expectation]:
    listed = list(column.mapping.values())
    others = [value for value in (column.blank, column.other) if value is not None]
    values = [*listed, *others]
    yield from _one_of(column.to, [True, False] if column.boolean else values)
    here, elsewhere = _applies(contract, column.only_for)
    filled = column.other is not None and (column.required or column.blank is not None)
    always = filled or (column.required and here is None)
    yield from _present(column.to, missing=0.0 if always else column.unknown_at_most, where=here)
    yield from _absent(column.to, elsewhere)
    if UNKNOWN in values:
        yield from _seldom(column.to, UNKNOWN, column.unknown_at_most)
    rest = column.other
    if rest is not None and rest not in (UNKNOWN, column.blank, *listed) and not column.boolean:
        yield from _seldom(column.to, rest, column.unknown_share)


def _keep(contract: Contract, column: rules.Keep, known: Known) -> Iterator[Expectation]:
    if column.listed:
        yield from _one_of(column.to, list(column.listed))
    if column.pattern is None:
        return
    yield from _values("match_regex", column.to, regex=column.pattern)
    if not re.search(column.pattern, ""):
        yield from _present(column.to)


def _day(contract: Contract, column: rules.Day, known: Known) -> Iterator[Expectation]:
    yield from _values("match_regex", column.to, regex=r"^\d{4}-\d\d-\d\d$")
    if not column.optional:
        yield from _present(column.to)


def _number(contract: Contract, column: rules.Number, known: Known) -> Iterator[Expectation]:
    if column.breaks:
        yield from _one_of(column.to, vocabulary.band_codes(column.breaks))
    elif column.least is not None or column.most is not None:
        bounds = {"min_value": column.least, "max_value": column.most}
        stated: dict[str, Any] = {end: n for end, n in bounds.items() if n is not None}
        yield from _values("be_between", column.to, **stated)


def _age(contract: Contract, column: rules.Age, known: Known) -> Iterator[Expectation]:
    yield from _values("be_between", column.to, min_value=0, max_value=column.oldest)
    yield from _present(column.to, missing=column.unknown_at_most)
    if column.to_precision:
        yield from _one_of(column.to_precision, PRECISION)
        yield from _present(column.to_precision)


def _duration(contract: Contract, column: rules.Duration, known: Known) -> Iterator[Expectation]:
    here, elsewhere = _applies(contract, column.only_for)
    yield from _one_of(column.to, [*vocabulary.band_codes(column.breaks), UNKNOWN])
    yield from _present(column.to, where=here)
    yield from _absent(column.to, elsewhere)
    yield from _seldom(column.to, UNKNOWN, column.unknown_at_most)


def _event_month(contract: Contract, column: rules.EventMonth, known: Known) -> Iterator[Expectation]:
    yield from _one_of(column.to, [known.month])
    yield from _present(column.to)


def _area(contract: Contract, column: rules.Area, known: Known) -> Iterator[Expectation]:
    yield from _one_of(column.to_ward, vocabulary.wards())
    if not column.optional:
        yield from _present(column.to_ward)
    if not column.to_town:
        return
    inside, rest = "|".join(vocabulary.wards()), column.town_digits - len(vocabulary.wards()[0])
    form = rf"^(?:(?:{inside})[0-9]{{{rest}}}{f'|{UNKNOWN}' if column.hide_protected else ''})$"
    yield from _values("match_regex", column.to_town, regex=form)
    if not column.optional:
        yield from _present(column.to_town)
    yield from _seldom(column.to_town, UNKNOWN, column.unknown_at_most)
    if column.reference is not None and column.reference in known.references:
        towns = known.references[column.reference]["town_code"].str.slice(0, column.town_digits).unique().sort()
        values = [*towns.drop_nulls(), UNKNOWN]
        yield from _values("be_in_set", column.to_town, value_set=values, mostly=1 - column.unknown_at_most)


def _district(contract: Contract, column: rules.District, known: Known) -> Iterator[Expectation]:
    address = contract.column(column.address)
    if not getattr(address, "optional", False):
        yield from _present(column.to)
    yield from _seldom(column.to, UNKNOWN, column.unknown_at_most)
    if column.reference in known.references:
        listed = vocabulary.in_force(known.references[column.reference], known.month)
        yield from _one_of(column.to, [*listed["district_code"].drop_nulls().unique().sort(), UNKNOWN])


def _coarse_area(contract: Contract, column: rules.CoarseArea, known: Known) -> Iterator[Expectation]:
    yield from _one_of(column.to, coarse_areas())
    yield from _seldom(column.to, UNKNOWN, column.unknown_at_most)


def _relationship(contract: Contract, column: rules.Relationship, known: Known) -> Iterator[Expectation]:
    yield from _one_of(column.to, CATEGORIES)
    yield from _present(column.to)
    yield from _one_of(column.to_representative, [True, False])
    yield from _present(column.to_representative)
    yield from _values("be_between", column.to_size, min_value=1)
    yield from _one_of(column.to_family, FAMILIES)
    for name in (column.to_size, column.to_family):
        yield from _present(name, where=_where(column.to_representative, "==", True))
        yield from _absent(name, _where(column.to_representative, "!=", True))


def _reason(contract: Contract, column: rules.Reason, known: Known) -> Iterator[Expectation]:
    yield from _one_of(column.to, booked_reasons(column))
    yield from _present(column.to)


def _attainment(contract: Contract, column: rules.Attainment, known: Known) -> Iterator[Expectation]:
    fields, levels = vocabulary.hierarchies()["training_field"].leaves, tuple(load_courses().levels)
    yield from _one_of(column.to_field, [*fields, UNKNOWN])
    yield from _one_of(column.to_course_level, [*levels, UNKNOWN])
    yield from _seldom(column.to_field, UNKNOWN, column.unknown_at_most)
    for name in (column.to_best, column.to_counted, column.to_leads):
        yield from _one_of(name, [True, False])
        yield from _present(name)
    yield from _one_of(column.to_level, [NO_LEVEL, *levels])
    yield from _one_of(column.to_bureau, [*vocabulary.hierarchies()["bureau"].leaves, UNKNOWN])
    for name in (column.to_level, column.to_bureau):
        yield from _present(name, where=_where(column.to_counted, "==", True))
        yield from _absent(name, _where(column.to_counted, "!=", True))


EXPECTS: Mapping[type[Column], Callable[[Contract, Any, Known], Iterator[Expectation]]] = {
    rules.Pseudonym: _pseudonym,
    rules.MappedCodes: _codes,
    rules.Keep: _keep,
    rules.Day: _day,
    rules.Number: _number,
    rules.Age: _age,
    rules.Duration: _duration,
    rules.EventMonth: _event_month,
    rules.Area: _area,
    rules.District: _district,
    rules.CoarseArea: _coarse_area,
    rules.Relationship: _relationship,
    rules.Reason: _reason,
    rules.Attainment: _attainment,
}
"""Rule → what is expected of its columns; the other rules yield none."""
