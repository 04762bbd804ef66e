"""The operators hear of what does not go on by itself, once, by the channel that alerts.toml names; else nobody."""

import http.server
import json
import threading
from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from assets.alerting import ALERTS
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.definitions import build_definitions
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.lake.heads import HeadEntry, Heads
from kobe_platform.lake.partitions import PartitionId
from kobe_platform.planning.notices import overdue
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.rules import hold, rejection
from tests.unit.graph.test_sensors import deliver


@pytest.fixture
def place(tmp_path):
    settings = Settings(home=tmp_path / "var", inbox=tmp_path / "inbox")
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    settings.inbox.mkdir()
    return settings


@pytest.fixture
def received():
    got = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield got, f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()


def configure(place, url):
    secret = place.root / "secret"
    secret.write_text("0123456789abcdef-secret", "utf-8")
    secret.chmod(0o600)
    (place.root / "alerts.toml").write_text(f'[webhook]\nurl = "{url}"\nsecret_file = "{secret}"\n', "utf-8")


def tick(definitions, instance):
    context = dg.build_sensor_context(
        instance=instance,
        repository_def=definitions.get_repository_def(),
        resources=dict(definitions.resources),
        sensor_name=ALERTS,
    )
    return definitions.resolve_sensor_def(ALERTS).evaluate_tick(context).skip_message


@pytest.mark.slow
def test_without_a_settings_file_nothing_is_sent_and_the_tick_says_so(place, ephemeral):
    assert "alerts.toml" in tick(build_definitions(place), ephemeral)
    assert not (place.root / "alerts").exists()


@pytest.mark.slow
def test_what_waits_for_a_person_is_told_once_and_again_when_it_comes_back(place, ephemeral, received):
    got, url = received
    configure(place, url)
    definitions = build_definitions(place)
    deliver(place.inbox, "resident_register", "2025-07")
    deliver(place.inbox, "town_districts", "2025-07")
    register = find_one(place.inbox, "28100", "resident_register", "2025-07")
    towns = find_one(place.inbox, "28100", "town_districts", "2025-07")
    held = write_receipt(place.root, register, "held", hold("delivery.row_change", delivery="x"))
    write_receipt(place.root, towns, "rejected", rejection("file.hash", file="data.csv"))
    assert "2件" in tick(definitions, ephemeral)
    assert "新しく" in tick(definitions, ephemeral)
    told = [(notice["kind"], notice["at"]) for notice in got[0]["notices"]]
    assert ("held", {"source": "resident_register", "month": "2025-07", "code": "delivery.row_change"}) in told
    assert ("turned_away", {"source": "town_districts", "month": "2025-07", "code": "file.hash"}) in told
    record = held.read_bytes()
    held.unlink()
    tick(definitions, ephemeral)
    held.write_bytes(record)
    tick(definitions, ephemeral)
    assert len(got) == 2 and [notice["kind"] for notice in got[1]["notices"]] == ["held"]


@pytest.mark.slow
def test_a_failed_run_is_told_by_its_job_and_id(place, ephemeral, received, definitions):
    got, url = received
    configure(place, url)
    job = definitions.resolve_job_def("tabulate")
    run = ephemeral.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    tick(build_definitions(place), ephemeral)
    assert [(n["kind"], n["at"]["job"], n["at"]["run"]) for n in got[0]["notices"]] == [
        ("run_failed", "tabulate", run.run_id)
    ]


def test_a_month_that_does_not_come_is_overdue_forty_days_after_its_end(place):
    facts = build_definitions(place).resources["planning"].facts()
    id = PartitionId("lake", "resident_register", "2025-07")
    facts = replace(facts, heads=Heads({id: HeadEntry(id, 1, "a", "b", "c")}))
    assert overdue(replace(facts, today=date(2025, 10, 10))) == []
    assert overdue(replace(facts, today=date(2025, 10, 11))) == [("resident_register", "2025-08")]
