"""Answers beside totals over municipalities: what these ask of the month is asked of an answer, too."""

import polars as pl
import pytest

from kobe_platform.disclosure.scenarios import Scenarios, table_digest
from kobe_platform.errors import QuestionError
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand import answers
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import Menu
from kobe_platform.statistics.history import commits, former_releases
from kobe_platform.statistics.totals_out import held_digests, keep_totals_out, totals_out
from kobe_platform.tabulation.steps import audit_published, passed_audit
from tests.unit.ondemand.conftest import MONTH, WARDS, publish, residents, statistic

GROUP = "stocks/month"
OLD = ("85-89", "90+")


def few_old() -> pl.DataFrame:
    """Six of 85 to 89 and nine of 90 and over; of each some women and some men."""
    rows = residents(0).filter(pl.col("age") < 85)
    told = [("female", 85)] * 4 + [("male", 85)] * 2 + [("female", 90)] * 5 + [("male", 90)] * 4
    more = [(f"old{number}", WARDS[0], sex, age) for number, (sex, age) in enumerate(told)]
    return pl.concat([rows, pl.DataFrame(more, schema=rows.schema, orient="row")])


@pytest.fixture
def statistics():
    return {"ages": statistic("ages", age="age5")}


@pytest.fixture
def desk(store, statistics, governance, menu: Menu) -> Desk:
    publish(store, statistics, few_old())
    return Desk(store, statistics, menu, governance, "synthetic")


def asked_of(store, *values: tuple[int, int]) -> Scenarios:
    """What a total asks that leaves the two ages, 15 together, these values."""
    table = store.read(PartitionId("published", "ages", MONTH)).drop("period")
    hidden = table.filter(pl.col("status") == "suppressed")["age"].to_list()
    assert hidden == list(OLD)
    cells = tuple(("ages", (("age", age),)) for age in OLD)
    return Scenarios(cells, values, basis={"ages": table_digest(table)})


def keep(store, scenarios: Scenarios) -> None:
    with commits(store):
        keep_totals_out(store, GROUP, MONTH, scenarios)


def question() -> dict:
    return {"month": MONTH, "measure": "residents", "dimensions": ["age5", "sex"], "filters": {}}


def test_an_answer_that_takes_a_value_away_which_totals_lean_on_is_refused(desk, analyst, store):
    """Women and men of each age are hidden, so there is one of each: 85 to 89 cannot be one person any more."""
    keep(store, asked_of(store, (1, 14), (14, 1)))
    with pytest.raises(QuestionError) as caught:
        desk.ask(analyst, question())
    assert caught.value.code == "ondemand.unsafe" and not former_releases(store, GROUP, MONTH)


def test_an_answer_that_leaves_possible_what_totals_lean_on_is_given(desk, analyst, store):
    keep(store, asked_of(store, (2, 13), (13, 2)))
    _, given = desk.ask(analyst, question())
    assert given.table.height and former_releases(store, GROUP, MONTH)


def test_totals_that_ask_for_nothing_leave_answers_as_they_are(desk, analyst, store):
    keep(store, Scenarios((), ()))
    assert totals_out(store, GROUP, MONTH) == ()
    assert desk.ask(analyst, question())[1].table.height


def test_a_statement_that_arrives_while_an_answer_is_worked_out_is_asked_too(desk, analyst, store, monkeypatch):
    real, arrived = answers._solved, []

    def solved(*told, **more):
        found = real(*told, **more)
        if not arrived:
            arrived.append(True)
            keep(store, asked_of(store, (1, 14), (14, 1)))
        return found

    monkeypatch.setattr(answers, "_solved", solved)
    with pytest.raises(QuestionError) as caught:
        desk.ask(analyst, question())
    assert arrived and caught.value.code == "ondemand.unsafe" and not former_releases(store, GROUP, MONTH)


def test_the_checks_audit_is_made_beside_them_and_not_taken_over(desk, store, statistics):
    members = list(statistics.values())
    before = passed_audit(store, members, MONTH, statistics)
    keep(store, asked_of(store, (1, 14), (14, 1)))
    assert not passed_audit(store, members, MONTH, statistics), "what was attested was not beside these totals"
    assert before in (True, False) and audit_published(store, members, MONTH, statistics).publishable
    keep(store, asked_of(store, (0, 15), (14, 1)))
    found = audit_published(store, members, MONTH, statistics)
    assert {one.rule for one in found.findings} == {"above"}


def test_a_set_is_never_let_go_of(desk, store):
    """The totals that it is of may be out, whatever is told later."""
    first, second = (asked_of(store, *values) for values in [[(1, 14), (14, 1)], [(14, 1), (2, 13)]])
    for scenarios in (first, second, first, Scenarios((), ())):
        keep(store, scenarios)
    assert held_digests(store, GROUP, MONTH) == [first.digest, second.digest, Scenarios((), ()).digest]
    assert [one.digest for one in totals_out(store, GROUP, MONTH)] == [first.digest, second.digest]


def test_a_statement_that_was_changed_on_the_disk_is_refused(desk, store):
    from kobe_platform.errors import CustodyError

    keep(store, asked_of(store, (1, 14), (14, 1)))
    place = store.manifests.folder(PartitionId("released", "stocks_month_above", MONTH))
    (manifest,) = place.rglob("manifest.json")
    manifest.write_text(manifest.read_text().replace('"rows":1', '"rows":2').replace('"rows": 1', '"rows": 2'))
    with pytest.raises(CustodyError):
        totals_out(store, GROUP, MONTH)
