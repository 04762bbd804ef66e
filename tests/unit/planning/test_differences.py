"""Differences in the plan: laid over the month before and no other, in order, and again when that month changes."""

from kobe_platform.lake.partitions import PartitionId
from tests.unit.planning.test_convergence import clean
from tests.unit.planning.world import ESTIMATE, MOVEMENTS, REGISTER, SOURCES, TOWNS, World, tabulate, take_in

MONTHS = ("2025-10", "2025-11", "2025-12", "2026-01")


def chain(*months: str, full: str = MONTHS[0]) -> World:
    """Complete months whose register comes as a full extract first, and as differences after it."""
    world = World().complete(*months)
    for month in months:
        world.deliver(REGISTER, month=month, content="good" if month == full else "diff")
    return world


def raw(month: str) -> PartitionId:
    return PartitionId("raw", REGISTER, month)


def test_a_full_extract_and_the_differences_after_it_are_taken_in_one_after_the_other():
    world = chain(*MONTHS)
    done = world.drive()
    taken = [name for name in done if name.startswith(f"take_in:{REGISTER}")]
    assert taken == [take_in(REGISTER, month) for month in MONTHS]
    assert world.plan().empty
    assert "good" in repr(world.values[raw("2026-01")]), "each holds what the full extract began"


def test_a_difference_waits_for_a_month_that_was_never_delivered_and_never_bridges_it():
    world = chain("2025-10", "2025-12")
    world.drive()
    step = world.steps()[take_in(REGISTER, "2025-12")]
    assert (step.state, step.waits_for) == ("waiting", (f"delivery:{REGISTER}:2025-11",))
    world.deliver(*(source for source in SOURCES if source != REGISTER), month="2025-11")
    world.deliver(REGISTER, month="2025-11", content="diff").drive()
    assert world.plan().empty


def test_a_difference_before_any_full_extract_waits():
    world = World().complete("2025-12").deliver(REGISTER, month="2025-12", content="diff")
    world.drive()
    assert world.steps()[take_in(REGISTER, "2025-12")].waits_for == (f"delivery:{REGISTER}:2025-11",)


def test_nothing_is_laid_over_a_month_whose_correction_is_undecided():
    world = chain("2025-10", "2025-11")
    world.drive()
    world.deliver(REGISTER, month="2025-11", content="diff-corrected").drive()
    assert world.steps()[take_in(REGISTER, "2025-11")].state == "held"
    world.complete("2025-12").deliver(REGISTER, month="2025-12", content="diff").drive()
    step = world.steps()[take_in(REGISTER, "2025-12")]
    assert (step.state, step.waits_for) == ("waiting", (take_in(REGISTER, "2025-11"),))
    world.approve(REGISTER, "2025-11")
    world.drive()
    assert world.plan().empty
    assert "diff-corrected" in repr(world.values[raw("2025-12")])


def test_a_corrected_month_makes_those_that_were_built_on_it_outstanding_again():
    world = chain(*MONTHS)
    world.drive()
    world.deliver(REGISTER, month="2025-10", content="corrected")
    world.drive()
    world.approve(REGISTER, "2025-10")
    done = world.drive()
    assert [name for name in done if name.startswith(f"take_in:{REGISTER}")] == [take_in(REGISTER, m) for m in MONTHS]
    assert world.plan().empty
    assert world.published() == clean(world).published()


def test_a_difference_that_was_refused_over_a_wrong_month_is_judged_again_over_the_corrected_one():
    world = chain("2025-10", "2025-11", "2025-12")
    world.deliver(REGISTER, month="2025-10", content="partial").deliver(REGISTER, month="2025-11", content="diffpicky")
    world.drive()
    assert [one.month for one in world.plan().turned_away] == ["2025-11"]
    assert world.steps()[take_in(REGISTER, "2025-12")].waits_for == (f"delivery:{REGISTER}:2025-11",)
    world.deliver(REGISTER, month="2025-10", content="whole").drive()
    world.approve(REGISTER, "2025-10")
    world.drive()
    assert world.plan().empty and not world.plan().turned_away


def test_an_accepted_difference_that_a_corrected_month_makes_wrong_stops_with_its_cause():
    world = chain("2025-10", "2025-11")
    world.deliver(REGISTER, month="2025-11", content="diffpicky").drive()
    assert world.plan().empty
    world.deliver(REGISTER, month="2025-10", content="partial").drive()
    world.approve(REGISTER, "2025-10")
    world.drive()
    step = world.steps()[take_in(REGISTER, "2025-11")]
    assert (step.state, step.waits_for) == ("failed", ("mended_input_or_code",))
    assert step.cause is not None


def test_rows_that_were_destroyed_are_fetched_again_down_to_the_full_extract():
    world = chain(*MONTHS[:3])
    world.drive()
    world.destroy(*(id for id in world.heads if id.stage == "raw" and id.source != TOWNS))
    assert world.plan().empty
    world.complete("2026-01").deliver(REGISTER, month="2026-01", content="diff")
    done = world.drive()
    assert [name for name in done if name.startswith(f"take_in:{REGISTER}")] == [take_in(REGISTER, m) for m in MONTHS]
    assert world.plan().empty


def test_a_full_extract_in_between_begins_anew():
    world = chain(*MONTHS)
    world.deliver(REGISTER, month="2025-12", content="full-again").drive()
    assert world.plan().empty
    assert "good" not in repr(world.values[raw("2026-01")])


def test_nothing_is_laid_over_a_month_that_its_sender_has_withdrawn_wherever_it_lies():
    world = chain("2025-10")
    world.drive()
    world.withdraw(REGISTER, "2025-10")
    world.complete("2025-11").deliver(REGISTER, month="2025-11", content="diff").drive()
    assert world.steps()[take_in(REGISTER, "2025-11")].waits_for == (take_in(REGISTER, "2025-10"),)
    del world.inbox[REGISTER, "2025-10"]
    assert world.steps()[take_in(REGISTER, "2025-11")].waits_for == (f"delivery:{REGISTER}:2025-10",)
    world.deliver(REGISTER, month="2025-10", content="again").drive()
    world.approve(REGISTER, "2025-10")
    world.drive()
    assert world.plan().empty


def test_a_withdrawn_reference_table_is_not_used_for_anything_new_and_what_was_made_with_it_stays():
    """Nor is an older one in its place: the districts of the month are those that its sender still has to name."""
    world = World().complete("2025-10")
    world.drive()
    shown = dict(world.published())
    world.withdraw(TOWNS, "2025-10")
    world.deliver(REGISTER, MOVEMENTS, ESTIMATE, month="2025-11").drive()
    assert world.steps()[take_in(REGISTER, "2025-11")].waits_for == (take_in(TOWNS, "2025-10"),)
    assert {id: value for id, value in world.published().items() if id in shown} == shown
    del world.inbox[TOWNS, "2025-10"]
    assert world.steps()[take_in(REGISTER, "2025-11")].waits_for == (f"delivery:{TOWNS}:2025-10",)
    world.deliver(TOWNS, month="2025-10", content="better").drive()
    world.approve(TOWNS, "2025-10")
    world.drive()
    assert world.plan().empty and "better" in repr(world.published())


def test_public_figures_that_were_withdrawn_are_not_published_anew_and_those_that_were_stay():
    world = World().complete("2025-10")
    world.drive()
    shown = dict(world.published())
    world.withdraw(ESTIMATE, "2025-10")
    world.redefine(ESTIMATE, "in other words")
    world.drive()
    step = world.steps()[tabulate(ESTIMATE, "2025-10")]
    assert (step.state, step.waits_for) == ("waiting", (take_in(ESTIMATE, "2025-10"),))
    assert world.published() == shown
