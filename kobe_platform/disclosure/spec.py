"""Reads and checks the specification of a protection: rules, dimensions, tables and the statements that tie them.

It comes from a TOML file or from code. A specification says everything that an outsider is assumed to know except the
figures: the hierarchies, the rule and k, which tables count the same population, and which identities (stock and flow,
part and whole) hold between tables. Beside the description of earlier releases, this is all that the suppressor and the
auditor have in common.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kobe_platform.disclosure.methods.choice import Dominance, Options
from kobe_platform.disclosure.statements import Combination, Inclusion, Mean, Members, Relation, Term
from kobe_platform.errors import DisclosureError

__all__ = [
    "PUBLISHED",
    "SUPPRESSED",
    "Attack",
    "Combination",
    "Costs",
    "Dimension",
    "Inclusion",
    "Mean",
    "Members",
    "Previous",
    "Relation",
    "Rule",
    "Spec",
    "Table",
    "Term",
    "definitions",
]

RESERVED_COLUMNS = ("value", "status", "cell", "shown", "found", "owner", "equation", "row")
"""Names of columns that the files and the auditor use for themselves."""
PUBLISHED, SUPPRESSED = "published", "suppressed"

HierarchySource = pl.DataFrame | dict[str, str | None] | str
"""``code, parent`` frame, ``{code: parent}`` (root: None or ""), or the path of a CSV file beside the specification."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Rule(_Strict):
    """What makes a cell primary, and how open it must stay.

    Attributes:
        minimum_frequency: k; counts of 1 … k−1 are primary.
        interval_width: least distance between two tables that agree with all that is published; default k.
        zeros: ``published`` (the attacker then knows that a hidden cell is ≥ 1) or ``hidden``.
        dominance, p_percent: rules for magnitude tables that have none of their own.
    """

    minimum_frequency: int = Field(10, ge=1)
    interval_width: int | None = Field(None, ge=1)
    zeros: Literal["published", "hidden"] = "published"
    dominance: Dominance | None = None
    p_percent: float | None = Field(None, gt=0, lt=100)

    @property
    def width(self) -> int:
        """The interval width in force."""
        return self.minimum_frequency if self.interval_width is None else self.interval_width


class Costs(_Strict):
    """What a complementary suppression costs; the pattern with the least sum is sought.

    Attributes:
        by: ``count`` – every cell costs the same (its value breaks ties); ``value`` – what its logarithm says.
        totals: factor for every level below a cell, in every dimension (a ward's total once, the city's twice).
        keep: cost of a cell of the pattern given as ``start``, as a share of its ordinary cost.
        rounds: how often at most a part of the pattern is searched again; 0 takes the first one found; without it, as
            often as little work allows (``suppression.search.MOST_COLUMNS``).
    """

    by: Literal["count", "value"] = "count"
    totals: float = Field(1.25, gt=0)
    keep: float = Field(0.5, gt=0, le=1)
    rounds: int | None = Field(None, ge=0)


class Attack(_Strict):
    """What the attacker may know besides what is published.

    Attributes:
        member: whether the attacker may be the one person of a hidden cell and know it; or names of tables: then he
            may, in the cells of these, and it is their cells that he must not work out.
    """

    member: bool | tuple[str, ...] = False

    def asks_of(self, table: str) -> bool:
        """Whether the cells of a table are asked about a lone member."""
        return self.member if isinstance(self.member, bool) else table in self.member


class Dimension(_Strict):
    """A classification.

    Attributes:
        hierarchy: its tree: in a file the name of a CSV file (columns code, parent) beside the specification; without
            one every code but ``total`` is a child of ``total``.
        total: code of the total of a flat dimension.
        residual: finest codes that are counted in totals but never published (unknown district, sex, age).
        of: name of the dimension that this one regroups: codes of the same name are the same node.
        consists_of: of a regrouping, the codes of the base that a code of another name gathers.
    """

    hierarchy: HierarchySource | None = None
    total: str = "total"
    residual: tuple[str, ...] = ()
    of: str | None = None
    consists_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Table(Options):
    """One published table, with its own rules and method where they differ from the rest.

    Attributes:
        name: its file name and key.
        dimensions: its columns: a list of dimensions, or ``{ column = dimension }`` where a column is named otherwise
            than its dimension.
        measure: column of the counts in the finest cells.
        population: tables of one population share the cells of their common margins.
        fixed: already released: its pattern is given (``hidden``) and does not change.
        minimum_frequency, interval_width, zeros: where this table differs from the rule (the strictest table wins
            for a cell that several share).
    """

    name: str = Field(min_length=1)
    dimensions: dict[str, str]
    measure: str = "persons"
    population: str = ""
    fixed: bool = False
    minimum_frequency: int | None = Field(None, ge=1)
    interval_width: int | None = Field(None, ge=1)
    zeros: Literal["published", "hidden"] | None = None

    @field_validator("dimensions", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return dict(value)
        names = list(value)
        if len(set(names)) != len(names):
            raise ValueError("a dimension stands twice")
        return {name: name for name in names}

    @model_validator(mode="after")
    def _reserved(self) -> Table:
        if not 1 <= len(self.dimensions) <= 6:
            raise ValueError("a table has one to six dimensions")
        if set(self.dimensions) & set(RESERVED_COLUMNS):
            raise ValueError(f"a dimension has a name that is taken: {', '.join(RESERVED_COLUMNS)}")
        if len(set(self.dimensions.values())) != len(self.dimensions):
            raise ValueError("two columns have one dimension: define a second dimension with the same hierarchy")
        steps = [step.column for step in self.coarsen.steps] if self.coarsen else []
        for column in (*self.homogeneity, *steps):
            if column not in self.dimensions:
                raise ValueError(f"the table has no column {column}")
        if self.fixed and (self.method != "suppression" or self.coarsen):
            raise ValueError("a fixed table is neither perturbed nor coarsened")
        return self

    def rule(self, default: Rule) -> Rule:
        """The rule of this table: its own keys, then those of ``default``."""
        k = default.minimum_frequency if self.minimum_frequency is None else self.minimum_frequency
        width = self.interval_width
        if width is None:
            width = default.interval_width if self.minimum_frequency is None else None
        return Rule(
            minimum_frequency=k, interval_width=width, zeros=self.zeros or default.zeros,
            dominance=(self.dominance or default.dominance) if self.largest or self.contributor else None,
            p_percent=(self.p_percent or default.p_percent) if self.largest or self.contributor else None,
        )  # fmt: skip


class Previous(_Strict):
    """An earlier release of the same reference date.

    Attributes:
        directory: where its published files lie, seen from the specification's folder.
        specification: the file that it stood under; default: ``spec.toml`` in its directory where there is one, else
            the present specification.
    """

    directory: str
    specification: str | None = None


class Spec(_Strict):
    """The whole specification.

    Attributes:
        rule: what makes a cell primary, for all tables that do not say otherwise.
        costs: what a complementary suppression costs.
        attack: what the attacker may know besides what is published.
        dimensions: name → classification; one that is not described is flat.
        tables: the tables that are published; one at least.
        relations: sums that hold between tables.
        includes: populations that lie in others.
        combinations: which codes of two dimensions go together.
        members: populations whose groups have members in another.
        means: published means over the persons of a table.
        previous: earlier releases of the same reference date, oldest first; a directory alone may be written as text.
    """

    rule: Rule = Rule()
    costs: Costs = Costs()
    attack: Attack = Attack()
    dimensions: dict[str, Dimension] = Field(default_factory=dict)
    tables: tuple[Table, ...] = Field(min_length=1)
    relations: tuple[Relation, ...] = ()
    includes: tuple[Inclusion, ...] = ()
    combinations: tuple[Combination, ...] = ()
    members: tuple[Members, ...] = ()
    means: tuple[Mean, ...] = ()
    previous: tuple[Previous, ...] = ()

    @field_validator("previous", mode="before")
    @classmethod
    def _directories(cls, value: Any) -> Any:
        return [{"directory": entry} if isinstance(entry, str) else entry for entry in value]

    @model_validator(mode="after")
    def _names(self) -> Spec:
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("two tables have one name")
        if not isinstance(self.attack.member, bool) and set(self.attack.member) - set(names):
            raise ValueError(f"member names an unknown table {sorted(set(self.attack.member) - set(names))[0]}")
        for relation in self.relations:
            self._names_of_relation(relation)
        check_methods(self)
        for mean in self.means:
            self._names_of_mean(mean)
        for name, dimension in self.dimensions.items():
            if dimension.of is not None and dimension.of not in self.dimensions:
                raise ValueError(f"dimension {name} regroups an unknown dimension {dimension.of}")
        return self

    def _names_of_relation(self, relation: Relation) -> None:
        names = {table.name for table in self.tables}
        for term in (*relation.left, *relation.right):
            if term.table not in names:
                raise ValueError(f"relation {relation.name} names an unknown table {term.table}")
            columns = self.table(term.table).dimensions
            missing = [c for c in (*relation.on, *term.at) if c not in columns]
            if missing:
                raise ValueError(f"relation {relation.name}: table {term.table} has no column {missing[0]}")

    def _names_of_mean(self, mean: Mean) -> None:
        names = {table.name for table in self.tables}
        if mean.of not in names or mean.table in names:
            raise ValueError(f"the means {mean.table} name an unknown count table, or have its name")
        columns = set(self.table(mean.of).dimensions)
        if mean.dimension not in columns or not set(mean.on) <= columns - {mean.dimension}:
            raise ValueError(f"the means {mean.table} name a column that {mean.of} does not have")

    @model_validator(mode="after")
    def _definitions(self) -> Spec:
        for name in self.defined:
            if name not in {table.population for table in self.tables}:
                raise ValueError(f"a definition names an unknown population {name}")
        for name in {d for c in self.combinations for d in (c.one, c.other)} | {m.dimension for m in self.members}:
            if self.dimension(name).of is not None:
                raise ValueError(f"a definition names {name}, which regroups {self.dimension(name).of}: name that one")
        for table in self.tables:
            if table.population in self.defined and (table.method != "suppression" or table.magnitude):
                raise ValueError(f"a definition ties {table.name}, which is perturbed or holds magnitudes")
        return self

    @model_validator(mode="after")
    def _columns(self) -> Spec:
        for table in self.tables:
            bases = [self.dimension(name).of or name for name in table.dimensions.values()]
            if len(set(bases)) != len(bases):
                raise ValueError(f"two columns of {table.name} group the same codes: keep the finer one")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Spec:
        """Read a TOML specification; hierarchy files are looked for beside it.

        Raises:
            DisclosureError: the file is absent, not TOML, or does not say what it must (coordinates: file, key).
        """
        path = Path(path)
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            raise DisclosureError(
                "the specification cannot be read",
                code="disclosure.spec",
                at={"file": path.name},
                remedy="give a UTF-8 TOML file with [rule], [dimensions.*] and [[tables]]",
            ) from None
        dimensions = document.get("dimensions", {})
        for name, dimension in dimensions.items() if isinstance(dimensions, dict) else ():
            if isinstance(dimension, dict) and isinstance(dimension.get("hierarchy"), str):
                dimension["hierarchy"] = read_hierarchy_file(path.parent / dimension["hierarchy"], name)
        _beside(document, path.parent)
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise DisclosureError(
                f"the specification is not complete: {first['msg']}",
                code="disclosure.spec",
                at={"file": path.name, "key": ".".join(str(part) for part in first["loc"])},
                remedy="see docs/disclosure.md, The specification",
            ) from None

    @property
    def defined(self) -> frozenset[str]:
        """The populations that inclusions, combinations and members name."""
        tied = {name for pair in self.tied for name in pair}
        return frozenset(tied | {combination.population for combination in self.combinations})

    @property
    def tied(self) -> tuple[tuple[str, str], ...]:
        """Pairs of populations that inclusions and members tie."""
        return (*((x.part, x.whole) for x in self.includes), *((x.groups, x.of) for x in self.members))

    def table(self, name: str) -> Table:
        """The table of this name (KeyError when there is none)."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def dimension(self, name: str) -> Dimension:
        """The dimension of this name; one that the specification does not describe is flat."""
        return self.dimensions.get(name, Dimension())


def definitions(spec: Spec, populations: Set[str]) -> dict[str, tuple[Any, ...]]:
    """The definitions among some populations, as the keys of a specification."""
    return {
        "includes": tuple(x for x in spec.includes if {x.part, x.whole} <= populations),
        "combinations": tuple(x for x in spec.combinations if x.population in populations),
        "members": tuple(x for x in spec.members if {x.groups, x.of} <= populations),
    }


def check_methods(spec: Spec) -> None:
    """Refuse what no method can guarantee (ValueError): several methods in one population, a rule that cannot hold."""
    kinds: dict[str, tuple[Any, ...]] = {}
    for table in spec.tables:
        kind = (table.method, table.base, table.noise, table.magnitude)
        if kinds.setdefault(table.population, kind) != kind:
            raise ValueError(f"tables of one population need one method and one kind of measure: {table.name}")
        _check_rounding(table, table.rule(spec.rule))
        _check_sensitivity(table, table.rule(spec.rule))
    perturbed = {t.name for t in spec.tables if t.method != "suppression" or t.magnitude}
    for relation in spec.relations:
        if perturbed & {term.table for term in (*relation.left, *relation.right)}:
            raise ValueError(f"relation {relation.name} ties a table that is perturbed or holds magnitudes")
    for mean in spec.means:
        if mean.of in perturbed:
            raise ValueError(f"the mean {mean.table} is of a table that is perturbed or holds magnitudes")


def _check_rounding(table: Table, rule: Rule) -> None:
    """Check that the base of a rounded table gives the interval that its rule asks for."""
    if table.base is not None and table.base < rule.minimum_frequency:
        raise ValueError(f"the base of {table.name} is less than its minimum frequency")
    if table.base is not None and (rule.interval_width or 0) >= table.base:
        raise ValueError(f"rounding {table.name} to {table.base} leaves intervals of {table.base - 1}")


def _check_sensitivity(table: Table, rule: Rule) -> None:
    """Check that a table has the columns that its sensitivity rules (homogeneity, dominance, p %) need."""
    if table.homogeneity and rule.zeros != "hidden":
        raise ValueError(f'homogeneity of {table.name} needs zeros = "hidden": shown zeros tell it')
    if table.magnitude and not (rule.dominance or rule.p_percent or table.contributors or table.contributor):
        raise ValueError(f"the magnitude table {table.name} has no rule")
    needed = max(rule.dominance.n if rule.dominance else 0, 2 if rule.p_percent else 0)
    if not table.contributor and needed > len(table.largest):
        raise ValueError(f"{table.name} lacks columns of largest contributions for its rule")


def _beside(document: dict[str, Any], folder: Path) -> None:
    """Make the paths of earlier releases those of files beside the specification."""
    entries = document.get("previous")
    if not isinstance(entries, list):
        return
    document["previous"] = [{"directory": e} if isinstance(e, str) else e for e in entries]
    for entry in document["previous"]:
        for key in ("directory", "specification"):
            if isinstance(entry, dict) and isinstance(entry.get(key), str):
                entry[key] = str(folder / entry[key])


def read_hierarchy_file(path: Path, dimension: str) -> pl.DataFrame:
    """``code, parent`` of a hierarchy file, as text.

    Raises:
        DisclosureError: the file is absent or lacks one of the two columns.
    """
    try:
        frame = pl.read_csv(path, infer_schema=False)
        return frame.select("code", "parent")
    except (OSError, pl.exceptions.PolarsError):
        raise DisclosureError(
            "a hierarchy file cannot be read",
            code="disclosure.hierarchy",
            at={"dimension": dimension, "file": path.name},
            remedy="give a UTF-8 CSV file with the columns code,parent",
        ) from None
