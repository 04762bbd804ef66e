"""The sensor on a real (ephemeral) instance: one request a delivery and attempt, in order, with a bounded cursor."""

import hashlib
import json
import shutil
from datetime import timedelta

import dagster as dg
import pytest

from assets.sensor import MAX_ATTEMPTS, MAX_REMEMBERED, SENSOR, Cursor
from kobe_platform.clock import today
from kobe_platform.contracts import load_contracts
from kobe_platform.definitions import build_definitions
from kobe_platform.deliveries import find, write_receipt
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.extracts import take_in
from kobe_platform.settings import Settings


def deliver(inbox, source, month, *, content=b"x"):
    folder = inbox / "28100" / source / month
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.csv").write_bytes(content)
    kinds = {"resident_register": "snapshot", "resident_movements": "events"}
    manifest = {
        "municipality": "28100",
        "source": source,
        "month": month,
        "kind": kinds.get(source, "public"),
        "sequence": 1,
        "created_at": "2025-08-01T00:00:00+09:00",
        "encoding": "cp932",
        "files": [
            {"name": "data.csv", "rows": 1, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.fixture
def place(tmp_path):
    return Settings(home=tmp_path / "var", inbox=tmp_path / "inbox")


@pytest.fixture
def tick(place, ephemeral):
    definitions = build_definitions(place)

    def evaluate(cursor=None):
        context = dg.build_sensor_context(
            instance=ephemeral,
            cursor=cursor,
            repository_def=definitions.get_repository_def(),
            resources=dict(definitions.resources),
            sensor_name=SENSOR,
        )
        return definitions.resolve_sensor_def(SENSOR).evaluate_tick(context)

    return evaluate


def receipt(place, source, month, status, result):
    deliveries = find(place.inbox, load_contracts(place.contracts), place.municipality)
    delivery = next(d for d in deliveries if (d.source, d.month) == (source, month))
    write_receipt(place.root, delivery, status, result)


def requested(data):
    return [(request.job_name, request.partition_key) for request in data.run_requests]


def test_an_empty_inbox_is_skipped_with_a_reason(tick):
    data = tick()
    assert not data.run_requests and data.skip_message == "nothing is due"


def test_deliveries_come_public_first_then_by_month(tick, place):
    deliver(place.inbox, "resident_register", "2025-08")
    deliver(place.inbox, "resident_register", "2025-07")
    deliver(place.inbox, "town_districts", "2025-07")
    assert requested(tick()) == [
        ("take_in_town_districts", "2025-07"),
        ("take_in_resident_register", "2025-07"),
        ("take_in_resident_register", "2025-08"),
    ]


def test_movements_wait_for_the_register_of_their_month(tick, place):
    deliver(place.inbox, "resident_movements", "2025-07")
    first = tick()
    assert not first.run_requests and "wait" in first.skip_message
    deliver(place.inbox, "resident_register", "2025-07")
    receipt(place, "resident_register", "2025-07", "accepted", {"rows": 1})
    assert requested(tick(first.cursor)) == [("take_in_resident_movements", "2025-07")]


def test_the_run_key_names_municipality_source_month_content_and_attempt(tick, place):
    deliver(place.inbox, "resident_register", "2025-07")
    request = tick().run_requests[0]
    municipality, source, month, content, attempt = request.run_key.split(":")
    assert (municipality, source, month, attempt) == ("28100", "resident_register", "2025-07", "1")
    assert len(content) == 12


def test_an_attempt_without_an_outcome_gets_a_new_run_key_and_not_for_ever(tick, place):
    deliver(place.inbox, "resident_register", "2025-07")
    cursor, keys = None, []
    for _ in range(MAX_ATTEMPTS + 2):
        data = tick(cursor)
        cursor = data.cursor
        keys += [request.run_key for request in data.run_requests]
    assert len(keys) == len(set(keys)) == MAX_ATTEMPTS
    assert [key.split(":")[-1] for key in keys] == ["1", "2", "3"]


def test_a_rejected_delivery_is_not_tried_again_and_a_corrected_one_is(tick, place):
    deliver(place.inbox, "resident_register", "2025-07")
    receipt(place, "resident_register", "2025-07", "rejected", DeliveryRejected("no", code="file.hash"))
    assert not tick().run_requests
    deliver(place.inbox, "resident_register", "2025-07", content=b"corrected")
    assert len(tick().run_requests) == 1


def test_the_same_content_again_is_nothing_to_do(tick, place):
    deliver(place.inbox, "resident_register", "2025-07")
    receipt(place, "resident_register", "2025-07", "accepted", {"rows": 1})
    deliver(place.inbox, "resident_register", "2025-07")
    assert not tick().run_requests


def test_a_held_delivery_waits_for_approval(tick, place):
    from kobe_platform.deliveries import approve
    from kobe_platform.rules import hold

    deliver(place.inbox, "resident_register", "2025-07")
    receipt(place, "resident_register", "2025-07", "held", hold("delivery.row_change", delivery="x"))
    assert not tick().run_requests
    approve(place.root, find(place.inbox, load_contracts(place.contracts), "28100")[0], "operator")
    assert len(tick().run_requests) == 1


def test_a_source_whose_legal_basis_is_over_is_not_taken_in(place, ephemeral, tmp_path):
    contracts = tmp_path / "contracts"
    shutil.copytree(place.contracts, contracts)
    file = contracts / "resident_register.toml"
    day = today()

    def ticked(first, last):
        text = (place.contracts / file.name).read_text("utf-8")
        days = f"retention_months = 120\nvalid_from = {first}\nvalid_until = {last}\n"
        file.write_text(text.replace("retention_months = 120", days), "utf-8")
        definitions = build_definitions(place.model_copy(update={"contracts": contracts}))
        context = dg.build_sensor_context(
            instance=ephemeral,
            repository_def=definitions.get_repository_def(),
            resources=dict(definitions.resources),
            sensor_name=SENSOR,
        )
        return definitions.resolve_sensor_def(SENSOR).evaluate_tick(context)

    deliver(place.inbox, "resident_register", "2025-07")
    one = timedelta(days=1)
    for first, last, taken in ((day - 9 * one, day - one, 0), (day + one, day + 9 * one, 0), (day, day, 1)):
        data = ticked(first, last)
        assert len(data.run_requests or []) == taken
        assert taken or "legal basis" in data.skip_message
    ticked(day - 9 * one, day - one)
    delivery = find(place.inbox, load_contracts(contracts), "28100")[0]
    with pytest.raises(ConfigurationError) as refusal:
        take_in(delivery, load_contracts(contracts)["resident_register"])
    assert refusal.value.code == "contract.lapsed" and not place.receipts.exists()


def test_a_delivery_under_way_is_not_requested_again(tick, place, ephemeral):
    deliver(place.inbox, "resident_register", "2025-07")
    request = tick().run_requests[0]
    job = build_definitions(place).resolve_job_def(request.job_name)
    ephemeral.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    assert not tick().run_requests


def test_the_cursor_is_bounded_and_survives_nonsense():
    many = {f"28100:s:{2000 + n // 12}-{n % 12 + 1:02d}:{n:012x}": 1 for n in range(MAX_REMEMBERED + 50)}
    kept = Cursor.parse(Cursor(many).text()).attempts
    assert len(kept) == MAX_REMEMBERED
    assert min(name.split(":")[2] for name in kept) > "2000-12"
    assert Cursor.parse("not json").attempts == {} and Cursor.parse(None).attempts == {}
