"""A blocking check that fails keeps what is downstream from running, and the gate refuses what is not green."""

import dagster as dg
import pytest

from assets.conventions import months
from assets.gate import pass_gate
from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.errors import DisclosureError
from resources import Lake

MONTHS = months("2010-10")
TABLE = CheckedAsset("published", "population_ward")


def graph(passed, settings):
    @dg.asset(key=["published", "population_ward"], partitions_def=MONTHS)
    def table() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    @dg.asset(key=["published", "downstream"], partitions_def=MONTHS, deps=[["published", "population_ward"]])
    def downstream() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    def judge(lake, month):
        if passed is None:
            raise KeyError("神戸花子")
        return {TABLE: Verdict(passed, {"findings": int(not passed)})}

    check = monthly_check("disclosure", "x", [TABLE], judge, months=MONTHS, description="d", blocking=True)
    lake = Lake(
        root=str(settings.store),
        keys_path=str(settings.keys),
        municipality="28100",
        principal="test",
        log_path=str(settings.key_log),
    )
    return dg.Definitions(
        assets=[table, downstream], asset_checks=[check], resources={"lake": lake}, executor=dg.in_process_executor
    )


def run(definitions, instance, month="2025-07"):
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, partition_key=month, raise_on_error=False)
    return {event.asset_key.path[-1] for event in result.all_events if event.is_step_materialization}


def gate(instance, month="2025-07"):
    return pass_gate(instance, {TABLE.key: (month,)}, ["disclosure"])


@pytest.mark.parametrize("passed, made", [(True, {"population_ward", "downstream"}), (False, {"population_ward"})])
def test_downstream_runs_only_when_the_blocking_check_passed(passed, made, ephemeral, settings):
    assert run(graph(passed, settings), ephemeral) == made


def test_a_check_that_breaks_down_blocks_too(ephemeral, settings):
    assert run(graph(None, settings), ephemeral) == {"population_ward"}
    with pytest.raises(DisclosureError):
        gate(ephemeral)


def test_the_gate_opens_for_what_passed(ephemeral, settings):
    run(graph(True, settings), ephemeral)
    assert gate(ephemeral) == {"checks": 1}


def test_the_gate_refuses_a_failed_check_and_one_that_never_ran(ephemeral, settings):
    run(graph(False, settings), ephemeral)
    with pytest.raises(DisclosureError) as caught:
        gate(ephemeral)
    assert caught.value.at["table"] == "population_ward" and caught.value.at["month"] == "2025-07"
    with pytest.raises(DisclosureError):
        gate(ephemeral, "2025-08")


def test_a_green_month_does_not_open_the_gate_for_another(ephemeral, settings):
    run(graph(True, settings), ephemeral, "2025-08")
    run(graph(False, settings), ephemeral, "2025-07")
    run(graph(True, settings), ephemeral, "2025-08")
    with pytest.raises(DisclosureError):
        gate(ephemeral, "2025-07")
    assert gate(ephemeral, "2025-08") == {"checks": 1}


def test_the_gate_refuses_a_check_of_a_former_generation(ephemeral, settings):
    definitions = graph(True, settings)
    run(definitions, ephemeral)
    ephemeral.report_runless_asset_event(dg.AssetMaterialization(TABLE.key, partition="2025-07"))
    with pytest.raises(DisclosureError):
        gate(ephemeral)
