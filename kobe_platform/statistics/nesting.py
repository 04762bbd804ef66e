"""Checks the relations when statistics are loaded: the names exist, and no relation that is needed is missing.

A population that lies within another is found by the conditions of its SELECT: where every condition of one is implied
by a condition of the other, over the same source, everybody of the other is one of the first. Populations of different
sources cannot be compared so; there the loader asks for a statement, if only that they are unrelated (``apart``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from typing import TYPE_CHECKING

from kobe_platform.errors import ConfigurationError
from kobe_platform.statistics.relations import (
    FILE,
    Apart,
    Combines,
    HasMembers,
    Includes,
    RelationStatement,
    StockAndFlow,
    Sums,
    refusal,
)
from kobe_platform.vocabulary.codes import hierarchies

if TYPE_CHECKING:
    from kobe_platform.statistics.definition import Statistic


def check_relations(statistics: Iterable[Statistic], told: Sequence[RelationStatement]) -> None:
    """Refuse statements about nothing, and populations that lie within others where no statement says so.

    Raises:
        ConfigurationError: a population, source, hierarchy or code does not exist (``statistics.relations``), a
            population lies within another, or is the same, and nothing says it, or two sources are counted for one
            period and nothing says what they have to do with each other (``statistics.untied``).
    """
    counted = [s for s in statistics if s.kind == "frequency"]
    _check_names(counted, told)
    _check_groups(counted, told)
    _check_parts(counted, told)
    _check_sources(counted, told)


def declared(told: Iterable[RelationStatement]) -> frozenset[tuple[str, str]]:
    """(part, whole) of all inclusions that statements say, those that follow from two of them included."""
    pairs = {(s.part, s.whole) for s in told if isinstance(s, Includes)}
    for statement in told:
        if isinstance(statement, Sums) and statement.kind == "part_of" and len(statement.right) == 1:
            pairs |= {(term.population, statement.right[0].population) for term in statement.left}
    while True:
        further = {(a, d) for a, b in pairs for c, d in pairs if b == c and a != d} - pairs
        if not further:
            return frozenset(pairs)
        pairs |= further


def lies_within(part: Statistic, whole: Statistic) -> bool:
    """Whether every row that ``part`` counts is one that ``whole`` counts, as far as their conditions tell."""
    if part.sources != whole.sources:
        return False
    have = conditions(part)
    return all(any(_implies(own, wanted) for own in have) for wanted in conditions(whole))


def conditions(statistic: Statistic) -> list[Mapping]:
    """The conditions of a SELECT that all must hold, as DuckDB's syntax tree has them, without places."""
    where = statistic.counts.statement.node["where_clause"]
    return [] if where is None else _all_of(_plain_node(where))


def _all_of(condition: Mapping) -> list[Mapping]:
    if condition.get("type") == "CONJUNCTION_AND":
        return [part for child in condition["children"] for part in _all_of(child)]
    return [condition]


def _plain_node(node: Mapping) -> Mapping:
    names = [str(name).lower() for name in node.get("column_names", ())][-1:]  # without the name of the source
    plain = {k: _plain(v) for k, v in node.items() if not k.startswith("query_location") and k != "alias"}
    return {**plain, "column_names": names} if names else plain


def _plain(node: object) -> object:
    if isinstance(node, Mapping):
        return _plain_node(node)
    return [_plain(part) for part in node] if isinstance(node, list) else node


def _implies(own: Mapping, wanted: Mapping) -> bool:
    if own == wanted:
        return True
    one, other = _values(own), _values(wanted)
    return one is not None and other is not None and one[0] == other[0] and one[1] <= other[1]


def _values(condition: Mapping) -> tuple[str, frozenset[str]] | None:
    """The column (or expression) and the constants that it must be one of; None for other conditions."""
    if condition.get("type") == "COMPARE_EQUAL":
        tested, constants = condition["left"], [condition["right"]]
    elif condition.get("type") == "COMPARE_IN":
        tested, *constants = condition["children"]
    else:
        return None
    if any(constant.get("class") != "CONSTANT" for constant in constants):
        return None
    return json.dumps(tested, sort_keys=True), frozenset(json.dumps(c, sort_keys=True) for c in constants)


def _check_names(counted: Sequence[Statistic], told: Sequence[RelationStatement]) -> None:
    populations = {s.population for s in counted}
    sources = {source for s in counted for source in s.sources}
    for statement in told:
        names = {*statement.populations} - populations
        if isinstance(statement, Apart):
            names |= {*statement.sources} - sources
        if isinstance(statement, StockAndFlow):
            names |= {statement.table} - {s.name for s in counted} | {statement.flows} - sources
        if names:
            raise refusal("a relation names what no statistic counts", kind=statement.kind, name=min(names))
        if isinstance(statement, Combines | HasMembers):
            _check_hierarchies(statement)


def _check_hierarchies(statement: Combines | HasMembers) -> None:
    names = (statement.one, statement.other) if isinstance(statement, Combines) else (statement.hierarchy,)
    for name in (*names, *(statement.within if isinstance(statement, HasMembers) else ())):
        if name not in hierarchies():
            raise refusal("a relation names no hierarchy", kind=statement.kind, name=name)
    if isinstance(statement, HasMembers):
        if not hierarchies()[statement.hierarchy].breaks:
            raise refusal("members need a hierarchy of bands", kind=statement.kind, name=statement.hierarchy)
        return
    one, other = (set(hierarchies()[name].leaves) for name in names)
    strange = (set(statement.possible) - one) | ({c for codes in statement.possible.values() for c in codes} - other)
    if strange:
        raise refusal("a relation names no code of its hierarchy", kind=statement.kind, name=min(strange))


def _check_groups(counted: Sequence[Statistic], told: Sequence[RelationStatement]) -> None:
    """What is tied is protected and audited together: populations of one statement stand in one group of a period."""
    for statement in told:
        tied = [s for s in counted if s.population in statement.populations]
        for one, other in combinations(tied, 2):
            if one.period == other.period and one.group != other.group:
                raise _untied(
                    f"{one.population} and {other.population} are tied, and protected in different groups",
                    other,
                    f'give them one group: group = "{one.group}"',
                )


def _check_parts(counted: Sequence[Statistic], told: Sequence[RelationStatement]) -> None:
    said = declared(told)
    first: dict[str, Statistic] = {}
    for statistic in counted:
        first.setdefault(statistic.population, statistic)
    for part, whole in permutations(first, 2):
        if (part, whole) in said or not lies_within(first[part], first[whole]):
            continue
        if lies_within(first[whole], first[part]):
            raise _untied(
                f"the populations {part} and {whole} are the same people", first[part], "give them one population"
            )
        raise _untied(
            f"everybody of {part} is one of {whole}, and nothing says so",
            first[part],
            f'add [[includes]] whole = "{whole}", part = "{part}" to {FILE}',
        )


def _check_sources(counted: Sequence[Statistic], told: Sequence[RelationStatement]) -> None:
    apart = {frozenset(s.sources) for s in told if isinstance(s, Apart)}
    of_population = {s.population: s for s in counted}
    for statement in told:
        if not isinstance(statement, StockAndFlow | Apart):
            sources = sorted({of_population[name].sources[0] for name in statement.populations})
            apart |= {frozenset(pair) for pair in combinations(sources, 2)}
    first: dict[tuple[str, str], Statistic] = {}
    for statistic in counted:
        for source in statistic.sources:
            first.setdefault((statistic.period, source), statistic)
    for (period, one), (other_period, other) in combinations(sorted(first), 2):
        if period == other_period and frozenset((one, other)) not in apart:
            raise _untied(
                f"{one} and {other} are counted for one {period}, and nothing says whether they count the same people",
                first[period, one],
                f"say in {FILE} which population includes which, or [[apart]] why none does",
            )


def _untied(message: str, statistic: Statistic, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        message,
        code="statistics.untied",
        at={"file": f"{statistic.name}.sql"},
        remedy=remedy,
        ja="ほかの表と同じ人を数えていますが、その関係が定義されていません",
    )
