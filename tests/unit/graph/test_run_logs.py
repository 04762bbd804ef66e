"""The events of old runs go; the run, what it made and what checks found stay, and the instance goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from kobe_platform.orchestration.run_logs import prune_nightly_runs, prune_run_logs
from kobe_platform.privacy.instance import open_instance
from kobe_platform.settings import Settings


@dg.asset
def counted() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3})


def test_events_of_ended_runs_go_and_what_assets_became_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "var" / "dagster"))
    with open_instance(Settings(home=tmp_path / "var")) as instance:
        run_id = dg.materialize([counted], instance=instance).run_id
        under_way = instance.create_run_for_job(dg.define_asset_job("j").resolve(asset_graph=_graph()))
        shards = Path(instance.event_log_storage.path_for_shard(run_id)).parent
        assert (shards / f"{run_id}.db").exists()
        assert prune_run_logs(instance, datetime.now(UTC) - timedelta(days=1)) == 0
        assert prune_run_logs(instance, datetime.now(UTC) + timedelta(days=1)) == 1
        assert not list(shards.glob(f"{run_id}*"))
        assert instance.get_run_by_id(run_id).is_success and instance.get_run_by_id(under_way.run_id)
        assert instance.get_latest_materialization_event(counted.key).run_id == run_id
        assert len(instance.all_logs(run_id)) == 0
        assert dg.materialize([counted], instance=instance).success
        assert prune_run_logs(instance, datetime.now(UTC) + timedelta(days=1)) >= 1


@dg.op
def look() -> None:
    pass


@dg.job
def retention():
    look()


@dg.job
def asked_by_a_person():
    look()


def test_old_runs_of_the_nightly_jobs_go_but_the_newest_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "var" / "dagster"))
    with open_instance(Settings(home=tmp_path / "var")) as instance:
        nightly = [retention.execute_in_process(instance=instance).run_id for _ in range(3)]
        other = asked_by_a_person.execute_in_process(instance=instance).run_id
        assert prune_nightly_runs(instance, datetime.now(UTC) - timedelta(days=1)) == 0
        assert prune_nightly_runs(instance, datetime.now(UTC) + timedelta(days=1)) == 2
        assert {run.run_id for run in instance.get_runs()} == {nightly[-1], other}
        shards = Path(instance.event_log_storage.path_for_shard(other)).parent
        assert not [path for gone in nightly[:2] for path in shards.glob(f"{gone}*")]


def _graph():
    return dg.Definitions(assets=[counted]).resolve_asset_graph()
