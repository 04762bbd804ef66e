"""Draws nationalities, residence statuses and their dates for the synthetic city's foreign residents."""

from __future__ import annotations

import numpy as np

from kobe_platform.synthesis.city import NONE, Residents
from kobe_platform.synthesis.parameters import Foreigners
from kobe_platform.vocabulary.codes import code_list

REGISTERED_SINCE = int(np.datetime64("2012-07-09", "D").astype(np.int64))
"""First day on which foreigners were on the register; no 外国人住民となった日 is earlier."""
PERMANENT = (1, 2)
DEPENDENT, STUDENT, TRAINING = 4, 3, 7
LONGEST_STAY_YEARS = {3: 4, 7: 4, 6: 5, 11: 2, 28: 1, 23: 1}
"""Residence status → most years that a person holds it."""


def nationalities(foreigners: Foreigners) -> tuple[tuple[str, ...], np.ndarray]:
    """All nationalities of the city, frequent ones first, and the cumulated share of each."""
    head = foreigners.nationalities
    tail = sorted(set(code_list("countries")) - set(head))
    weights = np.array(
        [*foreigners.weights, *(foreigners.tail_weight * 0.08 * foreigners.tail_decay ** np.arange(len(tail)))]
    )
    return (*head, *tail), np.cumsum(weights) / weights.sum()


def draw_nationalities(foreigners: Foreigners, ages: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One nationality index for each household; old heads have the nationalities of earlier migration."""
    names, share = nationalities(foreigners)
    drawn = np.searchsorted(share, rng.random(len(ages)), side="right").astype(np.int32)
    young = np.isin(drawn, [names.index(name) for name in foreigners.young])
    established = rng.random(len(ages)) < np.clip((ages - 45) / 50, 0, 0.6)
    drawn[young & (ages >= 50) | established] = names.index(foreigners.established[0])
    return drawn


def draw_statuses(
    foreigners: Foreigners, nationality: np.ndarray, ages: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """A residence status (number of the two-digit code) for each person, by group of nationality and age."""
    names, _ = nationalities(foreigners)
    statuses = np.zeros(len(nationality), dtype=np.int32)
    established = np.isin(nationality, [names.index(name) for name in foreigners.established])
    young = np.isin(nationality, [names.index(name) for name in foreigners.young])
    groups = (
        (established, foreigners.status_established),
        (young, foreigners.status_young),
        (~established & ~young, foreigners.status_others),
    )
    for group, table in groups:
        share = np.cumsum(list(table.values()))
        index = np.searchsorted(share / share[-1], rng.random(int(group.sum())), side="right")
        statuses[group] = np.array([int(code) for code in table])[index]
    statuses[(ages < 16) & ~np.isin(statuses, PERMANENT)] = DEPENDENT
    statuses[(ages > 45) & np.isin(statuses, (STUDENT, TRAINING))] = PERMANENT[0]
    return statuses


def date_stays(residents: Residents, people: np.ndarray, day: int, rng: np.random.Generator) -> None:
    """Fill ``foreign_since`` and ``stay_expiry`` of foreign ``people`` who live here on ``day``."""
    status = residents.status[people]
    since = np.maximum(residents.became[people], REGISTERED_SINCE)
    for code, years in LONGEST_STAY_YEARS.items():
        bound = day - (rng.random(len(people)) * years * 365).astype(np.int32)
        since = np.where(status == code, np.maximum(since, bound), since)
    since = np.maximum(np.maximum(since, residents.birth[people]), residents.became[people]).astype(np.int32)
    residents.foreign_since[people] = since
    left = day + 20 + (rng.random(len(people)) * 1_700).astype(np.int32)
    residents.stay_expiry[people] = np.where(np.isin(status, PERMANENT), NONE, left)
