"""The prefecture's own Dagster: what is due, who works for whom, and what becomes of a run that was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, inspect

from kobe_platform import lifeline
from kobe_platform.errors import ConfigurationError, PlatformError
from kobe_platform.prefecture import running
from kobe_platform.prefecture.homes import OWN_SETTINGS, homes, new_home
from kobe_platform.prefecture.machines import claims as claims_module
from kobe_platform.prefecture.machines import due
from kobe_platform.prefecture.machines.claims import Claims, claims_of
from kobe_platform.prefecture.machines.definitions import JOB, build_prefecture, ticked
from kobe_platform.prefecture.machines.deliveries import defined, delivered_months
from kobe_platform.prefecture.machines.instance import (
    INPUTS_TAG,
    LARGE,
    MUNICIPALITY_TAG,
    QUEUES,
    SETUP,
    SIZE_TAG,
    SMALL,
    changes,
    check_broker,
    own_settings,
    prepared,
)  # fmt: skip
from kobe_platform.prefecture.running import Task, run_all
from kobe_platform.settings import Settings
from tests.postgres import postgres_server

KOBE, AKASHI, AIOI = "28100", "28203", "28208"
STATUS = dg.DagsterRunStatus
LOST = due.SILENT_SECONDS + 5

# What `kobe run` is here: it does what a file in the home says, and notes that it was there.
STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path
home = Path(os.environ["KOBE_HOME"])
with (home / "calls").open("a") as calls:
    calls.write(f"{os.getpid()} {os.environ['KOBE_MUNICIPALITY']}\\n")
told = json.loads((home / "told.json").read_text()) if (home / "told.json").exists() else {"exit": 0}
time.sleep(told.get("seconds", 0))
if told["exit"] < 0:
    os.kill(os.getpid(), -told["exit"])
if told["exit"] == 9:
    sys.stderr.write("kobe run: [custody.absent] a file is missing (object x)\\n")
    raise SystemExit(1)
parts = {name: told.get(name, []) for name in ("outstanding", "turned_away")}
print(json.dumps({"runs": [], "released": True, "faults": [], **parts}))
raise SystemExit(told["exit"])
"""


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """A prefecture of three homes, with `kobe run` replaced."""
    (tmp_path / "stand_in.py").write_text(STAND_IN, "utf-8")
    monkeypatch.setattr(running, "MODULE", "stand_in")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path / "prefecture"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    for code in (KOBE, AKASHI, AIOI):
        new_home(Settings(), code)
    return own_settings(Settings())


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="session")
def database():
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["files", "postgresql"])
def claims(request, settings) -> Claims:
    url = request.getfixturevalue("database") if request.param == "postgresql" else ""
    return claims_of(settings.model_copy(update={"postgres_url": url}))


def deliver(settings: Settings, code: str, month: str, size: int = 1, source: str = "resident_register") -> Path:
    folder = settings.inbox / code / source / month
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_bytes(b"x" * size)
    (folder / "manifest.json").write_text(json.dumps({"size": size}), "utf-8")
    return folder


def say(settings: Settings, code: str, **told) -> None:
    (homes(settings)[code].path / "told.json").write_text(json.dumps(told), "utf-8")


def calls(settings: Settings, code: str) -> int:
    file = homes(settings)[code].path / "calls"
    return len(file.read_text("utf-8").splitlines()) if file.exists() else 0


def tick(instance, settings, now: float | None = None) -> dg.SensorResult:
    """One tick, with the partitions that it asks for, as the daemon does it."""
    result = ticked(instance, settings, now or time.time())
    for change in result.dynamic_partitions_requests or ():
        if isinstance(change, dg.AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        else:
            for key in change.partition_keys:
                instance.delete_dynamic_partition(change.partitions_def_name, key)
    return result


def codes(result: dg.SensorResult) -> list[str]:
    """Municipalities asked for, in the order in which Dagster would begin them."""
    asked = sorted(result.run_requests or (), key=lambda one: -int(one.tags["dagster/priority"]))
    return [one.tags[MUNICIPALITY_TAG] for one in asked]


def execute(instance, settings, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    job = build_prefecture(settings).resolve_job_def(JOB)
    return job.execute_in_process(
        instance=instance, partition_key=request.partition_key, tags=dict(request.tags), raise_on_error=False
    )


def execute_all(instance, settings, now: float | None = None) -> dict[str, bool]:
    requests = tick(instance, settings, now).run_requests or ()
    return {one.tags[MUNICIPALITY_TAG]: execute(instance, settings, one).success for one in requests}


def failed_with(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What the error of a failed step told."""
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return {name: str(entry.value) for name, entry in failure.step_failure_data.user_failure_data.metadata.items()}


def made(instance) -> set[str]:
    return set(due.made_versions(instance))


def test_what_was_delivered_is_due_until_its_municipality_has_worked_through_it(settings, instance):
    assert not tick(instance, settings).run_requests
    deliver(settings, AIOI, "2025-10")
    deliver(settings, AIOI, "2025-11")
    deliver(settings, AKASHI, "2025-11")
    assert execute_all(instance, settings) == {AIOI: True, AKASHI: True}
    assert made(instance) == {f"2025-10|{AIOI}", f"2025-11|{AIOI}", f"2025-11|{AKASHI}"}
    assert (calls(settings, AIOI), calls(settings, AKASHI), calls(settings, KOBE)) == (1, 1, 0)
    assert not tick(instance, settings).run_requests
    deliver(settings, AIOI, "2025-11", size=2)  # delivered again
    assert codes(tick(instance, settings)) == [AIOI]


def test_partitions_follow_the_homes_and_the_deliveries(settings, instance, tmp_path):
    deliver(settings, AIOI, "2025-11")
    tick(instance, settings)
    assert set(instance.get_dynamic_partitions("prefecture_municipalities")) == {KOBE, AKASHI, AIOI}
    assert instance.get_dynamic_partitions("prefecture_months") == ["2025-11"]
    homes(settings)[AIOI].path.rename(tmp_path / "handed over")
    assert not tick(instance, settings).run_requests
    assert set(instance.get_dynamic_partitions("prefecture_municipalities")) == {KOBE, AKASHI}


def test_a_delivery_that_is_still_being_written_or_lies_before_the_start_is_not_due(settings, monkeypatch):
    (deliver(settings, AIOI, "2025-11") / "manifest.json").unlink()
    deliver(settings, AIOI, "2010-09")
    deliver(settings, AIOI, "notes")
    home = homes(settings)[AIOI]
    assert delivered_months(home, home.environment(settings), "") == {}


def test_a_definition_that_changed_makes_every_municipality_due(settings, instance, tmp_path):
    statistics = tmp_path / "statistics"
    statistics.mkdir()
    (statistics / "one.sql").write_text("-- a", "utf-8")
    own = settings.model_copy(update={"statistics": statistics})
    deliver(own, AIOI, "2025-11")
    assert execute_all(instance, own) == {AIOI: True}
    before = defined(own)
    (statistics / "one.sql").write_text("-- b", "utf-8")
    assert defined(own) != before and codes(tick(instance, own)) == [AIOI]


def test_a_municipality_that_failed_is_asked_again_after_pauses_that_grow(settings, instance):
    deliver(settings, AIOI, "2025-11")
    say(settings, AIOI, exit=-9)
    assert execute_all(instance, settings) == {AIOI: False}
    assert not tick(instance, settings).run_requests and made(instance) == set()
    for pause in (due.FIRST_PAUSE, 2 * due.FIRST_PAUSE):
        newest = max(record.end_time for record in instance.get_run_records())
        assert not tick(instance, settings, newest + pause - 1).run_requests
        assert execute_all(instance, settings, newest + pause + 1) == {AIOI: False}
    (one,) = due.look(settings, {}).due
    deliver(settings, AIOI, "2025-12")  # something new is asked for at once
    say(settings, AIOI, exit=0)
    assert due.not_before(instance, one) > time.time() and execute_all(instance, settings) == {AIOI: True}
    assert made(instance) == {f"2025-11|{AIOI}", f"2025-12|{AIOI}"}


def test_the_longest_pause_is_an_hour(settings, instance):
    one = due.DueMunicipality(AIOI, ("2025-11",), "x", 1)
    for _ in range(40):
        build = build_prefecture(settings).resolve_job_def(JOB)
        tags = {MUNICIPALITY_TAG: AIOI, INPUTS_TAG: "x"}
        run = instance.create_run_for_job(build, tags=tags, status=STATUS.STARTED)
        instance.report_run_failed(run, "gone")
    newest = max(record.end_time for record in instance.get_run_records())
    assert due.not_before(instance, one) == pytest.approx(newest + due.LONGEST_PAUSE, abs=2)


def test_what_is_left_fails_the_run_by_its_code_and_keeps_the_months_before_it(settings, instance):
    for month in ("2025-10", "2025-11", "2025-12"):
        deliver(settings, AIOI, month)
    step = {"kind": "take_in", "month": "2025-11", "ja": "x", "cause": {"code": "delivery.held"}}
    say(settings, AIOI, exit=1, outstanding=[step])
    (request,) = tick(instance, settings).run_requests
    result = execute(instance, settings, request)
    assert not result.success and made(instance) == {f"2025-10|{AIOI}"}
    told = failed_with(result)
    assert (told["code"], told["at/municipality"], told["at/reason"]) == ("prefecture.left", AIOI, "delivery.held")


def test_a_run_that_only_rejected_a_delivery_fails_by_the_rule(settings, instance):
    deliver(settings, AIOI, "2025-11")
    away = {"source": "resident_register", "month": "2025-11", "cause": {"code": "file.bytes"}}
    say(settings, AIOI, exit=1, turned_away=[away])
    (request,) = tick(instance, settings).run_requests
    assert failed_with(execute(instance, settings, request))["at/reason"] == "file.bytes"


def test_a_month_that_was_never_delivered_is_said_to_be_and_starts_nothing(settings, instance):
    deliver(settings, AIOI, "2025-11")
    (request,) = tick(instance, settings).run_requests
    asked = due.partition("2025-10", AIOI)
    instance.add_dynamic_partitions("prefecture_months", ["2025-10"])
    result = execute(instance, settings, dg.RunRequest(partition_key=asked, tags=request.tags))
    told = failed_with(result)
    assert (told["code"], told["at/month"]) == ("prefecture.undelivered", "2025-10")
    assert calls(settings, AIOI) == 0


def test_a_release_that_is_left_keeps_no_month(settings, instance):
    deliver(settings, AIOI, "2025-11")
    step = {"kind": "release", "month": "", "ja": "x", "cause": None}
    say(settings, AIOI, exit=1, outstanding=[step])
    assert execute_all(instance, settings) == {AIOI: False} and made(instance) == set()


def test_the_reason_of_a_run_that_printed_no_report_is_its_errors_code(settings, instance):
    deliver(settings, AIOI, "2025-11")
    say(settings, AIOI, exit=9)
    result = execute(instance, settings, tick(instance, settings).run_requests[0])
    assert failed_with(result)["at/reason"] == "custody.absent"


def test_small_municipalities_go_first_and_a_large_one_takes_one_place_of_several(settings, instance, monkeypatch):
    monkeypatch.setattr(due, "LARGE_BYTES", 50)
    for code, size in ((KOBE, 90), (AIOI, 10), (AKASHI, 20)):
        deliver(settings, code, "2025-11", size)
    result = tick(instance, settings)
    assert codes(result) == [KOBE, AIOI, AKASHI]
    sizes = {one.tags[MUNICIPALITY_TAG]: one.tags[SIZE_TAG] for one in result.run_requests}
    assert sizes == {KOBE: LARGE, AIOI: SMALL, AKASHI: SMALL}
    assert codes(tick(instance, settings.model_copy(update={"prefecture_runs": 1}))) == [AIOI, AKASHI, KOBE]


def test_a_run_carries_words_for_celery_and_kubernetes_only_where_these_start_it(settings, instance, monkeypatch):
    """In the list of runs they would hide which municipality it is."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    deliver(settings, AIOI, "2025-11")

    def further(of: Settings) -> dict[str, str]:
        (request,) = tick(instance, of).run_requests
        return {name: value for name, value in request.tags.items() if name.startswith("dagster-")}

    assert further(settings) == {}
    assert further(settings.model_copy(update={"broker": "redis://b"})) == {"dagster-celery/queue": QUEUES[SMALL]}
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert set(further(settings)) == {"dagster-k8s/config"}


def test_a_municipality_that_is_under_way_is_not_asked_for_twice(settings, instance):
    deliver(settings, AIOI, "2025-11")
    job = build_prefecture(settings).resolve_job_def(JOB)
    instance.create_run_for_job(job, tags={MUNICIPALITY_TAG: AIOI}, status=STATUS.STARTING)
    assert not tick(instance, settings).run_requests


def test_settings_of_one_home_that_cannot_be_read_stop_no_other(settings, instance):
    deliver(settings, AIOI, "2025-11")
    (homes(settings)[AKASHI].path / OWN_SETTINGS).write_text("KOBE_HOME=/other\n", "utf-8")
    assert codes(tick(instance, settings)) == [AIOI]
    execute_all(instance, settings)
    assert "prefecture.settings" in tick(instance, settings).skip_reason.skip_message


def test_no_value_of_a_home_stands_in_dagsters_records(settings, instance):
    """Paths, settings and what the process printed stay out; counts, codes and the municipality are in."""
    deliver(settings, AIOI, "2025-11")
    secret = homes(settings)[AIOI].path / OWN_SETTINGS
    secret.write_text("KOBE_DATABASE_URL=postgresql://user:hidden@host/x\n", "utf-8")  # pragma: allowlist secret
    execute_all(instance, settings)
    (run,) = instance.get_runs()
    text = "".join(str(entry) for entry in instance.all_logs(run.run_id)) + str(run)
    assert "hidden" not in text and str(homes(settings)[AIOI].path) not in text


# ── who works for whom ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_municipality_is_one_processs_at_a_time(claims):
    assert claims.held() == set()
    with claims.holding(AIOI, 0), claims.holding(KOBE, 0):
        assert claims.held() == {AIOI, KOBE}
        with pytest.raises(PlatformError) as caught, claims.holding(AIOI, 0.3):
            pass
        assert caught.value.code == "prefecture.claimed"
    assert held_at_last(claims) == set()


def held_at_last(claims) -> set[str]:
    """Who is held when nobody holds any more: a database lets go of a session's locks a moment after it has ended."""
    until = time.monotonic() + 10
    while claims.held() and time.monotonic() < until:
        time.sleep(0.1)
    return claims.held()


def test_a_process_that_inherits_the_claim_keeps_it_when_the_first_is_gone(claims):
    """The parent is killed; while its child lives nobody else may begin."""
    pipe = os.pipe()
    parent = os.fork()
    if parent == 0:
        with claims.holding(AIOI, 0) as claim:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=claim.handles)
            os.write(pipe[1], f"{child.pid}\n".encode())
            time.sleep(60)
        os._exit(0)
    child = int(os.read(pipe[0], 20))
    try:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        time.sleep(0.5)
        assert claims.held() == {AIOI}
    finally:
        os.kill(child, signal.SIGKILL)
    assert held_at_last(claims) == set()


def test_a_run_that_lost_its_claim_is_stopped_and_says_so(settings, instance, database, monkeypatch):
    """The database ends the session, as after a restart or a cut: others may begin now, so this one must not go on."""
    monkeypatch.setattr(claims_module, "WATCH_SECONDS", 0.2)
    own = settings.model_copy(update={"postgres_url": database})
    deliver(own, AIOI, "2025-11")
    say(own, AIOI, exit=0, seconds=120)
    (request,) = tick(instance, own).run_requests
    began = time.monotonic()
    threading.Thread(target=end_sessions, args=(database, lambda: calls(own, AIOI))).start()
    result = execute(instance, own, request)
    assert failed_with(result)["code"] == "prefecture.lost" and time.monotonic() - began < 60
    assert held_at_last(claims_of(own)) == set() and made(instance) == set()


def end_sessions(database: str, begun) -> None:
    """End every session that holds a claim, as soon as something has begun."""
    while not begun():
        time.sleep(0.1)
    with create_engine(database).connect() as connection:
        connection.exec_driver_sql("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")


def test_a_database_that_is_not_there_is_said_without_its_address(settings):
    gone = claims_of(
        settings.model_copy(update={"postgres_url": "postgresql://u:hidden@127.0.0.1:1/x"})
    )  # pragma: allowlist secret
    with pytest.raises(PlatformError) as caught:
        gone.held()
    assert caught.value.code == "prefecture.database" and "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_database_that_goes_away_while_a_run_waits_is_said_without_the_drivers_words(settings, database):
    claims = claims_of(settings.model_copy(update={"postgres_url": database}))
    every = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"

    def end_all() -> None:
        time.sleep(1)
        with create_engine(database).connect() as connection:
            connection.exec_driver_sql(every)

    ending = threading.Thread(target=end_all)
    with claims.holding(AIOI, 0):
        ending.start()
        with pytest.raises(PlatformError) as caught, claims.holding(AIOI, 60):
            pass
    ending.join()
    assert caught.value.code == "prefecture.database" and caught.value.__cause__ is None


def test_a_run_whose_process_is_gone_is_ended_and_asked_for_again(settings, instance):
    deliver(settings, AIOI, "2025-11")
    (request,) = tick(instance, settings).run_requests
    job = build_prefecture(settings).resolve_job_def(JOB)
    run = instance.create_run_for_job(job, tags=dict(request.tags), status=STATUS.STARTED)
    instance.report_engine_event("begun", run)
    claims = claims_of(settings)
    with claims.holding(AIOI, 0):
        assert due.end_lost_runs(instance, claims, time.time() + LOST) == []
    assert due.end_lost_runs(instance, claims) == []  # it was heard of just now
    assert due.end_lost_runs(instance, claims, time.time() + LOST) == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status is STATUS.FAILURE
    later = time.time() + due.FIRST_PAUSE + 1
    assert execute_all(instance, settings, later) == {AIOI: True}


def test_runs_that_are_none_of_a_municipality_or_wait_are_left_alone(settings, instance):
    job = build_prefecture(settings).resolve_job_def(JOB)
    instance.create_run_for_job(job, status=STATUS.STARTED)
    instance.create_run_for_job(job, tags={MUNICIPALITY_TAG: AIOI}, status=STATUS.STARTING)
    assert due.end_lost_runs(instance, claims_of(settings), time.time() + 9 * LOST) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_municipalitys_process_ends_with_the_one_that_started_it_however_that_died(settings, tmp_path):
    say(settings, AIOI, exit=0, seconds=60)
    home = homes(settings)[AIOI]
    environment = home.environment(settings)
    starter = os.fork()
    if starter == 0:
        run_all([Task(AIOI, AIOI, ("run",), environment)], 1, lambda one: None)
        os._exit(0)
    until = time.monotonic() + 20
    while not (home.path / "calls").exists() and time.monotonic() < until:
        time.sleep(0.05)
    child = int((home.path / "calls").read_text().split()[0])
    os.kill(starter, signal.SIGKILL)
    os.waitpid(starter, 0)
    time.sleep(0.5)
    assert _gone(child)


def test_a_process_whose_starter_is_gone_already_does_not_begin():
    done = subprocess.run([sys.executable, str(running.LIFELINE), "1", "-c", "print('here')"], capture_output=True)
    assert done.returncode == -signal.SIGKILL and done.stdout == b""
    assert lifeline.PR_SET_PDEATHSIG == 1


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# ── the instance ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_prefectures_dagster_stands_in_its_folder_and_begins_one_run_of_a_municipality_at_a_time(settings):
    prepared(settings)
    written = (settings.prefecture / "dagster" / "dagster.yaml").read_text("utf-8")
    assert "NoOpComputeLogManager" in written and "enabled: false" in written
    limits = changes(settings)["concurrency"]["runs"]["tag_concurrency_limits"]
    assert {"key": MUNICIPALITY_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1} in limits
    assert "run_launcher" not in changes(settings)


@pytest.mark.slow
def test_of_machines_that_begin_at_once_one_makes_the_tables_and_the_others_wait(settings, database):
    """Two that made them at the same time failed at each other's."""
    name = f"empty{os.getpid()}"
    server = create_engine(database, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    url = database.replace("/postgres?", f"/{name}?")
    own, empty = settings.model_copy(update={"postgres_url": url}), create_engine(url)
    words = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", BEGIN], env={**os.environ, "KOBE_POSTGRES_URL": url}, **words)
    assert other.stdout.readline() == "ready\n"
    with claims_of(own).holding(SETUP):
        other.stdin.write("\n")
        other.stdin.flush()
        time.sleep(5)
        assert inspect(empty).get_table_names() == [] and other.poll() is None
    assert other.wait(timeout=120) == 0, other.stderr.read()
    assert "runs" in inspect(empty).get_table_names()
    empty.dispose()
    with server.connect() as connection:
        connection.exec_driver_sql(f"drop database {name} with (force)")


BEGIN = """
from kobe_platform.prefecture.machines.claims import claims_of
from kobe_platform.prefecture.machines.instance import own_settings, prepared
from kobe_platform.settings import Settings
settings = own_settings(Settings())
claims_of(settings).held()
print("ready", flush=True)
input()
prepared(settings)
"""


@pytest.mark.parametrize(
    ("broker", "postgres"), [("redis://h/0", ""), ("amqp://u:hidden@h", "postgresql://x"), ("hidden", "postgresql://x")]
)
def test_a_broker_that_cannot_serve_is_refused_without_its_address(settings, broker, postgres):
    wrong = settings.model_copy(update={"broker": broker, "postgres_url": postgres})
    with pytest.raises(ConfigurationError) as caught:
        check_broker(wrong)
    assert caught.value.code == "prefecture.broker" and "hidden" not in str(caught.value)


def test_with_a_broker_runs_go_to_celery_and_its_address_is_written_nowhere(settings, database, monkeypatch):
    pytest.importorskip("dagster_celery")
    monkeypatch.setenv("KOBE_BROKER", "redis://:hidden@127.0.0.1:1/0")  # pragma: allowlist secret
    monkeypatch.setenv("KOBE_POSTGRES_URL", database)
    own = own_settings(Settings())
    environment = prepared(own)
    assert environment["KOBE_BROKER"] == own.broker
    for file in (own.prefecture / "dagster").rglob("*.yaml"):
        assert "hidden" not in file.read_text("utf-8")
    with dg.DagsterInstance.from_config(str(own.dagster_home)) as instance:
        assert type(instance.run_launcher).__name__ == "CeleryRunLauncher"
        assert "hidden" not in str(instance.get_ref())


def test_workers_listen_to_the_queues_that_runs_are_sent_to(monkeypatch):
    pytest.importorskip("dagster_celery")
    monkeypatch.setenv("KOBE_BROKER", "redis://127.0.0.1:1/0")
    from kobe_platform.prefecture.machines.celery_app import app
    from kobe_platform.prefecture.machines.instance import QUEUES

    assert {queue.name for queue in app.conf.task_queues} == set(QUEUES.values())
    assert "execute_job" in app.tasks
