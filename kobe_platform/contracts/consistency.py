"""Checks that the columns of a contract fit together, so that a contract that loads also runs.

The models know one column each; here its rule meets the columns, lists and regular expressions that it names. One
function a rule, each yields the key that is wrong and why.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import polars as pl

from kobe_platform.contracts import columns as rules
from kobe_platform.contracts.columns import Column
from kobe_platform.contracts.model import Contract, Dates
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary.courses import load_courses

Fault = tuple[str, str]
"""The place (``columns.ID.key`` or a key of the head) and the reason."""

REFERENCE_COLUMNS = ("ward_code", "district_code", "town_code", "lot_from", "lot_to", "valid_from", "valid_to")
"""Columns of a reference table that towns and school districts are looked up in."""
_LOTS = ("lot_from", "lot_to")
COMPANION_COLUMNS = ("person", "household", "protection")
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_MEANING = re.compile(r"^(cancels:)?[a-z][a-z0-9_]*$")
_ONE_OF_A_KIND = (rules.History, rules.Protection, rules.Relationship, rules.Reason, rules.Netting, rules.Attainment)


def faults(contract: Contract) -> Iterator[Fault]:
    """Everything that a contract says and abstraction could not carry out, in the order of the file."""
    yield from _of_the_head(contract)
    for column in contract.columns:
        for key, reason in _of_the_column(contract, column):
            yield f"columns.{column.id}.{key}", reason


def neighbour_faults(contract: Contract, contracts: Mapping[str, Contract]) -> Iterator[Fault]:
    """The same of the sources that a contract names; those that do not exist are told elsewhere."""
    if contract.name in contract.needs:
        yield "needs", "a source cannot need itself"
    for column in contract.columns:
        reference = contracts.get(getattr(column, "reference", None) or "")
        if reference is not None:
            yield from _unfit_reference(column, reference)
    protection = contract.protection
    if protection is not None and protection.companion is not None and protection.companion in contracts:
        companion = contracts[protection.companion]
        read = {column.id for column in companion.read} if companion.sensitivity == "personal" else set()
        for key, name in protection.companion_columns.items():
            if name not in read:
                yield f"columns.{protection.id}.companion_columns", f"{key}: the companion has no such column to read"


def _unfit_reference(column: Column, reference: Contract) -> Iterator[Fault]:
    place = f"columns.{column.id}.reference"
    if reference.use != "reference":
        yield place, "it names a source whose use is not `reference`"
    elif missing := sorted(set(REFERENCE_COLUMNS) - set(reference.outputs)):
        yield place, f"the reference has no column {missing[0]}"
    for other in reference.columns:
        lot = other.outputs[0] in _LOTS
        if other.outputs[0] in REFERENCE_COLUMNS and isinstance(other, rules.Number) != lot:
            yield place, f"the reference's {other.outputs[0]} is {'no number' if lot else 'a number'}"


def _of_the_head(contract: Contract) -> Iterator[Fault]:
    yield from _of_dates(contract.dates)
    if contract.sensitivity == "personal" and not contract.outputs:
        yield "columns", "no column yields anything for the lake"
    for kind in _ONE_OF_A_KIND:
        if len(found := contract.having(kind)) > 1:
            yield f"columns.{found[1].id}.rule", "a contract has at most one column with this rule"
    if set(contract.key) & {column.id for column in contract.having(rules.History)}:
        yield "key", "the history column is no part of it: of several versions the latest is taken"
    if "difference" in contract.kinds and not ("snapshot" in contract.kinds and contract.key):
        yield "kinds", "a difference changes the records of a snapshot, told apart by `key`: both are needed"
    for month in contract.thresholds.row_change_by_month:
        if not re.fullmatch(r"0[1-9]|1[0-2]", month):
            yield "thresholds.row_change_by_month", "its keys are calendar months, 01 to 12"
    if any(not suffix.startswith(".") for layout in contract.layouts for suffix in layout.suffix):
        yield "layouts.suffix", "a suffix begins with a point"


def _of_dates(dates: Dates) -> Iterator[Fault]:
    if dates.kind is not None and dates.western is None:
        yield "dates.western", "it is left out although `kind` tells the calendars apart"
    for code in dates.eras:
        if not re.fullmatch(rf"[0-9]{{1,{dates.era_digits}}}", code):
            yield "dates.eras", "an era code has other characters, or more of them, than `era_digits` says"


def _of_the_column(contract: Contract, column: Column) -> Iterator[Fault]:
    for key in ("to", "to_ward", "to_town", "to_precision", "to_representative", "to_size", "to_family"):
        name = getattr(column, key, None)
        if name is not None and not _NAME.match(name):
            yield key, "a lake column's name is lower case letters, digits and _"
    if column.check_digit and not column.digits:
        yield "check_digit", "a key with a check digit states its `digits`"
    for key in ("codes", "keep", "protected", "released"):
        listed = getattr(column, key, ())
        if any(code != unicodedata.normalize("NFKC", code).strip() for code in listed):
            yield key, "a code has full-width letters or outer spaces, which intake takes off before it looks a code up"
    yield from _only_for(contract, column)
    yield from _OF_RULES.get(type(column), _nothing)(contract, column)


def _only_for(contract: Contract, column: Any) -> Iterator[Fault]:
    """A value belongs to a code of another ``codes`` column, which is worked out before this one."""
    only_for = getattr(column, "only_for", None)
    if only_for is None:
        return
    if set(only_for) != {"column", "value"}:
        yield "only_for", "it states `column` and `value`"
        return
    other = contract.column(only_for["column"])
    if not isinstance(other, rules.MappedCodes) or other.only_for is not None:
        yield "only_for", "it names a column of rule `codes` that is itself for all rows"
    elif only_for["value"] not in {*other.mapping.values(), other.blank, other.other}:
        yield "only_for", "its `value` is no code that the column can have"


def _nothing(contract: Contract, column: Column) -> Iterator[Fault]:
    yield from ()


def _codes(contract: Contract, column: rules.MappedCodes) -> Iterator[Fault]:
    if column.list is not None and not vocabulary.is_list(column.list):
        yield "list", "there is no such list in assets/vocabulary"
    elif column.system is not None and column.list != "countries":
        yield "system", "it belongs to the list `countries`"
    elif not column.mapping:
        yield "codes", "it lists no code"
    elif column.boolean:
        values = {*column.mapping.values(), column.blank, column.other} - {None}
        if not values <= {"true", "false"}:
            yield "codes", "a Boolean column has the codes `true` and `false` only"


def _keep(contract: Contract, column: rules.Keep) -> Iterator[Fault]:
    if column.pattern is None:
        return
    try:
        re.compile(column.pattern)  # the second opinion on quality reads it so
        pl.Series([""]).str.contains(column.pattern)
    except (re.error, pl.exceptions.PolarsError):
        yield "pattern", "it is no regular expression without look-around and back-references"


def _ascending(column: rules.Number | rules.Duration) -> Iterator[Fault]:
    if any(low >= high for low, high in pairwise(column.breaks)):
        yield "breaks", "lower bounds of bands ascend"


def _number(contract: Contract, column: rules.Number) -> Iterator[Fault]:
    yield from _ascending(column)
    if column.least is not None and column.most is not None and column.least > column.most:
        yield "least", "it is more than `most`"


def _duration(contract: Contract, column: rules.Duration) -> Iterator[Fault]:
    yield from _ascending(column)
    if not column.breaks or column.breaks[0] != 0:
        yield "breaks", "bands of a duration begin at 0"


def _age(contract: Contract, column: rules.Age) -> Iterator[Fault]:
    if not 0 < column.oldest <= column.limit:
        yield "oldest", "it lies above 0 and not above `limit`"


def _filter(contract: Contract, column: rules.Filter) -> Iterator[Fault]:
    if not column.keep:
        yield "keep", "no row would be left"
    elif set(column.keep) & set(column.codes):
        yield "codes", "a code that is kept is named as one that is not"


def _protection(contract: Contract, column: rules.Protection) -> Iterator[Fault]:
    """Members of a protected household are protected: somebody must say who shares a household."""
    if set(column.protected) & set(column.released):
        yield "released", "a code cannot protect and release"
    if not column.households and column.companion is None:
        yield "households", "without household columns a companion is needed in which households are looked up"
    if column.companion is not None and set(column.companion_columns) != set(COMPANION_COLUMNS):
        yield "companion_columns", "it states `person`, `household` and `protection` of the companion"


def _pseudonym(contract: Contract, column: rules.Pseudonym) -> Iterator[Fault]:
    if len({column.id, *column.with_}) != 1 + len(column.with_):
        yield "with", "it names other columns, each once"


def _relationship(contract: Contract, column: rules.Relationship) -> Iterator[Fault]:
    if not column.codes:
        yield "codes", "it lists no code"
    if not set(column.codes.values()) <= set(rules.RELATIONSHIPS):
        yield "codes", f"its categories are {', '.join(rules.RELATIONSHIPS)}"


def _reason(contract: Contract, column: rules.Reason) -> Iterator[Fault]:
    if not column.codes:
        yield "codes", "it lists no code"
    if any(not _MEANING.match(meaning) for meaning in column.codes.values()):
        yield "codes", "a reason is lower case letters, digits and _, after `cancels:` where it cancels"
    for key in ("before", "after"):
        if not isinstance(contract.column(getattr(column, key)), rules.Area):
            yield key, "it names a column of rule `area`"


def _netting(contract: Contract, column: rules.Netting) -> Iterator[Fault]:
    if not isinstance(contract.column(column.reason), rules.Reason):
        yield "reason", "it names a column of rule `reason`"


def _district(contract: Contract, column: rules.District) -> Iterator[Fault]:
    if not isinstance(contract.column(column.address), rules.Area):
        yield "address", "it names a column of rule `area`"


def _attainment(contract: Contract, column: rules.Attainment) -> Iterator[Fault]:
    if not isinstance(contract.column(column.person), rules.Pseudonym):
        yield "person", "it names a column of rule `pseudonym`"
    if column.section_level not in load_courses().levels:
        yield "section_level", "it is no level of courses.toml"


_OF_RULES: Mapping[type[Column], Callable[[Contract, Any], Iterator[Fault]]] = {
    rules.Pseudonym: _pseudonym,
    rules.MappedCodes: _codes,
    rules.Keep: _keep,
    rules.Number: _number,
    rules.Duration: _duration,
    rules.Age: _age,
    rules.Filter: _filter,
    rules.Protection: _protection,
    rules.Relationship: _relationship,
    rules.Reason: _reason,
    rules.Netting: _netting,
    rules.District: _district,
    rules.Attainment: _attainment,
}
