"""Reads the synthetic city's parameters from ``parameters.toml``: rounded rates and shares, chosen for this project."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from kobe_platform.vocabulary.municipality import Municipality, municipality, own

FILE = Path(__file__).with_name("parameters.toml")
STAGE_OF_BAND = 5
"""Width of the pyramid's bands in years."""
OLDEST = 104
"""Highest age in the synthetic city at the start."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CityParameters(_Table):
    """Sizes and shares of the city as a whole; shares are fractions of 1."""

    code: str
    prefecture: str
    residents_per_district: int
    towns_per_district: int
    chome_per_town: int
    split_town_share: float
    blank_district_share: float
    unlisted_address_share: float
    protected_share: float
    estimate_offset: float
    estimate_household_offset: float


class Pyramid(_Table):
    """Five-year bands by sex in per mille; ``life_stages`` are the lower ages of a ward's multipliers.

    ``years``: year of birth → how many were born compared with its band, for people who live at the end of ``as_of``.
    """

    male: tuple[float, ...]
    female: tuple[float, ...]
    life_stages: tuple[int, ...]
    years: dict[str, float] = {}
    as_of: int = 0


class Cohorts(_Table):
    """The bands of a city with a past, and its :attr:`Pyramid.years`."""

    male: tuple[float, ...]
    female: tuple[float, ...]
    years: dict[str, float]


class Ward(_Table):
    """One ward; ``births``, ``in_``, ``out``, ``ward_out`` are per 1,000 residents and year."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=lambda name: name.rstrip("_"))

    code: str
    share: float
    male: float
    ages: tuple[float, ...]
    foreign: float
    family: float
    births: float
    in_: float
    out: float
    ward_out: float
    attraction: float


class Families(_Table):
    """Probabilities of the kinds of family that a person lives in, linear in age between the given points."""

    married_ages: tuple[float, ...]
    married_male: tuple[float, ...]
    married_female: tuple[float, ...]
    at_home_ages: tuple[float, ...]
    at_home: tuple[float, ...]
    lone_mother: float
    lone_father: float
    mother_age_mean: float
    mother_age_spread: float
    husband_older_by: float
    elder_with_family: float
    elder_couple_with_family: float
    elder_is_head: float
    lodger: float


class Flows(_Table):
    """Yearly flows: rates per 1,000 (of whom, see the file), relative hazards by age, seasons January … December."""

    deaths: float
    death_growth: float
    death_male: float
    mother_ages: tuple[float, ...]
    mother_hazard: tuple[float, ...]
    move_ages: tuple[float, ...]
    move_hazard: tuple[float, ...]
    newcomer_hazard: tuple[float, ...]
    season_in: tuple[float, ...]
    season_out: tuple[float, ...]
    season_within: tuple[float, ...]
    within_ward: float
    whole_household: float
    newcomer_couple: float
    newcomer_family: float
    newcomer_lone_parent: float
    returning: float
    abroad_in: float
    abroad_out: float
    abroad_foreign: float
    domestic_foreign: float
    immigration_removals: float
    admin_entries: float
    admin_removals: float
    splits: float
    weddings: float
    from_home: float
    merges: float
    corrections: float
    cancelled_at_once: float
    cancelled_later: float
    protection_changes: float


class PastSeries(_Table):
    """How the years before the first delivery differ from its own, for each year that they lie back.

    Attributes:
        begin: first month. births, deaths, household, moves_in: changes a year, as shares.
        moves: year → factor of its moves. between: standard deviation of a ward's gain from the others, monthly.
        censuses: month → what a census found beyond the estimates of before, as share of residents.
    """

    begin: str
    births: float
    deaths: float
    household: float
    moves_in: float
    moves: dict[str, float]
    between: float
    censuses: dict[str, float]


class Counterparts(_Table):
    """Where people come from and go to, with weights: five-digit municipality codes, and countries."""

    codes: tuple[str, ...]
    weights: tuple[float, ...]
    countries: tuple[str, ...]
    country_weights: tuple[float, ...]


class Foreigners(_Table):
    """Nationalities (alpha-3) and residence statuses (two digits) with their weights."""

    nationalities: tuple[str, ...]
    weights: tuple[float, ...]
    tail_weight: float
    tail_decay: float
    established: tuple[str, ...]
    young: tuple[str, ...]
    status_established: dict[str, float]
    status_young: dict[str, float]
    status_others: dict[str, float]


class Parameters(_Table):
    """All parameters of ``parameters.toml``."""

    city: CityParameters
    pyramid: Pyramid
    cohorts: Cohorts
    wards: tuple[Ward, ...]
    families: Families
    flows: Flows
    history: PastSeries
    counterparts: Counterparts
    foreigners: Foreigners

    def age_shares(self, ward: Ward, sex: str) -> np.ndarray:
        """Share of each single age 0 … 104 among a ward's residents of one sex (``male`` or ``female``); sums to 1."""
        bands = np.array(self.pyramid.male if sex == "male" else self.pyramid.female, dtype=float)
        lower = np.arange(len(bands)) * STAGE_OF_BAND
        stage = np.searchsorted(self.pyramid.life_stages, lower, side="right") - 1
        bands = bands * np.array(ward.ages)[stage]
        single = np.repeat(bands[:-1] / STAGE_OF_BAND, STAGE_OF_BAND) * self._births(len(bands) - 1)
        oldest = bands[-1] * 0.6 ** np.arange(OLDEST - len(single) + 1)
        shares = np.concatenate([single, oldest * bands[-1] / oldest.sum()])
        return shares / shares.sum()

    def _births(self, bands: int) -> np.ndarray:
        """What each single age is of its band's mean, by the year of birth."""
        born = [str(self.pyramid.as_of - age) for age in range(bands * STAGE_OF_BAND)]
        weights = np.array([self.pyramid.years.get(year, 1.0) for year in born]).reshape(bands, STAGE_OF_BAND)
        return (weights / weights.mean(axis=1, keepdims=True)).ravel()

    def with_cohorts(self, year: int) -> Parameters:
        """The parameters of a city whose people were born in years of many and of few, at the end of a year."""
        told = {**self.cohorts.model_dump(), "life_stages": self.pyramid.life_stages, "as_of": year}
        return self.model_copy(update={"pyramid": Pyramid(**told)})

    def elsewhere(self, place: Municipality) -> Parameters:
        """The parameters of another municipality: the city's means, with differences that follow from its code.

        A municipality without wards is one area; the wards of another designated city are of one size. Those who moved
        from or to it move from or to the city of the file instead.
        """
        rng = np.random.default_rng([int(place.code)])
        areas = [self._mean_ward(code, rng, alone=not place.wards) for code in place.areas]
        others = [code for code in self.counterparts.codes if code != place.code]
        weight = dict(zip(self.counterparts.codes, self.counterparts.weights, strict=True))
        told = self.counterparts.model_copy(
            update={
                "codes": (self.city.code, *others),
                "weights": (max(self.counterparts.weights), *(weight[code] for code in others)),
            }
        )
        city = self.city.model_copy(update={"code": place.code, "prefecture": place.prefecture})
        return self.model_copy(update={"city": city, "wards": tuple(areas), "counterparts": told})

    def _mean_ward(self, code: str, rng: np.random.Generator, *, alone: bool) -> Ward:
        share = np.array([ward.share for ward in self.wards])

        def mean(name: str) -> float:
            return float(np.average([getattr(ward, name) for ward in self.wards], weights=share))

        ages = np.average([ward.ages for ward in self.wards], weights=share, axis=0)
        old, lively = rng.uniform(0.85, 1.35), rng.uniform(0.75, 1.2)
        return Ward.model_validate(
            {
                "code": code,
                "share": 1.0,
                "male": mean("male"),
                "ages": tuple(np.round(ages * [1, 1, 1, 1, old, old], 3).tolist()),
                "foreign": mean("foreign") * rng.uniform(0.4, 1.2),
                "family": mean("family"),
                "births": mean("births") * lively,
                "in": mean("in_") * lively,
                "out": mean("out") * lively,
                "ward_out": 0.0 if alone else mean("ward_out"),
                "attraction": 1.0,
            }
        )


def load() -> Parameters:
    """The parameters of this process's municipality: the file's, or made from them."""
    return _load(own().code)


@cache
def _load(code: str) -> Parameters:
    with FILE.open("rb") as file:
        told = Parameters.model_validate(tomllib.load(file))
    return told if told.city.code == code else told.elsewhere(municipality(code))
