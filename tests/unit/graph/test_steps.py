"""What a headless round executes: a group is protected as a whole, or not at all."""

import dagster as dg

from kobe_platform.headless import Headless


def test_a_statistic_that_is_new_brings_its_group_and_a_round_takes_it(definitions):
    """The automation asks for the one table that lacks; its step makes all tables of the group and runs only whole."""
    instance = dg.DagsterInstance.ephemeral()
    asked = dg.AssetKey(["published", "population_ward"])
    taken = Headless(definitions, instance).whole_steps([asked])
    step = definitions.resolve_asset_graph().get(asked).execution_set_asset_keys
    assert set(taken) == step and len(step) > 1
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.get_subset(asset_selection=set(taken)).asset_layer.selected_asset_keys == step


def test_assets_with_a_step_of_their_own_stay_alone(definitions):
    asked = [dg.AssetKey(["lake", "resident_register"]), dg.AssetKey(["dashboards", "release"])]
    assert set(Headless(definitions, dg.DagsterInstance.ephemeral()).whole_steps(asked)) == set(asked)
