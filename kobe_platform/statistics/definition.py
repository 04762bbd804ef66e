"""A statistic as its file says it: TOML front matter in the leading comment, then one SELECT of the finest cells."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary import UNKNOWN, Hierarchy, hierarchies

_FRONT = re.compile(r"\A\s*/\*(?P<front>.*?)\*/(?P<sql>.*)\Z", re.DOTALL)
_WORD = re.compile(r"\b[a-z_][a-z0-9_]*\b")
_SIDES = ("", "_before", "_after")
LINKS = frozenset(
    {"person_id", "event_id", "household_id"}
    | {f"{name}_{side}{end}" for name, end in (("household", "_id"), ("town", "")) for side in ("before", "after")}
    | {"town"}
)
"""Lake columns that tell rows apart, or protected persons from others: no statistic may name them (privacy.md §4)."""


class Tie(BaseModel):
    """A monthly table whose months sum to this yearly one, cell by cell in the columns ``on`` (else in its total).

    ``at`` names codes of this table's other columns, where only a part of it is that sum.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    on: tuple[str, ...] = ()
    at: dict[str, str] = Field(default_factory=dict)


class Averaged(BaseModel):
    """Whose mean a table of means is: the numbers in bands that the column ``column`` of ``table`` counts.

    ``most`` is the largest number of one person (the open band ends there). So the auditor knows what a mean says of
    the counts behind it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    column: str
    most: int


class Statistic(BaseModel):
    """One published table.

    Attributes:
        name: the file's name.
        period: ``month``, or ``year`` (computed in the month that closes the year, over the year's months present).
        group: statistics of one group and period are counted, covered, protected and audited together.
        population: tables of one population share the cells of their common margins.
        kind: ``frequency`` (counts), ``mean`` (``total`` / ``persons``), or ``public`` (passed through).
        measure: column of the counts in the SELECT.
        minimum_frequency: k of a frequency table; fewest persons of a mean.
        dimensions: output column → hierarchy of the vocabulary.
        roles: column → role, where two columns or tables use one hierarchy in different roles (origin, destination).
        ties: monthly tables that sum to this yearly one.
        averages: of a mean: the counts by band of what is averaged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    dimensions: dict[str, str]
    roles: dict[str, str] = Field(default_factory=dict)
    ties: tuple[Tie, ...] = ()
    averages: Averaged | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statistic:
        unknown = set(self.dimensions.values()) - {*hierarchies(), "district"}
        if unknown:
            raise ValueError(f"there is no hierarchy {sorted(unknown)[0]}")
        if self.kind != "public" and not (self.group and self.population and self.minimum_frequency):
            raise ValueError("group, population and minimum_frequency are required")
        if (self.kind == "mean") != (self.averages is not None):
            raise ValueError("a mean, and nothing else, says what it averages")
        if set(self.roles) - set(self.dimensions):
            raise ValueError("a role names a column that is no dimension")
        if LINKS & self.words:
            raise ValueError(f"a statistic cannot select {sorted(LINKS & self.words)[0]}")
        if f"'{UNKNOWN}'" in self.sql:
            raise ValueError("a statistic cannot select who is unknown: they count in totals only")
        if self.by_district and self.kind == "frequency" and self.district_column is None:
            raise ValueError("a table by district selects a plain column as its area: `district AS area`")
        return self

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Lake sources that the SELECT reads, from the statement itself."""
        import duckdb

        return tuple(sorted(duckdb.get_table_names(self.sql)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the definition."""
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name that stands in the SELECT."""
        return frozenset(_WORD.findall(re.sub(r"'[^']*'", "", self.sql)))

    @property
    def key(self) -> str:
        """Group and period, such as ``stocks/month``."""
        return f"{self.group}/{self.period}"

    @property
    def area_column(self) -> str | None:
        """The output column whose hierarchy is ``district``."""
        return next((column for column, name in self.dimensions.items() if name == "district"), None)

    @property
    def by_district(self) -> bool:
        """True for tables down to the school district."""
        return self.area_column is not None

    @property
    def district_column(self) -> str | None:
        """The source's column that the area is taken from (``district``, ``district_after`` …)."""
        found = re.search(rf"\b(district\w*)\s+AS\s+{self.area_column}\b", self.sql, re.IGNORECASE)
        return found.group(1) if found else None

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


def load_statistics(directory: Path) -> dict[str, Statistic]:
    """Every ``*.sql`` of a folder by name.

    Raises:
        ConfigurationError: a file has no front matter, misses a key, or holds no single SELECT (file, line or key), or
            two tables count the same people by groups that overlap without nesting (``statistics.overlap``).
    """
    statistics = {path.stem: _load(path) for path in sorted(Path(directory).glob("*.sql"))}
    _refuse_overlaps(statistics.values())
    return statistics


def _refuse_overlaps(statistics: Iterable[Statistic]) -> None:
    """Of groups that overlap (0-24 beside 0-9 and 10-19) the difference follows, a count that no table protects."""
    from kobe_platform.statistics.trees import overlapping

    used: dict[tuple[str, str], dict[str, str]] = {}
    for statistic in statistics:
        if statistic.kind != "frequency":
            continue
        here = used.setdefault((statistic.key, statistic.population), {})
        for hierarchy in statistic.dimensions.values():
            strange = next((other for other in here if overlapping(hierarchy, other)), None)
            if strange is not None:
                raise ConfigurationError(
                    f"{hierarchy} overlaps {strange} of {here[strange]}.sql without nesting: their difference follows",
                    code="statistics.overlap",
                    at={"file": f"{statistic.name}.sql"},
                    remedy="take a hierarchy whose groups lie whole in the other's, or hold them whole",
                    ja="同じ人たちの別の表と区分の切れ目が食い違い、差から人数が分かります",
                )
            here.setdefault(hierarchy, statistic.name)


def groups(statistics: Iterable[Statistic]) -> dict[str, tuple[Statistic, ...]]:
    """The protected statistics by group and period; public ones are in none."""
    found: dict[str, list[Statistic]] = {}
    for statistic in statistics:
        if statistic.kind != "public":
            found.setdefault(statistic.key, []).append(statistic)
    return {key: tuple(sorted(members, key=lambda s: s.name)) for key, members in sorted(found.items())}


def columns_needed(statistics: Iterable[Statistic], source: str, available: Iterable[str]) -> list[str]:
    """The columns of a lake source that these statistics read, directly or through a derived dimension."""
    chosen = [statistic for statistic in statistics if source in statistic.sources]
    words = {word for statistic in chosen for word in statistic.words}
    derived = {hierarchies()[name].source for name in words & set(hierarchies())}
    needed = words | derived
    for side in _SIDES:
        if f"district{side}" in words:
            needed |= {f"ward{side}", "person_id", "event_id"}
    return [column for column in available if column in needed]


def derived_hierarchies(words: Iterable[str], columns: Iterable[str]) -> list[Hierarchy]:
    """The hierarchies that stand in a SELECT and can be derived from a source's columns."""
    present = set(columns)
    return [tree for name, tree in hierarchies().items() if name in set(words) and tree.source in present]


def shape(statement: str) -> Mapping:
    """DuckDB's parse of one statement: ``{"error": …}`` when it is not a single SELECT."""
    row = _parser().cursor().execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchone()
    return json.loads(row[0])


@cache
def _parser():
    """DuckDB as a parser, opened once: a database of its own for each statement costs twenty times the parsing."""
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1})


def _load(path: Path) -> Statistic:
    text = path.read_text(encoding="utf-8")
    match = _FRONT.match(text)
    if match is None:
        raise _refusal(path, "a statistic begins with its front matter in a comment", line=1)
    try:
        front = tomllib.loads(match["front"])
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, "the front matter is not TOML", reason=str(error)) from None
    sql = match["sql"].strip().rstrip(";")
    parsed = shape(sql)
    if parsed.get("error") or len(parsed.get("statements", ())) != 1:
        line = text[: match.start("sql")].count("\n") + 1
        raise _refusal(path, "below the front matter stands exactly one SELECT", line=line)
    try:
        return Statistic(name=path.stem, sql=sql, **front)
    except (ValidationError, TypeError) as error:
        first = error.errors(include_input=False, include_url=False)[0] if isinstance(error, ValidationError) else {}
        key = ".".join(str(part) for part in first.get("loc", ())) or "front matter"
        raise _refusal(
            path, f"the front matter is not complete: {first.get('msg', 'a key is given twice')}", key=key
        ) from None


def _refusal(path: Path, message: str, **at: str | int) -> ConfigurationError:
    return ConfigurationError(
        message,
        code="statistics.definition",
        at={"file": path.name, **at},
        remedy="see docs/statistics.md, How to add a statistic",
        ja="統計の定義ファイルに誤りがあります",
    )
