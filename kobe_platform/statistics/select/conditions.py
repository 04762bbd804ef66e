"""Checks which rows a count selects: conditions must name what counts, so that nobody is selected as unknown.

The grammar is short on purpose. A condition names the codes or the numbers that count; what is not known (protected
persons' districts among it) is then left out by itself, and cannot be selected either. Everything else that SQL could
say of a row (patterns, arithmetic, functions, what is *not* a code where some are unknown) would be a way to select who
is unknown, or single persons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kobe_platform.statistics.select.sources import DISTRICT, SelectSource, SourceColumn
from kobe_platform.statistics.select.syntax import Node, SelectFault, Statement
from kobe_platform.vocabulary.codes import UNKNOWN
from kobe_platform.vocabulary.nearest import did_you_mean, nearest

_ORDERED = {
    "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO",
}
_OTHERS = {"COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM"}
_LITERALS = {"STRING": "text", "INTEGER": "number", "BOOLEAN": "truth"}
_FORMS = (
    "a condition is `column`, `NOT column` (of true or false), `column = code`, `column IN (codes)`, a comparison of a "
    "number, `one IS DISTINCT FROM other` of two columns, or these with AND and OR"
)


@dataclass(frozen=True)
class Conditions:
    """The judge of a WHERE clause over one source."""

    statement: Statement
    source: SelectSource

    def judge(self, node: Node) -> None:
        """Go through a condition.

        Raises:
            SelectFault: ``condition`` (a form that is not allowed), ``column``, ``withheld``, ``code`` or ``unknown``.
        """
        kind = node["type"]
        if kind in ("CONJUNCTION_AND", "CONJUNCTION_OR"):
            for child in node["children"]:
                self.judge(child)
        elif kind == "COLUMN_REF":
            self._truth(node)
        elif kind == "OPERATOR_NOT":
            self._not(node)
        elif kind in ("OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"):
            self._empty(node)
        elif kind == "COMPARE_IN":
            self._among(node, node["children"][0], node["children"][1:], negated=False)
        elif kind == "COMPARE_BETWEEN":
            self._ordered(node, node["input"], (node["lower"], node["upper"]))
        elif node["class"] == "COMPARISON":
            self._compare(node)
        else:
            raise self._form(node)

    def column(self, node: Node) -> SourceColumn:
        """The column that a part names.

        Raises:
            SelectFault: the part is no column, or the source has none of this name that may be named.
        """
        if node["type"] != "COLUMN_REF":
            raise self._form(node)
        name = node["column_names"][-1].lower()
        if name in self.source.withheld:
            message = f"a statistic cannot name {name}: it tells people apart, or protected persons from others"
            raise self._fault(node, "withheld", message, f"name one of: {self._names()}")
        if name not in self.source.columns or len(node["column_names"]) > 2:
            remedy = did_you_mean(name, self.source.columns, f"there are: {self._names()}")
            raise self._fault(node, "column", f"{self.source.name} has no column {name}", remedy)
        return self.source.columns[name]

    def _names(self) -> str:
        return ", ".join(sorted(self.source.columns))

    def _truth(self, node: Node) -> None:
        column = self.column(node)
        if column.kind != "truth":
            remedy = f"write {column.name} = …, or {column.name} IN (…)"
            raise self._fault(node, "condition", f"{column.name} is not true or false", remedy)

    def _not(self, node: Node) -> None:
        (child,) = node["children"]
        if child["type"] == "COMPARE_IN":
            self._among(child, child["children"][0], child["children"][1:], negated=True)
            return
        if child["type"] != "COLUMN_REF":
            remedy = "name what counts instead: `sex = 'female'`, `reason IN ('birth', 'in_abroad')`"
            raise self._fault(node, "condition", "NOT would select who is unknown as well", remedy)
        self._truth(child)

    def _empty(self, node: Node) -> None:
        (child,) = node["children"]
        column = self.column(child)
        if node["type"] == "OPERATOR_IS_NULL" and not column.empty_is_known:
            raise self._who_is_unknown(node, column)

    def _compare(self, node: Node) -> None:
        left, right = node["left"], node["right"]
        if left["class"] == "CONSTANT":
            left, right = right, left
        if right["type"] == "COLUMN_REF" and left["type"] == "COLUMN_REF":
            self._two_columns(node, self.column(left), self.column(right))
        elif node["type"] in _ORDERED:
            self._ordered(node, left, (right,))
        else:
            self._among(node, left, (right,), negated=node["type"] in _OTHERS)

    def _two_columns(self, node: Node, one: SourceColumn, other: SourceColumn) -> None:
        """Two ends of a move differ: allowed. That they are equal is so of two unknown ones too."""
        if not {*one.hierarchies} & {*other.hierarchies} or node["type"] in _ORDERED:
            raise self._form(node)
        if node["type"] not in _OTHERS and (one.may_be_unknown or other.may_be_unknown):
            message = f"{one.name} and {other.name} are equal where both are unknown, too"
            raise self._fault(node, "unknown", message, "only IS DISTINCT FROM compares two such columns")

    def _ordered(self, node: Node, subject: Node, bounds: Iterable[Node]) -> None:
        column = self.column(subject)
        if column.kind != "number":
            remedy = f"{column.name} holds codes: write {column.name} IN (…)"
            raise self._fault(node, "condition", "only numbers are compared by size", remedy)
        for bound in bounds:
            self._literal(bound, column)

    def _among(self, node: Node, subject: Node, values: Iterable[Node], *, negated: bool) -> None:
        """``=``, ``IN`` and their negations against constants."""
        column = self.column(subject)
        for value in values:
            self._known_code(value, column, self._literal(value, column))
        picks_empty = node["type"] in ("COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM")
        if column.kind == "number":
            if picks_empty:
                raise self._who_is_unknown(node, column)
        elif negated and column.may_be_unknown:
            remedy = f"name the codes that count: {column.name} IN ({self._codes(column)})"
            raise self._fault(node, "unknown", f"what is not this {column.name} may be unknown", remedy)

    def _literal(self, node: Node, column: SourceColumn) -> str:
        """The text of a constant of the column's kind."""
        literal = node.get("literal", {})
        kind = _LITERALS.get(literal.get("kind", ""))
        if kind is None:
            raise self._form(node)
        if kind != column.kind:
            wanted = {"text": "a code in quotes", "number": "a whole number", "truth": "true or false"}[column.kind]
            raise self._fault(node, "condition", f"{column.name} is compared with {wanted}", self._example(column))
        return str(literal["text"])

    def _known_code(self, node: Node, column: SourceColumn, code: str) -> None:
        if column.kind != "text":
            return
        if code in (*column.unknown, UNKNOWN) or (DISTRICT in column.hierarchies and code.endswith(f"-{UNKNOWN}")):
            raise self._who_is_unknown(node, column)
        if column.codes is not None and code not in column.codes:
            near = nearest(code, column.codes)
            remedy = f"did you mean '{near}'?" if near else f"its codes are: {self._codes(column)}"
            raise self._fault(node, "code", f"{column.name} has no such code", remedy)

    def _codes(self, column: SourceColumn) -> str:
        codes = [code for code in column.codes or () if code not in (*column.unknown, UNKNOWN)]
        return ", ".join(f"'{code}'" for code in codes[:20]) + (", …" if len(codes) > 20 or not codes else "")

    def _example(self, column: SourceColumn) -> str:
        return f"its codes are: {self._codes(column)}" if column.kind == "text" else f"write {column.name} = …"

    def _who_is_unknown(self, node: Node, column: SourceColumn) -> SelectFault:
        message = f"a statistic cannot select whose {column.name} is unknown: they count in totals only"
        return self._fault(node, "unknown", message, "name the codes that count, or leave the condition out")

    def _form(self, node: Node) -> SelectFault:
        return self._fault(node, "condition", "this condition is not allowed over rows of people", _FORMS)

    def _fault(self, node: Node, code: str, message: str, remedy: str) -> SelectFault:
        return self.statement.fault(node, code, message, remedy)
