"""A refusal names what to change and offers the nearest question that can be answered; nobody waits for another's."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from kobe_platform.custody.durable import locked
from kobe_platform.disclosure import AuditReport, Finding, FormerRelease
from kobe_platform.errors import DisclosureError, QuestionError
from kobe_platform.governance.trail import events_of
from kobe_platform.ondemand import answers, load_menu, understood
from kobe_platform.ondemand.answers import Unanswerable
from kobe_platform.ondemand.asking import ACTION, month_begins
from kobe_platform.ondemand.nearest import TRIED, cells_of, nearest
from kobe_platform.settings import Settings
from kobe_platform.statistics.history import former_releases, record_release
from kobe_platform.vocabulary import codes as vocabulary
from tests.unit.ondemand.conftest import MONTH
from tests.unit.statistics.lake_frames import AREAS, REFERENCE


def question(*dimensions: str, measure: str = "residents", **filters) -> dict:
    return {"month": MONTH, "measure": measure, "dimensions": list(dimensions), "filters": filters}


def near(*dimensions: str, **more):
    menu = load_menu(Settings().ondemand)
    return menu, nearest(menu, understood(menu, question(*dimensions, **more), AREAS, [MONTH]), AREAS)


def refuse(monkeypatch, refused) -> list[tuple[str, ...]]:
    """Let protection fail for questions of some dimensions; the columns of all that were tried, the quick way."""
    tried, original = [], answers.protect

    def protect(spec, cells, **options):
        asked = next(table for table in spec.tables if not table.fixed)
        if "proven" in options:
            tried.append(tuple(asked.dimensions))
        if refused(set(asked.dimensions)):
            raise DisclosureError("no", code="disclosure.unprotected", at={"area": "28101"})
        return original(spec, cells, **options)

    monkeypatch.setattr(answers, "protect", protect)
    return tried


def test_the_nearest_questions_change_least_and_come_first():
    menu, found = near("district", "age5", "sex")
    assert (found[0].question.dimensions, found[0].changes) == (
        ("district", "sex", "age10"),
        ("年齢（5歳階級）を年齢（10歳階級）にする",),
    )
    sizes = [cells_of(menu, one.question, AREAS) for one in found]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) > TRIED
    assert (("ward", "sex", "age10"), 2) in {(one.question.dimensions, len(one.changes)) for one in found}
    assert ("sex",) in {one.question.dimensions for one in found}
    assert all(one.question.dimensions for one in found)


def test_a_filter_shows_the_coarser_codes_that_hold_its_own():
    _, found = near("district", "age5", age5=["5-9", "60-64"], district=["0102"])
    by = {one.question.dimensions: one.question for one in found}
    assert by["district", "age10"].filters == {"district": ("0102",), "age10": ("0-9", "60-69")}
    assert by["ward", "age5"].filters == {"ward": ("28101",), "age5": ("5-9", "60-64")}
    assert by["ward",].filters == {"ward": ("28101",)} and by["age5",].filters == {"age5": ("5-9", "60-64")}


def test_districts_become_wards_where_a_small_city_has_few_of_them():
    menu = load_menu(Settings().ondemand)
    few = vocabulary.districts(REFERENCE.head(2), MONTH)
    asked = understood(menu, question("district", "sex", district=["0102"]), few, [MONTH])
    by = {one.question.dimensions: one for one in nearest(menu, asked, few)}
    assert by["ward", "sex"].changes == ("小学校区を区にする",)
    assert by["ward", "sex"].question.filters == {"ward": ("28101",)}


def test_a_refusal_offers_the_first_that_can_be_answered_in_japanese(desk, analyst, monkeypatch):
    tried = refuse(monkeypatch, lambda columns: len(columns) == 3 or columns == {"area", "age"})
    with pytest.raises(Unanswerable) as refusal:
        desk.ask(analyst, question("ward", "age10", sex=["female"]))
    offer = refusal.value.offer.question
    assert tried == [("area", "sex", "age"), ("area", "age"), *([("sex", "age")] * 1)]
    assert offer.dimensions == ("sex", "age10") and offer.filters == {"sex": ("female",)}
    assert "住民（性別・年齢（10歳階級））" in refusal.value.ja and "区を外す" in refusal.value.ja
    assert "ondemand" not in refusal.value.ja and "28101" not in f"{refusal.value} {refusal.value.ja}"
    assert former_releases(desk.store, "stocks/month", MONTH) == [], "an offer is no answer: nothing is released"
    _, given = desk.ask(analyst, offer.as_record())
    assert given.table.height and not given.kept


def narrow_at_first(monkeypatch, finding: Finding) -> list[dict]:
    """Let every first audit find something; what each protection was told to doubt."""
    doubts, protect, audit = [], answers.protect, answers.audit

    def noted(spec, cells, **options):
        if "proven" in options:
            doubts.append({name: rows.rows() for name, rows in options["doubted"].items()})
        return protect(spec, cells, **options)

    def found(spec, tables, previous, above):
        return audit(spec, tables, previous=previous, above=above) if doubts[-1] else AuditReport((finding,), {}, 0.0)

    monkeypatch.setattr(answers, "protect", noted)
    monkeypatch.setattr(answers, "audit", found)
    return doubts


def test_published_figures_that_an_answer_would_make_narrow_are_kept_open(desk, analyst, monkeypatch):
    """Published tables are left to the audit; what it finds of them is protected once more, then audited again."""
    finding = Finding("narrow", "population", {"area": "28101", "sex": "female"}, "why")
    doubts = narrow_at_first(monkeypatch, finding)
    _, given = desk.ask(analyst, question("ward", "age10"))
    assert given.table.height and doubts == [{}, {"population": [("28101", "female")]}]


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["undecided", "ring", "contradiction"])
def test_what_protection_cannot_mend_is_not_tried_again(desk, analyst, monkeypatch, rule):
    doubts = narrow_at_first(monkeypatch, Finding(rule, "population", {"area": "28101", "sex": "female"}, "why"))
    with pytest.raises(Unanswerable):
        desk.ask(analyst, question("ward"))
    assert doubts == [{}]


def test_a_question_is_refused_only_after_everything_was_searched_for_proofs(desk, analyst, monkeypatch):
    """The quick way leaves published tables to the audit; its search may miss what the long one finds."""
    ways, original = [], answers.protect

    def protect(spec, cells, **options):
        ways.append("proven" in options)
        if ways[-1]:
            raise DisclosureError("no", code="disclosure.unprotected", at={})
        return original(spec, cells, **options)

    monkeypatch.setattr(answers, "protect", protect)
    assert desk.ask(analyst, question("ward", "age10"))[1].table.height and ways == [True, False]


def test_what_was_answered_before_is_offered_as_it_is(desk, analyst, monkeypatch):
    desk.ask(analyst, question("ward", "age10"))
    tried = refuse(monkeypatch, lambda columns: len(columns) == 3)
    with pytest.raises(Unanswerable) as refusal:
        desk.ask(analyst, question("ward", "age10", "sex"))
    offer = refusal.value.offer.question
    assert offer.dimensions == ("ward", "age10") and tried == [("area", "sex", "age")]
    assert desk.ask(analyst, offer.as_record())[1].kept


def test_where_nothing_nearer_can_be_answered_the_refusal_says_what_to_change(desk, analyst, monkeypatch):
    tried = refuse(monkeypatch, lambda columns: True)
    with pytest.raises(Unanswerable) as refusal:
        desk.ask(analyst, question("ward", "age5", "sex"))
    assert refusal.value.offer is None and len(tried) == 1 + TRIED
    for words in ("年齢（5歳階級）を年齢（10歳階級）にする", "性別を外す", "別の月を選ぶ"):
        assert words in refusal.value.ja
    (event,) = events_of(desk.governance, "yamada", ACTION, month_begins())
    assert event.detail["dimensions"] == ["ward", "sex", "age5"] and event.outcome == "refused"


def test_others_are_not_held_up_while_an_answer_is_worked_out(desk, analyst, monkeypatch):
    free = []
    original = answers.audit

    def audit(*arguments, **options):
        with locked(desk.store.root / ".answers.lock", wait=False):
            free.append(True)
        return original(*arguments, **options)

    monkeypatch.setattr(answers, "audit", audit)
    desk.ask(analyst, question("ward", "age10"))
    assert free == [True]


def test_an_answer_is_worked_out_again_beside_what_came_meanwhile(desk, analyst, monkeypatch):
    """Two analysts at once: the later commit must know the earlier one's table, or both together could tell."""
    _, other = desk.ask(analyst, question("ward"))
    version = former_releases(desk.store, "stocks/month", MONTH)[0]
    renamed = FormerRelease({"answer_meanwhile": other.table}, _renamed(version.spec, "answer_meanwhile"))
    seen, original = [], answers.audit

    def audit(spec, tables, previous, above):
        if not seen:
            record_release(desk.store, "stocks/month", MONTH, renamed)
        seen.append({name for release in previous for name in release.tables})
        return original(spec, tables, previous=previous, above=above)

    monkeypatch.setattr(answers, "audit", audit)
    desk.ask(analyst, question("ward", "age10"))
    assert len(seen) == 2 and "answer_meanwhile" not in seen[0] and "answer_meanwhile" in seen[1]


@pytest.mark.slow
def test_a_release_that_fixed_tables_show_as_it_was_is_not_attacked_twice(desk, analyst, monkeypatch):
    """Every answer stands in the record too; one that shows something else, or more, stays part of the attack."""
    seen, original = [], answers.audit

    def audit(spec, tables, previous, above):
        seen.append([sorted(release.tables) for release in previous])
        return original(spec, tables, previous=previous, above=above)

    monkeypatch.setattr(answers, "audit", audit)
    _, first = desk.ask(analyst, question("ward"))
    (held,) = former_releases(desk.store, "stocks/month", MONTH)
    desk.ask(analyst, question("sex"))
    assert seen[-1] == []
    corrected = pl.col("value") + pl.when(pl.col("area") == "28101").then(1).otherwise(0)
    (name,) = held.tables
    other = FormerRelease({name: first.table.with_columns(corrected.alias("value"))}, held.spec)
    record_release(desk.store, "stocks/month", MONTH, other)
    desk.ask(analyst, question("age10"))
    assert seen[-1] == [[name]]


def _renamed(spec, name: str):
    return spec.model_copy(update={"tables": tuple(t.model_copy(update={"name": name}) for t in spec.tables)})


def test_two_questions_at_once_do_not_both_take_the_last_of_the_quota(desk, analyst, monkeypatch):
    menu = desk.menu.model_copy(update={"quota": 1})
    limited = type(desk)(desk.store, desk.statistics, menu, desk.governance, "synthetic")
    both, codes = threading.Barrier(2), []
    original = type(desk)._recorded

    def slowly(self, *arguments):
        threading.Event().wait(0.3)
        return original(self, *arguments)

    monkeypatch.setattr(type(desk), "_recorded", slowly)

    def ask(dimension):
        both.wait()
        try:
            limited.ask(analyst, question(dimension))
            codes.append("answered")
        except QuestionError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=ask, args=(one,)) for one in ("ward", "sex")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["answered", "ondemand.quota"]


def test_an_unpublishable_verdict_offers_too(desk, analyst, monkeypatch):
    original = answers.audit

    def audit(spec, tables, previous, above):
        asked = next(table for table in spec.tables if not table.fixed)
        unsafe = AuditReport((Finding("undecided", asked.name, {}, "why"),), {}, 0.0)
        return unsafe if "sex" in asked.dimensions else original(spec, tables, previous=previous, above=above)

    monkeypatch.setattr(answers, "audit", audit)
    with pytest.raises(Unanswerable) as refusal:
        desk.ask(analyst, question("ward", "age10", sex=["female"]))
    assert refusal.value.offer.question.dimensions == ("ward", "age10")


def test_a_refusal_is_settled_before_a_nearer_question_is_tried(desk, analyst, monkeypatch):
    """Else it could be learnt, and cancelled while the nearer ones are tried, without being counted."""
    order = []
    monkeypatch.setattr("kobe_platform.ondemand.answers._protected", lambda *_, **told: order.append(sorted(told)))
    with pytest.raises(Unanswerable):
        desk.ask(analyst, question("ward", "age5", "sex"), settled=lambda: order.append("settled"))
    assert order[:2] == [["thorough"], "settled"] and len(order) > 3


@pytest.mark.parametrize(
    "ending", [KeyboardInterrupt, MemoryError, QuestionError("no", code="ondemand.unready", at={}, remedy="", ja="")]
)
def test_a_refusal_counts_once_however_the_search_for_a_nearer_question_ends(ending, desk, analyst, monkeypatch):
    """Else a search that runs past its limit, or is ended, would tell that there is no answer and cost nothing."""
    counted = []

    def protected(*_, thorough=False):
        counted.append(desk.asked_by(analyst.login))
        if not thorough:
            raise ending

    monkeypatch.setattr(answers, "_protected", protected)
    told = []
    with pytest.raises(type(ending) if isinstance(ending, Exception) else ending):
        desk.ask(analyst, question("ward", "age5", "sex"), refused=told.append)
    assert counted == [0, 1] and desk.asked_by(analyst.login) == 1, "it is noted before the search begins"
    assert "性別を外す" in told[0]
