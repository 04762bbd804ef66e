"""Rows go when their time is over, the wrapped key first, and stay gone; the log says when."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import dagster as dg
import polars as pl
import pytest

from assets.schedules import retention_schedule
from kobe_platform.contracts import load_contracts
from kobe_platform.errors import CustodyError, DeliveryHeld, LakeError
from kobe_platform.governance.retention import due_for_destruction
from kobe_platform.intake.deliveries import Delivery
from kobe_platform.lake import PartitionId
from kobe_platform.lake.maintenance import destroy
from kobe_platform.lounge.release import releases_of
from kobe_platform.reception import steps
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.vocabulary.clock import JAPAN
from resources import Lake, Releases
from tests.unit.web.conftest import write_release

RAW = PartitionId("raw", "resident_register", "2025-07")
LAKE = PartitionId("lake", "resident_register", "2025-07")
TOWNS = PartitionId("raw", "town_districts", "2025-07")
CONTRACTS, STATISTICS = load_contracts(Settings().contracts), load_statistics(Settings().statistics)
ROWS = pl.DataFrame({"atena_no": ["990077553311008"] * 10})


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def entries(store) -> list[tuple[str, str]]:
    told = [json.loads(line) for line in store.keys.log.path.read_text().splitlines()]
    return [(entry["action"], entry["object"]) for entry in told]


def due(store, raw_days, now):
    found = due_for_destruction(store, CONTRACTS, STATISTICS, raw_days, now)
    assert found.faults == ()
    return [partition.id for partition in found.partitions]


@pytest.fixture
def clock(monkeypatch):
    """Sets how many days from now commits take place."""

    def at(days):
        class Then(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + timedelta(days=days)

        monkeypatch.setattr("kobe_platform.lake.store.datetime", Then)

    return at


def test_a_raw_partition_is_due_so_many_days_after_the_lake_has_its_month(store, clock):
    store.write(RAW, ROWS)
    store.write(TOWNS, ROWS)
    clock(5)
    store.write(LAKE, ROWS)
    assert due(store, 30, later(34)) == []
    assert due(store, 30, later(36)) == [RAW]
    destroy(store, store.current(RAW))
    assert due(store, 30, later(36)) == []


def test_what_the_lake_never_took_is_due_so_many_days_after_it_came(store, clock):
    store.write(RAW, ROWS)
    store.write(LAKE, ROWS)
    clock(10)
    store.write(RAW, ROWS)
    refused = PartitionId("raw", "resident_movements", "2025-07")
    store.write(refused, ROWS)
    assert due(store, 30, later(39)) == [], "delivered again and not admitted: its own days count"
    assert due(store, 30, later(41)) == [refused, RAW]


def test_rows_that_a_difference_gave_wait_for_the_next_one_though_not_for_ever(store, clock):
    after = PartitionId("lake", "resident_register", "2025-08")
    store.write(RAW, ROWS, facts={"laid": {"rows": 1}})
    store.write(LAKE, ROWS)
    assert due(store, 30, later(40)) == [] and due(store, 30, later(101)) == [RAW]
    clock(35)
    store.write(after, ROWS)
    assert due(store, 30, later(64)) == [] and due(store, 30, later(66)) == [RAW]


def test_rows_and_counts_go_with_their_retention_and_published_tables_stay(store):
    kept = CONTRACTS["resident_register"].legal.retention_months
    table = next(name for name, s in STATISTICS.items() if s.sources == ("resident_register",) and s.period == "month")
    stages = [PartitionId(stage, "resident_register", RAW.month) for stage in ("raw", "abstracted", "lake")]
    counted, published = (PartitionId(stage, table, RAW.month) for stage in ("statistics", "published"))
    public = PartitionId("statistics", "estimated_population", "2010-10")
    for id in (*stages, counted, published, TOWNS, public):
        store.write(id, ROWS)
    year, month = divmod(2025 * 12 + 6 + kept + 1, 12)
    over = datetime(year, month + 1, 1, tzinfo=JAPAN)
    assert due(store, 10**5, over - timedelta(seconds=1)) == []
    assert set(due(store, 10**5, over)) == {*stages, counted}


def test_all_kept_generations_are_destroyed_with_key_file_and_record(store):
    for _ in range(3):
        store.write(RAW, ROWS)
    kept = store.history(RAW)
    assert destroy(store, store.current(RAW)) == len(kept) == 2
    for partition in store.history(RAW):
        assert partition.key.wrapped == "" and partition.destroyed_at and partition.rows == 10
        assert not store.data_file(partition).exists()
        identity = f"28100/{RAW}/{partition.generation}"
        assert [action for action, object in entries(store) if object == identity][-2:] == ["destroy", "destroyed"]
    for ask in (lambda: store.read(RAW), lambda: store.query(RAW, lambda rows: rows)):
        with pytest.raises(LakeError) as refusal:
            ask()
        assert refusal.value.code == "lake.destroyed"
    assert store.verify().faults == ()


def test_the_wrapped_key_goes_before_the_rows(store, monkeypatch):
    store.write(RAW, ROWS)
    path = store.data_file(store.current(RAW))

    original = type(path).unlink

    def interrupted(self, *arguments, **options):
        if self == path:
            raise KeyboardInterrupt
        original(self, *arguments, **options)

    monkeypatch.setattr(type(path), "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        destroy(store, store.current(RAW))
    monkeypatch.undo()
    assert path.exists() and store.current(RAW).key.wrapped == ""
    assert store.verify().faults == ((str(RAW), "custody.not_destroyed"),)
    destroy(store, store.current(RAW))
    assert store.verify().faults == ()


def test_what_was_destroyed_and_is_put_back_from_a_backup_is_refused(store):
    partition = store.write(RAW, ROWS)
    path = store.data_file(partition)
    kept = {file: file.read_bytes() for file in path.parent.iterdir()}
    destroy(store, store.current(RAW))
    for file, data in kept.items():
        file.write_bytes(data)
    with pytest.raises(CustodyError) as refusal:
        store.read(RAW)
    assert refusal.value.code == "custody.rolled_back"


def test_a_month_delivered_again_after_destruction_is_read_again(store):
    store.write(RAW, ROWS)
    destroy(store, store.current(RAW))
    store.write(RAW, ROWS.head(3))
    assert store.read(RAW).height == 3
    assert store.verify().faults == ()


def test_rotation_leaves_destroyed_partitions_alone(store):
    store.write(RAW, ROWS)
    destroy(store, store.current(RAW))
    store.keys.begin_rotation([RAW.purpose])
    assert store.rewrap(RAW.purpose) == 0


@pytest.mark.parametrize(("keep", "pruned"), [(None, []), (2, ["0001-0123456789ab"])])
def test_the_scheduled_job_destroys_what_is_due_and_nothing_else(store, tmp_path, keep, pruned):
    for number in (1, 2, 3):
        write_release(tmp_path / "releases", {"staff": {"index.html": ""}}, f"000{number}-0123456789ab")
    releases = Releases(root=str(tmp_path / "releases"), staging="", dashboards_path="", keep=keep)
    store.write(RAW, ROWS)
    store.write(TOWNS, ROWS)
    store.write(LAKE, ROWS)
    schedule = retention_schedule(CONTRACTS, STATISTICS, 180)
    lake = Lake(
        root=str(store.root),
        keys_path=str(store.keys.path),
        municipality="28100",
        principal="platform",
        log_path=str(store.keys.log.path),
        raw_days=0,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        job = schedule.job
        assert job.execute_in_process(resources={"lake": lake, "releases": releases}, instance=instance).success
    assert store.current(RAW).destroyed_at and not store.current(LAKE).destroyed_at
    assert store.read(TOWNS).height == store.read(LAKE).height == 10
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert [release.id for release in releases_of(tmp_path / "releases") if release.pruned_at] == pruned


def test_no_byte_of_the_destroyed_rows_lies_in_the_store(store):
    """Canary: decrypted with the key that an attacker kept, nothing is left to decrypt."""
    partition = store.write(RAW, ROWS)
    sealed = store.data_file(partition).read_bytes()
    wrapped = partition.key.wrapped
    destroy(store, store.current(RAW))
    for path in store.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert sealed[64:128] not in data and wrapped.encode() not in data, path.name


def test_a_revised_delivery_of_a_destroyed_month_is_held_without_a_comparison(store, tmp_path):
    """There is nothing left to compare it with; an operator still decides."""
    store.write(RAW, ROWS)
    destroy(store, store.current(RAW))
    store.write(replace(RAW, stage="lake"), ROWS, facts={"content_hash": "former", "rows": 3})
    place = {"municipality": "28100", "source": RAW.source, "month": RAW.month}
    delivery = Delivery(**place, kind="snapshot", content_hash="revised", path=tmp_path, manifest=None)
    contract = SimpleNamespace(name=RAW.source, key=("atena_no",), use="lake")
    with pytest.raises(DeliveryHeld) as refusal:
        steps.hold_revision(delivery, contract, store, tmp_path, ROWS)
    assert set(refusal.value.at) == {"delivery", "rows", "former_rows", "rule"}


def test_a_generation_that_came_after_the_list_was_made_is_left_alone(store):
    store.write(RAW, ROWS)
    found = store.current(RAW)
    store.write(RAW, ROWS.head(4))
    assert destroy(store, found) == 0
    assert store.read(RAW).height == 4


def test_one_damaged_partition_hinders_no_other(store):
    june = PartitionId("raw", "resident_register", "2025-06")
    store.write(june, ROWS)
    store.write(RAW, ROWS)
    (store.manifests.folder(june) / "head.json").write_text("{}")
    found = due_for_destruction(store, CONTRACTS, STATISTICS, 1, later(2))
    assert [partition.id for partition in found.partitions] == [RAW]
    assert found.faults == ((str(june), "custody.tampered_manifest"),)
    for purpose in (RAW.purpose,):
        store.keys.begin_rotation([purpose])
        with pytest.raises(CustodyError) as refusal:
            store.rewrap(purpose)
    assert refusal.value.at == {"partition": str(june), "partitions": 1}
    assert store.current(RAW).key.key_id.endswith("#2") and store.keys.pending() == (RAW.purpose,)


def test_a_file_put_back_after_destruction_is_destroyed_again(store):
    path = store.data_file(store.write(RAW, ROWS))
    sealed = path.read_bytes()
    destroy(store, store.current(RAW))
    path.write_bytes(sealed)
    assert destroy(store, store.current(RAW)) == 1 and not path.exists()
    assert destroy(store, store.current(RAW)) == 0
