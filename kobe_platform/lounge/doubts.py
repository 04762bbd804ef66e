"""Finds what a page may hold and its author hardly means: a query without rows, a value that no row has, a manual that
nobody wrote yet, two pages with one place in the lists. Doubts are told beside the faults and stop nothing but the
release of a page whose manual is a draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import FrontMatter, Page, line_of_key
from kobe_platform.lounge.queries import Query
from kobe_platform.lounge.tags import Tag, walk
from kobe_platform.statistics.select.syntax import nodes, parse
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl

DRAFT = """### 定義

- **人口**: 何を数えた値か、いつ現在の値か、何を含まないかを書きます。

### 出典

- 数値のもとになった統計や業務システムの名前を書きます。

### 更新日

- いつ、どのくらいの間隔で新しくなるかを書きます。

### 「X」の決まり

- 人数の少ない値を「X」とする基準と、「X」があるときの注意を書きます。

### 読み方

- 見るときの注意や、他の統計と比べるときの注意を書きます。
"""
"""The manual that ``kobe pages new`` begins with: it says what to write."""
_TO_WRITE = frozenset(line for line in DRAFT.splitlines() if line.startswith("- "))
_USUAL_ORDER = FrontMatter.model_fields["order"].default


def is_draft(page: Page) -> bool:
    """Whether a line of the manual still says what to write there."""
    return bool(_TO_WRITE & {line.strip() for line in page.manual.splitlines()})


def page_doubts(page: Page, database: ReleaseDatabase, results: Mapping[str, pl.DataFrame]) -> Iterator[LoungeError]:
    """Doubts about one page.

    Args:
        results: query → rows of the queries that ran.
    """
    if is_draft(page):
        remedy = "write it; until then the page is left out of releases"
        yield page.error("draft", f"the manual is a draft: {page.meta.manual}", remedy, line_of_key(page, "manual"))
    awaited = {
        node.attributes.get("data") for node in walk(page.nodes) if isinstance(node, Tag) and node.name == "When"
    }
    for query in page.queries:
        if query.name not in results:
            continue
        strange = list(_strange_values(query, database))
        yield from strange
        is_asked_for_rows = query.name in awaited  # the page says what stands there without them
        if results[query.name].is_empty() and not (strange or is_asked_for_rows) and _has_rows(query, database):
            yield query.fault("empty", f"query {query.name} gives no rows", "look at its conditions")


def order_doubts(pages: Mapping[str, Page]) -> Iterator[LoungeError]:
    """Pages that ask for the same place in the lists; those that ask for none go by title."""
    taken: dict[int, Page] = {}
    for page in pages.values():
        order = page.meta.order
        if order == _USUAL_ORDER:
            continue
        if order in taken:
            remedy = f"{taken[order].file} has the same order; change one, or they go by title"
            yield page.error("order", f"two pages have order {order}", remedy, line_of_key(page, "order"))
        taken.setdefault(order, page)


def _has_rows(query: Query, database: ReleaseDatabase) -> bool:
    """Whether any table that a query names has rows: over empty tables no query has any."""
    return any(database.facts[table].rows for table in query.tables if table in database.facts)


def _strange_values(query: Query, database: ReleaseDatabase) -> Iterator[LoungeError]:
    """Texts that a column of the query's tables is compared with and that no row has."""
    statement = parse(query.sql)
    for column, constants in _compared(statement.node):
        known = database.texts(query.tables, column)
        for constant in constants if known else ():
            text = constant["literal"]["text"]
            if text not in known:
                line, place = statement.place(constant)
                yield query.fault(
                    "value", f"no row has {column} = {text}", did_you_mean(text, sorted(known)), line=line, column=place
                )


def _compared(tree: object) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Column and texts of every ``column = 'text'`` and ``column IN ('text', …)``."""
    for node in nodes(tree):
        if node.get("type") == "COMPARE_EQUAL":
            parts = [node["left"], node["right"]]
        elif node.get("type") == "COMPARE_IN":
            parts = node["children"]
        else:
            continue
        columns = [part["column_names"][-1] for part in parts if part["type"] == "COLUMN_REF"]
        texts = [part for part in parts if part["type"] == "VALUE_CONSTANT" and part["literal"].get("kind") == "STRING"]
        if len(columns) == 1 and texts:
            yield columns[0], texts
