"""Defines a forecast as its file states it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from kobe_platform.forecasts.components import Event
from kobe_platform.forecasts.judging import FEWEST_ORIGINS
from kobe_platform.forecasts.methods import BEST, LEAST_HISTORY
from kobe_platform.vocabulary.months import FORM, shifted

Month = Annotated[str, StringConstraints(pattern=rf"^{FORM}$")]
Words = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ForecastInput(_Strict):
    """The published series that is forecast.

    Attributes:
        table: a protected monthly table of counts.
        area: its dimension of areas, whose root is the area that all others are parts of.
        age: its dimension of single years of age, for cohorts; left out: there is none.
        at: code of every other dimension.
    """

    table: str
    area: str = "area"
    age: str = ""
    at: dict[str, str] = {}


class FlowInput(_Strict):
    """A published table of events that ``cohort_component`` reads beside the series; several of one event are summed.

    Attributes:
        event: births and deaths by area, deaths_by_age (of the whole city), entering and leaving by area and age.
        table: a protected yearly table of counts.
        area: its dimension of areas; left out: there is none.
        age: its dimension of ages in bands; left out: there is none.
        ages: the bands that are read, of any level, together all ages; left out: the finest.
        at: code of every other dimension.
    """

    event: Event
    table: str
    area: str = ""
    age: str = ""
    ages: tuple[str, ...] = ()
    at: dict[str, str] = {}


class MethodParameters(_Strict):
    """What the method is told; each method reads what concerns it (docs/forecasts.md, Methods).

    Attributes:
        variant: whether a cohort's change is a ratio or a difference.
        pseudo_persons: persons of the parent's change that are mixed into each area's.
        smoothing: ages on each side that share one change.
        controlled: whether areas are scaled to the parent's own forecast.
        years: years that the season, or rates of births, deaths and moves, are taken from.
        among: methods that ``best`` chooses from.
    """

    variant: Literal["ratio", "difference"] = "ratio"
    pseudo_persons: float = Field(0.0, ge=0)
    smoothing: int = Field(0, ge=0)
    controlled: bool = False
    years: int = Field(3, ge=1)
    among: tuple[str, ...] = ()


class SeriesBreak(_Strict):
    """A month from which the series is another one (rebase, change of base): it is never compared with months before.

    Attributes:
        month: the first month of the new series.
        because: why.
        areas: codes of the areas that it concerns, such as school districts of which one took a part of another; left
            out: all.
    """

    month: Month
    because: Words
    areas: tuple[str, ...] = ()


class Forecast(_Strict):
    """One forecast.

    Attributes:
        name: the file's name.
        title, description: Japanese words for screens.
        owner: section that answers for the forecast.
        unit: of the figures, for screens.
        purpose: what it is for.
        not_for: what it must not be used for.
        failures: known failures.
        next_review: day by which its owner looks at it again.
        input: the published series.
        flows: published tables of events (``cohort_component``).
        ages: of a series by age, the ages that are shown, summed (as codes); left out: see ``grouped``.
        grouped: of a series by age, the hierarchy that ages are shown by.
        method: see docs/forecasts.md, Methods.
        benchmark: the plain method that it must not be worse than.
        parameters: what the method is told.
        horizons: months ahead.
        origins: calendar months from which it forecasts; left out: every month.
        judged: whether the back-test judges each horizon, or all of them together.
        breaks: months from which the series is another one.
        renamed: former code of an area → its code; two that come to one code are summed.
    """

    name: str
    title: Words
    description: Words
    owner: Words
    unit: Words
    purpose: Words
    not_for: tuple[Words, ...] = Field(min_length=1)
    failures: tuple[Words, ...] = ()
    next_review: date
    input: ForecastInput
    flows: tuple[FlowInput, ...] = ()
    ages: tuple[str, ...] = ()
    grouped: str = ""
    method: str
    benchmark: str
    parameters: MethodParameters = MethodParameters()
    horizons: tuple[Annotated[int, Field(ge=1, le=240)], ...] = Field(min_length=1)
    origins: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()
    judged: Literal["horizon", "together"] = "horizon"
    breaks: tuple[SeriesBreak, ...] = ()
    renamed: dict[str, str] = {}

    @field_validator("horizons")
    @classmethod
    def _ascending(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if list(horizons) != sorted(set(horizons)):
            raise ValueError("horizons are given once each, ascending")
        return horizons

    def begins(self, origin: str) -> str:
        """The first month of the series that the origin belongs to; empty where no break lies before it."""
        return max((one.month for one in self.breaks if one.month <= origin and not one.areas), default="")

    def begins_apart(self, origin: str) -> dict[str, str]:
        """The first month of the series of each area that has a break of its own at or before the origin."""
        found: dict[str, str] = {}
        for one in sorted(self.breaks, key=lambda one: one.month):
            if one.month <= origin:
                found |= dict.fromkeys(one.areas, one.month)
        return found

    def is_origin(self, month: str) -> bool:
        """Whether a forecast is made from this month."""
        return not self.origins or int(month[5:]) in self.origins

    @property
    def least_history(self) -> int:
        """Months without a gap, the origin's included, before the nearest horizon can pass its back-test."""
        least = {name: needs(self.parameters.years) for name, needs in LEAST_HISTORY.items()}
        own = min(least[name] for name in self.parameters.among) if self.method == BEST else least[self.method]
        return max(own, least[self.benchmark]) + self.horizons[0] + FEWEST_ORIGINS - 1

    def earliest(self, first: str) -> str:
        """The earliest origin of which there can be a forecast.

        Args:
            first: first month of the input.
        """
        return earliest_origin(
            first, self.least_history, self.origins, [one.month for one in self.breaks if not one.areas]
        )


def earliest_origin(first: str, least_history: int, origins: Sequence[int], breaks: Sequence[str]) -> str:
    """The earliest origin of which there can be a forecast, if no month lacks.

    Args:
        first: first month of the input.
        least_history: months that the series must have, the origin's included.
        origins: calendar months that are forecast from; empty for all.
        breaks: first months of new series.
    """
    month = shifted(max(first, *breaks) if breaks else first, least_history - 1)
    while origins and int(month[5:]) not in origins:
        month = shifted(month, 1)
    return month
