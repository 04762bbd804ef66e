"""The Dagster job: answered as whom the run's tag names, with nothing of the rows in Dagster's records."""

from __future__ import annotations

import dagster as dg
import pytest

from assets.ondemand import JOB, LAUNCHED_BY, on_demand_job
from kobe_platform.governance.trail import events_of
from kobe_platform.lake import PartitionId
from kobe_platform.ondemand.asking import ACTION, month_begins
from kobe_platform.web.graphql_policy import ON_DEMAND, STAMP
from resources import Governance, Lake, Releases
from tests.unit.ondemand.conftest import CANARY, MONTH


@pytest.fixture
def launch(store, statistics, desk, tmp_path):
    """Run the job with a configuration and tags over the made-up month."""

    def execute(config: dict, tags: dict):
        resources = {
            "lake": Lake(
                root=str(store.root), keys_path=str(store.keys.path), municipality="28100", principal="platform",
                log_path=str(store.keys.log.path),
            ),
            "releases": Releases(root=str(tmp_path / "releases"), staging=str(tmp_path / "s"), dashboards_path="x"),
            "governance": Governance(url=f"sqlite:///{tmp_path / 'governance.sqlite'}"),
        }  # fmt: skip
        job = on_demand_job(desk.menu, statistics, 24)
        with dg.DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                run_config={"ops": {"answer_question": {"config": config}}}, resources=resources, tags=tags,
                instance=instance, raise_on_error=False,
            )  # fmt: skip
            return result, str(instance.all_logs(result.run_id))

    return execute


def test_the_portal_and_the_job_speak_of_one_job_and_one_tag():
    assert (JOB, LAUNCHED_BY) == (ON_DEMAND, STAMP)


def test_without_a_person_or_an_application_nothing_is_answered(launch, desk, analyst):
    config = {"month": MONTH, "measure": "residents", "dimensions": ["ward"]}
    for tags in ({}, {LAUNCHED_BY: "nobody"}, {LAUNCHED_BY: "yamada"}):
        result, logs = launch(config, tags)
        assert not result.success and CANARY not in logs
    refused = events_of(desk.governance, "yamada", ACTION, month_begins())
    assert [event.detail["code"] for event in refused] == ["ondemand.application"], "no release: not a made-up city"


def test_a_person_in_the_configuration_is_no_person(launch):
    config = {"month": MONTH, "measure": "residents", "dimensions": ["ward"], "login": "yamada"}
    with pytest.raises(dg.DagsterInvalidConfigError):
        launch(config, {})


def test_an_answer_stands_in_the_store_and_only_counts_in_dagster(launch, desk, analyst, store, monkeypatch):
    monkeypatch.setattr(Releases, "basis", property(lambda self: "synthetic"))
    config = {"month": MONTH, "measure": "residents", "dimensions": ["ward", "age5"], "filters": {"sex": ["female"]}}
    result, logs = launch(config, {LAUNCHED_BY: "yamada"})
    assert result.success
    (event,) = events_of(desk.governance, "yamada", ACTION, month_begins())
    name = event.object.split("/")[0]
    assert store.read(PartitionId("answers", name, MONTH)).height
    assert CANARY not in logs and name in logs


def test_an_error_of_a_library_shows_no_value(launch, analyst, monkeypatch):
    import kobe_platform.ondemand.answers as answers

    def fails(*arguments, **options):
        raise ValueError(f"row {CANARY}")

    monkeypatch.setattr(Releases, "basis", property(lambda self: "synthetic"))
    monkeypatch.setattr(answers, "counted_beside", fails)
    result, logs = launch({"month": MONTH, "measure": "residents", "dimensions": ["ward"]}, {LAUNCHED_BY: "yamada"})
    assert not result.success and CANARY not in logs


def test_the_graph_holds_the_job():
    from kobe_platform.definitions import build_definitions

    assert build_definitions().resolve_job_def(JOB).name == JOB
