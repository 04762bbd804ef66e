"""Forecasts persons by area and single year of age: a cohort is a year older after twelve months.

The change of a cohort is taken from every pair of known months that lie twelve months apart (Hamilton and Perry, 1962;
cohort-change ratios as in Baker, Swanson, Tayman and Tedrow, *Cohort Change Ratios and their Applications*, 2017).
Nobody is born in these forecasts: the youngest age keeps its figure of the origin (``components`` forecasts births).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kobe_platform.errors import ConfigurationError
from kobe_platform.forecasts.options import MethodOptions
from kobe_platform.forecasts.panel import Panel
from kobe_platform.vocabulary.months import shifted

YEAR = 12


def same_cohort(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """Nobody moves or dies: each cohort keeps its figure of the origin. The benchmark of the cohort methods."""
    cube = Cube.of(known, options)
    return cube.flat(stepped(cube.origin, whole_years(horizons), lambda persons: persons, options))


def cohort_change(known: Panel, horizons: Sequence[int], options: MethodOptions) -> np.ndarray:
    """Each cohort changes as those of its age and area did on average in all known periods of twelve months.

    An area's change is shrunk towards the parent's with ``options.pseudo_persons``: (mean persons after +
    pseudo-persons × the parent's ratio) ÷ (mean persons before + pseudo-persons). ``difference`` adds the mean change
    of persons instead of multiplying, and weighs it with the parent's in the same proportion.

    Raises:
        ConfigurationError: ``forecast.ages`` or ``forecast.horizon``; see ``Cube.of`` and ``whole_years``.
    """
    cube = Cube.of(known, options)
    before, after = cube.changes(options)
    everywhere = ratios_of(before[cube.parent], after[cube.parent])
    if options.variant == "ratio":
        ratios = shrunk_ratios(before, after, everywhere, options.pseudo_persons)
        step = lambda persons: persons * ratios  # noqa: E731
    else:
        gains = _shrunk_gains(before, after, everywhere, options.pseudo_persons)
        step = lambda persons: np.maximum(persons + gains, 0.0)  # noqa: E731
    ahead = stepped(cube.origin, whole_years(horizons), step, options)
    return cube.flat(controlled(ahead, cube.parent) if options.controlled else ahead)


def whole_years(horizons: Sequence[int]) -> list[int]:
    """Horizons in years.

    Raises:
        ConfigurationError: ``forecast.horizon`` where one is not a whole number of years ahead.
    """
    odd = [horizon for horizon in horizons if horizon % YEAR or horizon <= 0]
    if odd:
        raise ConfigurationError(
            "cohorts of single years of age grow older by whole years",
            code="forecast.horizon",
            at={"months ahead": odd[0]},
            remedy="Give horizons of 12, 24, 36 … months.",
        )
    return [horizon // YEAR for horizon in horizons]


def shrunk_ratios(before: np.ndarray, after: np.ndarray, everywhere: np.ndarray, pseudo: float) -> np.ndarray:
    """Change of each area's cohorts as a ratio, with so many persons of the parent's change mixed in."""
    if pseudo == 0:
        return ratios_of(before, after)
    return (after + pseudo * everywhere) / (before + pseudo)


def _shrunk_gains(before: np.ndarray, after: np.ndarray, everywhere: np.ndarray, pseudo: float) -> np.ndarray:
    weight = 1.0 if pseudo == 0 else quotient(before, before + pseudo)
    borrowed = np.where(before > 0, (everywhere - 1.0) * before, 0.0)
    return weight * (after - before) + (1.0 - weight) * borrowed


def ratios_of(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Change as a ratio; a cohort that nobody was in stays as it is."""
    return np.where(before == 0, 1.0, quotient(after, before))


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below != 0)


def stepped(
    origin: np.ndarray, years: Sequence[int], step, options: MethodOptions, newborns=lambda before, older: before[:, 0]
) -> np.ndarray:
    """Persons after each number of years: years × areas × ages.

    Args:
        step: changes who is of an age that grows older.
        newborns: persons before and those who grew older (by the age reached) → persons of the youngest age, by area;
            by default as many as before.
    """
    persons, reached = origin, {}
    for year in range(1, max(years) + 1):
        older = step(movers(persons, options))
        persons = reached[year] = np.concatenate([newborns(persons, older)[:, None], older], axis=1)
    return np.stack([reached[year] for year in years])


def movers(persons: np.ndarray, options: MethodOptions) -> np.ndarray:
    """Persons by the age that they reach in twelve months, without the youngest; the top age keeps its own as well."""
    older = persons[..., :-1]
    if options.top_age is not None:
        older = np.concatenate([older[..., :-1], older[..., -1:] + persons[..., -1:]], axis=-1)
    return older


def controlled(ahead: np.ndarray, parent: int) -> np.ndarray:
    """Areas scaled so that they sum to the parent's forecast; left alone at an age where an area has none."""
    areas = np.delete(np.arange(ahead.shape[1]), parent)
    total = ahead[:, areas].sum(axis=1)
    factor = np.divide(ahead[:, parent], total, out=np.ones_like(total), where=total > 0)
    scaled = ahead.copy()
    scaled[:, areas] *= np.where(np.isnan(factor), 1.0, factor)[:, None, :]
    return scaled


@dataclass(frozen=True)
class Cube:
    """A panel as months × areas × ages.

    Attributes:
        areas, ages: what the axes are, ascending; ages are single years.
        parent: place of the area of which all others are parts.
    """

    months: tuple[str, ...]
    areas: tuple[str, ...]
    ages: tuple[int, ...]
    values: np.ndarray
    order: np.ndarray
    """Place of each cell of areas × ages among the panel's cells."""
    parent: int

    @classmethod
    def of(cls, known: Panel, options: MethodOptions) -> Cube:
        """The cube of a panel.

        Raises:
            ConfigurationError: ``forecast.ages`` where the dimensions are not the area and the age, an area lacks an
                age, ages leave one out, or the parent has no rows.
        """
        keys = known.keys
        if set(keys.columns) != {options.area, options.age}:
            raise _unfit("the dimensions are not exactly the area and the age", options)
        keys = keys.with_row_index("_cell").sort(options.area, options.age)
        areas, ages = keys[options.area].unique().sort().to_list(), keys[options.age].unique().sort().to_list()
        if keys.height != len(areas) * len(ages) or ages != list(range(ages[0], ages[0] + len(ages))):
            raise _unfit("an area lacks an age, or the ages leave a year out", options)
        if options.top_age not in (None, ages[-1]):
            raise _unfit("the oldest age of the rows is not the open-ended one", options)
        if options.parent not in areas:
            raise _unfit("the area that all others are parts of has no rows", options)
        order = keys["_cell"].to_numpy()
        values = known.values[:, order].reshape(len(known.months), len(areas), len(ages))
        return cls(known.months, tuple(areas), tuple(ages), values, order, areas.index(options.parent))

    @property
    def origin(self) -> np.ndarray:
        return self.values[-1]

    def changes(self, options: MethodOptions) -> tuple[np.ndarray, np.ndarray]:
        """Mean persons before and after twelve months by area and the age reached, over the pairs without a gap."""
        rows = {month: row for row, month in enumerate(self.months)}
        pairs = [(rows[shifted(month, -YEAR)], row) for month, row in rows.items() if shifted(month, -YEAR) in rows]
        if not pairs:
            nothing = np.full(self.values[0, :, 1:].shape, np.nan)
            return nothing, nothing
        before = movers(self.values[[first for first, _ in pairs]], options)
        after = self.values[[last for _, last in pairs], :, 1:]
        gap = np.isnan(before) | np.isnan(after)
        seen = (~gap).sum(axis=0)
        sums = [np.where(gap, 0.0, persons).sum(axis=0) for persons in (before, after)]
        sums = [_neighbours(persons, options.smoothing) for persons in (*sums, seen.astype(float))]
        return quotient(sums[0], sums[2]), quotient(sums[1], sums[2])

    def flat(self, ahead: np.ndarray) -> np.ndarray:
        """Horizons × areas × ages as horizons × the panel's cells."""
        cells = np.empty((ahead.shape[0], self.order.size))
        cells[:, self.order] = ahead.reshape(ahead.shape[0], -1)
        return cells


def _neighbours(by_age: np.ndarray, reach: int) -> np.ndarray:
    """Sums over so many ages on each side; fewer at the ends."""
    padded = np.pad(by_age, [(0, 0), (reach, reach)])
    return np.stack([padded[:, at : at + by_age.shape[1]] for at in range(2 * reach + 1)]).sum(axis=0)


def _unfit(why: str, options: MethodOptions) -> ConfigurationError:
    return ConfigurationError(
        f"a cohort method cannot read the series: {why}",
        code="forecast.ages",
        at={"area": options.area, "age": options.age},
        remedy="Give rows for every area, its parent and every single year of age.",
    )
