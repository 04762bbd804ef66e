"""Judges a query over published figures (of a page or a public statistic) by a list of what it may call.

A list of what is allowed, never of what is forbidden. A query over people's rows has a narrower grammar: ``counts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kobe_platform.statistics.select.functions import ALLOWED, SPECIAL_COLUMNS, SUMMING, TABLE_FUNCTIONS
from kobe_platform.statistics.select.syntax import Node, SelectFault, Statement
from kobe_platform.vocabulary.nearest import did_you_mean


@dataclass(frozen=True)
class Allowed:
    """What may be called, and what is refused in words of its own (function → message and remedy).

    Attributes:
        tables: what the query reads, in words.
        document: the document that lists all this.
    """

    functions: frozenset[str]
    refused: Mapping[str, tuple[str, str]]
    tables: str
    document: str


_SUMS = "read the published total (the root code of the dimension) instead"
PAGES = Allowed(
    functions=ALLOWED,
    refused={name: (f"{name}() would pass over suppressed cells", _SUMS) for name in SUMMING},
    tables="published tables",
    document="docs/pages.md",
)
"""A page's fence: suppressed cells are no numbers, so nothing is summed."""
PUBLIC = Allowed(
    functions=ALLOWED | SUMMING,
    refused={},
    tables="public sources",
    document="docs/statistics.md",
)
"""A statistic of public figures, in which nothing is suppressed."""


def tables_of(statement: Statement, allowed: Allowed) -> dict[str, Node]:
    """The tables that a query names (CTEs left out), each with the part that names it, once all else in it is allowed.

    Raises:
        SelectFault: a file or a table of a schema, a function that is not on the list, or rows that differ from run to
            run.
    """
    found = list(statement.nodes())
    named = {entry["key"] for node in found for entry in node.get("cte_map", {}).get("map", [])}
    tables: dict[str, Node] = {}
    for node in found:
        _judge_kind(statement, node)
        _judge_table_function(statement, node, allowed)
        _judge_function(statement, node, allowed)
        if node.get("type") == "BASE_TABLE":
            if node["schema_name"] or node["catalog_name"] or not plain_name(node["table_name"]):
                raise _outside(statement, node, f"only {allowed.tables} can be read", allowed)
            tables.setdefault(node["table_name"], node)
    return {name: node for name, node in tables.items() if name not in named}


def names_in(statement: Statement) -> frozenset[str] | None:
    """Every name in a query (and every other text in it), in small letters.

    None where it may read columns without naming them: by ``*`` or COLUMNS, as whole rows, in a natural join, in a
    PIVOT, or under names that it gives a table's columns by their places.
    """
    found = list(statement.nodes())
    tables = {str(node[key]).lower() for node in found if "table_name" in node for key in ("table_name", "alias")}
    for node in found:
        if node.get("class") == "STAR" or node.get("ref_type") == "NATURAL" or node.get("column_name_alias"):
            return None
        if "PIVOT" in str(node.get("type")) or "pivots" in node:
            return None
        if node.get("type") == "COLUMN_REF" and node["column_names"][-1].lower() in tables:
            return None
    return frozenset(_texts(found))


def _texts(found: list[Node]) -> Iterator[str]:
    for node in found:
        for value in node.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    yield one.lower()


def plain_name(name: str) -> bool:
    """Whether a table's name is one: small letters, digits and underscores, no path of a file."""
    return name.isascii() and name.isidentifier() and name == name.lower()


def _judge_kind(statement: Statement, node: Node) -> None:
    """Refuse what is a SELECT by its grammar only, or gives other rows from run to run."""
    kind = node.get("type")
    if kind == "SHOW_REF":
        raise statement.fault(node, "statement", "only SELECT is allowed", "remove the other statement")
    if kind == "RECURSIVE_CTE_NODE":
        raise statement.fault(node, "recursive", "a query may not build on itself", "write it without RECURSIVE")
    if kind == "VALUE_PARAMETER":
        raise statement.fault(node, "parameter", "a query has no parameters", "write the value, or ${query} on a page")
    if node.get("sample"):
        raise statement.fault(node, "sample", "a sample differs from run to run", "narrow it with WHERE")
    if kind == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0].lower() in SPECIAL_COLUMNS:
        name = node["column_names"][0]
        raise statement.fault(node, "function", f"{name} is not allowed", "use columns of the tables")


def _judge_table_function(statement: Statement, node: Node, allowed: Allowed) -> None:
    if node.get("type") != "TABLE_FUNCTION":
        return
    called = str(node["function"].get("function_name", "")).lower()
    if called not in TABLE_FUNCTIONS:
        raise _outside(statement, node, f"{called}() is not allowed", allowed)


def _judge_function(statement: Statement, node: Node, allowed: Allowed) -> None:
    """Refuse a function that is not on the list."""
    function = str(node.get("function_name", "")).lower()
    if function in allowed.refused:
        message, remedy = allowed.refused[function]
        raise statement.fault(node, "sums", message, remedy)
    if function and function not in allowed.functions:
        other = f"use columns of the tables; {allowed.document} lists what may be called"
        remedy = did_you_mean(function, allowed.functions, other, likeness=0.7)
        raise statement.fault(node, "function", f"{function}() is not allowed", remedy)


def _outside(statement: Statement, node: Node, message: str, allowed: Allowed) -> SelectFault:
    return statement.fault(node, "outside", message, f"read {allowed.tables} by their names")
