"""Adds people who come to the city from elsewhere as new households: singles, couples, families, lone parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kobe_platform.synthesis.city import CHILD, FEMALE, MALE, NONE, PARTNER
from kobe_platform.synthesis.foreigners import date_stays, draw_nationalities, draw_statuses
from kobe_platform.synthesis.parameters import Flows
from kobe_platform.synthesis.population import draw_counterparts, draw_names, new_people, one_for_group, place

if TYPE_CHECKING:
    from kobe_platform.synthesis.flows import SimulatedMonth

BORN_BEFORE = 40
"""Least age of a newcomer in days at the month's end, since they were born before they moved."""


@dataclass(frozen=True)
class Parties:
    """Newcomers: number of the party (ascending), age in years, sex, whether the first person, whether a child."""

    party: np.ndarray
    age: np.ndarray
    sex: np.ndarray
    lead: np.ndarray
    child: np.ndarray


def settle_newcomers(
    month: SimulatedMonth, ward: np.ndarray, abroad: np.ndarray, *, alone: bool
) -> tuple[np.ndarray, np.ndarray]:
    """New households of new people, one for each entry of ``ward`` (ward indices).

    Args:
        abroad: whether each comes from abroad. alone: make all of them single.

    Returns:
        The new people (households one after the other), and whether each comes from abroad.
    """
    city, flows, rng, r = month.city, month.city.parameters.flows, month.rng, month.city.residents
    parties = _draw_parties(flows, len(ward), alone, rng)
    group = parties.party
    lived = np.floor((parties.age + rng.random(len(group)) * 0.98) * 365.25).astype(np.int32)
    homes = city.households.found(*place(city.geography, ward, city.parameters, rng))
    role = np.where(parties.child, CHILD, PARTNER)
    people = new_people(homes[group], parties.sex, city.last_day - BORN_BEFORE - lived, role, parties.lead)
    people.history[:] = 0
    draw_names(people, rng)
    foreign = rng.random(len(ward)) < np.where(abroad, flows.abroad_foreign, flows.domestic_foreign)
    people.foreign = foreign[group]
    nationality = draw_nationalities(city.parameters.foreigners, parties.age[parties.lead], rng)[group]
    people.nationality = np.where(people.foreign, nationality, NONE).astype(np.int32)
    statuses = draw_statuses(city.parameters.foreigners, nationality, parties.age, rng)
    people.status = np.where(people.foreign, statuses, NONE).astype(np.int32)
    came = draw_counterparts(city.parameters, abroad[group], people.nationality, rng)
    people.previous = one_for_group(came, group, abroad[group])
    people.became = np.full(len(group), city.last_day - 14, dtype=np.int32)
    people.moved_in = people.became.copy()
    new = r.extend(people)
    date_stays(r, new[people.foreign], city.last_day, rng)
    r.foreign_since[new[people.foreign]] = r.became[new[people.foreign]]
    return new, abroad[group]


def _draw_parties(flows: Flows, count: int, alone: bool, rng: np.random.Generator) -> Parties:
    """Ages and sexes of ``count`` parties: young adults most, parents with one to three minors."""
    span = np.arange(18, 101)
    weight = np.cumsum(np.interp(span, flows.move_ages, flows.newcomer_hazard))
    age = span[np.searchsorted(weight / weight[-1], rng.random(count), side="right")]
    kind = np.ones(count) if alone else rng.random(count)
    family = kind < flows.newcomer_family
    couple = kind < flows.newcomer_couple + flows.newcomer_family
    parent = ~couple & (kind < flows.newcomer_couple + flows.newcomer_family + flows.newcomer_lone_parent)
    age = np.where(family | parent, np.clip(age, 24, 46), np.where(couple, np.maximum(age, 22), age))
    children = np.where(family | parent, 1 + (rng.random(count) < 0.4) + (rng.random(count) < 0.1), 0)
    party = np.repeat(np.arange(count), 1 + couple + children)
    lead = np.diff(party, prepend=-1) > 0
    spouse = np.roll(lead, 1) & ~lead & couple[party]
    child = ~lead & ~spouse
    ages = np.where(child, np.clip(age[party] - rng.normal(30, 4, len(party)), 0, 17), age[party]).astype(np.int16)
    ages = np.where(spouse, np.maximum(ages - 2 + rng.integers(-3, 4, len(party)), 19), ages)
    lead_sex = np.where(couple, MALE, np.where(parent, FEMALE, np.where(rng.random(count) < 0.53, MALE, FEMALE)))
    sex = np.where(lead, lead_sex[party], np.where(spouse, FEMALE, rng.integers(1, 3, len(party))))
    return Parties(party, ages, sex, lead, child)
