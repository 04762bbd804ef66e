"""The menu of on-demand statistics: measures, dimensions and limits, from a data file."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kobe_platform.contracts import Contract
from kobe_platform.errors import ConfigurationError
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.loading import judge
from kobe_platform.statistics.select.sources import sources_of
from kobe_platform.statistics.select.syntax import SelectFault
from kobe_platform.statistics.trees import overlapping
from kobe_platform.statistics.trial import tried
from kobe_platform.trials import Trials
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.municipality import localized


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MenuDimension(_Part):
    """A dimension that measures can be counted by.

    Two dimensions of one column (wards and districts, five and ten years) cannot be asked for together.

    Attributes:
        hierarchy: a hierarchy of the vocabulary, or ``district``.
        select: the column of the source, as a SELECT reads it.
        column: its column in an answer; empty: the name of this table.
    """

    hierarchy: str
    select: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    column: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")

    @property
    def title(self) -> str:
        """Japanese name."""
        return "小学校区" if self.hierarchy == "district" else hierarchies()[self.hierarchy].title


class Measure(_Part):
    """What is counted.

    Attributes:
        title: Japanese name on screens.
        unit: what one row is, such as 人.
        source: the lake source whose rows are counted.
        where: condition of the rows that are counted (SQL of this file, never of a request); empty: all rows.
        group: protection group of the published statistics over the same people; an answer is protected with them.
        population: population of the same statistics.
        minimum_frequency: k; a smaller count is not shown.
        dimensions: names of the dimensions of this file that it can be counted by.
    """

    title: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    where: str = ""
    group: str = Field(min_length=1)
    population: str = Field(min_length=1)
    minimum_frequency: int = Field(ge=2)
    dimensions: tuple[str, ...] = Field(min_length=1)


class Menu(_Part):
    """All that may be asked.

    Attributes:
        quota: questions of one person in a calendar month, refused ones included.
        most_dimensions: columns that a question may name; with those that its filters add, one more.
        most_cells: rows of the whole table of a question, totals included.
        dimensions: the dimensions by name.
        measures: what can be counted, by name.
    """

    quota: int = Field(ge=1)
    most_dimensions: int = Field(ge=1, le=4)
    most_cells: int = Field(ge=1)
    dimensions: dict[str, MenuDimension]
    measures: dict[str, Measure]

    @model_validator(mode="after")
    def _consistent(self) -> Menu:
        for name, dimension in self.dimensions.items():
            if dimension.hierarchy not in {*hierarchies(), "district"}:
                raise ValueError(f"dimension {name}: there is no hierarchy {dimension.hierarchy}")
        for name, measure in self.measures.items():
            strange = set(measure.dimensions) - set(self.dimensions)
            if strange:
                raise ValueError(f"measure {name}: there is no dimension {sorted(strange)[0]}")
        return self


def load_menu(
    path: Path,
    statistics: Mapping[str, Statistic] | None = None,
    contracts: Mapping[str, Contract] | None = None,
    trials: Trials | None = None,
) -> Menu:
    """The menu in a TOML file.

    Args:
        statistics: the published ones, to check the menu against (:func:`overlap`).
        contracts: of the sources; with them, every table that can be asked for is judged and tried as a statistic is.
        trials: which of them passed before and need not be tried again.

    Raises:
        ConfigurationError: the file is not what it must be (file, place).
    """
    menu = _read(path)
    told = overlap(menu, statistics) if statistics is not None else ""
    if told:
        raise _refused(path, told)
    if contracts is not None:
        _try(menu, path, contracts, trials or Trials())
    return menu


def column_of(menu: Menu, name: str) -> str:
    """The column of an answer that a dimension stands in."""
    return menu.dimensions[name].column or name


def whole_table(menu: Menu, name: str, dimensions: Sequence[str]) -> Statistic:
    """The table of a measure by some dimensions as a statistic.

    Its name is the digest of what it counts, so equal questions share it.
    """
    measure = menu.measures[name]
    columns = {column_of(menu, one): menu.dimensions[one] for one in dimensions}
    selected = ", ".join(f"{dimension.select} AS {column}" for column, dimension in columns.items())
    where = f"WHERE {measure.where}\n" if measure.where else ""
    sql = f"SELECT {selected}, count(*) AS persons\nFROM {measure.source}\n{where}GROUP BY ALL"
    made_of = json.dumps([sql, measure.population, measure.minimum_frequency, list(dimensions)])
    letters = base64.b32encode(hashlib.sha256(made_of.encode()).digest()).decode().lower()[:12]
    titles = "・".join(dimension.title for dimension in columns.values())
    return Statistic(
        name=f"answer_{letters}",
        sql=sql,
        title=f"{measure.title}（{titles}別）",
        description="オンデマンド集計",
        owner="分析者",
        period="month",
        group=measure.group,
        population=measure.population,
        unit=measure.unit,
        measure="persons",
        minimum_frequency=measure.minimum_frequency,
        dimensions={column: dimension.hierarchy for column, dimension in columns.items()},
    )


def _try(menu: Menu, path: Path, contracts: Mapping[str, Contract], trials: Trials) -> None:
    """Every measure by every dimension: a table of more of them names nothing that these do not."""
    sources, passed = sources_of(contracts), []
    for name, measure in menu.measures.items():
        for dimension in measure.dimensions:
            try:
                table = whole_table(menu, name, [dimension])
                judge(table, sources)
                text = "\n".join(
                    [table.digest, *(contracts[one].model_dump_json(by_alias=True) for one in table.sources)]
                )
                if trials.untried([text]):
                    tried(table, sources)
                    passed.append(text)
            except (SelectFault, ValidationError) as error:
                fault = error if isinstance(error, SelectFault) else error.errors()[0]["ctx"]["error"]
                raise _refused(path, f"measures.{name} by {dimension}: {fault.message}", fault.remedy) from None
    trials.passed(passed)


def overlap(menu: Menu, statistics: Mapping[str, Statistic]) -> str:
    """The first dimension of a measure whose bands overlap others of the same people without nesting; empty if none.

    Of two such hierarchies the difference of their bands follows (0-24 less 0-9 and 10-19): a count that is a cell of
    no table, and so protected by none.
    """
    for name, measure in menu.measures.items():
        offered = [menu.dimensions[one].hierarchy for one in measure.dimensions]
        same_people = [one for one in statistics.values() if one.population == measure.population]
        published = {hierarchy for one in same_people for hierarchy in one.dimensions.values()}
        for one, other in product(offered, sorted({*offered, *published})):
            if overlapping(one, other):
                return f"measures.{name}: {one} overlaps {other}"
    return ""


def _read(path: Path) -> Menu:
    try:
        return Menu.model_validate(tomllib.loads(localized(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        place = ""
        if isinstance(error, ValidationError):
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or first["msg"]
        raise _refused(path, place or type(error).__name__) from None


def _refused(path: Path, place: str, remedy: str = "") -> ConfigurationError:
    return ConfigurationError(
        "the menu of on-demand statistics is not what it must be",
        code="ondemand.menu",
        at={"file": path.name, "place": place},
        remedy=f"{remedy} (docs/ondemand.md)" if remedy else "see docs/ondemand.md",
        ja="オンデマンド集計の定義ファイルに誤りがあります",
    )
