"""Reads the SQL fences of a page, each one SELECT over published tables, and checks what they may do.

A fence is judged by its syntax tree (:mod:`kobe_platform.statistics.select`) before any table exists, so a page's
tables are known when the graph is built; it runs later in a locked engine. Two walls on purpose: the engine alone would
refuse ``COPY`` and files; the tree alone tells the author the line and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from kobe_platform.errors import Coordinate, LoungeError
from kobe_platform.statistics.select.judging import PAGES, names_in, tables_of
from kobe_platform.statistics.select.syntax import Node, SelectFault, parse
from kobe_platform.vocabulary.nearest import did_you_mean

PREFIX = "query__"
"""Before the name of a fence, where another one reads its rows."""
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Query:
    """One fence.

    Attributes:
        sql: as DuckDB runs it; ``${earlier}`` already stands for the earlier query.
        line: line of the file that the SQL begins on.
        tables: published tables and ``dim_…`` that it names.
        uses: earlier queries that it builds on.
        names: every name that stands in it, in small letters; None where it may read columns without naming them.
    """

    name: str
    sql: str
    file: str
    line: int
    tables: tuple[str, ...]
    uses: tuple[str, ...]
    names: frozenset[str] | None = None

    def fault(self, code: str, message: str, remedy: str, *, line: int = 1, column: int = 0) -> LoungeError:
        """An error at a line of this fence (1 = its first) and, where it is known, a column."""
        at: dict[str, Coordinate] = {"file": self.file, "line": self.line + line - 1}
        if column:
            at["column"] = column
        at["query"] = self.name
        return LoungeError(message, code=f"query.{code}", at=at, remedy=remedy)


def parse_query(name: str, sql: str, file: str, line: int, earlier: Iterable[str], below: Iterable[str] = ()) -> Query:
    """Judge one fence.

    Args:
        name: the word after ```` ```sql ````.
        sql: the fence's text.
        file, line: where the SQL begins.
        earlier: names of the fences above, which ``${name}`` may use.
        below: names of the fences after it, to tell a wrong order (and so every circle) from a wrong name.

    Raises:
        LoungeError: not exactly one SELECT, a file or foreign table, or a function that is not on the list
            (``statistics/select/functions.toml``): one that reaches out, differs from run to run, or sums (suppressed
            cells would silently count as nothing: totals are published rows).
    """
    draft = Query(name, sql, file, line, (), ())
    earlier = list(earlier)
    if not _NAME.match(name or ""):
        raise draft.fault("name", "a query needs a name of small letters", "write ```sql population", line=0)
    if name in earlier:
        raise draft.fault("twice", "two queries share a name", "rename one", line=0)
    uses = tuple(dict.fromkeys(_REFERENCE.findall(sql)))
    for used in uses:
        if used not in earlier:
            where = sql.count("\n", 0, sql.index("${" + used)) + 1
            raise _reference_error(draft, used, earlier, list(below), where)
    text = as_run(sql)
    try:
        tables, names = _judged(text)
    except SelectFault as fault:
        at = {"line": fault.line, "column": fault.column}
        raise draft.fault(fault.code, fault.message, fault.remedy, **at) from None
    own = {table for table in tables if table.startswith(PREFIX) and table[len(PREFIX) :] in earlier}
    for table in tables:
        if table in earlier:
            place = parse(text).place(tables[table])
            message, remedy = f"{table} is a query of this page", f"write ${{{table}}}"
            raise draft.fault("reference", message, remedy, line=place[0], column=place[1])
    return Query(name, text, file, line, tuple(sorted(set(tables) - own)), uses, names)


@lru_cache(maxsize=4096)
def _judged(text: str) -> tuple[Mapping[str, Node], frozenset[str] | None]:
    """The tables of a SELECT and the names in it; a page is read when the graph is built, and again for a release."""
    statement = parse(text)
    return tables_of(statement, PAGES), names_in(statement)


def as_run(sql: str) -> str:
    """A fence's text as DuckDB parses and runs it: a reference to an earlier query is a table's name."""
    return _REFERENCE.sub(lambda match: f'"{PREFIX}{match[1]}"', sql).strip("\n").rstrip().rstrip(";")


def _reference_error(query: Query, used: str, earlier: list[str], below: list[str], line: int) -> LoungeError:
    if used == query.name:
        return query.fault("reference", f"query {used} builds on itself", "name another query", line=line)
    if used in below:
        remedy = "move that fence above this one; a query builds on those above it, so there is no circle"
        return query.fault("reference", f"query {used} stands below", remedy, line=line)
    return query.fault("reference", "${…} names no query above", did_you_mean(used, earlier), line=line)
