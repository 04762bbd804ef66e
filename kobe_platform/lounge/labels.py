"""Puts labels beside the codes of published tables, and for one query those alone that it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


class LeanViews:
    """A cursor's views that join only the labels and periods which a query names.

    The engine does not know that each code stands once in its list, and would join every list of a table's dimensions
    to its rows, be it read or not: a quarter of the queries' time.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, facts: Mapping[str, TableFacts]) -> None:
        self._cursor, self._facts = cursor, facts
        self._unread: dict[str, frozenset[str]] = {}

    def stand_for(self, query: Query) -> None:
        """Have the tables of a query be what it needs; the next one mostly needs the same."""
        for name in self._facts.keys() & set(query.tables):
            unread = _unread(self._facts[name], query.names)
            if not unread:
                self._take_away(name)
            elif self._unread.get(name) != unread:
                self._cursor.execute(table_view(self._facts[name], unread, "OR REPLACE TEMP VIEW"))
                self._unread[name] = unread

    def take_away(self) -> None:
        """Leave the whole views."""
        for name in list(self._unread):
            self._take_away(name)

    def _take_away(self, name: str) -> None:
        if self._unread.pop(name, None) is not None:
            self._cursor.execute(f'DROP VIEW temp."{name}"')


def _unread(facts: TableFacts, names: frozenset[str] | None) -> frozenset[str]:
    """The dimensions, and ``period``, beside which a query reads no column of the view's own."""
    if names is None:
        return frozenset()
    own = {one: {f"{one}_{column}".lower() for column in _OF_CODES} for one in facts.dimensions}
    return frozenset(one for one, columns in {**own, "period": {"period_label"}}.items() if not names & columns)
