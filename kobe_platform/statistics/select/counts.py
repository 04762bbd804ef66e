"""Validates the SELECT that counts rows about people, and rewrites it into the two queries that are run.

It may be written in several ways (capitals, aliases, ``GROUP BY`` by name, by number or ``ALL``, comments,
``count(1)``). The text itself never runs: from its syntax tree are made the query that counts rows by dimension, and
the query that lists the same rows one by one, which the residual floor needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from kobe_platform.statistics.select.conditions import Conditions
from kobe_platform.statistics.select.sources import SelectSource
from kobe_platform.statistics.select.syntax import Node, Statement, expressions, parse, rendered
from kobe_platform.vocabulary.codes import Hierarchy

_ONE = (
    "a statistic counts the rows of one source: SELECT dimensions, count(*) AS measure FROM source WHERE … GROUP BY ALL"
)
_LEFT_OUT = "leave it out: the platform needs every cell of the counted rows, and sorts them itself"


@dataclass(frozen=True)
class Counts:
    """What a SELECT counts.

    Attributes:
        statement: as it was written.
        source: the source whose rows are counted.
        dimensions: output column → the part that gives its codes: a column of the source, or one code for all rows.
        measures: output column → its part (``count(*)``; of a mean ``sum(x)`` and ``count(x)``).
    """

    statement: Statement
    source: str
    dimensions: Mapping[str, Node]
    measures: Mapping[str, Node]

    def column_of(self, dimension: str) -> str | None:
        """The source's column that a dimension is; None where it is one code for all rows."""
        names = self.dimensions[dimension].get("column_names")
        return names[-1].lower() if names else None

    @cached_property
    def columns(self) -> frozenset[str]:
        """Every column of the source that is read."""
        return self.conditions | self._named([*self.dimensions.values(), *self.measures.values()])

    @cached_property
    def conditions(self) -> frozenset[str]:
        """The columns by which rows are chosen."""
        return self._named([self.statement.node["where_clause"]])

    def _named(self, parts: Iterable[Node | None]) -> frozenset[str]:
        found = (one for part in parts if part for one in Statement(self.statement.text, part).nodes())
        return frozenset(one["column_names"][-1].lower() for one in found if one.get("type") == "COLUMN_REF")

    @cached_property
    def counted(self) -> str:
        """The SELECT of the finest cells: dimensions in the order of the front matter, then the measures."""
        return rendered(self.counting)

    @property
    def counting(self) -> Node:
        """The tree of :attr:`counted`."""
        chosen = [_named(part, name) for name, part in {**self.dimensions, **self.measures}.items()]
        return {**self._plain(), "select_list": chosen, "aggregate_handling": "FORCE_AGGREGATES"}

    def row_by_row(self, further: str) -> str:
        """The SELECT of the same rows uncounted: dimensions, then ``further`` (what may stand after SELECT)."""
        chosen = [_named(part, name) for name, part in self.dimensions.items()]
        return rendered({**self._plain(), "select_list": [*chosen, *expressions(further)]})

    def _plain(self) -> dict[str, Any]:
        ungrouped = {"group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING"}
        return {**self.statement.node, "modifiers": [], **ungrouped}

    def judge(self, source: SelectSource, trees: Mapping[str, Hierarchy | None]) -> None:
        """What is named against what the source has.

        Args:
            source: the source of this name.
            trees: output column → its hierarchy; None for the month's districts.

        Raises:
            SelectFault: see :class:`Conditions`; ``hierarchy`` where a dimension's column does not hold its codes.
        """
        judge = Conditions(self.statement, source)
        for name, part in self.dimensions.items():
            self._judge_dimension(judge, name, part, trees[name])
        for part in self.measures.values():
            for argument in part["arguments"]:
                if argument["expression"]["type"] == "COLUMN_REF":
                    self._judge_number(judge, argument["expression"])
        if self.statement.node["where_clause"]:
            judge.judge(self.statement.node["where_clause"])

    def _judge_dimension(self, judge: Conditions, name: str, part: Node, tree: Hierarchy | None) -> None:
        hierarchy = tree.name if tree else "district"
        if part["class"] == "CONSTANT":
            if tree is None or part["literal"]["text"] not in tree.leaves:
                remedy = f"write a code of {hierarchy} that has none below it, or a column"
                raise self.statement.fault(part, "hierarchy", f"{hierarchy} has no such finest code", remedy)
            return
        column = judge.column(part)
        if hierarchy not in column.hierarchies:
            fitting = [c.name for c in judge.source.columns.values() if hierarchy in c.hierarchies]
            there = f"select {' or '.join(fitting)} AS {name}" if fitting else "take another hierarchy"
            held = " or ".join(column.hierarchies) or "no hierarchy"
            remedy = f"{there}, or let [dimensions] say {name} = …: {column.name} holds the codes of {held}"
            raise self.statement.fault(
                part, "hierarchy", f"{column.name} does not hold the codes of {hierarchy}", remedy
            )

    def _judge_number(self, judge: Conditions, part: Node) -> None:
        column = judge.column(part)
        if column.kind != "number":
            remedy = "average a number, such as age"
            raise self.statement.fault(part, "measure", f"{column.name} is no number", remedy)


@lru_cache(maxsize=1024)
def read_counts(sql: str, dimensions: tuple[str, ...], measures: tuple[str, ...], *, mean: bool) -> Counts:
    """What a statistic's SELECT over rows counts.

    Args:
        sql: the statement.
        dimensions, measures: output columns in the order in which the front matter asks for them.
        mean: whether the measures are a sum and a count of one column.

    Raises:
        SelectFault: what in it is no count of one source's rows by plain columns, and where.
    """
    statement = parse(sql)
    source = _source(statement)
    _judge_clauses(statement)
    parts = _parts(statement, (*dimensions, *measures))
    by = dict(zip(dimensions, parts, strict=False))
    values = dict(zip(measures, parts[len(dimensions) :], strict=True))
    for name, part in by.items():
        _judge_dimension(statement, name, part)
    (_judge_mean if mean else _judge_count)(statement, list(values.values()))
    _judge_names(statement)
    _judge_groups(statement, by)
    return Counts(statement, source, by, values)


def _source(statement: Statement) -> str:
    node = statement.node
    if node["type"] != "SELECT_NODE":
        raise statement.fault(node, "shape", "a statistic is one SELECT: no UNION, INTERSECT or EXCEPT", _ONE)
    if entries := node["cte_map"]["map"]:
        raise statement.fault(entries[0]["value"]["query_node"], "shape", "a statistic has no WITH", _ONE)
    table = node["from_table"]
    if table["type"] != "BASE_TABLE" or table["schema_name"] or table["catalog_name"]:
        what = {"JOIN": "joins nothing", "SUBQUERY": "has no SELECT in FROM", "EMPTY": "names its source after FROM"}
        raise statement.fault(table, "shape", f"a statistic {what.get(table['type'], 'reads one source')}", _ONE)
    for clause in ("sample", "at_clause", "column_name_alias"):
        if table[clause]:
            raise statement.fault(table, "shape", "the source stands after FROM without further words", _ONE)
    return table["table_name"].lower()


def _judge_clauses(statement: Statement) -> None:
    """Clauses that would leave cells out are refused; ORDER BY changes nothing and is passed over."""
    node = statement.node
    names = {"having": "HAVING", "qualify": "QUALIFY", "sample": "a sample"}
    for clause, words in names.items():
        if node[clause]:
            raise statement.fault(
                node[clause], "shape", f"a statistic has no {words}: it would leave cells out", _LEFT_OUT
            )
    for modifier in node["modifiers"]:
        if modifier["type"] != "ORDER_MODIFIER":
            words = modifier["type"].removesuffix("_MODIFIER").replace("_PERCENT", "")
            raise statement.fault(modifier, "shape", f"a statistic has no {words}", _LEFT_OUT)


def _parts(statement: Statement, names: Sequence[str]) -> list[Node]:
    """The selected parts, which must be these output columns in this order."""
    parts = statement.node["select_list"]
    wanted = ", ".join(names)
    for part, name in zip(parts, names, strict=False):
        if part["class"] == "STAR":
            raise statement.fault(part, "shape", "a statistic names its columns", f"select {wanted}")
        given = (part["alias"] or (part.get("column_names") or [""])[-1]).lower()
        if given != name.lower():
            message = f"here stands {given}" if given else "this column has no name"
            remedy = f"write … AS {name}; the SELECT gives {wanted}, in this order"
            raise statement.fault(part, "columns", f"{message}, where the front matter has {name}", remedy)
    if len(parts) != len(names):
        place = parts[len(names)] if len(parts) > len(names) else parts[-1]
        message = f"the SELECT gives {len(parts)} columns, the front matter names {len(names)}"
        raise statement.fault(place, "columns", message, f"select {wanted}")
    return parts


def _judge_dimension(statement: Statement, name: str, part: Node) -> None:
    constant = part["class"] == "CONSTANT" and part["literal"]["kind"] == "STRING"
    if part["type"] != "COLUMN_REF" and not constant:
        remedy = f"select a plain column AS {name}; how codes are grouped stands in assets/vocabulary/hierarchies.toml"
        raise statement.fault(part, "dimension", f"{name} is computed in the SELECT", remedy)


def _judge_count(statement: Statement, parts: list[Node]) -> None:
    (part,) = parts
    arguments = [one["expression"] for one in part.get("arguments", ())]
    of_all = part.get("function_name") == "count_star"
    kinds = [one.get("literal", {}).get("kind", "NULL_LITERAL") for one in arguments]
    of_one = part.get("function_name") == "count" and len(kinds) == 1 and kinds != ["NULL_LITERAL"]
    if not _bare(part) or not (of_all or of_one):
        remedy = "write count(*); which rows count stands in WHERE"
        raise statement.fault(part, "measure", "a statistic counts rows", remedy)


def _judge_mean(statement: Statement, parts: list[Node]) -> None:
    named = [[one["expression"].get("column_names", [""])[-1].lower() for one in p.get("arguments", ())] for p in parts]
    called = [part.get("function_name") for part in parts]
    plain = all(_bare(part) and len(names) == 1 and names[0] for part, names in zip(parts, named, strict=True))
    if called != ["sum", "count"] or not plain or named[0] != named[1]:
        remedy = "write sum(x) AS total, count(x) AS persons, both of one plain column"
        raise statement.fault(parts[0], "measure", "a mean is a sum and a count of one column", remedy)


def _bare(part: Node) -> bool:
    """Whether a call has nothing but its arguments: no FILTER, DISTINCT, ORDER BY or schema."""
    further = part.get("filter") or part.get("distinct") or part.get("schema") or part.get("catalog")
    return part["class"] == "FUNCTION" and not further and not part["order_bys"]["orders"]


def _judge_names(statement: Statement) -> None:
    """Columns stand alone or behind the source's name (or its alias)."""
    table = statement.node["from_table"]
    known = {(table["alias"] or table["table_name"]).lower()}
    for part in statement.nodes():
        names: Sequence[str] = part.get("column_names", ()) if part.get("type") == "COLUMN_REF" else ()
        if len(names) > 2 or (len(names) == 2 and names[0].lower() not in known):
            raise statement.fault(part, "column", "this names no column of the source", "write the column's name alone")


def _judge_groups(statement: Statement, dimensions: Mapping[str, Node]) -> None:
    """``GROUP BY`` names every dimension, by ``ALL``, by name, by column or by number, and nothing else."""
    node = statement.node
    if node["aggregate_handling"] == "FORCE_AGGREGATES":
        return
    if len(node["group_sets"]) > 1:
        part = node["group_expressions"][0]
        raise statement.fault(part, "groups", "a statistic has no ROLLUP, CUBE or GROUPING SETS", _margins(dimensions))
    grouped = {name for part in node["group_expressions"] for name in _grouped(statement, part, dimensions)}
    missing = [name for name, part in dimensions.items() if name not in grouped and part["class"] != "CONSTANT"]
    if missing:
        place = next(iter(node["group_expressions"]), dimensions[missing[0]])
        raise statement.fault(place, "groups", f"GROUP BY leaves out {missing[0]}", "write GROUP BY ALL")


def _margins(dimensions: Mapping[str, Node]) -> str:
    return f"write GROUP BY ALL: the platform adds every total over {', '.join(dimensions)}"


def _grouped(statement: Statement, part: Node, dimensions: Mapping[str, Node]) -> list[str]:
    """The dimensions that one part of GROUP BY means."""
    names = list(dimensions)
    if part["class"] == "CONSTANT" and part["literal"]["kind"] == "INTEGER":
        place = int(part["literal"]["text"])
        found = names[place - 1 : place] if place > 0 else []
    else:
        column = (part.get("column_names") or [""])[-1].lower()
        found = [n for n, one in dimensions.items() if column and column in (n.lower(), _column(one))]
    if not found:
        raise statement.fault(part, "groups", "GROUP BY names what is no dimension", "write GROUP BY ALL")
    return found


def _column(part: Node) -> str:
    return (part.get("column_names") or [""])[-1].lower()


def _named(part: Node, name: str) -> dict[str, Any]:
    return {**part, "alias": name}
