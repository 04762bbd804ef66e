"""Holds the state of the synthetic city: all present and past residents and their households, as parallel arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from kobe_platform.synthesis.geography import Geography
from kobe_platform.synthesis.parameters import Parameters

if TYPE_CHECKING:
    from kobe_platform.synthesis.events import Events

NONE = np.iinfo(np.int32).min
"""A date (days since 1970-01-01) or an index that is blank."""

MALE, FEMALE = 1, 2
ELDER, PARTNER, CHILD, OTHER = 0, 1, 2, 3
"""Generations of a household: 続柄 follows from one's own and the head's."""
RESIDENT, MOVED_OUT, DEAD, REMOVED = 1, 2, 3, 9
"""住民状態 as the extract has it."""


@dataclass
class Residents:
    """One entry for each person, present or past; a person keeps the same index.

    Dates are days since 1970-01-01. ``nationality`` indexes the city's nationalities and ``previous`` its counterparts;
    ``status`` is the two-digit residence status as a number; all three are ``NONE`` where they do not apply.
    """

    household: np.ndarray
    sex: np.ndarray
    birth: np.ndarray
    role: np.ndarray
    head: np.ndarray
    state: np.ndarray
    history: np.ndarray
    foreign: np.ndarray
    nationality: np.ndarray
    status: np.ndarray
    became: np.ndarray
    moved_in: np.ndarray
    foreign_since: np.ndarray
    stay_expiry: np.ndarray
    previous: np.ndarray
    protection: np.ndarray
    surname: np.ndarray
    given: np.ndarray

    def __len__(self) -> int:
        return len(self.household)

    def extend(self, other: Residents) -> np.ndarray:
        """Append other people; returns their indices."""
        first = len(self)
        for f in fields(self):
            setattr(self, f.name, np.concatenate([getattr(self, f.name), getattr(other, f.name)]))
        return np.arange(first, len(self), dtype=np.int32)

    def age_on(self, day: int, people: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Completed years on ``day`` (an age is attained at the end of the day before the birthday).

        Counted by calendar: the birthday of someone born on 29 February is, for the day's arithmetic, 1 March.
        """
        birth = self.birth[people].astype("datetime64[D]")
        reached = (np.datetime64("1970-01-01", "D") + day + 1).astype("datetime64[D]")
        month = birth.astype("datetime64[M]")
        month_of_year = month.astype(np.int64) % 12
        day_of_month = (birth - month.astype("datetime64[D]")).astype(np.int64)
        reached_month = reached.astype("datetime64[M]")
        reached_order = int(reached_month.astype(np.int64) % 12) * 32 + int(
            (reached - reached_month.astype("datetime64[D]")).astype(np.int64)
        )
        years = int(reached.astype("datetime64[Y]").astype(np.int64)) - birth.astype("datetime64[Y]").astype(np.int64)
        return (years - (month_of_year * 32 + day_of_month > reached_order)).astype(np.int16)


@dataclass
class Households:
    """One entry for each 世帯番号; ``blank`` says whether the core system left 小学校区 blank."""

    plot: np.ndarray
    lot: np.ndarray
    sub: np.ndarray
    blank: np.ndarray

    def __len__(self) -> int:
        return len(self.plot)

    def found(self, plot: np.ndarray, lot: np.ndarray, sub: np.ndarray, blank: np.ndarray) -> np.ndarray:
        """Add new households; returns their indices."""
        first = len(self)
        self.plot = np.concatenate([self.plot, plot])
        self.lot = np.concatenate([self.lot, lot])
        self.sub = np.concatenate([self.sub, sub])
        self.blank = np.concatenate([self.blank, blank])
        return np.arange(first, len(self), dtype=np.int32)


@dataclass
class City:
    """Parameters, map and people at the end of ``month`` (``numpy.datetime64[M]``)."""

    parameters: Parameters
    geography: Geography
    residents: Residents
    households: Households
    month: np.datetime64
    seed: int
    nationalities: tuple[str, ...]
    counterparts: tuple[str, ...]
    lately: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    """Last month's moves that may yet be cancelled (see ``cancellations.py``)."""
    split_from: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    """Pairs of households of which the first has split from the second."""
    announced: Events | None = None
    """転出 filed this month for a day of the next one: the people still live here."""

    @property
    def last_day(self) -> int:
        """The reference day, days since 1970-01-01."""
        return last_day(self.month)

    @property
    def stock(self) -> np.ndarray:
        """Indices of the residents, ascending."""
        return np.flatnonzero(self.residents.state == RESIDENT).astype(np.int32)

    @property
    def departed(self) -> np.ndarray:
        """Indices of those who once lived here and do no longer, ascending."""
        return np.flatnonzero(self.residents.state != RESIDENT).astype(np.int32)

    def ward_of(self, households: np.ndarray) -> np.ndarray:
        """Ward index of each household."""
        return self.geography.plot_ward[self.households.plot[households]]

    def generator(self, purpose: str) -> np.random.Generator:
        """A random generator for one purpose in the present month, independent of those for other purposes."""
        return np.random.default_rng([self.seed, int(self.month.astype(np.int64)) + 12_000, *purpose.encode()])


def last_day(month: np.datetime64) -> int:
    """Last day of a month as days since 1970-01-01."""
    return int((month + 1).astype("datetime64[D]").astype(np.int64)) - 1


def first_day(month: np.datetime64) -> int:
    """First day of a month as days since 1970-01-01."""
    return int(month.astype("datetime64[D]").astype(np.int64))


def protected_households(residents: Residents) -> np.ndarray:
    """Households with a protected resident (支援措置 1 or 2): all their members count as protected."""
    return np.unique(residents.household[(residents.state == RESIDENT) & np.isin(residents.protection, (1, 2))])
