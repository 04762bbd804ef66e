"""Parses a statement with DuckDB's own parser into a tree, gives places in it, and writes a tree as SQL.

Nothing here looks at the text of a statement by patterns: comments, capitals, quotes and line breaks are the parser's
business. The tree is ``json_serialize_sql`` of the pinned DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

Node = Mapping[str, Any]
"""A part of the tree: an expression, a table, a SELECT."""

SHUT: dict[str, str | int | float | list[str]] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "temp_directory": "",
}
"""How an engine starts that is to reach nothing: no extension, no secret, no spill."""


class SelectFault(ValueError):
    """What is wrong in a statement, and where: for its author, who wrote all of it.

    Args:
        code: last part of the error's code (``syntax``, ``function`` …).
        message: what is wrong.
        remedy: what to write instead.
        line, column: place in the statement, both from 1; the column counts characters.
    """

    def __init__(self, code: str, message: str, remedy: str, line: int = 1, column: int = 1) -> None:
        self.code, self.message, self.remedy, self.line, self.column = code, message, remedy, line, column
        super().__init__(message)


@dataclass(frozen=True)
class Statement:
    """One SELECT: its text and the node of its tree."""

    text: str
    node: Node

    def nodes(self) -> Iterator[Node]:
        """Every part of the tree, in the order of the text."""
        return nodes(self.node)

    def place(self, node: Node) -> tuple[int, int]:
        """Line and column of a part; that of the first part below it where DuckDB gives it none."""
        return next((place_of(self.text, one["query_location"]) for one in nodes(node) if _located(one)), (1, 1))

    def fault(self, node: Node | None, code: str, message: str, remedy: str) -> SelectFault:
        """A fault at a part of the statement (None: at its beginning)."""
        return SelectFault(code, message, remedy, *(self.place(node) if node is not None else (1, 1)))


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut an engine: no file, no network, no way back (the order matters)."""
    connection.execute("SET enable_external_access=false")
    connection.execute("SET disabled_filesystems='LocalFileSystem'")
    connection.execute("SET lock_configuration=true")


@lru_cache(maxsize=4096)
def parse(text: str) -> Statement:
    """The tree of a text that holds exactly one SELECT.

    Raises:
        SelectFault: ``syntax``, ``statement`` (not a SELECT) or ``several`` (none, or more than one).
    """
    parsed = json.loads(_ahead(text) or _call("json_serialize_sql", "VARCHAR", text))
    if parsed["error"]:
        line, column = place_of(text, int(parsed["position"])) if "position" in parsed else (1, 1)
        if parsed.get("error_type") == "parser":
            message = parsed["error_message"].split("\n")[0]
            raise SelectFault("syntax", message, "write one SELECT of DuckDB's SQL", line, column)
        raise SelectFault("statement", "only SELECT is allowed", "remove the other statement", line, column)
    if len(parsed["statements"]) != 1:
        raise SelectFault("several", "exactly one SELECT is allowed", "write one statement in each place")
    return Statement(text, parsed["statements"][0]["node"])


_AHEAD: dict[str, str] = {}
"""Texts that were parsed together: their trees until :func:`parse` has told them, then nothing."""
_MOST_AHEAD = 20_000
"""Texts that are kept there; an author's many versions of a page are not kept for ever."""


def parse_ahead(texts: Iterable[str]) -> None:
    """Parse many texts at once, for a quarter of the time that each by itself takes; :func:`parse` tells what they are.

    Best effort: what DuckDB cannot take together is parsed one by one when it is asked for.
    """
    import duckdb

    if len(_AHEAD) > _MOST_AHEAD:
        _AHEAD.clear()
    asked = [text for text in dict.fromkeys(texts) if text not in _AHEAD]
    query = "SELECT text, json_serialize_sql(text) FROM (SELECT unnest(?::VARCHAR[]) AS text)"
    with suppress(duckdb.Error):
        _AHEAD.update(_parser().cursor().execute(query, [asked]).fetchall())


def _ahead(text: str) -> str:
    found = _AHEAD.get(text, "")
    if found:
        _AHEAD[text] = ""
    return found


def rendered(node: Node) -> str:
    """A SELECT's tree as SQL again."""
    told = {"error": False, "statements": [{"node": node, "named_param_map": []}]}
    return _call("json_deserialize_sql", "JSON", json.dumps(told))


def expressions(text: str) -> list[dict]:
    """What stands between SELECT and FROM in ``text``, as parts to build a statement of."""
    return list(parse(f"SELECT {text}").node["select_list"])


def nodes(tree: object) -> Iterator[Node]:
    """Every part of a tree, in the order of the text."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(reversed(node.values()))
        elif isinstance(node, list):
            stack.extend(reversed(node))


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a place that DuckDB gives in bytes."""
    before = text.encode()[:offset].decode("utf-8", "ignore")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def line_told(message: str) -> int:
    """The line of a statement that DuckDB's words about it point to (``LINE 3: …``); 1 where they name none."""
    lines = (line.removeprefix("LINE ").partition(":")[0] for line in message.split("\n") if line.startswith("LINE "))
    return next((int(number) for number in lines if number.isdigit()), 1)


def _located(node: Node) -> bool:
    """Whether DuckDB says where a part stands (it gives the largest whole number where it does not)."""
    return isinstance(node.get("query_location"), int) and node["query_location"] < 1 << 63


def _call(function: str, kind: str, text: str) -> str:
    rows = _parser().cursor().execute(f"SELECT {function}(?::{kind})", [text]).fetchall()
    return rows[0][0]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """DuckDB as a parser, opened once: a database of its own for each statement costs twenty times the parsing."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1, **SHUT})
    lock(connection)
    return connection
