"""Defines what a watched series' file states: which published figures are compared with what they usually are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WatchInput(_Strict):
    """The published figures that are watched.

    Attributes:
        table: a protected monthly table of counts.
        area: its dimension of areas (wards, or the city alone); left out: the table is of the city.
        by: a further dimension, of which each finest code is a series of its own; left out: none.
        at: code of every other dimension.
    """

    table: str
    area: str = ""
    by: str = ""
    at: dict[str, str] = {}


class WatchParameters(_Strict):
    """What the method is told.

    Attributes:
        years: years that the season is taken from.
        working_days: whether a month's working days count.
    """

    years: int = Field(3, ge=1, le=5)
    working_days: bool = True


class Watch(_Strict):
    """One file of watched series.

    Attributes:
        name: the file's name.
        title: Japanese words for screens, as 転入.
        unit: of the figures.
        owner: section that is told of what stands out and says what it knows of it; left out: the table's owner.
        input: the published figures.
        method: ``season`` for what happens in a month, ``change`` for what there is at its end.
        parameters: what the method is told.
    """

    name: str
    title: Words
    unit: Words
    owner: str = ""
    input: WatchInput
    method: Literal["season", "change"]
    parameters: WatchParameters = WatchParameters()
