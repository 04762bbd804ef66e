"""A held delivery is looked at by ward and by rule, and approved, refused or withdrawn: by command, portal, Dagster."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import dagster as dg
import pytest
from typer.testing import CliRunner

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.errors import DeliveryHeld, DeliveryRejected
from kobe_platform.governance.trail import events
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.planning.observing import Observer
from kobe_platform.planning.words import told
from kobe_platform.reception.commands import deliveries_app
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery
from tests.unit.intake.handmade import TOWNS, deliver, person
from tests.unit.web.conftest import post, visitor

REGISTER, MONTH = "resident_register", "2025-07"
PLACE = f"/deliveries/{REGISTER}/{MONTH}"
STEP = f"take_in:{REGISTER}:{MONTH}"
CANARY = "山羊座太郎"
ALL_DAYS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def people(*numbers: int, **values: str) -> list[dict[str, str]]:
    return [person(n, household_no=f"{n:012d}", name=CANARY, **values) for n in numbers]


class Register:
    """The register of one month: what is sent, and taken in as its run would."""

    def __init__(self, settings) -> None:
        self.settings, self.contracts = settings, load_contracts(settings.contracts)
        self.keys = LocalKeyStore.create(settings.keys, log=settings.key_log)
        self.store = PartitionStore(settings.store, self.keys, municipality="28100", principal="test")
        self.store.write(PartitionId("raw", "town_districts", MONTH), TOWNS)

    def send(self, rows: list[dict[str, str]], **said) -> Delivery:
        return deliver(self.settings.inbox, self.contracts[REGISTER], rows, MONTH, **said)

    def take_in(self, delivery: Delivery) -> None:
        home, contract = self.settings.root, self.contracts[REGISTER]
        take_in_delivery(delivery, contract, self.store, home)
        told = {"delivery": delivery, "home": home}
        abstract_month(contract, MONTH, self.store, self.keys, self.contracts, **told)
        admit_month(contract, MONTH, self.store, **told)

    @property
    def rows(self) -> int:
        return self.store.current(PartitionId("lake", REGISTER, MONTH)).rows


@pytest.fixture
def register(settings, monkeypatch) -> Register:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KOBE_PRINCIPAL", "yamada")
    made = Register(settings)
    made.take_in(made.send(people(*range(1, 41))))
    return made


@pytest.fixture
def held(register) -> Delivery:
    """The month is sent again: one person fewer, one more in another ward, one of the other sex, one unclear."""
    rows = [*people(*range(2, 40)), *people(50, address_code="28102001000"), *people(40, sex="2")]
    rows[0] = {**rows[0], "birth_date": "550401"}
    delivery = register.send(rows)
    with pytest.raises(DeliveryHeld):
        register.take_in(delivery)
    return delivery


def kobe(*words: str):
    return CliRunner().invoke(deliveries_app, list(words))


def step(settings):
    return next((one for one in Observer(settings).plan().steps if one.id == STEP), None)


def test_a_month_that_was_sent_again_is_reported_by_ward_and_by_rule_before_it_is_approved(register, held):
    told = json.loads(kobe("show", REGISTER, MONTH, "--json").output)
    report = told["report"]
    assert (told["outcome"], report["added"], report["removed"], report["changed"]) == ("held", 1, 1, 2)
    assert report["by_ward"] == {
        "ward.28101": {"removed": 1, "changed": 2},
        "ward.28102": {"added": 1},
    }
    assert report["by_rule"]["date.ambiguous"] == {"former": 0, "now": 1}
    for words in (kobe("list").output, kobe("show", REGISTER, MONTH).output):
        assert "東灘区" in words and "灘区" in words and "delivery.revised" in words
    assert register.rows == 40


def test_the_report_holds_no_value_of_anybody(register, held, settings):
    texts = [path.read_text("utf-8") for path in settings.receipts.rglob("*.json")]
    texts += [kobe("show", REGISTER, MONTH).output, kobe("list", "--json").output]
    for text in texts:
        assert CANARY not in text and person(50)["atena_no"] not in text and "3550401" not in text


def test_a_revised_month_too_many_of_whose_rows_would_be_set_aside_is_refused_without_anybody_looking(register):
    worse = register.send([*people(*range(1, 29)), *people(*range(30, 42), birth_date="550401")])
    with pytest.raises(DeliveryRejected) as refused:
        register.take_in(worse)
    assert refused.value.code == "delivery.set_aside_share"
    assert json.loads(kobe("show", REGISTER, MONTH, "--json").output)["outcome"] == "rejected"


def test_a_refused_delivery_is_not_taken_in_and_what_is_in_force_stays(register, held, settings):
    assert step(settings).state == "held"
    assert kobe("refuse", REGISTER, MONTH).exit_code == 0
    plan = Observer(settings).plan()
    assert step(settings) is None and [one.cause.code for one in plan.turned_away] == ["delivery.refused"]
    told = json.loads(kobe("show", REGISTER, MONTH, "--json").output)
    assert told["outcome"] == "refused" and told["decisions"][0]["by"] == "yamada"
    assert kobe("approve", REGISTER, MONTH).exit_code != 0, "a decision is taken once"
    assert register.rows == 40
    assert kobe("retry", REGISTER, MONTH).exit_code == 0 and step(settings).state == "held"


def test_an_approved_delivery_is_due_and_replaces_the_month(register, held, settings):
    assert kobe("approve", REGISTER, MONTH).exit_code == 0
    assert step(settings).state in ("ready", "waiting")
    register.take_in(held)
    in_force = register.store.current(PartitionId("lake", REGISTER, MONTH))
    assert in_force.facts["content_hash"] == held.content_hash


def test_a_withdrawn_month_waits_for_another_delivery_and_nothing_new_is_made_from_it(register, settings):
    assert kobe("withdraw", REGISTER, MONTH).exit_code == 0
    waiting = step(settings)
    assert (waiting.state, waiting.reason, waiting.waits_for) == ("waiting", "withdrawn", ("replacement",))
    assert "撤回" in told(waiting)
    counted = [one for one in Observer(settings).plan().of("tabulate") if one.month == MONTH]
    assert counted and all((one.state, one.waits_for) == ("waiting", (STEP,)) for one in counted)
    folder = settings.inbox / "28100" / REGISTER / MONTH
    folder.rename(settings.inbox / "taken away")
    counted = [one for one in Observer(settings).plan().of("tabulate") if one.month == MONTH]
    assert {one.waits_for for one in counted} == {(f"delivery:{REGISTER}:{MONTH}",)}, (
        "also when the sender takes it away"
    )
    register.send(people(*range(1, 40)))
    assert step(settings).state == "ready" and register.rows == 40, "another content is looked at like a correction"


def test_operators_decide_in_the_portal_on_exactly_what_they_saw(app, register, held):
    browser = visitor(app, "operator")
    assert "提供データ" in browser.get("/deliveries").text and PLACE in browser.get("/deliveries").text
    shown = browser.get(PLACE).text
    assert "東灘区" in shown and "規則別" in shown and held.content_hash in shown and CANARY not in shown
    seen = {"content": held.content_hash}
    register.send([*people(*range(1, 39))])
    late = post(app, browser, f"{PLACE}/approve", seen)
    assert late.status_code == 409 and "別の内容が届きました" in late.text
    assert post(app, browser, f"{PLACE}/refuse").status_code == 409, "a decision names its content"
    again = register.send([*people(*range(1, 38))])
    with pytest.raises(DeliveryHeld):
        register.take_in(again)
    done = post(app, browser, f"{PLACE}/refuse", {"content": again.content_hash})
    assert (done.status_code, done.headers["location"]) == (303, PLACE)
    assert "却下：operator" in browser.get(PLACE).text
    noted = [(one.who, one.action, one.object) for one in events(app.state.portal.database, *ALL_DAYS)]
    assert ("operator", "delivery.refuse", f"{REGISTER}/{MONTH}") in noted


def test_a_strange_address_of_a_delivery_is_no_page(app, register):
    browser = visitor(app, "operator")
    for place in (
        "/deliveries/nothing/2025-07",
        f"/deliveries/{REGISTER}/2025-13",
        f"/deliveries/..%2f{REGISTER}/{MONTH}",
    ):
        assert browser.get(place).status_code in (400, 404)
    assert post(app, browser, f"{PLACE}/destroy", {"content": "x"}).status_code == 404


def test_operators_decide_in_the_dagster_ui_under_their_name(register, held, settings):
    job = build_definitions(settings).resolve_job_def("decide_delivery")
    asked = {"source": REGISTER, "month": MONTH, "decision": "approve"}

    def run(**more):
        config = {"ops": {"record_decision": {"config": {**asked, **more}}}}
        with dg.DagsterInstance.ephemeral() as instance:
            tags = {"kobe/launched_by": "operator"}
            return job.execute_in_process(run_config=config, instance=instance, tags=tags, raise_on_error=False)

    assert not run(content="000000000000").success
    assert step(settings).state == "held"
    assert run(content=held.content_hash[:12]).success
    assert json.loads(kobe("show", REGISTER, MONTH, "--json").output)["decisions"][0]["by"] == "operator"
    assert step(settings).state in ("ready", "waiting")


def test_engineers_see_how_the_data_are_in_counts_alone(app, register, settings):
    shown = visitor(app, "operator").get("/condition")
    assert shown.status_code == 200
    assert "データの状態" in shown.text and MONTH in shown.text and "届いた行" in shown.text
    assert CANARY not in shown.text
    assert visitor(app, "clerk").get("/condition").status_code == 403
