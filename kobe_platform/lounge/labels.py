"""Puts labels beside the codes of published tables, and for one query those alone that it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kobe_platform.lounge.queries import Query
from kobe_platform.lounge.tables import TableFacts

if TYPE_CHECKING:
    import duckdb

_OF_CODES = ("label", "sort", "level", "parent", "leaf")


def table_view(facts: TableFacts, unread: Collection[str] = (), kind: str = "VIEW") -> str:
    """The SQL that makes a published table's view: its cells with the labels of their periods and codes.

    Args:
        unread: dimensions, and ``period``, whose labels are left out.
    """
    columns, joins = ["t.*"], []
    if "period" not in unread:
        columns.append("p.period_label")
        joins.append(f'LEFT JOIN "periods__{facts.name}" p ON p.period = t.period')
    for dimension, hierarchy in facts.dimensions.items():
        if dimension not in unread:
            alias = f"h_{dimension}"
            joins.append(f'LEFT JOIN "codes__{hierarchy}" {alias} ON {alias}.code = t."{dimension}"')
            columns += [f'{alias}.{c} AS "{dimension}_{c}"' for c in _OF_CODES]
    return f'CREATE {kind} "{facts.name}" AS SELECT {", ".join(columns)} FROM "cells__{facts.name}" t {" ".join(joins)}'


@contextmanager
def only_what_is_read(
    cursor: duckdb.DuckDBPyConnection, query: Query, facts: Mapping[str, TableFacts]
) -> Iterator[None]:
    """A cursor whose views join only the labels and periods that a query names.

    The engine does not know that each code stands once in its list, and would join every list of a table's dimensions
    to its rows, be it read or not: a quarter of the queries' time.
    """
    lean = [name for name in query.tables if name in facts and _unread(facts[name], query.names)]
    for name in lean:
        cursor.execute(table_view(facts[name], _unread(facts[name], query.names), "TEMP VIEW"))
    try:
        yield
    finally:
        for name in lean:
            cursor.execute(f'DROP VIEW temp."{name}"')


def _unread(facts: TableFacts, names: frozenset[str] | None) -> frozenset[str]:
    """The dimensions, and ``period``, beside which a query reads no column of the view's own."""
    if names is None:
        return frozenset()
    own = {one: {f"{one}_{column}".lower() for column in _OF_CODES} for one in facts.dimensions}
    return frozenset(one for one, columns in {**own, "period": {"period_label"}}.items() if not names & columns)
