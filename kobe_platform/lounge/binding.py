"""Checks a tag of a page against its component: required attributes, their kinds, names that must exist.

:func:`bind` checks a tag against the page's queries and filters and, where results are given, against their columns,
so that a wrong word fails with its line and a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.components import COMPONENTS, Attribute, Component
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.formats import Format, format_fault
from kobe_platform.lounge.tags import Tag
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Bound:
    """A checked tag: every attribute of its component present, defaults filled in."""

    tag: Tag
    component: Component
    values: Mapping[str, str]

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def __getitem__(self, attribute: str) -> str:
        return self.values.get(attribute, "")

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the filters that the component listens to, in the author's order."""
        return tuple(words(self["filter"]))

    @property
    def format(self) -> Format:
        """How its figures read."""
        codes = [code for column, code in column_formats(self["fmt"]) if not column]
        return Format.parse(codes[0] if codes else "") or Format()


def words(text: str) -> list[str]:
    """The words of a list attribute: separated by spaces or commas."""
    return [word for word in re.split(r"[\s,、]+", text) if word]


def reference(text: str) -> tuple[str, str] | None:
    """Query and column of ``query.column``; None where the text is no such thing."""
    match = re.fullmatch(r"([a-z_]\w*)\.([^\W\d]\w*)", text)
    return (match[1], match[2]) if match else None


Fail = Callable[[str, str, str, int], LoungeError]


def bind(
    tag: Tag,
    fail: Fail,
    *,
    queries: Sequence[str],
    filters: Sequence[str],
    results: Mapping[str, pl.DataFrame] | None = None,
    units: Sequence[str] = (),
    faults: Faults | None = None,
) -> Bound:
    """Check one tag.

    Args:
        fail: makes the page's error from code, message, remedy and line.
        queries, filters: names that the page defines.
        results: query → rows; columns are checked where given.
        units: units of figures that the page declares.
        faults: collects what is wrong; without it the first fault is raised.

    Raises:
        LoungeError: an attribute is unknown, missing or not what its kind asks for.
    """
    component = COMPONENTS[tag.name]
    faults = faults or Faults()
    for given_name in tag.attributes:
        if given_name not in component.attributes:
            remedy = did_you_mean(given_name, component.attributes)
            faults.add(fail("attribute", f"<{tag.name}> has no attribute {given_name}", remedy, tag.line))
    values = {}
    for name, attribute in component.attributes.items():
        given = tag.attributes.get(name)
        if attribute.required and not given:
            faults.add(fail("attribute", f"<{tag.name}> lacks {name}", f"add {name}=…", tag.line))
        if attribute.kind == "flag":
            values[name] = "" if given in (None, "false") else "true"
            continue
        values[name] = given if given is not None else attribute.default
        problem = _problem(attribute, values[name], queries, filters) or _format_fault(attribute, values[name], units)
        if problem:
            message = f"{name} of <{tag.name}> is not as it must be: {values[name]}"
            faults.add(fail("attribute", message, problem, tag.line))
    bound = Bound(tag, component, values)
    if results is not None:
        _check_columns(bound, fail, results, faults)
    return bound


def _problem(attribute: Attribute, value: str, queries: Sequence[str], filters: Sequence[str]) -> str:
    """What is wrong with a value; empty where nothing is."""
    if not value:
        return ""
    if attribute.kind == "query" and value not in queries:
        return did_you_mean(value, queries)
    if attribute.kind == "choice" and value not in attribute.choices:
        return did_you_mean(value, attribute.choices)
    if attribute.kind == "words":
        strange = [word for word in words(value) if word not in attribute.choices]
        return did_you_mean(strange[0], attribute.choices) if strange else ""
    if attribute.kind == "filter" and value not in filters:
        return did_you_mean(value, filters)
    if attribute.kind == "figure":
        named = reference(value)
        if named and named[0] not in queries:
            return did_you_mean(named[0], queries)
        return "" if named or re.fullmatch(r"-?\d+(\.\d+)?", value) else "write a number or {query.column}"
    if attribute.kind == "filters":
        strange = [word for word in words(value) if word not in filters]
        return did_you_mean(strange[0], filters) if strange else ""
    return ""


def _format_fault(attribute: Attribute, value: str, units: Sequence[str]) -> str:
    """What is wrong with a ``fmt=``; of several codes, each for its column, with the first wrong one."""
    if attribute.kind == "format":
        return format_fault(value, units)
    if attribute.kind == "formats":
        faults = (format_fault(code, units, periods=bool(column)) for column, code in column_formats(value))
        return next(filter(None, faults), "")
    return ""


def column_formats(text: str) -> list[tuple[str, str]]:
    """``人 年月:和暦 前月との差:±人`` → column and code, the column empty for the code of all figures."""
    return [(column, code) for column, _, code in (word.rpartition(":") for word in words(text))]


def _check_columns(bound: Bound, fail: Fail, results: Mapping[str, pl.DataFrame], faults: Faults) -> None:
    if bound["data"] not in results:
        return
    columns = results[bound["data"]].columns
    for name, attribute in bound.component.attributes.items():
        asked = words(bound[name]) if attribute.kind in ("column", "columns", "filters") else []
        if attribute.kind == "formats":
            asked = [column for column, _ in column_formats(bound[name]) if column]
        for column in asked:
            if column not in columns:
                what = "its filter needs" if attribute.kind == "filters" else f"{name} names"
                message = f"{what} column {column}, which query {bound['data']} does not give"
                faults.add(fail("column", message, did_you_mean(column, columns), bound.tag.line))
