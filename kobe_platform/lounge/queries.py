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
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.tables import TableFacts, read_index

if TYPE_CHECKING:
    import duckdb
    import polars as pl

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
SUMMING = frozenset(
    {"sum", "sumkahan", "kahan_sum", "fsum", "sum_no_overflow", "avg", "mean", "favg", "product", "median"}
)
UNSTEADY = frozenset(
    {"random", "uuid", "gen_random_uuid", "now", "today", "current_date", "current_timestamp", "get_current_timestamp",
     "getenv", "current_setting", "getvariable", "setseed"}
)  # fmt: skip
MOST_ROWS = 4_000_000
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")
_PREFIX = "query__"


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


def parse_query(name: str, sql: str, file: str, line: int, earlier: Iterable[str]) -> Query:
    """Judge one fence.

    Args:
        name: the word after ```` ```sql ````.
        sql: the fence's text.
        file, line: where the SQL begins.
        earlier: names of the fences above, which ``${name}`` may use.

    Raises:
        LoungeError: not exactly one SELECT, a file or foreign table, a function that reaches out, differs from run to
            run or sums (suppressed cells would silently count as nothing: totals are published rows).
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
            raise draft.error("reference", "${…} names no query above", _suggest(used, earlier), line=where)
    text = _REFERENCE.sub(lambda match: f'"{_PREFIX}{match[1]}"', sql).strip("\n").rstrip().rstrip(";")
    tree = _tree(draft, text)
    tables = _judge(draft, text, tree, earlier)
    return Query(name, text, file, line, tables, uses)


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect(":memory:", config={"threads": 1})
    _lock(connection)
    return connection


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut the engine: no spill, no file, no network, no way back (the order matters)."""
    connection.execute("SET temp_directory=''")
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")


def _tree(query: Query, text: str) -> Mapping:
    parsed = json.loads(_parser().cursor().execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()[0][0])
    if parsed["error"]:
        line = text.count("\n", 0, int(parsed["position"])) + 1 if "position" in parsed else 1
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
    tables: dict[str, None] = {}
    for node in nodes:
        line = text.count("\n", 0, _offset(node, text)) + 1
        function = str(node.get("function_name", "")).lower()
        if function in SUMMING:
            remedy = "read the published total (the root code of the dimension) instead"
            raise query.error("sums", f"{function}() would pass over suppressed cells", remedy, line=line)
        if function in UNSTEADY:
            raise query.error("function", f"{function}() is not allowed", "use columns of the tables", line=line)
        if node.get("type") == "TABLE_FUNCTION":
            called = str(node["function"].get("function_name", "")).lower()
            if called not in TABLE_FUNCTIONS:
                raise query.error("outside", f"{called}() is not allowed", "read published tables only", line=line)
        if node.get("type") == "BASE_TABLE":
            table = _base_table(query, node, line, earlier)
            if table and table not in named:
                tables[table] = None
    return tuple(sorted(tables))


def _offset(node: Mapping, text: str) -> int:
    location = node.get("query_location")
    return location if isinstance(location, int) and location <= len(text) else 0


def _base_table(query: Query, node: Mapping, line: int, earlier: list[str]) -> str:
    table = node["table_name"]
    if node["schema_name"] or node["catalog_name"] or not (_NAME.match(table) or table.startswith(_PREFIX)):
        raise query.error("outside", "only published tables can be read", "name a table of the release", line=line)
    if table in earlier:
        raise query.error("reference", f"{table} is a query of this page", f"write ${{{table}}}", line=line)
    return "" if table.startswith(_PREFIX) and table[len(_PREFIX) :] in earlier else table


def _suggest(name: str, among: Iterable[str]) -> str:
    among = list(among)
    close = get_close_matches(name, among, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(among) or 'none'}"


class ReleaseDatabase:
    """The published tables of one directory in a locked in-memory DuckDB.

    Every table is a view with readable columns beside its codes: ``period_label`` and, for each dimension ``d``,
    ``d_label``, ``d_sort``, ``d_level``, ``d_parent`` and ``d_leaf`` (has no codes below it).
    """

    def __init__(self, directory: Path, names: Iterable[str] | None = None) -> None:
        """Load the tables ``names`` (all by default) and every hierarchy, then shut the engine.

        Raises:
            LoungeError: the directory was not made by :func:`kobe_platform.lounge.tables.write_tables`.
        """
        import duckdb
        import polars as pl

        self.facts, hierarchies = read_index(directory)
        wanted = set(self.facts) if names is None else set(names) & set(self.facts)
        self._connection = duckdb.connect(":memory:", config={"threads": 2})
        for hierarchy in hierarchies:
            self._load(f"dim_{hierarchy}", pl.read_parquet(directory / f"dim_{hierarchy}.parquet"))
        for name in sorted(wanted):
            self._load(f"cells__{name}", pl.read_parquet(directory / f"{name}.parquet"))
            self._connection.execute(_view(self.facts[name]))
        _lock(self._connection)
        self.names = (*sorted(wanted), *(f"dim_{hierarchy}" for hierarchy in hierarchies))

    def _load(self, name: str, frame: pl.DataFrame) -> None:
        self._connection.register("incoming", frame.to_arrow())
        self._connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')
        self._connection.unregister("incoming")

    def run(self, queries: Iterable[Query]) -> dict[str, pl.DataFrame]:
        """Run a page's fences in order; each may use those above.

        Raises:
            LoungeError: a table or column does not exist (with the nearest name), or a result is too large.
        """
        cursor = self._connection.cursor()
        try:
            results = {query.name: self._result(cursor, query) for query in queries}
        finally:
            for (name,) in cursor.execute(
                f"SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '{_PREFIX}%'"
            ).fetchall():
                cursor.execute(f'DROP TABLE "{name}"')
            cursor.close()
        return results

    def _result(self, cursor: duckdb.DuckDBPyConnection, query: Query) -> pl.DataFrame:
        import duckdb
        import polars as pl

        for table in query.tables:
            if table not in self.names:
                raise query.error("table", f"there is no published table {table}", _suggest(table, self.names))
        target = f'"{_PREFIX}{query.name}"'
        try:
            cursor.execute(f"CREATE TEMP TABLE {target} AS {query.sql}")
        except duckdb.Error as error:
            raise _failed(query, str(error)) from None
        [(rows,)] = cursor.execute(f"SELECT count(*) FROM {target}").fetchall()
        if rows > MOST_ROWS:
            raise query.error("rows", f"the result has {rows} rows", f"keep it under {MOST_ROWS}")
        frame = pl.from_arrow(cursor.sql(f"SELECT * FROM {target}").to_arrow_table())
        return frame.with_columns(pl.col(pl.Decimal).cast(pl.Float64), pl.col(pl.Date).cast(pl.String))

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def __enter__(self) -> ReleaseDatabase:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _view(facts: TableFacts) -> str:
    columns = ["t.*", _PERIOD_LABEL]
    joins = []
    for dimension, hierarchy in facts.dimensions.items():
        alias = f"h_{dimension}"
        joins.append(f'LEFT JOIN "dim_{hierarchy}" {alias} ON {alias}.code = t."{dimension}"')
        columns += [f'{alias}.{c} AS "{dimension}_{c}"' for c in ("label", "sort", "level", "parent")]
        parents = f'(SELECT parent FROM "dim_{hierarchy}" WHERE parent IS NOT NULL)'
        columns.append(f't."{dimension}" NOT IN {parents} AS "{dimension}_leaf"')
    return f'CREATE VIEW "{facts.name}" AS SELECT {", ".join(columns)} FROM "cells__{facts.name}" t {" ".join(joins)}'


_PERIOD_LABEL = (
    "CASE WHEN length(t.period) = 7 THEN t.period[:4] || '年' || CAST(t.period[6:] AS INTEGER) || '月' "
    "ELSE t.period || '年' END AS period_label"
)


def _failed(query: Query, message: str) -> LoungeError:
    """DuckDB's words about the author's own text, at the line of the page."""
    line = re.search(r"LINE (\d+):", message)
    head = message.split("\n\nLINE")[0].split("\n")
    candidates = next((part for part in head[1:] if "andidate" in part), "")
    remedy = candidates.strip() or "columns: period, the dimensions, value, status, and <dimension>_label, _sort, _leaf"
    return query.error("failed", head[0].strip(), remedy, line=int(line[1]) if line else 1)
