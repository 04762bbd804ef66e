"""Whatever happened to an installation, executing its plan to the end leads to where a clean run would have led."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kobe_platform.planning import Step, Work
from kobe_platform.vocabulary.months import month_before
from tests.unit.planning.world import MOVEMENTS, REGISTER, SOURCES, TOWNS, World, take_in

MONTHS = ("2025-11", "2025-12", "2026-01")
WORDS = (
    "good", "better", "reject", "refuse", "fussy", "partial", "jump", "redlake", "redcount", "redtable",
    "diff", "diffpicky",
)  # fmt: skip
SOUND = ("good", "better", "fussy", "jump", "diff")
"""Words of deliveries that are accepted in the end, beside a whole reference and with an operator's approval."""

places = st.tuples(st.sampled_from(SOURCES), st.sampled_from(MONTHS))
events = st.one_of(
    st.tuples(st.just("deliver"), places, st.sampled_from(WORDS)),
    st.tuples(st.just("deliver"), places, st.sampled_from(WORDS)),
    st.tuples(st.just("complete"), st.sampled_from(MONTHS)),
    st.tuples(st.just("run"), st.lists(st.integers(0, 25), max_size=4)),
    st.tuples(st.just("run"), st.just([])),
    st.tuples(st.just("ask")),
    st.tuples(st.just("answer"), st.lists(st.integers(0, 25), max_size=3)),
    st.tuples(st.just("materialize"), places),
    st.tuples(st.just("approve"), places),
    st.tuples(st.just("approve all")),
    st.tuples(st.just("retry"), places),
    st.tuples(st.just("withdraw"), places),
    st.tuples(st.just("destroy raw"), st.sampled_from(MONTHS)),
    st.tuples(st.just("redefine"), st.sampled_from(["population_ward", "ward_moves_in_year"]), st.integers(0, 2)),
    st.tuples(st.just("outage"), st.integers(1, 3)),
    st.tuples(st.just("break"), places),
    st.tuples(st.just("mend")),
    st.tuples(st.just("lose verdict"), st.integers(0, 200)),
    st.tuples(st.just("pages"), st.integers(0, 2)),
    st.tuples(st.just("withhold"), st.sampled_from([(), ("ward_population",)])),
    st.tuples(st.just("roll back")),
    st.tuples(st.just("forget release")),
)
LONG = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


class Story:
    """A world to which things happen."""

    def __init__(self) -> None:
        self.world, self.serial, self.mended = World(), 0, 0
        self.asked: list[Work] = []

    def happens(self, name: str, *what) -> None:
        """One event."""
        getattr(self, name.replace(" ", "_"))(*what)

    def deliver(self, place, word) -> None:
        self.serial += 1
        if place[0] != REGISTER:
            word = word.removeprefix("diff") or "good"  # the other sources have no differences
        self.world.deliver(place[0], month=place[1], content=f"{word}-{self.serial}")

    def complete(self, month) -> None:
        self.world.complete(month)

    def run(self, kills) -> None:
        self.world.drive(kills)

    def ask(self) -> None:
        """Runs are queued, and wait there while other things happen."""
        self.asked = self.world.plan().works()

    def answer(self, kills) -> None:
        """The queued runs are executed, whatever has become of what they were asked for."""
        left = [*kills, *[0] * len(self.asked)]
        for work, writes in zip(self.asked, left, strict=False):
            self.world.execute(work, writes or None)

    def materialize(self, place) -> None:
        """A person starts a run, whatever the plan says."""
        if place in self.world.inbox:
            step = Step("take_in", *place, "by hand", "new delivery")
            self.world.execute(Work(step.work, "take_in", step.month, (step,)))

    def approve(self, place) -> None:
        if place in self.world.inbox:
            self.world.approve(*place)

    def approve_all(self) -> None:
        for step in self.world.plan().steps:
            if step.state == "held":
                self.world.approve(step.unit, step.month)

    def withdraw(self, place) -> None:
        if place in self.world.inbox:
            self.world.withdraw(*place)

    def retry(self, place) -> None:
        if place in self.world.inbox:
            self.world.retry(*place)

    def destroy_raw(self, month) -> None:
        raw = [id for id in self.world.heads if id.stage == "raw" and id.month == month and id.source != TOWNS]
        self.world.destroy(*raw)

    def redefine(self, name, text) -> None:
        self.world.redefine(name, f"definition {text}")

    def outage(self, times) -> None:
        self.world.outage = times

    def break_(self, place) -> None:
        self.world.broken |= {take_in(*place), f"tabulate:flows/month:{place[1]}"}

    def mend(self) -> None:
        self.mended += 1
        self.world.engine = f"e{self.mended}"

    def lose_verdict(self, number) -> None:
        known = [(id, check) for id, entry in self.world.heads.items() for check in entry.verdicts]
        if known:
            self.world.unjudge(*known[number % len(known)])

    def pages(self, number) -> None:
        self.world.show(pages=f"pages-{number}")

    def withhold(self, slugs) -> None:
        self.world.show(withheld=slugs)

    def roll_back(self) -> None:
        self.world.show(stands=bool(self.world.release.inputs))

    def forget_release(self) -> None:
        self.world.show(stands=False)

    def repaired(self) -> World:
        """Everything that is wrong is put right by those whose business it is, and the plan is executed."""
        world = self.world
        world.outage = 0
        self.mend()
        for place in [(source, month) for source in SOURCES for _, month in list(world.inbox)]:
            told = world.receipts.get((*place, world.inbox.get(place, "")), set())
            if not world.inbox.get(place, "").startswith(SOUND) or "withdrawn" in told:
                self.deliver(place, "better")
        for month in sorted(month for source, month in world.inbox if source == REGISTER):
            if (REGISTER, month_before(month)) not in world.inbox and world.inbox[REGISTER, month].startswith("diff"):
                self.deliver((REGISTER, month), "better")
        for _ in range(6):
            world.drive()
            for place in world.inbox:
                world.retry(*place)
            self.approve_all()
        world.drive()
        return world


def clean(world: World) -> World:
    """A new installation that was given the same inbox and the same definitions, once and for all."""
    fresh = World(inbox=dict(world.inbox), statistics=dict(world.statistics), release=World().release)
    fresh.show(pages=world.release.pages, withheld=world.release.withheld)
    for place in fresh.inbox:
        fresh.approve(*place)
    fresh.drive()
    return fresh


def story(happenings) -> Story:
    told = Story()
    for happening in happenings:
        told.happens(*("break_" if happening[0] == "break" else happening[0], *happening[1:]))
    return told


@pytest.mark.slow
@LONG
@given(st.lists(events, max_size=14))
def test_after_any_history_the_plan_comes_to_its_end_where_a_clean_run_would_have_ended(happenings):
    world = story(happenings).repaired()
    assert world.plan().outstanding == ()
    reference = clean(world)
    assert reference.plan().outstanding == ()
    assert world.published() == reference.published()
    assert (world.releases[-1:] or [{}])[0] == (reference.releases[-1:] or [{}])[0]


@pytest.mark.slow
@LONG
@given(st.lists(events, max_size=14))
def test_whatever_is_wrong_the_plan_never_asks_for_the_same_work_twice_and_publishes_nothing_over_nothing(happenings):
    world = story([*happenings, ("run", [])]).world
    assert world.plan().works() == []
    assert all(release for release in world.releases)
    assert world.drive() == []


@pytest.mark.slow
@settings(LONG, max_examples=60)
@given(st.integers(1, 150), st.integers(1, 30))
@example(4, 1)
def test_a_process_may_be_killed_after_any_write_and_the_next_one_goes_on_from_there(first, second):
    world = World().complete(*MONTHS)
    plan, killed = world.plan(), False
    for work in plan.works():
        killed |= not world.execute(work, first)
    world.drive([second])
    assert world.plan().empty
    assert world.published() == clean(world).published()


@pytest.mark.parametrize("number", range(1, 15))
def test_a_corrected_reference_whose_run_is_killed_after_any_write_still_reaches_the_tables(number):
    world = World().complete(*MONTHS)
    world.drive()
    world.deliver(TOWNS, month=MONTHS[0], content="corrected")
    world.approve(TOWNS, MONTHS[0])
    world.execute(world.plan().works()[0])
    for work in world.plan().works():
        world.execute(work, number)
    world.drive()
    assert world.plan().empty
    assert world.published() == clean(world).published()


def test_order_of_arrival_does_not_matter():
    late = World()
    for source in (MOVEMENTS, REGISTER, TOWNS, *SOURCES[3:]):
        for month in reversed(MONTHS):
            late.deliver(source, month=month)
            late.drive()
    assert late.plan().empty
    assert late.published() == clean(late).published()
    assert late.releases[-1] == clean(late).releases[-1]
