"""Opens the published tables of a release in a DuckDB that can read nothing else, and runs a page's queries in it.

Queries were judged before (:mod:`kobe_platform.lounge.queries`); here the engine itself is shut, and bounded: rows and
bytes of a result, memory of its operators, seconds of one query.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.enumerated import enumerated, handed_over, is_text
from kobe_platform.lounge.faults import Faults
from kobe_platform.lounge.labels import LeanViews, table_view
from kobe_platform.lounge.periods import Periods
from kobe_platform.lounge.queries import PREFIX, Query
from kobe_platform.lounge.tables import TableFacts, read_index
from kobe_platform.statistics.enums import kinds_of
from kobe_platform.statistics.select.syntax import SHUT, line_told, lock
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

MOST_ROWS = 4_000_000
"""Rows of one query's result."""
MOST_BYTES = 1 << 30
"""Bytes of one query's result."""
MOST_MEMORY = "4GB"
"""What the tables and the operators of running queries may hold."""
MOST_SECONDS = 60.0
"""How long one query may run; the slowest of the project's own takes a third of a second."""
_BATCH = 100_000
_TEXT = "as_text"
"""Schema with the same views, whose texts are VARCHAR."""


class ReleaseDatabase:
    """The published tables of one directory in a locked in-memory DuckDB.

    Every table is a view with readable columns beside its codes: ``period_label`` and, for each dimension ``d``,
    ``d_label``, ``d_sort``, ``d_level``, ``d_parent`` and ``d_leaf`` (has no codes below it).

    Texts are held as ENUM, in the order of texts: a table over twelve years has a million rows and some hundred texts,
    and joining and sorting numbers takes a fifth of the time. What VARCHAR can do and ENUM cannot (be sliced, take a
    default of LAG that is none of its values) is an error of the engine's, never another result; such a query then runs
    on views whose texts are VARCHAR.

    Attributes:
        directory, seconds, keeps: as it was opened.
        facts: what each table is.
        names: tables and hierarchies that queries may read.
    """

    def __init__(
        self, directory: Path, names: Iterable[str] | None = None, *, seconds: float = MOST_SECONDS, keep: bool = False
    ) -> None:
        """Open an engine over the tables ``names`` (all by default) and every hierarchy, and shut it.

        What a query reads is loaded before it runs: a release whose pages are all worked out loads nothing. A query has
        one thread, so that rows which its ORDER BY leaves undecided stand in the same order each time; pages run side
        by side.

        Args:
            seconds: how long one query may run.
            keep: remember results, for an author who changes a page's text again and again.

        Raises:
            LoungeError: the directory was not made by :func:`kobe_platform.lounge.tables.write_tables`.
        """
        import duckdb

        self.facts, hierarchies = read_index(directory)
        self.directory, self.seconds, self.keeps = directory, seconds, keep
        self._kept = _Results() if keep else None
        wanted = set(self.facts) if names is None else set(names) & set(self.facts)
        self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": MOST_MEMORY, **SHUT})
        lock(self._connection)
        self._connection.execute(f"CREATE SCHEMA {_TEXT}")
        self._loaded, self._as_text = set[str](), set[str]()
        self._codes: dict[str, pl.Enum] = {}
        self._loading = threading.Lock()
        self.names = (*sorted(wanted), *(f"dim_{hierarchy}" for hierarchy in hierarchies))
        self._hashes = {name: _hash(directory / f"{name}.parquet") for name in self.names}

    def _make_ready(self, names: Iterable[str]) -> None:
        """Load those of these tables and hierarchies that are not there yet, the hierarchies of the tables' labels too.

        One thread at a time; a query under way does not see it.
        """
        with self._loading:
            for name in names:
                if name not in self._loaded:
                    if name in self.facts:
                        self._load_table(name)
                    else:
                        self._load_hierarchy(name)
                    self._loaded.add(name)

    def _load_table(self, name: str) -> None:
        import polars as pl

        facts = self.facts[name]
        for dimension in {f"dim_{hierarchy}" for hierarchy in facts.dimensions.values()} - self._loaded:
            self._load_hierarchy(dimension)
            self._loaded.add(dimension)
        cells = pl.read_parquet(self.directory / f"{name}.parquet")
        codes: dict[str, pl.DataType] = {
            dimension: self._codes[hierarchy] for dimension, hierarchy in facts.dimensions.items()
        }
        cells = enumerated(cells, codes)
        self._load(f"cells__{name}", cells)
        self._load(f"periods__{name}", enumerated(_labels(cells, facts), {"period": cells.schema["period"]}))
        self._connection.execute(table_view(facts))

    def _load_hierarchy(self, name: str) -> None:
        """``codes__X``, and ``dim_X``: the same without ``leaf``."""
        import polars as pl

        codes = pl.read_parquet(self.directory / f"{name}.parquet")
        leaf = ~pl.col("code").is_in(codes["parent"].drop_nulls().implode())
        codes = codes.with_columns(leaf=leaf)
        both = kinds_of(pl.concat([codes["code"], codes["parent"]]))
        codes = enumerated(codes, {"code": both, "parent": both})
        self._codes[name.removeprefix("dim_")] = both
        held = name.replace("dim_", "codes__", 1)
        self._load(held, codes)
        self._connection.execute(f'CREATE VIEW "{name}" AS SELECT * EXCLUDE (leaf) FROM "{held}"')

    def _load(self, name: str, frame: pl.DataFrame) -> None:
        incoming, columns = handed_over(frame)
        self._connection.register("incoming", incoming.to_arrow())
        self._connection.execute(f'CREATE TABLE "{name}" AS SELECT {columns} FROM incoming')
        self._connection.unregister("incoming")

    def _show_as_text(self) -> None:
        """All that is loaded once more, with its texts as VARCHAR: few queries ask for it."""
        with self._loading:
            for name in sorted(self._loaded - self._as_text):
                described = self._connection.execute(f'DESCRIBE "{name}"').fetchall()
                told = (f'"{row[0]}"::VARCHAR AS "{row[0]}"' if is_text(row[1]) else f'"{row[0]}"' for row in described)
                self._connection.execute(f'CREATE VIEW {_TEXT}."{name}" AS SELECT {", ".join(told)} FROM main."{name}"')
                self._as_text.add(name)

    def digest(self, names: Iterable[str]) -> str:
        """SHA-256 over some tables and the hierarchies that their labels come from; unknown names count as they are."""
        all_of = set(names)
        for name in names:
            all_of |= {f"dim_{h}" for h in self.facts[name].dimensions.values()} if name in self.facts else set()
        told = "\n".join(f"{name} {self._hashes.get(name, '')} {self._remarks(name)}" for name in sorted(all_of))
        return hashlib.sha256(told.encode()).hexdigest()

    def _remarks(self, name: str) -> str:
        facts = self.facts.get(name)
        periods = Periods.of([facts] if facts else [])
        return f"{periods.remarks or ''}{periods.changes or ''}"

    def periods(self, queries: Sequence[Query]) -> dict[str, Periods]:
        """What the periods of each query's tables cover, those of the queries that it builds on among them."""
        tables: dict[str, set[str]] = {}
        for query in queries:
            tables[query.name] = set(query.tables).union(*(tables[name] for name in query.uses))
        return {
            name: Periods.of(self.facts[table] for table in sorted(read) if table in self.facts)
            for name, read in tables.items()
        }

    def run(self, queries: Sequence[Query], faults: Faults | None = None) -> dict[str, pl.DataFrame]:
        """Run a page's fences in order, each once; each may use those above.

        Texts that were ENUM come as Categorical, so that they are cut into matrices as numbers; others as String.

        Args:
            faults: collects what is wrong; a query that fails, and those that build on it, are then left out.

        Raises:
            LoungeError: a table or column does not exist (with the nearest name), or a result or its making is too
                large or too long.
        """
        import polars as pl

        used = {name for query in queries for name in query.uses}
        results: dict[str, pl.DataFrame] = {}
        faults, failed = faults or Faults(), set[str]()
        # A cursor is a connection of its own: what is registered in it, no other page sees, and it ends with it.
        cursor = self._connection.cursor()
        views = LeanViews(cursor, self.facts)
        try:
            for query in queries:
                if failed.intersection(query.uses):
                    failed.add(query.name)
                    continue
                try:
                    rows = self._remembered(cursor, views, query, queries)
                except LoungeError as error:
                    faults.add(error)
                    failed.add(query.name)
                    continue
                if query.name in used:
                    cursor.register(f"{PREFIX}{query.name}", rows)
                frame = pl.DataFrame(rows)
                if any(kind in (pl.Decimal, pl.Date) for kind in frame.dtypes):
                    frame = frame.with_columns(pl.col(pl.Decimal).cast(pl.Float64), pl.col(pl.Date).cast(pl.String))
                results[query.name] = frame
        finally:
            cursor.close()
        return results

    def texts(self, tables: Iterable[str], column: str) -> frozenset[str]:
        """The texts in a column of some tables and hierarchies; empty where one is unknown or none has the column."""
        named = tuple(tables)
        if any(name not in self.names for name in named):
            return frozenset()
        self._make_ready(named)
        found: set[str] = set()
        cursor = self._connection.cursor()
        try:
            for name in named:
                described = cursor.execute(f'DESCRIBE "{name}"').fetchall()
                if any(row[0] == column and is_text(row[1]) for row in described):
                    rows = cursor.execute(f'SELECT DISTINCT "{column}" FROM "{name}" WHERE "{column}" IS NOT NULL')
                    found.update(row[0] for row in rows.fetchall())
        finally:
            cursor.close()
        return frozenset(found)

    def _remembered(
        self, cursor: duckdb.DuckDBPyConnection, views: LeanViews, query: Query, queries: Sequence[Query]
    ) -> pa.Table:
        """A query's rows, kept by its own text and that of all fences above it where results are kept."""
        if self._kept is None:
            return self._rows(cursor, views, query)
        above = [one.sql for one in queries[: queries.index(query)]] if query.uses else []
        key = (query.sql, *above)
        rows = self._kept.find(key)
        if rows is None:
            rows = self._rows(cursor, views, query)
            self._kept.keep(key, rows)
        return rows

    def _rows(self, cursor: duckdb.DuckDBPyConnection, views: LeanViews, query: Query) -> pa.Table:
        import duckdb

        for table in query.tables:
            if table not in self.names:
                raise query.fault("table", f"there is no published table {table}", did_you_mean(table, self.names))
        self._make_ready(query.tables)
        try:
            views.stand_for(query)
            with _limited(cursor, self.seconds):
                rows = _bounded_as_enum(cursor, query)
            if rows is None:
                views.take_away()
                self._show_as_text()
                with _limited(cursor, self.seconds), _texts_as_text(cursor):
                    rows = _bounded(cursor, query)
            return _told(query, rows)
        except (duckdb.Error, OSError) as error:
            views.take_away()
            self._show_as_text()
            raise _failed(query, _located(cursor, query, error), self.seconds) from None

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def __enter__(self) -> ReleaseDatabase:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_AT_HAND: dict[Path, ReleaseDatabase] = {}


def at_hand(directory: Path) -> ReleaseDatabase:
    """The tables of a directory, open: pages that this process compiles one after another share what is loaded.

    It stays open until the tables of another directory are asked for, or :func:`let_go`.
    """
    if directory not in _AT_HAND:
        let_go()
        _AT_HAND[directory] = ReleaseDatabase(directory)
    return _AT_HAND[directory]


def let_go() -> None:
    """Close what :func:`at_hand` keeps open."""
    while _AT_HAND:
        _AT_HAND.popitem()[1].close()


class _Results:
    """Results of queries, the last used ones up to :data:`MOST_BYTES`; for several threads."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[str, ...], pa.Table] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: tuple[str, ...]) -> pa.Table | None:
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
            return self._rows.get(key)

    def keep(self, key: tuple[str, ...], rows: pa.Table) -> None:
        with self._lock:
            if key not in self._rows:
                self._rows[key] = rows
                self._bytes += rows.nbytes
            while self._bytes > MOST_BYTES and len(self._rows) > 1:
                self._bytes -= self._rows.popitem(last=False)[1].nbytes


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _bounded(cursor: duckdb.DuckDBPyConnection, query: Query) -> pa.Table:
    """A query's rows, fetched piece by piece, so that one without end is stopped and not stored."""
    import pyarrow as pa

    batches, rows, size = [], 0, 0
    with cursor.sql(query.sql).to_arrow_reader(_BATCH) as reader:  # left open, it would hold the cursor
        for batch in reader:
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows > MOST_ROWS:
                remedy = f"narrow it with WHERE; a query may give {MOST_ROWS:,} rows"
                raise query.fault("rows", "the result has too many rows", remedy)
            if size > MOST_BYTES:
                remedy = f"select fewer columns; a query may give {MOST_BYTES >> 20:,} MB"
                raise query.fault("rows", "the result is too large", remedy)
        schema = reader.schema
    return pa.Table.from_batches(batches, schema)


def _told(query: Query, rows: pa.Table) -> pa.Table:
    """Rows whose columns have a name each."""
    if twice := [name for name, times in Counter(rows.schema.names).items() if times > 1]:
        message = f"two columns of the result are called {twice[0]}"
        raise query.fault("columns", message, "give one of them another name with AS")
    return rows


def _bounded_as_enum(cursor: duckdb.DuckDBPyConnection, query: Query) -> pa.Table | None:
    """A query's rows over texts as ENUM; None where it does with them what only VARCHAR can."""
    import duckdb
    import pyarrow as pa

    try:
        rows = _bounded(cursor, query)
    except (duckdb.BinderException, duckdb.ConversionException):
        return None
    return None if any(pa.types.is_nested(kind) for kind in rows.schema.types) else rows


@contextmanager
def _limited(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what a cursor does when it takes too long."""
    limit = threading.Timer(seconds, cursor.interrupt)
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


@contextmanager
def _texts_as_text(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A cursor that sees the views whose texts are VARCHAR."""
    cursor.execute(f"USE {_TEXT}")
    try:
        yield
    finally:
        cursor.execute("USE main")


def _labels(cells: pl.DataFrame, facts: TableFacts) -> pl.DataFrame:
    """``period`` and ``period_label`` of a table."""
    import polars as pl

    periods, codes = Periods.of([facts]), cells["period"].unique().sort().to_list()
    columns = {"period": codes, "period_label": [periods.label(code) for code in codes]}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _located(cursor: duckdb.DuckDBPyConnection, query: Query, error: Exception) -> str:
    """DuckDB's words with the line, which a relation leaves out where a name is wrong."""
    import duckdb

    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        try:
            with _texts_as_text(cursor):
                cursor.execute(f"EXPLAIN {query.sql}")
        except duckdb.Error as told:
            return str(told)
    return str(error)


def _failed(query: Query, message: str, seconds: float) -> LoungeError:
    """DuckDB's words about the author's own text, at the line of the page."""
    if "Interrupted" in message:
        return query.fault("time", f"the query takes longer than {seconds:g} seconds", "join fewer rows")
    if message.startswith("Out of Memory"):
        return query.fault("memory", f"the query needs more than {MOST_MEMORY}", "join or sort fewer rows")
    head = message.split("\n\nLINE")[0].split("\n")
    candidates = next((part for part in head[1:] if "andidate" in part), "")
    remedy = candidates.strip() or "columns: period, the dimensions, value, status, and <dimension>_label, _sort, _leaf"
    return query.fault("failed", head[0].strip(), remedy, line=line_told(message))
