"""Simulates one month of the city: births, deaths, removals and corrections, and the moves of :mod:`moves`.

Each household takes part in at most one flow in a month. The steps are therefore independent of each other, and
stock(t) = stock(t-1) + flows holds by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kobe_platform.synthesis import cancellations, moves
from kobe_platform.synthesis.city import (
    CHILD,
    DEAD,
    ELDER,
    FEMALE,
    MALE,
    NONE,
    OTHER,
    PARTNER,
    REMOVED,
    RESIDENT,
    City,
)  # fmt: skip
from kobe_platform.synthesis.events import (
    ADMIN_ENTRY,
    ADMIN_REMOVAL,
    ALIAS,
    BIRTH,
    CORRECTION,
    DEATH,
    HEAD_CHANGE,
    MERGE,
    OTHER_ENTRY,
    OTHER_REMOVAL,
    SPLIT,
    Events,
    Journal,
)  # fmt: skip
from kobe_platform.synthesis.foreigners import PERMANENT, date_stays
from kobe_platform.synthesis.newcomers import settle_newcomers
from kobe_platform.synthesis.population import GIVEN_NAMES, new_people, protect


@dataclass
class SimulatedMonth:
    """The working state of one month.

    Attributes:
        members: indices of the residents at the month's start, by household.
        start: where each household's members begin in ``members``.
        home: household of each of ``members`` at the start.
        size: residents of each household at the start. adults: those of 18 and more.
        free: households that have taken part in no flow yet.
        age: completed years of everybody at the month's end.
    """

    city: City
    rng: np.random.Generator
    journal: Journal
    members: np.ndarray
    home: np.ndarray
    start: np.ndarray
    size: np.ndarray
    adults: np.ndarray
    free: np.ndarray
    age: np.ndarray

    @classmethod
    def begin(cls, city: City) -> SimulatedMonth:
        rng = city.generator("flows")
        r, homes = city.residents, len(city.households)
        stock = city.stock
        members = stock[np.argsort(r.household[stock], kind="stable")]
        size = np.bincount(r.household[stock], minlength=homes)
        start = np.concatenate([[0], np.cumsum(size)[:-1]])
        age = r.age_on(city.last_day)
        adults = np.bincount(r.household[stock][age[stock] >= 18], minlength=homes)
        return cls(
            city,
            rng,
            Journal(city, rng),
            members,
            r.household[members],
            start,
            size,
            adults,
            np.ones(homes, dtype=bool),
            age,
        )

    @property
    def season(self) -> int:
        """Index of the month in a year, January = 0."""
        return int(self.city.month.astype(np.int64)) % 12

    def available(self) -> np.ndarray:
        """Residents at the month's start whose household has taken part in no flow yet."""
        return self.members[self.free[self.home]]

    def people_of(self, households: np.ndarray) -> np.ndarray:
        """All members of ``households`` at the month's start, one after the other."""
        size = self.size[households]
        first = np.repeat(self.start[households] - np.cumsum(size) + size, size)
        return self.members[first + np.arange(int(size.sum()))]

    def choose(self, people: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """Draw from ``people`` by their chances, at most one of a household, and mark the households as used."""
        drawn = people[self.rng.random(len(people)) < chance]
        homes, first = np.unique(self.city.residents.household[drawn], return_index=True)
        self.free[homes] = False
        return drawn[first]


def next_month(city: City) -> Events:
    """Simulate one month: ``city`` changes in place; returns the month's events in the order of processing.

    The result depends on the city's state and seed alone.
    """
    city.month = city.month + 1
    month = SimulatedMonth.begin(city)
    moves.leave_as_announced(month)
    cancellations.cancel_former(month)
    _births(month)
    _deaths(month)
    _removals(month)
    moves.move_out(month)
    moves.move_between_wards(month)
    moves.move_within_ward(month)
    _splits_and_merges(month)
    moves.wed(month)
    moves.move_in(month)
    _admin_entries(month)
    _corrections(month)
    cancellations.cancel_at_once(month)
    succeed_heads(month)
    _change_protection(month)
    moves.announce_departures(month)
    return month.journal.close()


def _births(month: SimulatedMonth) -> None:
    """Partnered and lone women of child-bearing age in their own household; the wards' rates are met on average."""
    city, r, rng = month.city, month.city.residents, month.rng
    people = month.available()
    women = people[(r.sex[people] == FEMALE) & (r.role[people] == PARTNER) & (month.size[r.household[people]] > 1)]
    flows = city.parameters.flows
    hazard = np.interp(month.age[women], flows.mother_ages, flows.mother_hazard)
    ward = city.ward_of(r.household[women])
    expected = _monthly(month, [w.births for w in city.parameters.wards])
    mothers = month.choose(women, _scaled(hazard, ward, expected))
    start = city.last_day - 27
    day = rng.integers(start, city.last_day + 1, len(mothers))
    born = day - rng.integers(0, 15, len(mothers))
    sex = np.where(rng.random(len(mothers)) < 0.512, MALE, FEMALE)
    home = r.household[mothers]
    babies = new_people(home, sex, born, np.full(len(mothers), CHILD), np.zeros(len(mothers), dtype=bool))
    babies.history[:] = 0
    babies.became, babies.moved_in = babies.birth.copy(), babies.birth.copy()
    babies.surname, babies.given = r.surname[mothers], rng.integers(0, GIVEN_NAMES, len(mothers), dtype=np.int16)
    babies.protection = np.where(r.protection[mothers] == 3, 0, r.protection[mothers]).astype(np.int8)
    all_foreign = np.bincount(r.household, weights=(r.state == RESIDENT) & ~r.foreign)[home] == 0
    babies.foreign = r.foreign[mothers] & all_foreign
    babies.nationality = np.where(babies.foreign, r.nationality[mothers], NONE).astype(np.int32)
    babies.status = np.where(
        babies.foreign, np.where(np.isin(r.status[mothers], PERMANENT), r.status[mothers], 4), NONE
    )
    babies.status = babies.status.astype(np.int32)
    new = r.extend(babies)
    date_stays(r, new[babies.foreign], city.last_day, rng)
    r.foreign_since[new[babies.foreign]] = babies.birth[babies.foreign]
    month.journal.record(
        new, BIRTH, month.journal.nowhere(len(new)), month.journal.address(home), day=day, event_on=born
    )


def _deaths(month: SimulatedMonth) -> None:
    city, r = month.city, month.city.residents
    people, flows = month.available(), city.parameters.flows
    age = month.age[people].astype(float)
    hazard = np.exp(flows.death_growth * age) * np.where(r.sex[people] == MALE, flows.death_male, 1.0) + 2.0
    expected = flows.deaths / 12_000 * len(month.members)
    dead = month.choose(people, np.minimum(hazard * expected / hazard.sum(), 1.0))
    depart(month, dead, DEATH, DEAD, lag=8)


def _removals(month: SimulatedMonth) -> None:
    """Foreigners removed on the immigration agency's notice, and other removals by office."""
    city, r, rng = month.city, month.city.residents, month.rng
    flows, people = city.parameters.flows, month.available()
    foreign = people[r.foreign[people] & (month.age[people] >= 18)]
    weight = np.where(np.isin(r.status[foreign], PERMANENT), 0.15, 1.0)
    expected = flows.immigration_removals / 12_000 * float(r.foreign[month.members].sum())
    noticed = month.choose(foreign, np.minimum(weight * expected / max(weight.sum(), 1e-9), 1.0))
    noticed = noticed[_leaves_no_minors(month, noticed)]
    reasons = np.where(rng.random(len(noticed)) < 0.7, ADMIN_REMOVAL, OTHER_REMOVAL)
    depart(month, noticed, reasons, REMOVED, lag=12, notice=True)
    people = month.available()
    adults = people[month.adults[r.household[people]] > 1]
    chance = np.full(len(adults), flows.admin_removals / 12_000 * len(month.members) / max(len(adults), 1))
    gone = month.choose(adults[month.age[adults] >= 18], np.minimum(chance, 1.0)[month.age[adults] >= 18])
    depart(month, gone, np.where(rng.random(len(gone)) < 0.6, ADMIN_REMOVAL, OTHER_REMOVAL), REMOVED, lag=20)


def _leaves_no_minors(month: SimulatedMonth, people: np.ndarray) -> np.ndarray:
    """Whether each may leave alone: another adult stays in the household, or nobody stays."""
    home = month.city.residents.household[people]
    return (month.adults[home] > 1) | (month.size[home] == 1)


def depart(month: SimulatedMonth, people: np.ndarray, reason, state: int, **more) -> dict:
    """Take ``people`` off the register and record why; returns the recorded events."""
    journal, r = month.journal, month.city.residents
    before = journal.address(r.household[people])
    part = journal.record(people, reason, before, journal.nowhere(len(people)), **more)
    r.state[people] = state
    return part


def _splits_and_merges(month: SimulatedMonth) -> None:
    """世帯分離: a grown child or lodger forms a household at the same address; 世帯合併: the reverse."""
    city, r, rng, journal = month.city, month.city.residents, month.rng, month.journal
    flows, people = city.parameters.flows, month.available()
    grown = people[(month.age[people] >= 20) & ~r.head[people] & np.isin(r.role[people], (CHILD, OTHER, ELDER))]
    expected = flows.splits / 12_000 * float((month.size > 0).sum())
    parted = month.choose(grown, np.full(len(grown), min(1.0, expected / max(len(grown), 1))))
    former = r.household[parted]
    h = city.households
    formed = h.found(h.plot[former], h.lot[former], h.sub[former], h.blank[former])
    journal.record(parted, SPLIT, journal.address(former), journal.address(formed))
    city.split_from = np.concatenate([city.split_from, np.stack([formed, former], 1)])
    r.household[parted], r.head[parted], r.role[parted] = formed, True, PARTNER
    pairs = city.split_from
    known = pairs[(pairs < len(month.free)).all(axis=1)]
    still = month.free[known].all(axis=1) & (month.size[known] > 0).all(axis=1) & (month.size[known[:, 0]] == 1)
    together = (h.plot[known[:, 0]] == h.plot[known[:, 1]]) & (h.lot[known[:, 0]] == h.lot[known[:, 1]])
    candidates = known[still & together]
    chosen = candidates[rng.random(len(candidates)) < 0.3]
    chosen = chosen[np.unique(chosen[:, 1], return_index=True)[1]]
    chosen = chosen[~np.isin(chosen[:, 1], chosen[:, 0])]
    joined = month.people_of(chosen[:, 0])
    journal.record(joined, MERGE, journal.address(chosen[:, 0]), journal.address(chosen[:, 1]))
    r.household[joined], r.head[joined], r.role[joined] = chosen[:, 1], False, OTHER
    month.free[chosen.ravel()] = False


def _admin_entries(month: SimulatedMonth) -> None:
    """職権記載 and その他記載: people found to live here, in households of their own."""
    expected = month.city.parameters.flows.admin_entries / 12_000 * len(month.members)
    count = int(month.rng.poisson(expected))
    shares = np.array([w.share for w in month.city.parameters.wards])
    ward = month.rng.choice(len(shares), count, p=shares / shares.sum())
    people, _ = settle_newcomers(month, ward, abroad=np.zeros(count, dtype=bool), alone=True)
    reasons = np.where(month.rng.random(len(people)) < 0.7, ADMIN_ENTRY, OTHER_ENTRY)
    journal = month.journal
    homes = month.city.residents.household[people]
    journal.record(people, reasons, journal.nowhere(len(people)), journal.address(homes), lag=20)


def _corrections(month: SimulatedMonth) -> None:
    """通称 and その他修正: changes that no statistic counts."""
    city, r = month.city, month.city.residents
    people = month.available()
    chance = city.parameters.flows.corrections / 12_000 * len(month.members) / max(len(people), 1)
    changed = month.choose(people, np.full(len(people), min(chance, 1.0)))
    address = month.journal.address(r.household[changed])
    month.journal.record(changed, np.where(r.foreign[changed], ALIAS, CORRECTION), address, address)


def succeed_heads(month: SimulatedMonth) -> None:
    """Give households without a head a new one (世帯主変更): the spouse, else an elder, else the eldest child."""
    city, r = month.city, month.city.residents
    stock = city.stock
    homes = len(city.households)
    headed = np.bincount(r.household[stock][r.head[stock]], minlength=homes)
    lived_in = np.bincount(r.household[stock], minlength=homes)
    headless = (headed == 0) & (lived_in > 0)
    if not headless.any():
        return
    people = stock[headless[r.household[stock]]]
    rank = np.array([1, 0, 2, 3])[r.role[people]]
    people = people[np.lexsort((r.birth[people], rank, r.household[people]))]
    heads = people[np.unique(r.household[people], return_index=True)[1]]
    r.head[heads] = True
    address = month.journal.address(r.household[heads])
    month.journal.record(heads, HEAD_CHANGE, address, address, day=np.full(len(heads), city.last_day), lag=0)


def _change_protection(month: SimulatedMonth) -> None:
    """A few protections begin, become full, or end."""
    city, r, rng = month.city, month.city.residents, month.rng
    stock = city.stock
    protected = stock[np.isin(r.protection[stock], (1, 2))]
    change = city.parameters.flows.protection_changes
    provisional = protected[(r.protection[protected] == 2) & (rng.random(len(protected)) < 0.3)]
    r.protection[provisional] = 1
    ended = np.unique(r.household[protected[rng.random(len(protected)) < change / 2]])
    ending = protected[np.isin(r.household[protected], ended)]
    r.protection[ending] = 3
    protect(city, stock[r.protection[stock] == 0], city.parameters.city.protected_share * change / 2, rng)


def _monthly(month: SimulatedMonth, yearly: list[float]) -> np.ndarray:
    """Yearly rates per 1,000 residents of each ward → expected numbers of the month."""
    ward = month.city.ward_of(month.home)
    return np.bincount(ward, minlength=len(yearly)) * np.array(yearly) / 12_000


def _scaled(hazard: np.ndarray, ward: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Chances proportional to ``hazard`` that give the ``expected`` number in each ward."""
    total = np.bincount(ward, weights=hazard, minlength=len(expected))
    return np.minimum(hazard * (expected / np.maximum(total, 1e-9))[ward], 1.0)
