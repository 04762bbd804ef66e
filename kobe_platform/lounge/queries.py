"""The SQL fences of a page: one SELECT each over published tables, in a DuckDB that can reach nothing else.

A fence is judged by its syntax tree before any table exists, so a page's tables are known when the graph is built; it
runs later in a locked engine. Two walls on purpose: the engine alone would refuse ``COPY`` and files; the tree alone
tells the author the line and what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.functions import ALLOWED, SPECIAL_COLUMNS, SUMMING, TABLE_FUNCTIONS

if TYPE_CHECKING:
    import duckdb

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
    """

    name: str
    sql: str
    file: str
    line: int
    tables: tuple[str, ...]
    uses: tuple[str, ...]

    def error(self, code: str, message: str, remedy: str, *, line: int = 1) -> LoungeError:
        """An error at a line of this fence (1 = its first)."""
        at = {"file": self.file, "line": self.line + line - 1, "query": self.name}
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
            (:mod:`kobe_platform.lounge.functions`): one that reaches out, differs from run to run, or sums (suppressed
            cells would silently count as nothing: totals are published rows).
    """
    draft = Query(name, sql, file, line, (), ())
    earlier = list(earlier)
    if not _NAME.match(name or ""):
        raise draft.error("name", "a query needs a name of small letters", "write ```sql population", line=0)
    if name in earlier:
        raise draft.error("twice", "two queries share a name", "rename one", line=0)
    uses = tuple(dict.fromkeys(_REFERENCE.findall(sql)))
    for used in uses:
        if used not in earlier:
            where = sql.count("\n", 0, sql.index("${" + used)) + 1
            raise _reference_error(draft, used, earlier, list(below), where)
    text = _REFERENCE.sub(lambda match: f'"{PREFIX}{match[1]}"', sql).strip("\n").rstrip().rstrip(";")
    tree = _tree(draft, text)
    tables = _judge(draft, text, tree, earlier)
    return Query(name, text, file, line, tables, uses)


def _reference_error(query: Query, used: str, earlier: list[str], below: list[str], line: int) -> LoungeError:
    if used == query.name:
        return query.error("reference", f"query {used} builds on itself", "name another query", line=line)
    if used in below:
        remedy = "move that fence above this one; a query builds on those above it, so there is no circle"
        return query.error("reference", f"query {used} stands below", remedy, line=line)
    return query.error("reference", "${…} names no query above", suggest(used, earlier), line=line)


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1, **SHUT})
    lock(connection)
    return connection


SHUT = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "temp_directory": "",
}
"""How an engine of the lounge starts: no extension, no secret, no spill."""


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut the engine: no file, no network, no way back (the order matters)."""
    connection.execute("SET enable_external_access=false")
    connection.execute("SET disabled_filesystems='LocalFileSystem'")
    connection.execute("SET lock_configuration=true")


@lru_cache(maxsize=4096)
def _serialized(text: str) -> str:
    """DuckDB's syntax tree of a statement, as JSON."""
    return _parser().cursor().execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()[0][0]


def _tree(query: Query, text: str) -> Mapping:
    parsed = json.loads(_serialized(text))
    if parsed["error"]:
        line = _line(text, int(parsed["position"])) if "position" in parsed else 1
        if parsed.get("error_type") == "parser":
            message = parsed["error_message"].split("\n")[0]
            raise query.error("syntax", message, "a fence holds one DuckDB SELECT", line=line)
        raise query.error("statement", "only SELECT is allowed", "remove the other statement", line=line)
    if len(parsed["statements"]) != 1:
        raise query.error("several", "a fence holds one statement", "write a fence for each query")
    return parsed["statements"][0]


def _nodes(tree: object) -> Iterator[Mapping]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(reversed(node.values()))
        elif isinstance(node, list):
            stack.extend(reversed(node))


def _judge(query: Query, text: str, tree: Mapping, earlier: list[str]) -> tuple[str, ...]:
    """The tables that a query names, once everything else in it is allowed."""
    nodes = list(_nodes(tree))
    named = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    tables: set[str] = set()
    for node in nodes:
        line = _line(text, node.get("query_location"))
        _judge_kind(query, node, line)
        _judge_function(query, node, line)
        if node.get("type") == "BASE_TABLE":
            tables.add(_base_table(query, node, line, earlier))
    return tuple(sorted(tables - named - {""}))


def _judge_kind(query: Query, node: Mapping, line: int) -> None:
    """Refuse what is a SELECT by its grammar only, or gives other rows from run to run."""
    kind = node.get("type")
    if kind == "SHOW_REF":
        raise query.error("statement", "only SELECT is allowed", "remove the other statement", line=line)
    if kind == "RECURSIVE_CTE_NODE":
        raise query.error("recursive", "a query may not build on itself", "write it without RECURSIVE", line=line)
    if kind == "VALUE_PARAMETER":
        raise query.error("parameter", "a fence has no parameters", "write the value, or ${query}", line=line)
    if node.get("sample"):
        raise query.error("sample", "a sample differs from run to run", "narrow it with WHERE", line=line)
    if kind == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0].lower() in SPECIAL_COLUMNS:
        name = node["column_names"][0]
        raise query.error("function", f"{name} is not allowed", "use columns of the tables", line=line)


def _judge_function(query: Query, node: Mapping, line: int) -> None:
    """Refuse a function that is not on the list."""
    if node.get("type") == "TABLE_FUNCTION":
        called = str(node["function"].get("function_name", "")).lower()
        if called not in TABLE_FUNCTIONS:
            raise query.error("outside", f"{called}() is not allowed", "read published tables only", line=line)
        return
    function = str(node.get("function_name", "")).lower()
    if function in SUMMING:
        remedy = "read the published total (the root code of the dimension) instead"
        raise query.error("sums", f"{function}() would pass over suppressed cells", remedy, line=line)
    if function and function not in ALLOWED:
        close = get_close_matches(function, ALLOWED, n=1, cutoff=0.7)
        remedy = (
            f"did you mean {close[0]}?"
            if close
            else "use columns of the tables; docs/pages.md lists what may be called"
        )
        raise query.error("function", f"{function}() is not allowed", remedy, line=line)


def _line(text: str, offset: object) -> int:
    """Line of a place that DuckDB gives in bytes; 1 where it gives none."""
    raw = text.encode()
    return raw.count(b"\n", 0, offset) + 1 if isinstance(offset, int) and offset <= len(raw) else 1


def _base_table(query: Query, node: Mapping, line: int, earlier: list[str]) -> str:
    table = node["table_name"]
    if node["schema_name"] or node["catalog_name"] or not (_NAME.match(table) or table.startswith(PREFIX)):
        raise query.error("outside", "only published tables can be read", "name a table of the release", line=line)
    if table in earlier:
        raise query.error("reference", f"{table} is a query of this page", f"write ${{{table}}}", line=line)
    return "" if table.startswith(PREFIX) and table[len(PREFIX) :] in earlier else table


def suggest(name: str, among: Iterable[str]) -> str:
    """The nearest of some names, or all of them."""
    among = list(among)
    close = get_close_matches(name, among, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(among) or 'none'}"
