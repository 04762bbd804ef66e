"""Defines the published tables that follow from forecasts: the vintages of each, and the scoreboard of all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

import polars as pl

from kobe_platform.forecasts.definition import Forecast
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.definition import DISTRICT
from kobe_platform.vocabulary.codes import Hierarchy, hierarchies

AREA, AGE, TARGET, FIGURE = "area", "age", "target", "figure"
"""Dimensions of a table of vintages; ``age`` only where ages are grouped."""
MONTHS, AHEAD, NAMES = "month", "months_ahead", "forecast"
UNLISTED = (MONTHS, AHEAD, NAMES)
"""Hierarchies of forecasts that no file lists: months, months ahead, names of forecasts."""
SCORED = "scores"
"""The kind of the scoreboard."""
SCOREBOARD = "forecast_scores"
"""The table of what became of every forecast."""


class ForecastTable(Statistic):
    """The published table of a forecast's vintages: one partition an origin.

    Attributes:
        forecast: its definition.
        read_from: sources of the table that it is made from.
        input_group: what the plan calls the tables that its input is made with.
        flow_groups: the same of its tables of events.
        flow_ages: hierarchy of the ages of each of these tables; empty where it has none.
    """

    UNLISTED: ClassVar[tuple[str, ...]] = (*UNLISTED, DISTRICT)
    kind: Literal["forecast"] = "forecast"  # type: ignore[assignment]
    forecast: Forecast
    read_from: tuple[str, ...]
    input_group: str
    flow_groups: tuple[str, ...] = ()
    flow_ages: tuple[str, ...] = ()
    area_hierarchy: str
    age_hierarchy: str = ""

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Sources that its figures come from in the end."""
        return self.read_from

    @property
    def districts(self) -> bool:
        """Whether it forecasts school districts: those of its origin, each by itself, with no total of them."""
        return self.area_hierarchy == DISTRICT

    @property
    def areas(self) -> Hierarchy:
        """The hierarchy of its areas; of school districts, which no file lists, that of their wards."""
        return hierarchies()["ward" if self.districts else self.area_hierarchy]

    @property
    def is_area(self) -> pl.Expr:
        """True of rows of the root and of areas that no others are parts of."""
        if self.districts:
            return ~pl.col(AREA).is_in(self.areas.parts)
        return pl.col(AREA).is_in([self.areas.root, *self.areas.leaves])

    def facts(self) -> dict[str, Any]:
        """What a release tells of the table beside its figures: the model card too."""
        told = self.forecast.model_dump(mode="json", exclude={"name", "title", "description", "owner", "unit"})
        return {**super().facts(), "forecast": {**told, "least_history": self.forecast.least_history}}


class Scoreboard(Statistic):
    """The published table that compares each vintage with what came: one partition a target month.

    Attributes:
        read_from: sources of all forecasts' inputs.
        scored: tables of vintages by name.
    """

    UNLISTED: ClassVar[tuple[str, ...]] = UNLISTED
    kind: Literal["scores"] = "scores"  # type: ignore[assignment]
    read_from: tuple[str, ...]
    scored: dict[str, ForecastTable]

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Sources that its figures come from in the end."""
        return self.read_from


def vintage_table(forecast: Forecast, statistics: Mapping[str, Statistic]) -> ForecastTable:
    """The table of a forecast's vintages.

    Args:
        statistics: those that it reads, by name.
    """
    source = statistics[forecast.input.table]
    flows = [statistics[flow.table] for flow in forecast.flows]
    area = source.dimensions[forecast.input.area]
    ages = {AGE: forecast.grouped} if forecast.grouped else {}
    return ForecastTable(
        name=forecast.name,
        sql="",
        title=forecast.title,
        description=forecast.description,
        owner=forecast.owner,
        period="month",
        unit=forecast.unit,
        measure="value",
        dimensions={AREA: area, **ages, TARGET: MONTHS, FIGURE: "forecast_figure"},
        forecast=forecast,
        read_from=tuple(sorted({name for one in (source, *flows) for name in one.sources})),
        input_group=source.key,
        flow_groups=tuple(sorted({one.key for one in flows})),
        flow_ages=tuple(one.dimensions.get(flow.age, "") for flow, one in zip(forecast.flows, flows, strict=True)),
        area_hierarchy=area,
        age_hierarchy=source.dimensions.get(forecast.input.age, ""),
    )


def scoreboard(tables: Mapping[str, ForecastTable]) -> Scoreboard:
    """The scoreboard of some forecasts."""
    owner = next(iter(tables.values())).owner
    return Scoreboard(
        name=SCOREBOARD,
        sql="",
        title="見込みの成績",
        description="過去の見込みと、その月に実際に公表した値との差。見込み・何か月先か・規模ごと。",
        owner=owner,
        period="month",
        unit="%",
        measure="value",
        dimensions={
            "forecast": NAMES,
            "horizon": AHEAD,
            "size": "size_class",
            "score": "forecast_score",
        },
        read_from=tuple(sorted({source for table in tables.values() for source in table.read_from})),
        scored=dict(tables),
    )
