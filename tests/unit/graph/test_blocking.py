"""A blocking check that fails keeps what is downstream from running, and the gate refuses what is not green."""

import dagster as dg
import polars as pl
import pytest

from assets.conventions import months
from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DisclosureError
from kobe_platform.lake import PartitionId
from kobe_platform.release.gate import pass_gate
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from resources import Lake

MONTHS = months("2010-10")
TABLE = CheckedAsset("published", "estimated_population")
STATISTICS = load_statistics(Settings().statistics)


@pytest.fixture
def lake(tmp_path) -> Lake:
    LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return Lake(
        root=str(tmp_path / "store"),
        keys_path=str(tmp_path / "keys"),
        municipality="28100",
        principal="test",
        log_path=str(tmp_path / "log" / "key_use.jsonl"),
    )


def graph(passed, lake):
    @dg.asset(key=TABLE.key, partitions_def=MONTHS)
    def table(context) -> dg.MaterializeResult:
        lake.store.write(PartitionId(*TABLE.key.path, context.partition_key), pl.DataFrame({"value": [1]}))
        return dg.MaterializeResult()

    @dg.asset(key=["published", "downstream"], partitions_def=MONTHS, deps=[TABLE.key])
    def downstream() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    def judge(lake, month):
        if passed is None:
            raise KeyError("神戸花子")
        return {TABLE: Verdict(passed, {"findings": int(not passed)})}

    check = monthly_check("no_identifiers", "x", [TABLE], judge, months=MONTHS, description="d", blocking=True)
    return dg.Definitions(
        assets=[table, downstream], asset_checks=[check], resources={"lake": lake}, executor=dg.in_process_executor
    )


def run(definitions, instance, month="2025-07"):
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, partition_key=month, raise_on_error=False)
    return {event.asset_key.path[-1] for event in result.all_events if event.is_step_materialization}


def gate(lake, month="2025-07"):
    return pass_gate(lake.store, {TABLE.name: (month,)}, STATISTICS)


@pytest.mark.parametrize("passed, made", [(True, {TABLE.name, "downstream"}), (False, {TABLE.name})])
def test_downstream_runs_only_when_the_blocking_check_passed(passed, made, ephemeral, lake):
    assert run(graph(passed, lake), ephemeral) == made


def test_a_check_that_breaks_down_blocks_too(ephemeral, lake):
    assert run(graph(None, lake), ephemeral) == {TABLE.name}
    with pytest.raises(DisclosureError):
        gate(lake)


def test_the_gate_opens_for_what_passed(ephemeral, lake):
    run(graph(True, lake), ephemeral)
    assert gate(lake) == {"checks": 1}


def test_the_gate_refuses_a_failed_check_and_one_that_never_ran(ephemeral, lake):
    run(graph(False, lake), ephemeral)
    with pytest.raises(DisclosureError) as caught:
        gate(lake)
    assert caught.value.at["table"] == TABLE.name and caught.value.at["month"] == "2025-07"
    with pytest.raises(DisclosureError):
        gate(lake, "2025-08")


def test_a_green_month_does_not_open_the_gate_for_another(ephemeral, lake):
    run(graph(True, lake), ephemeral, "2025-08")
    run(graph(False, lake), ephemeral, "2025-07")
    run(graph(True, lake), ephemeral, "2025-08")
    with pytest.raises(DisclosureError):
        gate(lake, "2025-07")
    assert gate(lake, "2025-08") == {"checks": 1}


def test_the_gate_refuses_a_check_of_a_former_generation(ephemeral, lake):
    run(graph(True, lake), ephemeral)
    lake.store.write(PartitionId(*TABLE.key.path, "2025-07"), pl.DataFrame({"value": [2]}))
    with pytest.raises(DisclosureError):
        gate(lake)


def test_the_gate_needs_none_of_dagsters_databases(ephemeral, lake):
    run(graph(True, lake), ephemeral)
    with dg.DagsterInstance.ephemeral() as fresh:
        assert fresh.get_runs_count() == 0 and gate(lake) == {"checks": 1}
