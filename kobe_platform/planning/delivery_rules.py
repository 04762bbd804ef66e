"""Lists the deliveries that have to be taken in, or taken in again, each with the reason.

A delivery is due when the lake does not hold its rows, when what they were made from has changed, when a check of them
is missing, or when another delivery needs its rows again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kobe_platform.contracts import Contract
from kobe_platform.lake.heads import HeadEntry
from kobe_platform.lake.partitions import PartitionId, made_from
from kobe_platform.lake.shelf import latest_month
from kobe_platform.planning.facts import TURNED_AWAY, DeliveryFact, Facts
from kobe_platform.planning.states import Found, red_cause, settled
from kobe_platform.planning.steps import Reason, Step
from kobe_platform.reception.inputs import (
    abstraction_inputs,
    admission_inputs,
    base_of,
    companion_ready,
    contract_digest,
    taking_inputs,
    target,
)
from kobe_platform.release.required_checks import lake_checks, missing, red
from kobe_platform.vocabulary.months import month_before


def outstanding_take_ins(facts: Facts) -> tuple[Facts, Found]:
    """The steps of deliveries in their order, with their states, and the facts as they are judged now.

    They follow from deliveries, receipts and heads alone: neither tables nor pages are asked.
    """
    found, facts = Found(), as_judged_now(facts)
    for step in take_ins(facts):
        found.add(settled(facts, after_neighbours(facts, step, found), found))
    return facts, found


def take_ins(facts: Facts) -> list[Step]:
    """The deliveries to take in: public ones first, then by month, companions before those that need them."""
    ordered = sorted(facts.deliveries, key=lambda d: _order(facts.contracts[d.source], d))
    steps = {(d.source, d.month): _take_in(facts, d) for d in ordered}
    _need_rows_again(facts, steps)
    wanted = [step for step in steps.values() if step is not None]
    return sorted(wanted, key=lambda step: _order(facts.contracts[step.unit], facts.by_place[step.unit, step.month]))


def as_judged_now(facts: Facts) -> Facts:
    """The facts, without refusals of differences over a base that has changed since: they are judged over the new one.

    A wrong base makes a right difference look wrong: its sequence, its history numbers, its columns.
    """
    return replace(facts, deliveries=tuple(_as_judged_now(facts, delivery) for delivery in facts.deliveries))


def _as_judged_now(facts: Facts, delivery: DeliveryFact) -> DeliveryFact:
    if not delivery.turned or not delivery.judged_with or delivery.kind != "difference":
        return delivery
    contract = facts.contracts[delivery.source]
    if not _base_ready(facts, delivery) or delivery.judged_with == made_from(_laid_from(facts, contract, delivery)):
        return delivery
    return replace(delivery, turned="", cause=None)


def _order(contract: Contract, delivery: DeliveryFact) -> tuple[Any, ...]:
    return contract.sensitivity != "public", delivery.month, len(contract.needs), delivery.source


def _take_in(facts: Facts, delivery: DeliveryFact) -> Step | None:
    """The step that a delivery needs; None where it needs none."""
    contract = facts.contracts[delivery.source]
    place = target(contract, delivery.month)
    held = facts.heads.current(place)
    if delivery.turned == "withdrawn":
        return _withdrawn(facts, contract, delivery)
    standing = held if held is not None and held.facts.get("content_hash") == delivery.content_hash else None
    reason: Reason | None
    if standing is not None:
        reason = _unsettled(facts, contract, delivery, standing)
    elif delivery.turned in TURNED_AWAY:
        return None
    else:
        reason = "new delivery" if held is None else "input changed"
    if reason is None:
        return None
    step = Step("take_in", delivery.source, delivery.month, _taken_from(facts, contract, delivery), reason)
    step = replace(step, delivery=delivery.content_hash)
    if standing is None and delivery.turned == "held":
        return replace(step, state="held", waits_for=("approval",), cause=delivery.cause)
    if standing is not None and reason == "check failed":
        return replace(step, state="blocked", cause=red_cause(place, red(standing, facts.engine)))
    turned_away = _turned_away_again(facts, contract, delivery, step) if standing is not None else None
    return turned_away or _from_outside(facts, contract, step)


def _withdrawn(facts: Facts, contract: Contract, delivery: DeliveryFact) -> Step:
    """A delivery that no longer holds: the month waits for another one, and its rows in the lake for being replaced."""
    step = Step("take_in", delivery.source, delivery.month, _taken_from(facts, contract, delivery), "withdrawn")
    step = replace(step, delivery=delivery.content_hash, cause=delivery.cause)
    return replace(step, state="waiting", waits_for=("replacement",))


def _from_outside(facts: Facts, contract: Contract, step: Step) -> Step:
    """The step, put off where the legal basis, the calendar or the scope of the installation does not allow it yet."""
    if not contract.legal.holds(facts.today):
        return replace(step, state="waiting", waits_for=("legal_basis",))
    if step.month < facts.start:
        return replace(step, state="later", waits_for=("series_start",))
    if step.month >= f"{facts.today:%Y-%m}":
        return replace(step, state="later", waits_for=("month_end",))
    if not facts.scope.includes(step.unit, step.month):
        return replace(step, state="later", waits_for=("scope",))
    return step


def _unsettled(facts: Facts, contract: Contract, delivery: DeliveryFact, held: HeadEntry) -> Reason | None:
    """Why an accepted delivery is to be processed again; None where its rows in the lake are up to date."""
    if held.destroyed_at:
        return None
    if _laid_over_another(facts, contract, delivery) or _out_of_date(facts, contract, delivery.month):
        return "input changed"
    if red(held, facts.engine):
        return "check failed"
    if missing(held, lake_checks(contract), facts.engine):
        return "check missing"
    return None if delivery.receipted else "receipt missing"


def _base_ready(facts: Facts, delivery: DeliveryFact) -> bool:
    """Whether the raw rows of the month before are the accepted ones, and still there."""
    return companion_ready(facts.heads, delivery.source, month_before(delivery.month))


def _laid_from(facts: Facts, contract: Contract, delivery: DeliveryFact) -> dict[str, str]:
    """What the raw rows of a delivery are made from now; of a difference, its base among it."""
    base = facts.heads.current(base_of(contract, delivery.month)) if delivery.kind == "difference" else None
    return taking_inputs(contract, delivery.content_hash, base.content if base else "")


def _laid_over_another(facts: Facts, contract: Contract, delivery: DeliveryFact) -> bool:
    """Whether the base of a difference has changed since the difference was laid over it."""
    if delivery.kind != "difference" or not _base_ready(facts, delivery):
        return False
    raw = facts.heads.current(PartitionId("raw", contract.name, delivery.month))
    return raw is None or raw.made_from != made_from(_laid_from(facts, contract, delivery))


def _needs_base(facts: Facts, contract: Contract, delivery: DeliveryFact) -> bool:
    """Whether a difference has to be laid over its base: its own raw rows are not there, or are others'."""
    if delivery.kind != "difference" or contract.use != "lake":
        return False
    raw = facts.heads.current(PartitionId("raw", contract.name, delivery.month))
    return raw is None or bool(raw.destroyed_at) or raw.made_from != made_from(_laid_from(facts, contract, delivery))


def _out_of_date(facts: Facts, contract: Contract, month: str) -> bool:
    """Whether the rows in the lake were made with another companion or reference than the ones now in force."""
    if contract.use != "lake" or not all(companion_ready(facts.heads, name, month) for name in contract.needs):
        return False
    return not _abstracted_already(facts, contract, month) or not _admitted_already(facts, contract, month)


def _abstracted_already(facts: Facts, contract: Contract, month: str) -> bool:
    abstracted = facts.heads.current(PartitionId("abstracted", contract.name, month))
    wanted = made_from(abstraction_inputs(facts.heads, contract, month))
    return abstracted is not None and abstracted.made_from == wanted


def _admitted_already(facts: Facts, contract: Contract, month: str) -> bool:
    """Whether the lake holds the latest abstracted rows; a run that was killed in between leaves older ones."""
    abstracted = facts.heads.current(PartitionId("abstracted", contract.name, month))
    admitted = facts.heads.current(target(contract, month))
    if abstracted is None or admitted is None:
        return False
    return admitted.made_from == made_from(admission_inputs(contract, abstracted))


def _turned_away_again(facts: Facts, contract: Contract, delivery: DeliveryFact, step: Step) -> Step | None:
    """The held or failed step of an accepted delivery that was refused beside a newer neighbour; its old rows stay."""
    if not delivery.turned or step.reason != "input changed":
        return None
    month = delivery.month
    judged = bool(delivery.judged_with) and _laid_over_another(facts, contract, delivery)
    if not judged and (contract.use != "lake" or not _abstracted_already(facts, contract, month)):
        return None  # it has not been checked against the references and companions that are in force now
    if delivery.turned == "held":
        return replace(step, state="held", waits_for=("approval",), cause=delivery.cause)
    return replace(step, state="failed", waits_for=("mended_input_or_code",), cause=delivery.cause)


def _taken_from(facts: Facts, contract: Contract, delivery: DeliveryFact) -> str:
    """Digest of everything whose change could cure a failure: the delivery, its contract, its neighbours."""
    told = {"delivery": delivery.content_hash, "definition": contract_digest(contract)}
    if contract.use == "lake":
        told |= {k: v for k, v in abstraction_inputs(facts.heads, contract, delivery.month).items() if "/" in k}
        told.pop(f"raw/{contract.name}", None)
        told |= {k: v for k, v in _laid_from(facts, contract, delivery).items() if k == "base"}
    return made_from(told)


def _need_rows_again(facts: Facts, steps: dict[tuple[str, str], Step | None]) -> None:
    """A companion or base whose raw rows were destroyed, or never were the accepted ones, is taken in again.

    A difference that is needed again needs its own base, and so on down to the full extract that it began with.
    """
    left = [step for step in steps.values() if step is not None]
    while left:
        step = left.pop()
        if step.state != "ready":
            continue
        for place in _read_by(facts, step):
            again = _again(facts, *place) if steps.get(place) is None else None
            if again is not None:
                steps[place] = again
                left.append(again)


def _read_by(facts: Facts, step: Step) -> list[tuple[str, str]]:
    """The deliveries (source, month) whose raw rows a step reads beside its own."""
    contract, delivery = facts.contracts[step.unit], facts.by_place[step.unit, step.month]
    bases = [(step.unit, month_before(step.month))] if _needs_base(facts, contract, delivery) else []
    return [*((name, step.month) for name in contract.needs), *bases]


def _again(facts: Facts, name: str, month: str) -> Step | None:
    """The step that brings accepted raw rows back; None where they are there, or lie in the inbox no more."""
    delivered = facts.by_place.get((name, month))
    admitted = facts.heads.current(target(facts.contracts[name], month))
    if admitted is None or delivered is None or admitted.facts.get("content_hash") != delivered.content_hash:
        return None
    if companion_ready(facts.heads, name, month):
        return None
    inputs = _taken_from(facts, facts.contracts[name], delivered)
    again = Step("take_in", name, month, inputs, "rows needed again", delivery=delivered.content_hash)
    again = _from_outside(facts, facts.contracts[name], again)
    if delivered.turned in TURNED_AWAY:  # it was accepted once, and its contract has become stricter since
        again = replace(again, state="failed", waits_for=("mended_input_or_code",), cause=delivered.cause)
    return again


def after_neighbours(facts: Facts, step: Step, before: Found) -> Step:
    """The step, waiting for the steps of its companions, references and base, or for their delivery."""
    if step.state != "ready":
        return step
    contract, heads, month = facts.contracts[step.unit], facts.heads, step.month
    if _needs_base(facts, contract, facts.by_place[step.unit, month]):
        waiting = _after_its_base(facts, step, before)
        if waiting is not None:
            return waiting
    near = [one for name in contract.needs for one in before.of_unit.get(name, ()) if one.month == month]
    near += [one for name in contract.references for one in before.of_unit.get(name, ()) if one.month <= month]
    coming = tuple(one.id for one in near if one.id in before.moving)
    absent = [
        name for name in contract.needs if not companion_ready(heads, name, month) or (name, month) in facts.withdrawn
    ]
    in_force = {name: latest_month(heads, "raw", name, month) for name in contract.references}
    absent += [name for name, held in in_force.items() if held is None or (name, held) in facts.withdrawn]
    if absent and not coming:
        stuck = {one.unit: one.id for one in near}
        waits = tuple(stuck.get(name, f"delivery:{name}:{in_force.get(name) or month}") for name in absent)
        return replace(step, state="waiting", waits_for=waits)
    return replace(step, waits_for=coming)


def _after_its_base(facts: Facts, step: Step, before: Found) -> Step | None:
    """A difference that has to wait for the month before: its step, an operator's word on it, or its delivery.

    A month without a delivery is never bridged, and nothing is laid over a month whose correction is undecided.
    """
    month = month_before(step.month)
    of_base = [one for one in before.of_unit.get(step.unit, ()) if one.month == month and one.state != "later"]
    if of_base:
        return replace(step, state="ready" if of_base[0].id in before.moving else "waiting", waits_for=(of_base[0].id,))
    if companion_ready(facts.heads, step.unit, month) and (step.unit, month) not in facts.withdrawn:
        return None
    later = [one.id for one in before.of_unit.get(step.unit, ()) if one.month == month]
    return replace(step, state="waiting", waits_for=tuple(later) or (f"delivery:{step.unit}:{month}",))
