"""Reads the relations between published figures from ``relations.toml``, for protection, audit and the checks.

A relation is, for example, that foreign residents are residents, or that a stock is last month's plus the flows. A
statement names populations, not tables, so it also holds for tables that are added later. :func:`definitions` turns
the statements into the form that the disclosure engine and the auditor read; the checks of identities and the documents
read the same statements.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kobe_platform.disclosure import Combination, Dimension, Inclusion, Members, Relation, Term
from kobe_platform.errors import ConfigurationError
from kobe_platform.statistics.trees import gathers
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies
from kobe_platform.vocabulary.municipality import localized

if TYPE_CHECKING:
    from kobe_platform.statistics.definition import Statistic

FILE = "relations.toml"


class _Statement(BaseModel):
    """The key that every statement has.

    Attributes:
        because: why it holds, for the privacy officer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    because: str = Field(min_length=1)

    @property
    def populations(self) -> frozenset[str]:
        """The populations that it is about."""
        return frozenset()


class Includes(_Statement):
    """Every member of one population is also a member of another.

    Attributes:
        whole: the population that holds the other.
        part: the population that lies in it.
    """

    kind: Literal["includes"] = "includes"
    whole: str
    part: str

    @property
    def populations(self) -> frozenset[str]:
        """Whole and part."""
        return frozenset({self.whole, self.part})


class HasMembers(_Statement):
    """A group has at least as many members in ``whole`` as the lower bound of its size band in ``hierarchy``.

    Attributes:
        whole: the population of the members.
        groups: the population of the groups, such as households.
        hierarchy: the hierarchy of the groups' sizes in bands.
        within: hierarchies of which all members of a group have one code.
    """

    kind: Literal["members"] = "members"
    whole: str
    groups: str
    hierarchy: str
    within: tuple[str, ...] = ()

    @property
    def populations(self) -> frozenset[str]:
        """Groups and their members' population."""
        return frozenset({self.whole, self.groups})


class Combines(_Statement):
    """The pairs of codes of two hierarchies that one member of a population can have.

    Attributes:
        population: the population.
        one, other: the two hierarchies.
        possible: code of ``one`` → codes of ``other``; a code that is not named goes with every code.
    """

    kind: Literal["combinations"] = "combinations"
    population: str
    one: str
    other: str
    possible: dict[str, tuple[str, ...]] = Field(min_length=1)

    @property
    def populations(self) -> frozenset[str]:
        """The one population."""
        return frozenset({self.population})


class Summand(BaseModel):
    """A population's counts.

    Attributes:
        population: the population.
        role: role that the compared columns have in its tables (``roles`` of the statistic), such as destination.
        at: column → code, of columns that are not compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: str
    role: str = ""
    at: dict[str, str] = Field(default_factory=dict)


class Sums(_Statement):
    """Σ left = Σ right (``balances``), or Σ left ≤ Σ right (``part_of``).

    Attributes:
        on: columns in which both sides are compared, code by code; left out: only the totals are.
        left: populations that are summed on the left.
        right: populations that are summed on the right.
    """

    kind: Literal["balances", "part_of"]
    on: tuple[str, ...] = ()
    left: tuple[Summand, ...] = Field(min_length=1)
    right: tuple[Summand, ...] = Field(min_length=1)

    @property
    def populations(self) -> frozenset[str]:
        """Those of both sides."""
        return frozenset(term.population for term in (*self.left, *self.right))


class StockAndFlow(_Statement):
    """Stock = stock a month before + entering − leaving, in the lake, by the column ``area``.

    Attributes:
        population: the population of the stock.
        table: statistic of the stock whose partition carries the verdict of the check; its source is the stock's.
        flows: the source of the events.
        event: its lake column of reasons.
        area: lake column of the stock by which it is counted.
        before: lake column of the events: the area before.
        after: lake column of the events: the area after.
        entering: reasons of events that add one to the area after.
        leaving: reasons of events that take one from the area before.
    """

    kind: Literal["stock_and_flow"] = "stock_and_flow"
    population: str
    table: str
    flows: str
    event: str
    area: str
    before: str
    after: str
    entering: tuple[str, ...] = Field(min_length=1)
    leaving: tuple[str, ...] = Field(min_length=1)

    @property
    def populations(self) -> frozenset[str]:
        """The stock."""
        return frozenset({self.population})


class Apart(_Statement):
    """Two sources whose populations have no relation to each other.

    Attributes:
        sources: names of the two sources.
    """

    kind: Literal["apart"] = "apart"
    sources: tuple[str, str]


RelationStatement = Includes | HasMembers | Combines | Sums | StockAndFlow | Apart
STATEMENTS: Mapping[str, type[RelationStatement]] = {
    "includes": Includes, "members": HasMembers, "combinations": Combines, "balances": Sums,
    "part_of": Sums, "stock_and_flow": StockAndFlow, "apart": Apart,
}  # fmt: skip
"""Name of a table in the file → the model of its statements."""


def load_relations(directory: Path) -> tuple[RelationStatement, ...]:
    """The statements of a folder of statistics; none where it has no ``relations.toml``.

    Raises:
        ConfigurationError: the file is not TOML, or a statement is not complete (file, kind, number, key).
    """
    path = Path(directory) / FILE
    if not path.exists():
        return ()
    try:
        tables = tomllib.loads(localized(path.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refusal("the relations are not TOML", reason=type(error).__name__) from None
    found: list[RelationStatement] = []
    for kind, entries in tables.items():
        if kind not in STATEMENTS or not isinstance(entries, list):
            raise refusal("there is no such kind of relation", kind=kind)
        for number, entry in enumerate(entries, start=1):
            try:
                found.append(STATEMENTS[kind].model_validate(dict(kind=kind, **entry)))
            except (ValidationError, TypeError) as error:
                first = error.errors(include_input=False, include_url=False)[0] if hasattr(error, "errors") else {}
                key = ".".join(str(part) for part in first.get("loc", ())) or "statement"
                raise refusal("a relation is not complete", kind=kind, number=number, key=key) from None
    return tuple(found)


def refusal(message: str, **at: str | int) -> ConfigurationError:
    """An error about the file of relations."""
    return ConfigurationError(
        message,
        code="statistics.relations",
        at={"file": FILE, **at},
        remedy="see docs/statistics.md, Relations",
        ja="表どうしの関係の定義に誤りがあります",
    )


@dataclass(frozen=True)
class Entry:
    """A table of a specification, described by what the statements need of it.

    Attributes:
        name: in the specification; population: its label there.
        period: tables of different periods have no relation but the sum over periods.
    """

    statistic: Statistic
    name: str
    population: str
    period: str = ""


def statements(statistics: Iterable[Statistic]) -> tuple[RelationStatement, ...]:
    """The statements about the populations of these statistics, each once."""
    found: list[RelationStatement] = []
    for statistic in statistics:
        found += [statement for statement in statistic.relations if statement not in found]
    return tuple(found)


def definitions(entries: Sequence[Entry], dimensions: Mapping[str, Dimension]) -> dict[str, tuple]:
    """The statements about some tables, in the form that a specification has for them.

    Args:
        entries: every table of the specification, those of other periods included.
        dimensions: the specification's dimensions.

    Raises:
        ConfigurationError: codes that are combined lie across the groups of a table's hierarchy.
    """
    said: dict[str, list] = {"includes": [], "combinations": [], "members": [], "relations": []}
    told = statements(entry.statistic for entry in entries)
    for period in sorted({entry.period for entry in entries}):
        now = [entry for entry in entries if entry.period == period]
        label = {entry.statistic.population: entry.population for entry in now}
        for statement in told:
            if isinstance(statement, Sums):
                said["relations"] += _sums(statement, now, period)
            elif not statement.populations or not statement.populations <= set(label):
                continue
            elif isinstance(statement, Includes):
                said["includes"].append(Inclusion(part=label[statement.part], whole=label[statement.whole]))
            elif isinstance(statement, Combines):
                said["combinations"] += _combination(statement, now, label, dimensions)
            elif isinstance(statement, HasMembers):
                said["members"] += _members(statement, now, label, dimensions)
    return {key: tuple(dict.fromkeys(found) if key == "includes" else found) for key, found in said.items()}


def _sums(statement: Sums, entries: Sequence[Entry], period: str) -> list[Relation]:
    """The relation, where every summand has a table with the columns that it needs."""
    left, right = (
        tuple(
            Term(table=entry.name, at=term.at)
            for term in side
            if (entry := _table(term, statement.on, entries)) is not None
        )
        for side in (statement.left, statement.right)
    )
    if len(left) < len(statement.left) or len(right) < len(statement.right):
        return []
    name = f"{_named(statement.left)} {statement.kind} {_named(statement.right)} {period}".strip()
    sense = "<=" if statement.kind == "part_of" else "="
    return [Relation(name=name, on=statement.on, left=left, right=right, sense=sense)]


def _named(side: Sequence[Summand]) -> str:
    return ", ".join(f"{term.population} {term.role}".strip() for term in side)


def _table(term: Summand, on: Sequence[str], entries: Sequence[Entry]) -> Entry | None:
    """The table of a summand with the finest codes in the columns compared and the fewest other columns."""
    fitting = [
        entry
        for entry in entries
        if entry.statistic.population == term.population
        and {*on, *term.at} <= set(entry.statistic.dimensions)
        and all(entry.statistic.roles.get(column, "") == term.role for column in on)
    ]
    return min(fitting, key=lambda e: (-_depth(e, on), len(e.statistic.dimensions), e.name), default=None)


def _depth(entry: Entry, on: Sequence[str]) -> int:
    order = {"district": 2, "ward": 1}
    return sum(order.get(entry.statistic.dimensions[column], 0) for column in on)


def _combination(
    statement: Combines, entries: Sequence[Entry], label: Mapping[str, str], dimensions: Mapping[str, Dimension]
) -> list[Combination]:
    """The statement over the finest dimensions that the population's tables have, where they have both."""
    own = [entry for entry in entries if entry.statistic.population == statement.population]
    one, other = (_base(hierarchies()[name], own, dimensions) for name in (statement.one, statement.other))
    if one is None or other is None:
        return []
    left, right = _codes_of(statement.one, one), _codes_of(statement.other, other)
    unknown = dimensions[other].residual
    possible = {
        code: (*(c for c, held in right.items() if _meet(statement, codes, held)), *unknown)
        for code, codes in left.items()
    }
    return [Combination(population=label[statement.population], one=one, other=other, possible=possible)]


def _meet(statement: Combines, left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether a member with one of these codes can also have one of those."""
    return any(code not in statement.possible or set(statement.possible[code]) & set(right) for code in left)


def _base(fact: Hierarchy, entries: Sequence[Entry], dimensions: Mapping[str, Dimension]) -> str | None:
    """The finest dimension of the tables that is derived from the same column; None where there is none."""
    for entry in entries:
        for name in entry.statistic.dimensions.values():
            if name != "district" and hierarchies()[name].source == fact.source:
                return dimensions[name].of or name
    return None


def _codes_of(fact: str, base: str) -> dict[str, tuple[str, ...]]:
    """Finest code of the dimension in use → the codes of the statement's hierarchy that it holds, or lies in."""
    said, used = hierarchies()[fact], hierarchies()[base]
    if fact == base:
        return {code: (code,) for code in said.leaves}
    if (finer := gathers(used, said)) is not None:
        return {code: (held,) for held, codes in finer.items() for code in codes}
    if (wider := gathers(said, used)) is not None:
        return dict(wider)
    raise refusal("codes that are combined lie across the groups of a table", hierarchy=base)


def _members(
    statement: HasMembers, entries: Sequence[Entry], label: Mapping[str, str], dimensions: Mapping[str, Dimension]
) -> list[Members]:
    fact = hierarchies()[statement.hierarchy]
    own = [entry for entry in entries if entry.statistic.population == statement.groups]
    base = _base(fact, own, dimensions)
    if base is None:
        return []
    used = hierarchies()[base]
    return [
        Members(
            groups=label[statement.groups],
            of=label[statement.whole],
            dimension=base,
            least=dict(zip(used.leaves, used.breaks, strict=True)),
            on=tuple(name for name in statement.within if name in dimensions),
        )
    ]
