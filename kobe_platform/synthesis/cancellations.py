"""Adds cancellations (取消) to a month of the synthetic city: events that undo an earlier event.

An event that is cancelled in the same month is netted with its cancellation. One of the month before was already
counted, so its cancellation is booked as a correction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kobe_platform.synthesis.city import MOVED_OUT, PARTNER, REMOVED, RESIDENT
from kobe_platform.synthesis.events import (
    CHANGE_CANCELLED,
    ENTRY_CANCELLED,
    IN_DOMESTIC,
    OUT_DOMESTIC,
    REMOVAL_CANCELLED,
)  # fmt: skip
from kobe_platform.synthesis.newcomers import settle_newcomers
from kobe_platform.synthesis.population import draw_counterparts

if TYPE_CHECKING:
    from kobe_platform.synthesis.flows import SimulatedMonth


def cancel_former(month: SimulatedMonth) -> None:
    """Undo a few moves of the month before: out (28), in (09), between wards (59)."""
    former = month.city.lately
    share = month.city.parameters.flows.cancelled_later
    for name, undo in (("out", _undo_out), ("in", _undo_in), ("move", _undo_move)):
        part = former.pop(name, None)
        if part is None or not len(part["person"]):
            continue
        chosen = np.flatnonzero(month.rng.random(len(part["person"])) < share)
        if not len(chosen):
            chosen = month.rng.integers(0, len(part["person"]), 1)
        undo(month, {key: values[chosen] for key, values in part.items()})


def _undo_out(month: SimulatedMonth, part: dict) -> None:
    """Put people whose departure is cancelled back where they lived, if no other event followed."""
    r, journal = month.city.residents, month.journal
    people = part["person"]
    still = (r.state[people] == MOVED_OUT) & (r.history[people] == part["history"])
    people, home = people[still], part["household_before"][still]
    month.free[home] = False
    r.household[people], r.state[people] = home, RESIDENT
    headed = np.zeros(len(month.city.households), dtype=bool)
    others = month.members[r.head[month.members]]
    headed[r.household[others]] = True
    r.head[people] &= ~headed[home]
    _one_head(r, people)
    journal.record(
        people,
        REMOVAL_CANCELLED,
        journal.nowhere(len(people)),
        journal.address(home),
        cancels=part["history"][still],
        lag=5,
    )


def _one_head(r, people: np.ndarray) -> None:
    """Leave one head in each household among ``people``."""
    heads = people[r.head[people]]
    r.head[heads] = False
    r.head[heads[np.unique(r.household[heads], return_index=True)[1]]] = True


def _undo_in(month: SimulatedMonth, part: dict) -> None:
    """Take people whose arrival is cancelled off the register (state 9), if no other event followed."""
    r, journal = month.city.residents, month.journal
    people = part["person"]
    home = r.household[people]
    whole = month.size[home] == 1
    still = (
        (r.state[people] == RESIDENT)
        & (r.history[people] == part["history"])
        & whole
        & (home == part["household_after"])
    )
    people = people[still]
    month.free[home[still]] = False
    before = journal.address(home[still])
    journal.record(people, ENTRY_CANCELLED, before, journal.nowhere(len(people)), cancels=part["history"][still], lag=5)
    r.state[people] = REMOVED


def _undo_move(month: SimulatedMonth, part: dict) -> None:
    """Put people whose move is cancelled back into the old household, if they moved alone and it still exists."""
    r, journal = month.city.residents, month.journal
    people, home = part["person"], part["household_before"]
    still = (
        (r.state[people] == RESIDENT) & (r.history[people] == part["history"]) & (month.size[r.household[people]] == 1)
    )
    unmoved = month.city.households.plot[home] == part["plot_before"]
    still &= unmoved & (part["household_after"] == r.household[people])
    still &= month.free[home] & month.free[r.household[people]]
    people, home = people[still], home[still]
    month.free[home] = month.free[r.household[people]] = False
    before = journal.address(r.household[people])
    headed = np.zeros(len(month.city.households), dtype=bool)
    headed[r.household[month.members[r.head[month.members]]]] = True
    r.household[people] = home
    r.head[people] = ~headed[home]
    r.role[people] = np.where(headed[home], 3, PARTNER)
    _one_head(r, people)
    journal.record(people, CHANGE_CANCELLED, before, journal.address(home), cancels=part["history"][still], lag=5)


def cancel_at_once(month: SimulatedMonth) -> None:
    """Pairs within the month: a 転出 filed and cancelled; a 転入 entered and cancelled. The stock does not change."""
    city, r, rng, journal = month.city, month.city.residents, month.rng, month.journal
    share, day = city.parameters.flows.cancelled_at_once, city.last_day
    leaving = len(city.lately["out"]["person"])
    people = month.available()
    people = people[month.age[people] >= 18]
    chosen = month.choose(people, np.full(len(people), min(1.0, (leaving * share + 1) / max(len(people), 1))))
    to = draw_counterparts(city.parameters, np.zeros(len(chosen), bool), r.nationality[chosen], rng)
    address, nowhere = journal.address(r.household[chosen]), journal.nowhere(len(chosen))
    first = rng.integers(day - 27, day - 3, len(chosen))
    part = journal.record(chosen, OUT_DOMESTIC, address, nowhere, day=first, counterpart=to, planned=to, confirmed=to)
    journal.record(chosen, REMOVAL_CANCELLED, nowhere, address, day=first + 2, lag=1, cancels=part["history"])
    count = int(rng.poisson(leaving * share / 2)) + 1
    ward = rng.integers(0, len(city.parameters.wards), count)
    people, _ = settle_newcomers(month, ward, np.zeros(count, dtype=bool), alone=True)
    address, nowhere = journal.address(r.household[people]), journal.nowhere(len(people))
    first = rng.integers(day - 27, day - 3, len(people))
    part = journal.record(people, IN_DOMESTIC, nowhere, address, day=first, counterpart=r.previous[people])
    journal.record(people, ENTRY_CANCELLED, address, nowhere, day=first + 2, lag=1, cancels=part["history"])
    r.state[people] = REMOVED
