"""Forecasts persons by area and single year of age from births, deaths and moves (cohort-component method).

The bookkeeping is the usual one (Smith, Tayman and Swanson, *A Practitioner's Guide to State and Local Population
Projections*, 2013): a cohort loses who dies and gains who comes less who leaves, and births make the youngest age.
Events are published by year and in wide bands of age, so single years are told apart so:

- deaths: the city's rate of each band grows with age within it as it does from band to band, and is scaled so that the
  band's deaths come out; an area's rates are the city's × its deaths ÷ those that the city's rates expect there.
- moves: what cohorts changed by beyond deaths gives the pattern by single age (residual method); the pattern is shifted
  within each band of age so that the band's net moves come out as they were published, those born in the year left out.
- births: those per resident of 20 to 39 in the last years; persons of age 0 at a year's end ÷ the year's births, over
  all known years, are who stayed. While no more years are known than are looked at, births cancel.

So an age's change is that of the stock in the past, plus one amount a band of moves: the band's net moves less its
deaths come out as published, and how deaths differ between the single ages of a band is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.cohorts import (
    Cube,
    controlled,
    movers,
    quotient,
    ratios_of,
    shrunk_ratios,
    stepped,
    whole_years,
)
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel

Event = Literal["births", "deaths", "deaths_by_age", "entering", "leaving"]
EVENTS: tuple[Event, ...] = get_args(Event)
BIRTHS, DEATHS, DEATHS_BY_AGE, ENTERING, LEAVING = EVENTS
"""What happens: births and deaths by area, deaths of the parent by age, moves into and out of areas by age."""
AGED = (DEATHS_BY_AGE, ENTERING, LEAVING)
PARENTS = (20, 40)
"""Ages, from and below, whose residents births are counted against."""


def cohort_component(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """Cohorts change as before, shifted so that net moves less deaths of the last ``options.years`` years come out.

    What a hidden figure would be needed for has no forecast: an age that an area hides in every month leaves the whole
    area without one. ``variant`` is not read; shrinkage, smoothing and control
    are those of ``cohort_change`` and concern the pattern of moves by single age.

    Raises:
        ConfigurationError: ``forecast.flows`` where the panel has no such events; ``forecast.ages`` and
            ``forecast.horizon`` as ``cohort_change``.
    """
    cube = Cube.of(known, options)
    years = _Years.of(known.flows, cube, options)
    if years is None:
        return np.full((len(whole_years(horizons)), known.keys.height), np.nan)
    before, after = cube.changes(options)
    ratios = shrunk_ratios(before, after, ratios_of(before[cube.parent], after[cube.parent]), options.pseudo_persons)
    factors = np.maximum(ratios + _shift(years, ratios, options), 0.0)
    born = _births_per_parent(years, cube)
    ahead = stepped(
        cube.origin,
        whole_years(horizons),
        lambda persons: persons * factors,
        options,
        lambda persons, older: born * (_parents(persons, cube.ages) + _parents(older, cube.ages[1:])) / 2,
    )
    return cube.flat(controlled(ahead, cube.parent) if options.controlled else ahead)


@dataclass(frozen=True)
class _Years:
    """The years of events that are looked at.

    Attributes:
        persons: mean residents by year × area × age.
        stayed: persons of the youngest age at the year's end per birth, by area, over all known years.
        infants: net moves (less deaths) of those born in the year: persons of the youngest age at its end less births,
            year × area. They are in ``stayed`` already, so they are taken out of the moves of the youngest band.
        events: by what happens, year × area × band of age (one where events have no age; one area where none).
        bands: by what happens, the lower bounds of its bands.
        ages: single years of age.
        parent: place of the area that all others are parts of.
    """

    persons: np.ndarray
    stayed: np.ndarray
    infants: np.ndarray
    events: Mapping[str, np.ndarray]
    bands: Mapping[str, tuple[int, ...]]
    ages: tuple[int, ...]
    parent: int

    @classmethod
    def of(cls, flows: Mapping[str, Panel], cube: Cube, options: MethodOptions) -> _Years | None:
        """The last years of events; None where of one of them no year is known yet."""
        lacking = [event for event in EVENTS if event not in flows]
        if lacking:
            raise ConfigurationError(
                "births, deaths and moves are forecast from published tables of them, and one is not named",
                code="forecast.flows",
                at={"event": lacking[0]},
                remedy=f"Name a yearly table of it as [[flows]]: {', '.join(EVENTS)}.",
            )
        if not all(flows[event].months for event in EVENTS):
            return None
        all_known = sorted({month for flow in flows.values() for month in flow.months})
        known = all_known[-options.years :]
        read = {event: _by_area_and_band(flows[event], known, cube, options) for event in EVENTS}
        ends = {month: values[:, 0] for month, values in zip(cube.months, cube.values, strict=True)}
        nobody = np.full(len(cube.areas), np.nan)
        births = _by_area_and_band(flows[BIRTHS], all_known, cube, options)[0][:, :, 0]
        youngest = np.stack([ends.get(month, nobody) for month in all_known])
        return cls(
            persons=np.stack([_mean_of_year(cube, month[:4]) for month in known]),
            stayed=_rate(youngest, births),
            infants=(youngest - births)[-len(known) :],
            events={event: values for event, (values, _) in read.items()},
            bands={event: lows for event, (_, lows) in read.items()},
            ages=cube.ages,
            parent=cube.parent,
        )


def _by_area_and_band(
    flow: Panel, years: Sequence[str], cube: Cube, options: MethodOptions
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Events as years × areas × bands of age, NaN where hidden or absent, and the bands' lower bounds."""
    areas = cube.areas if options.area in flow.keys.columns else (options.parent,)
    lows = sorted(set(flow.keys[options.age].to_list())) if options.age in flow.keys.columns else [0]
    cells = np.full((len(years), len(areas), len(lows)), np.nan)
    figures = flow.over(years)
    for at, key in enumerate(flow.keys.iter_rows(named=True)):
        area = key.get(options.area, options.parent)
        if area in areas:
            cells[:, areas.index(area), lows.index(key.get(options.age, 0))] = figures[:, at]
    return cells, tuple(lows)


def _mean_of_year(cube: Cube, year: str) -> np.ndarray:
    """Mean residents over the year's known months, areas × ages; NaN where all of a cell's are gaps."""
    rows = cube.values[[row for row, month in enumerate(cube.months) if month.startswith(year)]]
    seen = (~np.isnan(rows)).sum(axis=0)
    return np.divide(np.nansum(rows, axis=0), seen, out=np.full(seen.shape, np.nan), where=seen > 0)


def _banded(by_age: np.ndarray, ages: Sequence[int], lows: Sequence[int]) -> np.ndarray:
    """Sums over the single ages (last axis) of each band; NaN where one is a gap."""
    band = _band_of(ages, lows)
    return np.stack([by_age[..., band == number].sum(axis=-1) for number in range(len(lows))], axis=-1)


def _band_of(ages: Sequence[int], lows: Sequence[int]) -> np.ndarray:
    return np.maximum(np.searchsorted(np.asarray(lows), np.asarray(ages), side="right") - 1, 0)


def _rate(events: np.ndarray, persons: np.ndarray, of_none: float = np.nan) -> np.ndarray:
    """Events ÷ persons, over the years (first axis) of which both are known; NaN where there is none.

    Args:
        of_none: the rate where persons sum to zero.
    """
    whole = ~(np.isnan(events) | np.isnan(persons))
    counted = [np.where(whole, one, 0.0).sum(axis=0) for one in np.broadcast_arrays(events, persons)]
    rate = np.where(counted[1] == 0, of_none, quotient(counted[0], counted[1]))
    return np.where(whole.any(axis=0), rate, np.nan)


def _shift(years: _Years, ratios: np.ndarray, options: MethodOptions) -> np.ndarray:
    """What the pattern of moves by single age is shifted by, areas × ages reached, so that net moves come out."""
    dying, moving = _dying(years, options), movers(years.persons, options)
    net = years.events[ENTERING] - years.events[LEAVING]
    net[..., 0] -= np.nan_to_num(years.infants)  # where births are hidden, infants stay among the movers of the band
    lows, reached = years.bands[ENTERING], years.ages[1:]
    at_risk = _banded(moving, reached, lows)
    patterned = _banded((ratios - 1.0 + dying) * moving, reached, lows)
    shift = _rate(net, at_risk) - _rate(patterned, at_risk)
    return shift[:, _band_of(reached, lows)]


def _dying(years: _Years, options: MethodOptions) -> np.ndarray:
    """Share of those who would reach an age that dies within the year, areas × ages reached."""
    rates = _death_rates(years)
    expected = (rates * years.persons).sum(axis=2)
    own = _rate(years.events[DEATHS][:, :, 0], expected, of_none=1.0)
    by_area = own[:, None] * rates[None, :]
    between = (by_area[:, :-1] + by_area[:, 1:]) / 2
    share = 1.0 - np.exp(-between)
    if options.top_age is not None:
        persons = np.stack([_rate(years.persons[..., at], np.ones(1)) for at in (-2, -1)])
        oldest = persons[0] * share[:, -1] + persons[1] * (1.0 - np.exp(-by_area[:, -1]))
        share = np.concatenate([share[:, :-1], quotient(oldest, persons.sum(axis=0))[:, None]], axis=1)
    return share


def _death_rates(years: _Years) -> np.ndarray:
    """The parent's deaths per person and year by single age."""
    lows, ages = years.bands[DEATHS_BY_AGE], np.asarray(years.ages, dtype=float)
    persons = years.persons[:, years.parent, :]
    level = _rate(years.events[DEATHS_BY_AGE][:, 0, :], _banded(persons, years.ages, lows))
    mean = _rate(_banded(persons * ages, years.ages, lows), _banded(persons, years.ages, lows))
    band = _band_of(years.ages, lows)
    growth = np.exp(_slopes(level, mean)[band] * (ages - mean[band]))
    weighed = _rate(_banded(persons * growth, years.ages, lows), _banded(persons, years.ages, lows))
    return level[band] * quotient(growth, weighed[band])


def _slopes(level: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """How fast the logarithm of a rate grows with age about each band; none where a neighbour has no rate."""
    if len(level) < 2:
        return np.zeros(len(level))
    logs = np.log(np.where(level > 0, level, np.nan))
    steps = np.diff(logs) / np.diff(mean)
    about = np.stack([np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]])])
    seen = (~np.isnan(about)).sum(axis=0)
    return np.divide(np.nansum(about, axis=0), seen, out=np.zeros(len(level)), where=seen > 0)


def _births_per_parent(years: _Years, cube: Cube) -> np.ndarray:
    """Persons of the youngest age after a year per resident of the parents' ages, by area."""
    return _rate(years.events[BIRTHS][:, :, 0], _parents(years.persons, cube.ages)) * years.stayed


def _parents(persons: np.ndarray, ages: Sequence[int]) -> np.ndarray:
    chosen = [at for at, age in enumerate(ages) if PARENTS[0] <= age < PARENTS[1]]
    return persons[..., chosen].sum(axis=-1)
