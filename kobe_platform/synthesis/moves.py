"""Simulates the moves of one month: out of the city, into it, between its wards and within a ward."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kobe_platform.synthesis.city import FEMALE, MALE, MOVED_OUT, NONE, PARTNER, RESIDENT
from kobe_platform.synthesis.events import IN_ABROAD, IN_DOMESTIC, MOVE, OUT_ABROAD, OUT_DOMESTIC, Journal
from kobe_platform.synthesis.newcomers import settle_newcomers
from kobe_platform.synthesis.population import draw_counterparts, one_for_group, place

if TYPE_CHECKING:
    from kobe_platform.synthesis.flows import SimulatedMonth


def move_out(month: SimulatedMonth) -> None:
    """転出: young adults most, alone or with the household; to the rest of Japan or abroad."""
    flows, r, rng = month.city.parameters.flows, month.city.residents, month.rng
    rates = [ward.out * flows.season_out[month.season] for ward in month.city.parameters.wards]
    people, group = movers(month, np.array(rates))
    foreign = np.zeros(int(group.max(initial=-1)) + 1, dtype=bool)
    foreign[group] = r.foreign[people]
    leaves_japan = rng.random(len(foreign)) < np.where(foreign, 0.45, flows.abroad_out * 0.35)
    abroad = leaves_japan[group]
    to = one_for_group(draw_counterparts(month.city.parameters, abroad, r.nationality[people], rng), group, abroad)
    journal = month.journal
    before = journal.address(r.household[people])
    reasons = np.where(abroad, OUT_ABROAD, OUT_DOMESTIC)
    planned = np.where(rng.random(len(people)) < 0.85, to, -1)
    part = journal.record(
        people, reasons, before, journal.nowhere(len(people)), counterpart=to, planned=planned, confirmed=to, lag=6
    )
    r.state[people] = MOVED_OUT
    month.city.lately["out"] = part


def announce_departures(month: SimulatedMonth) -> None:
    """Let some people file in advance (planned 転出) that they leave in the first days of the next month."""
    city, r, rng = month.city, month.city.residents, month.rng
    people = month.available()
    alone = people[(month.size[r.household[people]] == 1) & (month.age[people] >= 18)]
    wanted = len(city.lately["out"]["person"]) * 0.06 + 1
    people = month.choose(alone, np.full(len(alone), min(1.0, wanted / max(len(alone), 1))))
    to = draw_counterparts(city.parameters, np.zeros(len(people), bool), r.nationality[people], rng)
    ahead = city.last_day + rng.integers(1, 11, len(people))
    journal = Journal(city, rng)
    journal.record(
        people, OUT_DOMESTIC, journal.address(r.household[people]), journal.nowhere(len(people)),
        event_on=ahead, planned=to, counterpart=to,
    )  # fmt: skip
    city.announced = journal.close()


def leave_as_announced(month: SimulatedMonth) -> None:
    """Carry out the departures that were announced in the month before, with the destination confirmed."""
    r, planned = month.city.residents, month.city.announced
    if planned is None:
        return
    here = (r.state[planned.person] == RESIDENT) & (r.history[planned.person] == planned.history)
    planned = planned.take(here)
    people, to, day = planned.person, planned.planned, planned.event_on
    home = r.household[people]
    month.free[home] = False
    journal = month.journal
    journal.record(
        people, OUT_DOMESTIC, journal.address(home), journal.nowhere(len(people)),
        event_on=day, day=day + month.rng.integers(0, 5, len(people)), counterpart=to, planned=to, confirmed=to,
    )  # fmt: skip
    r.state[people] = MOVED_OUT


def move_between_wards(month: SimulatedMonth) -> None:
    """転居 to another ward: one event with both addresses and a new 世帯番号."""
    city, flows, r, rng = month.city, month.city.parameters.flows, month.city.residents, month.rng
    wards = city.parameters.wards
    people, group = movers(month, np.array([w.ward_out * flows.season_within[month.season] for w in wards]))
    origin = city.ward_of(r.household[people])
    first = np.unique(group, return_index=True)[1]
    pull = np.array([w.attraction * w.share for w in wards])
    chances = np.tile(pull, (len(wards), 1))
    np.fill_diagonal(chances, 0.0)
    chances = np.cumsum(chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-9), axis=1)
    target = (chances[origin[first]] < rng.random((len(first), 1))).sum(axis=1)
    _relocate(month, people, group, target)


def move_within_ward(month: SimulatedMonth) -> None:
    """転居 within a ward: a whole household keeps its 世帯番号, people who leave a household get a new one."""
    city, flows, r = month.city, month.city.parameters.flows, month.city.residents
    rate = flows.within_ward * flows.season_within[month.season]
    people, group = movers(month, np.full(len(city.parameters.wards), rate))
    first = np.unique(group, return_index=True)[1]
    target = city.ward_of(r.household[people])[first]
    whole = np.bincount(group) == month.size[r.household[people[first]]]
    _relocate(month, people, group, target, keep_number=whole)


def wed(month: SimulatedMonth) -> None:
    """Pair people who live alone: one moves to the other, which is a 転居 within a ward or between wards."""
    city, r, rng = month.city, month.city.residents, month.rng
    expected = city.parameters.flows.weddings / 12_000 * len(month.members)
    people = month.available()
    single = people[(month.size[r.household[people]] == 1) & (month.age[people] >= 20) & (month.age[people] < 46)]
    sides = []
    for sex in (MALE, FEMALE):
        side = single[r.sex[single] == sex]
        side = month.choose(side, np.full(len(side), min(1.0, expected / max(len(side), 1))))
        sides.append(side[np.argsort(r.birth[side] + rng.normal(0, 900, len(side)))])
    couples = min(map(len, sides))
    hosts, guests = sides[0][:couples], sides[1][:couples]
    swap = rng.random(couples) < 0.35
    hosts, guests = np.where(swap, guests, hosts), np.where(swap, hosts, guests)
    home, journal = r.household[hosts], month.journal
    before = journal.address(r.household[guests])
    r.household[guests], r.head[guests], r.role[guests] = home, False, PARTNER
    r.role[hosts] = PARTNER
    part = journal.record(guests, MOVE, before, journal.address(home), lag=12)
    r.moved_in[guests] = part["event_on"]


def movers(month: SimulatedMonth, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw the people who move this month, at yearly ``rates`` per 1,000 residents of each ward.

    An adult moves alone or with the whole household. Minors are never left without an adult.

    Returns:
        People, and the number of the group that each moves with (0, 1, …; ascending).
    """
    city, flows, r, rng = month.city, month.city.parameters.flows, month.city.residents, month.rng
    people = month.available()
    people = people[month.age[people] >= 18]
    home = r.household[people]
    size, ward = month.size[home], city.ward_of(home)
    bound = r.head[people] | (r.role[people] == PARTNER)
    share = np.where(
        size == 1, 1.0, np.where(month.adults[home] == 1, 1.0, np.where(bound, flows.whole_household, 0.0))
    )
    hazard = np.interp(month.age[people], flows.move_ages, flows.move_hazard)
    hazard *= np.where(size == 1, 1.0, np.where(bound, 0.45, flows.from_home))
    expected_size = share * size + (1 - share)
    total = np.bincount(ward, weights=hazard * expected_size, minlength=len(rates))
    wanted = np.bincount(city.ward_of(month.home), minlength=len(rates)) * rates / 12_000
    chance = np.minimum(hazard * (wanted / np.maximum(total, 1e-9))[ward], 0.5)
    together = np.zeros(len(r), dtype=bool)
    together[people] = rng.random(len(people)) < share
    starters = month.choose(people, chance)
    homes = r.household[starters]
    groups = np.where(together[starters], month.size[homes], 1)
    group = np.repeat(np.arange(len(starters)), groups)
    moved = np.empty(len(group), dtype=np.int32)
    with_all = together[starters][group]
    moved[with_all] = month.people_of(homes[together[starters]])
    moved[~with_all] = starters[~together[starters]]
    return moved, group


def _relocate(month: SimulatedMonth, people, group, target_ward, keep_number: np.ndarray | None = None) -> None:
    """Move groups to new addresses in ``target_ward`` (one a group) and record it."""
    city, r, h, journal = month.city, month.city.residents, month.city.households, month.journal
    keep = np.zeros(len(target_ward), dtype=bool) if keep_number is None else keep_number
    before = journal.address(r.household[people])
    plots, lots, subs, blank = place(city.geography, target_ward, city.parameters, month.rng)
    first = np.unique(group, return_index=True)[1]
    kept = r.household[people[first]].copy()
    new = h.found(plots[~keep], lots[~keep], subs[~keep], blank[~keep])
    kept[~keep] = new
    h.plot[kept[keep]], h.lot[kept[keep]], h.sub[kept[keep]] = plots[keep], lots[keep], subs[keep]
    h.blank[kept[keep]] |= blank[keep] & (city.geography.plot_district[plots[keep]] < 0)
    day = month.rng.integers(city.last_day - 27, city.last_day + 1, len(target_ward))[group]
    r.household[people] = kept[group]
    lone = (np.bincount(group, minlength=len(first)) == 1)[group] & ~keep[group]
    r.head[people[lone]], r.role[people[lone]] = True, PARTNER
    part = journal.record(people, MOVE, before, journal.address(kept[group]), day=day, lag=12)
    r.moved_in[people] = part["event_on"]
    if keep_number is None:
        month.city.lately["move"] = {**part, "lone": lone}


def move_in(month: SimulatedMonth) -> None:
    """転入 and entries from abroad: new people, and some who lived here before and keep their 宛名番号."""
    city, flows, r, rng = month.city, month.city.parameters.flows, month.city.residents, month.rng
    rates = np.array([ward.in_ for ward in city.parameters.wards]) * flows.season_in[month.season] / 12_000
    wanted = np.bincount(city.ward_of(month.home), minlength=len(rates)) * rates
    persons_a_group = 1 + flows.newcomer_couple + 2.5 * flows.newcomer_family + 1.4 * flows.newcomer_lone_parent
    groups = rng.poisson(wanted / persons_a_group)
    ward = rng.permutation(np.repeat(np.arange(len(rates)), groups))
    back = _return(month, ward, min(int(len(ward) * flows.returning), int((r.state == MOVED_OUT).sum()) // 20))
    ward = ward[len(back) :]
    people, abroad = settle_newcomers(month, ward, rng.random(len(ward)) < flows.abroad_in, alone=False)
    everybody = np.concatenate([back, people])
    reasons = np.where(np.concatenate([np.zeros(len(back), dtype=bool), abroad]), IN_ABROAD, IN_DOMESTIC)
    homes = r.household[everybody]
    journal = month.journal
    lone = month.rng.integers(city.last_day - 27, city.last_day + 1, len(city.households))[homes]
    part = journal.record(
        everybody, reasons, journal.nowhere(len(everybody)), journal.address(homes),
        counterpart=r.previous[everybody], day=lone, lag=12,
    )  # fmt: skip
    for name in ("became", "moved_in"):
        getattr(r, name)[everybody] = part["event_on"]
    foreign = r.foreign[everybody]
    r.foreign_since[everybody[foreign]] = part["event_on"][foreign]
    city.lately["in"] = {name: values[len(back) :] for name, values in part.items()}


def _return(month: SimulatedMonth, ward: np.ndarray, count: int) -> np.ndarray:
    """People who moved out earlier come back, each to a household of their own in the first wards of ``ward``."""
    city, r, rng = month.city, month.city.residents, month.rng
    away = np.flatnonzero((r.state == MOVED_OUT) & (r.birth < city.last_day - 18 * 366))
    away = np.setdiff1d(away, city.lately["out"]["person"])
    count = min(count, len(away), len(ward))
    back = np.sort(rng.choice(away, count, replace=False)).astype(np.int32)
    homes = city.households.found(*place(city.geography, ward[:count], city.parameters, rng))
    r.household[back], r.state[back], r.head[back], r.role[back] = homes, RESIDENT, True, PARTNER
    r.previous[back] = draw_counterparts(city.parameters, np.zeros(count, bool), np.full(count, NONE), rng)
    r.protection[back] = 0
    return back
