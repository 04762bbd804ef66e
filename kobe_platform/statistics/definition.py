"""Defines a statistic as its file states it: TOML front matter in the leading comment, then one SELECT."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kobe_platform.statistics.relations import RelationStatement, StockAndFlow
from kobe_platform.statistics.select.counts import Counts, read_counts
from kobe_platform.statistics.select.judging import PUBLIC, tables_of
from kobe_platform.statistics.select.sources import DISTRICT
from kobe_platform.statistics.select.syntax import Node, parse
from kobe_platform.statistics.wishes import Wish
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

_SIDES = ("", "_before", "_after")
PROTECTED = ("frequency", "mean")
"""Kinds of tables that count people: they are protected in groups and audited."""
_AREA_RULE = ("sex", "is_representative")
"""Columns that the area rule reads beside the district and the ward."""
WARD = "ward"
"""Hierarchy of the areas of one municipality, whose root is the municipality as a whole."""
MEAN = ("total", "persons")
"""The measures of a mean: a sum, and how many were measured."""


class Tie(BaseModel):
    """A monthly table whose months sum to this yearly one, cell by cell.

    Attributes:
        table: name of the monthly statistic.
        on: columns in which the two are compared; left out: only their totals are.
        at: column → code of this table's other columns, where only a part of it is that sum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    on: tuple[str, ...] = ()
    at: dict[str, str] = Field(default_factory=dict)


class Averaged(BaseModel):
    """Whose mean a table of means is, so that the auditor knows what a mean says of the counts behind it.

    Attributes:
        table: name of the statistic that counts the same persons.
        column: its column with the bands of what is averaged.
        most: largest number of one person: the open band ends there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    column: str
    most: int


class Statistic(BaseModel):
    """One published table.

    Attributes:
        name: the file's name.
        sql: the SELECT that counts.
        title, description: Japanese words for screens.
        owner: section that answers for the table.
        unit: of the figures, for screens.
        period: ``month``, or ``year`` (computed in the month that closes the year, over the year's months present).
        group: statistics of one group and period are counted, protected and audited together; required unless
            the kind is ``public``.
        population: tables of one population share the cells of their common margins; required unless the kind is
            ``public``.
        kind: ``frequency`` (counts), ``mean`` (``total`` / ``persons``), or ``public`` (passed through).
        measure: column of the figures in the SELECT.
        minimum_frequency: k of a frequency table; fewest persons of a mean; required unless the kind is ``public``.
        member: whether the only person of a hidden cell, who knows that he is, must not work out another one of the
            table (docs/disclosure.md, A lone member); it hides more.
        dimensions: output column → hierarchy of the vocabulary.
        roles: column → role, where two columns or tables use one hierarchy in different roles (origin, destination).
        ties: monthly tables that sum to this yearly one.
        averages: of a mean, which requires it: the counts by band of what is averaged.
        above: ``prefecture``: municipalities' figures are also compared and summed over a prefecture
            (docs/statistics.md, Above one municipality).
        above_title: Japanese title of the table over municipalities; required with ``above``.
        row_key: the pseudonym of its source, in whose order the residual floor chooses rows; the contract says it.
        relations: what is said of its population (:mod:`relations`); the loader fills them in.
        wishes: what the city wishes of single rows (:mod:`wishes`); the loader fills them in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    UNLISTED: ClassVar[tuple[str, ...]] = (DISTRICT,)
    """Hierarchies that no file lists, which its dimensions may have: their codes follow from the data."""

    name: str
    sql: str
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    period: Literal["month", "year"]
    group: str = ""
    population: str = ""
    unit: str
    kind: Literal["frequency", "mean", "public"] = "frequency"
    measure: str
    minimum_frequency: int | None = Field(None, ge=2)
    member: bool = False
    dimensions: dict[str, str]
    roles: dict[str, str] = Field(default_factory=dict)
    ties: tuple[Tie, ...] = ()
    averages: Averaged | None = None
    above: Literal["", "prefecture"] = ""
    above_title: str = ""
    row_key: str = ""
    relations: tuple[RelationStatement, ...] = ()
    wishes: tuple[Wish, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Statistic:
        unknown = set(self.dimensions.values()) - {*hierarchies(), *self.UNLISTED}
        if unknown:
            raise ValueError(f"there is no hierarchy {sorted(unknown)[0]}")
        if self.is_protected and not (self.group and self.population and self.minimum_frequency):
            raise ValueError("group, population and minimum_frequency are required")
        if (self.kind == "mean") != (self.averages is not None):
            raise ValueError("a mean, and nothing else, says what it averages")
        if self.member and self.kind != "frequency":
            raise ValueError("a lone member is asked about in tables of counts that are protected")
        if set(self.roles) - set(self.dimensions):
            raise ValueError("a role names a column that is no dimension")
        if not self.is_protected:
            return self
        if list(self.dimensions.values()).count(DISTRICT) > 1:
            raise ValueError("one column of a table goes by district; the other end of a move goes by ward")
        if self.by_district and self.kind == "frequency" and self.district_column is None:
            raise ValueError("a table by district selects a plain column as its area: `district AS area`")
        return self

    @model_validator(mode="after")
    def _summed_above(self) -> Statistic:
        if bool(self.above) != bool(self.above_title):
            raise ValueError("above and above_title go together")
        if self.above and (self.kind, [*self.dimensions.values()].count(WARD)) != ("frequency", 1):
            raise ValueError("a table that is summed above counts people by one column of wards")
        return self

    @property
    def is_protected(self) -> bool:
        """Whether it counts people, so that it belongs to a protection group."""
        return self.kind in PROTECTED

    @cached_property
    def counts(self) -> Counts:
        """What the SELECT counts; public tables count nothing.

        Raises:
            SelectFault: it is no count that the platform can run in all its forms.
        """
        mean = self.kind == "mean"
        return read_counts(self.sql, tuple(self.dimensions), MEAN if mean else (self.measure,), mean=mean)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Sources that the SELECT reads, from the statement itself."""
        return tuple(sorted(self.tables)) if self.kind == "public" else (self.counts.source,)

    @cached_property
    def tables(self) -> Mapping[str, Node]:
        """The sources that a public table reads, each with the part of the SELECT that names it."""
        return tables_of(parse(self.sql), PUBLIC)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what is counted and by which rule; what is wished of rows is an input of its own, and what is
        made of the table above its municipality does not change it.
        """
        told = json.dumps(
            self.model_dump(mode="json", exclude={"wishes", "above", "above_title"}), sort_keys=True, ensure_ascii=False
        )
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def stock_and_flow(self) -> StockAndFlow | None:
        """The identity of stock and flow whose verdict this table carries."""
        told = (one for one in self.relations if isinstance(one, StockAndFlow) and one.table == self.name)
        return next(told, None)

    @property
    def key(self) -> str:
        """Group and period, such as ``stocks/month``."""
        return f"{self.group}/{self.period}"

    @property
    def area_column(self) -> str | None:
        """The output column whose hierarchy is ``district``."""
        return next((column for column, name in self.dimensions.items() if name == "district"), None)

    @property
    def ward_column(self) -> str | None:
        """The output column whose hierarchy is ``ward``."""
        return next((column for column, name in self.dimensions.items() if name == WARD), None)

    @property
    def by_district(self) -> bool:
        """True for tables down to the school district."""
        return self.area_column is not None

    @property
    def district_column(self) -> str | None:
        """The source's column that the area is taken from (``district``, ``district_after`` …)."""
        return self.counts.column_of(self.area_column) if self.area_column else None

    def facts(self) -> dict[str, object]:
        """What a release tells of the table beside its figures."""
        return {
            "title": self.title,
            "description": self.description,
            "owner": self.owner,
            "period": self.period,
            "population": self.population,
            "unit": self.unit,
            "kind": self.kind,
            "minimum_frequency": self.minimum_frequency,
            "dimensions": dict(self.dimensions),
        }


def groups(statistics: Iterable[Statistic]) -> dict[str, tuple[Statistic, ...]]:
    """The protected statistics by group and period; public ones and forecasts are in none."""
    found: dict[str, list[Statistic]] = {}
    for statistic in statistics:
        if statistic.is_protected:
            found.setdefault(statistic.key, []).append(statistic)
    return {key: tuple(sorted(members, key=lambda s: s.name)) for key, members in sorted(found.items())}


def columns_needed(statistics: Iterable[Statistic], source: str, available: Iterable[str]) -> list[str]:
    """The columns of a lake source that these statistics need, for dimensions, areas or the residual floor."""
    chosen = [statistic for statistic in statistics if source in statistic.sources]
    named = {column for statistic in chosen for column in statistic.counts.columns}
    derived = {hierarchies()[name].source for name in named & set(hierarchies())}
    needed = named | derived | {statistic.row_key for statistic in chosen}
    for side in _SIDES:
        if f"district{side}" in named:
            needed |= {f"ward{side}", *_AREA_RULE}
    return [column for column in available if column in needed]


def derived_hierarchies(names: Iterable[str], columns: Iterable[str]) -> list[Hierarchy]:
    """The hierarchies that a SELECT names and that can be derived from a source's columns."""
    present = set(columns)
    return [tree for name, tree in hierarchies().items() if name in set(names) and tree.source in present]
