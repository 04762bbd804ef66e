"""What totals that are out ask of a municipality: nothing that it publishes later narrows a hidden cell of anybody."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kobe_platform.bench.prefecture import SUMMED, prefecture
from kobe_platform.disclosure import Dimension, FormerRelease, Spec, Table, audit
from kobe_platform.disclosure.auditor import scenarios as attack
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.prefecture.handed import COUNT
from kobe_platform.prefecture.totals import FormerTotals, protect_totals
from tests.unit.prefecture.tiny import AGE, Town, drawn, narrow, totals, town, with_sexes

FIRST = ("00001", [[10, 11], [1, 1], [0, 2]])
SECOND = ("00002", [[10, 10], [0, 0], [0, 2]])
TELLING = (102, 105, 110, 111, 113, 114, 121, 131, 132, 134)
"""Draws of two towns of which some total tells something new; every other is left out, for it ties nothing."""


def passes(one: Town, asked: dict[str, Scenarios] | None = None) -> bool:
    """Whether the auditor lets a town's new table pass, beside what totals ask of it where that is given."""
    above = (asked[one.code],) if asked and one.code in asked else ()
    assert one.after is not None
    return audit(one.after.spec, one.after.tables, previous=one.former, above=above).publishable


def with_new_table(one: Town) -> Town:
    made = with_sexes(one)
    assert made is not None
    return made


def test_a_new_table_that_is_safe_by_itself_narrows_cells_of_both_towns_beside_the_totals():
    """The gap: the first town's own audit passes; all tables that agree with what is public, counted out, are too
    close together in cells of both towns."""
    first, second = town(*FIRST), town(*SECOND)
    made = totals([first, second])
    total = made.tables[AGE.table]
    assert narrow([first, second], total) == set(), "the totals are safe when they are published"
    after = with_new_table(first)
    assert passes(after)
    given_away = narrow([after, second], total)
    assert {code for code, *_ in given_away} == {"00001", "00002"}
    assert not passes(after, made.scenarios)


def test_the_refusal_says_where_and_what_to_do_and_no_count():
    first, second = town(*FIRST), town(*SECOND)
    after = with_new_table(first)
    asked = totals([first, second]).scenarios[first.code]
    report = audit(after.after.spec, after.after.tables, previous=after.former, above=(asked,))
    assert {one.rule for one in report.findings} == {"above"} and report.counts["above"] == len(report.findings)
    error = report.refusal({"period": "2025-06"})
    assert error.code == "disclosure.above" and error.at["table"] in ("persons", "by_sex") and error.remedy


@pytest.mark.parametrize("seed", TELLING)
def test_whatever_all_towns_publish_within_what_is_asked_of_them_leaves_every_cell_open(seed):
    """Each town decides for itself, with its own tables alone; counted out over both and the totals."""
    towns = drawn(np.random.default_rng(seed), 2)
    made = totals(towns)
    assert made.scenarios, "the totals tie nothing: take another draw"
    total = made.tables[AGE.table]
    assert narrow(towns, total) == set()
    after = [with_sexes(one) for one in towns]
    kept = [new if new and passes(new, made.scenarios) else one for new, one in zip(after, towns, strict=True)]
    assert narrow(kept, total) == set()
    for new, other in ((kept[0], towns[1]), (towns[0], kept[1])):
        assert narrow([new, other], total) == set()


def test_some_new_tables_pass_beside_totals():
    """What is asked is no ban: of the same draws, some towns publish their new table."""
    towns = drawn(np.random.default_rng(132), 2)
    asked = totals(towns).scenarios
    assert asked and all(passes(with_new_table(one), asked) for one in towns)


def test_left_out_the_rule_is_missed(monkeypatch):
    """Scenarios whose possibility is not asked for let the table of the gap pass."""
    first, second = town(*FIRST), town(*SECOND)
    asked, after = totals([first, second]).scenarios, with_new_table(first)
    monkeypatch.setattr(attack, "_part_beside", lambda *told: ([], 0))
    assert passes(after, asked) and narrow([after, second], totals([first, second]).tables[AGE.table])


@pytest.mark.parametrize("seed", range(3))
def test_what_is_published_already_leaves_every_scenario_possible(seed):
    towns = prefecture(4, seed)
    made = protect_totals(towns, SUMMED)
    for one in towns:
        above = [made.scenarios[one.municipality]] if one.municipality in made.scenarios else []
        report = audit(one.spec, one.tables, previous=one.former, above=above)
        assert report.publishable, (one.municipality, report.findings[:3])


def test_scenarios_follow_from_what_is_published_alone():
    """Other counts behind the same published figures and totals: municipalities are told the very same."""
    first, second = town(*FIRST), town(*SECOND)
    hidden = [age for age, value in first.before.tables["persons"].select("age", "value").iter_rows() if value is None]
    other = {age: n for age, n in first.before.cells["persons"].iter_rows()}
    common = [age for age in hidden if age in ("a", "c")]
    assert len(common) == 2, "both towns hide them"
    moved = {}
    for one, sign in ((first, 1), (second, -1)):
        counts = dict(one.before.cells["persons"].iter_rows())
        counts[common[0]] += sign
        counts[common[1]] -= sign
        cells = pl.DataFrame({"age": list(counts), COUNT: list(counts.values())})
        moved[one.code] = replace(one.before, cells={"persons": cells})
    assert dict(moved["00001"].cells["persons"].iter_rows()) != other
    told = totals([first, second])
    again = protect_totals(list(moved.values()), [AGE])
    assert again.tables[AGE.table].equals(told.tables[AGE.table])
    assert {code: one.digest for code, one in again.scenarios.items()} == {
        code: one.digest for code, one in told.scenarios.items()
    }


def test_municipalities_without_a_hidden_part_in_a_telling_total_are_told_nothing():
    shown = town("00001", [[10, 10], [5, 5], [4, 4]])
    assert totals([shown, town("00002", [[10, 10], [6, 5], [4, 4]])]).scenarios == {}


def test_scenarios_are_read_as_they_were_written():
    asked = totals([town(*FIRST), town(*SECOND)]).scenarios["00001"]
    again = Scenarios.of(json.loads(json.dumps(asked.as_record())))
    assert again == asked and again.digest == asked.digest


@pytest.mark.parametrize("change", [{"cells": 3}, {"values": [[1]]}, {"values": []}, {"known": [{}]}, {"basis": None}])
def test_what_are_no_scenarios_is_refused(change):
    asked = totals([town(*FIRST), town(*SECOND)]).scenarios["00001"]
    with pytest.raises(ValueError, match="no scenarios"):
        Scenarios.of({**asked.as_record(), **change})


# -- corrections ------------------------------------------------------------------------------------------------------


def corrected(one: Town, visits: int) -> Town:
    """The town with another population besides, visits, whose number a correction changes."""
    tables = (*one.before.spec.tables, _visits(one.code))
    spec = one.before.spec.model_copy(update={"tables": tables})
    rows = pl.DataFrame({"area": [one.code], "value": [visits], "status": ["published"]})
    return replace(one, before=replace(one.before, spec=spec, tables={**one.before.tables, "visits": rows}))


def _visits(code: str) -> Table:
    return Table(name="visits", dimensions={"area": "ward"}, measure=COUNT, population="visits")


def test_a_correction_that_comes_with_a_new_table_is_refused_where_that_narrows():
    """What was corrected is another population; the persons stand as they were, and totals are made of them."""
    first, second = corrected(town(*FIRST), 500), town(*SECOND)
    made = protect_totals([first.before, second.before], [AGE])
    new = with_new_table(town(*FIRST)).after
    spec = new.spec.model_copy(update={"tables": (*new.spec.tables, _visits(first.code))})
    visits = pl.DataFrame({"area": [first.code], "value": [600], "status": ["published"]})
    tables = {**new.tables, "visits": visits}
    own = audit(spec, tables, previous=first.former)
    assert own.publishable and own.superseded, "a correction, and safe by itself"
    assert not audit(spec, tables, previous=first.former, above=(made.scenarios[first.code],)).publishable


def test_a_month_whose_persons_were_visibly_corrected_is_not_held_to_its_old_totals():
    """No equation ties two truths: the old total says nothing of the corrected counts around a figure that changed."""
    first, second = town(*FIRST), town(*SECOND)
    asked = totals([first, second]).scenarios[first.code]
    later = town("00001", [[20, 22], [1, 1], [0, 2]]).before
    report = audit(later.spec, later.tables, previous=first.former, above=(asked,))
    assert report.superseded and report.publishable, report.findings


def test_after_a_correction_totals_ask_by_the_new_counts():
    first, second = town(*FIRST), town(*SECOND)
    former = FormerTotals([first.before, second.before], totals([first, second]).tables)
    later = replace(town("00001", [[20, 22], [1, 1], [0, 2]]).before, former=tuple(first.former))
    again = protect_totals([later, second.before], [AGE], [former])
    for one in (later, second.before):
        above = [again.scenarios[one.municipality]] if one.municipality in again.scenarios else []
        assert audit(one.spec, one.tables, previous=one.former, above=above).publishable


def test_old_totals_ask_on_after_a_neighbour_was_corrected():
    """The neighbour's old tables and the old totals are out, and true of the town that was not corrected: its new table
    narrows its cells beside them (counted out), though the new totals ask nothing of it."""
    first, second = town(*FIRST), town(*SECOND)
    made = totals([first, second])
    later = town("00002", [[13, 14], [0, 0], [0, 2]]).before
    later = replace(later, content="corrected", former=tuple(second.former))
    again = protect_totals([first.before, later], [AGE], [FormerTotals([first.before, second.before], made.tables)])
    after = with_new_table(first)
    assert passes(after, again.scenarios) and narrow([after, second], made.tables[AGE.table])
    assert not passes(after, made.scenarios), "what it was told first is never let go of"


def test_a_town_that_publishes_no_table_of_totals_any_more_is_held_by_its_former_release():
    """The summed table is dropped; a new one stands alone, and what is out of the old one is attacked with it."""
    first, second = town(*FIRST), town(*SECOND)
    asked = totals([first, second]).scenarios
    after = with_new_table(first)
    spec = after.after.spec.model_copy(update={"tables": after.after.spec.tables[1:]})
    tables = {"by_sex": after.after.tables["by_sex"]}
    assert audit(spec, tables, previous=first.former).publishable
    assert not audit(spec, tables, previous=first.former, above=(asked["00001"],)).publishable


def test_dimensions_of_another_spec_do_not_matter():
    """A statistic that never was summed stands in no scenario."""
    spec = Spec(dimensions={"ward": Dimension(hierarchy={"00001": None})}, tables=(_visits("00001"),))
    rows = {"visits": pl.DataFrame({"area": ["00001"], "value": [500], "status": ["published"]})}
    asked = totals([town(*FIRST), town(*SECOND)]).scenarios["00001"]
    assert audit(spec, rows, previous=[FormerRelease(rows, spec)], above=(asked,)).publishable
