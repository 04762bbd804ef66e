"""Totals are released when every municipality has taken what they ask of it, and not before."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.prefecture import handing
from kobe_platform.prefecture.above import _due
from kobe_platform.prefecture.handing import Hander
from kobe_platform.prefecture.publishing import Prefecture, received
from kobe_platform.prefecture.stating import NOTHING, refuse_untold, statements, waiting, with_taken
from kobe_platform.prefecture.totals import protect_totals
from kobe_platform.statistics.totals_out import held_digests
from tests.unit.ondemand.conftest import store  # noqa: F401
from tests.unit.prefecture.test_publishing import GROUP, MONTH, above, receive, towns  # noqa: F401
from tests.unit.prefecture.test_scenarios import FIRST, SECOND
from tests.unit.prefecture.tiny import AGE, town

ASKED = Scenarios((("persons", (("age", "b"),)),), ((1,), (4,)))
OTHER = Scenarios((("persons", (("age", "b"),)),), ((2,), (5,)))


def handed():
    return [town(*one).before for one in (FIRST, SECOND)]


def test_who_has_nothing_to_keep_and_had_nothing_is_told_nothing():
    told, said = statements(MONTH, GROUP, handed(), {"00001": ASKED}, {})
    assert [one["municipality"] for one in told] == ["00001"]
    assert said == {"stated": {"00001": ASKED.digest}, "taken": {}}


def test_who_has_nothing_to_keep_any_more_is_told_so():
    told, said = statements(MONTH, GROUP, handed(), {}, {"stated": {"00002": "before"}})
    assert [(one["municipality"], one["scenarios"]) for one in told] == [("00002", NOTHING.as_record())]
    assert said["stated"] == {"00002": NOTHING.digest}


def test_a_receipt_waits_for_whom_it_names_and_notes_nothing_else():
    receipt = {"month": MONTH, "group": GROUP, "totals": "complete", "stated": {"00001": "a", "00002": "b"}}
    some = with_taken(receipt, [("00001", "a"), ("00002", "other"), ("00003", "c")])
    assert some["taken"] == {"00001": "a"} and waiting(some) == ["00002"]
    with pytest.raises(DisclosureError) as caught:
        refuse_untold([{"received": {}}, some])
    assert caught.value.code == "prefecture.waiting" and caught.value.at["municipality"] == "00002"
    refuse_untold([with_taken(some, [("00002", "b")])])
    refuse_untold([{**some, "totals": "incomplete"}])  # there are no totals of the month that could tell anything


def test_what_was_taken_and_not_noted_is_due_again(above: Prefecture, towns):  # noqa: F811
    """Killed after municipalities have taken what they were told: the next publication goes on."""
    made = above.receive(MONTH, GROUP, [one.as_record() for one in towns], [])
    stated = [(one["municipality"], Scenarios.of(one["scenarios"]).digest) for one in made.statements]
    contents = {one.municipality: one.content for one in towns}
    held = {code: {MONTH: {GROUP: [digest]}} for code, digest in stated}

    def due():
        return _due(above.settings.root, MONTH, GROUP, contents, set(contents), set(), held)

    assert stated and due() is not None
    above.taken([(MONTH, GROUP, code, digest) for code, digest in stated])
    assert due() is None


def test_killed_before_the_receipt_no_release_is_made_of_totals_that_nobody_was_told_of(above, towns, monkeypatch):  # noqa: F811
    real, written = Prefecture._write_receipt, []

    def killed(self, record):
        if written:
            raise KeyboardInterrupt
        written.append(record)
        real(self, record)

    monkeypatch.setattr(Prefecture, "_write_receipt", killed)
    with pytest.raises(KeyboardInterrupt):
        above.receive(MONTH, GROUP, [one.as_record() for one in towns], [])
    assert above.store.months("published", "prefecture_residents") == [MONTH], "the tables are there"
    with pytest.raises(DisclosureError) as caught:
        above.release()
    assert caught.value.code == "prefecture.waiting"


def test_no_release_is_made_before_all_have_taken_what_they_are_told(above: Prefecture, towns):  # noqa: F811
    made = above.receive(MONTH, GROUP, [one.as_record() for one in towns], [])
    codes = [one["municipality"] for one in made.statements]
    assert len(codes) > 1, "the totals tie nothing: take another seed"
    for count in range(len(codes)):
        assert waiting(received(above.settings.root, MONTH, GROUP)) == codes[count:]
        with pytest.raises(DisclosureError) as caught:
            above.release()
        assert caught.value.code == "prefecture.waiting"
        one = made.statements[count]
        above.taken([(MONTH, GROUP, one["municipality"], Scenarios.of(one["scenarios"]).digest)])
    assert waiting(received(above.settings.root, MONTH, GROUP)) == []


def test_answers_given_behind_the_same_published_tables_are_part_of_the_next_attack(above, towns, monkeypatch):  # noqa: F811
    """The counts that were handed over first stay; what was released of the month since does not."""
    from kobe_platform.prefecture import publishing

    receive(above, towns)
    seen, real = [], publishing.protect_totals
    monkeypatch.setattr(publishing, "protect_totals", lambda *a, **k: seen.append(a[0]) or real(*a, **k))
    receive(above, [replace(towns[0], recorded="later"), *towns[1:]])
    assert [one.recorded for one in seen[0]] == ["later", "", ""]


def test_a_statement_holds_no_count_of_any_municipality(above, towns):  # noqa: F811
    """It is made of what is published alone: other counts behind it, the same statement."""
    first = above.receive(MONTH, GROUP, [one.as_record() for one in towns], [])
    assert first.statements and "cells" not in json.dumps([sorted(one) for one in first.statements])


# -- the municipality's side ------------------------------------------------------------------------------------------


@pytest.fixture
def hander(store, monkeypatch) -> Hander:  # noqa: F811
    made = Hander(SimpleNamespace(releases=None), store)
    made.__dict__["groups"] = {GROUP: ()}
    monkeypatch.setattr(handing, "recorded_content", lambda *_: "answers so far")
    monkeypatch.setattr(Hander, "_content", lambda *_: "published")
    made.__dict__["groups"] = {GROUP: ("one table",)}
    return made


def told(**change) -> dict:
    statement = {"month": MONTH, "group": GROUP, "content": "published", "recorded": "answers so far"}
    return {**statement, "municipality": "28100", "scenarios": ASKED.as_record(), **change}


def test_a_municipality_keeps_what_it_is_told_and_says_so(hander):
    assert hander.held() == {}
    hander.take_in(told())
    assert hander.held() == {MONTH: {GROUP: [ASKED.digest]}}
    both = {MONTH: {GROUP: [ASKED.digest, OTHER.digest]}}
    for scenarios in (OTHER, OTHER, ASKED):
        hander.take_in(told(scenarios=scenarios.as_record()))
        assert hander.held() == both
    hander.take_in(told(scenarios=NOTHING.as_record()))
    assert hander.held() == {MONTH: {GROUP: [ASKED.digest, OTHER.digest, NOTHING.digest]}}, "old totals are out"


@pytest.mark.parametrize("change", [{"content": "another release"}, {"recorded": "an answer more"}, {"group": "other"}])
def test_what_was_made_of_another_state_of_the_month_is_not_taken(hander, change):
    with pytest.raises(DisclosureError) as caught:
        hander.take_in(told(**change))
    assert caught.value.code == "prefecture.moved" and held_digests(hander.store, GROUP, MONTH) == []


@pytest.mark.parametrize("change", [{"scenarios": {}}, {"scenarios": None}, {"month": None}, {"municipality": "00002"}])
def test_what_cannot_be_read_is_not_taken(hander, change):
    given = told(**change)
    given = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(DisclosureError) as caught:
        hander.take_in(given)
    assert caught.value.code == "prefecture.statement" and held_digests(hander.store, GROUP, MONTH) == []


def test_totals_of_two_towns_say_the_same_each_time():
    assert protect_totals(handed(), [AGE]).scenarios == protect_totals(handed(), [AGE]).scenarios
