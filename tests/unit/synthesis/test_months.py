"""The city lives: stock and flow agree exactly, numbers stay with people, cancellations undo what they name."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kobe_platform.synthesis import live
from kobe_platform.synthesis.city import RESIDENT, first_day
from kobe_platform.synthesis.events import (
    BIRTH,
    CANCELLATIONS,
    CHANGE_CANCELLED,
    DEATH,
    ENTRIES,
    ENTRY_CANCELLED,
    IN_DOMESTIC,
    MOVE,
    OUT_ABROAD,
    OUT_DOMESTIC,
    REMOVAL_CANCELLED,
    REMOVALS,
)  # fmt: skip

MONTHS, RESIDENTS = 14, 40_000


@pytest.fixture(scope="module")
def history() -> list[dict]:
    """Fourteen months: stock by ward before and after, events, and a copy of the people's state."""
    months, before = [], None
    for city, events in live(RESIDENTS, "2025-01", "2026-02", seed=2):
        r = city.residents
        stock = np.bincount(city.ward_of(r.household[city.stock]), minlength=9)
        months.append(
            {
                "month": city.month, "before": before, "after": stock, "events": events, "state": r.state.copy(),
                "home": r.household.copy(), "head": r.head.copy(), "plot_ward": city.geography.plot_ward,
                "announced": city.announced, "last_day": city.last_day,
            }
        )  # fmt: skip
        before = stock
    return months


def test_stock_is_the_former_stock_plus_flows_by_ward(history):
    for former, month in pairwise(history):
        events, ward = month["events"], month["plot_ward"]
        there, gone = events.plot_after >= 0, events.plot_before >= 0
        change = np.bincount(ward[events.plot_after[there]], minlength=9)
        change -= np.bincount(ward[events.plot_before[gone]], minlength=9)
        assert (former["after"] + change == month["after"]).all(), month["month"]


def test_rates_are_those_of_a_city(history):
    reasons = np.concatenate([m["events"].reason for m in history[1:13]])
    counts = {int(reason): int((reasons == reason).sum()) for reason in np.unique(reasons)}
    assert 5.5 < counts[BIRTH] / RESIDENTS * 1000 < 8.5
    assert 7.5 < counts[DEATH] / RESIDENTS * 1000 < 11
    assert 25 < counts[OUT_DOMESTIC] / RESIDENTS * 1000 < 42
    assert 35 < counts[MOVE] / RESIDENTS * 1000 < 60
    march = (history[2]["events"].reason == OUT_DOMESTIC).sum()
    july = (history[6]["events"].reason == OUT_DOMESTIC).sum()
    assert march > 2 * july


def test_foreigners_are_removed_on_notice(history):
    noticed = np.concatenate([m["events"].reason[m["events"].notice] for m in history[1:13]])
    assert np.isin(noticed, (24, 25)).all()
    assert 0.02 < len(noticed) / (RESIDENTS * 0.033) < 0.05


def test_every_household_that_is_lived_in_has_one_head(history):
    for month in history:
        here = month["state"] == RESIDENT
        size = np.bincount(month["home"][here])
        heads = np.bincount(month["home"][here & month["head"]], minlength=len(size))
        assert (heads[size > 0] == 1).all()


def test_history_numbers_are_unique_and_rise_with_the_processing_day(history):
    events = [m["events"] for m in history]
    person, number, day = (
        np.concatenate([getattr(e, n) for e in events]) for n in ("person", "history", "processed_on")
    )
    order = np.lexsort((number, person))
    person, number, day = person[order], number[order], day[order]
    same = person[1:] == person[:-1]
    assert (number[1:][same] > number[:-1][same]).all()
    assert (day[1:][same] >= day[:-1][same]).all()


def test_events_happen_before_they_are_processed_in_their_month(history):
    for month in history:
        events = month["events"]
        assert (events.event_on <= events.filed_on).all()
        assert (events.filed_on <= events.processed_on).all()
        assert (events.processed_on >= first_day(month["month"])).all()
        assert (events.processed_on <= month["last_day"]).all()


def test_a_move_between_wards_gives_a_new_household_number_to_a_person_who_keeps_theirs(history):
    for month in history[:3]:
        events, ward = month["events"], month["plot_ward"]
        moved = (events.reason == MOVE) & (ward[events.plot_before] != ward[events.plot_after])
        assert moved.any()
        assert (events.household_before[moved] != events.household_after[moved]).all()


def test_who_comes_back_keeps_the_number(history):
    left = np.concatenate(
        [m["events"].person[np.isin(m["events"].reason, (OUT_DOMESTIC, OUT_ABROAD))] for m in history[:6]]
    )
    entered = np.concatenate([m["events"].person[m["events"].reason == IN_DOMESTIC] for m in history[6:]])
    assert len(np.intersect1d(left, entered)) > 0


def test_every_cancellation_names_an_event_of_that_person_that_it_can_undo(history):
    undoes = {ENTRY_CANCELLED: ENTRIES, REMOVAL_CANCELLED: REMOVALS, CHANGE_CANCELLED: (MOVE,)}
    known: dict[tuple[int, int], int] = {}
    found = dict.fromkeys(CANCELLATIONS, 0)
    for month in history:
        e = month["events"]
        known |= dict(zip(zip(e.person.tolist(), e.history.tolist(), strict=True), e.reason.tolist(), strict=True))
        for index in np.flatnonzero(np.isin(e.reason, CANCELLATIONS)):
            named = known[int(e.person[index]), int(e.cancels[index])]
            assert named in undoes[int(e.reason[index])]
            found[int(e.reason[index])] += 1
    assert all(found.values()), found


def test_announced_departures_lie_ahead_and_take_place_in_the_next_month(history):
    for month, following in pairwise(history):
        planned, events = month["announced"], following["events"]
        assert (planned.event_on > month["last_day"]).all()
        assert (month["state"][planned.person] == RESIDENT).all()
        assert (planned.confirmed < 0).all()
        left = events.person[(events.reason == OUT_DOMESTIC) & (events.confirmed >= 0)]
        assert np.isin(planned.person, left).all()
    assert sum(len(m["announced"]) for m in history) > 10


def test_the_same_seed_gives_the_same_life_and_another_seed_another():
    first, again, other = (list(live(2_000, "2025-03", "2025-04", seed))[-1][1] for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(vars(first).values(), vars(again).values(), strict=True))
    assert len(first) != len(other) or not np.array_equal(first.person, other.person)
