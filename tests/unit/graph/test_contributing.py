"""The check that CONTRIBUTING writes step by step is a check of the graph, and judges."""

import re
import textwrap

import dagster as dg
import polars as pl
import pytest

from assets.conventions import months
from kobe_platform.contracts import load_contracts
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId
from kobe_platform.lake.verdicts import verdicts
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.vocabulary.codes import wards
from resources import Lake

SOURCE = re.search(r"```python\n( *# checks/wards\.py\n.*?)```", (PROJECT / "CONTRIBUTING.md").read_text("utf-8"), re.S)


@pytest.mark.parametrize(("missing", "passed"), [(0, True), (1, False)])
def test_the_check_of_the_example_finds_a_ward_without_rows(tmp_path, ephemeral, missing, passed):
    module: dict[str, object] = {}
    exec(textwrap.dedent(SOURCE[1]), module)
    contracts, monthly = load_contracts(Settings().contracts), months("2025-07")
    (check,) = module["ward_checks"](contracts, monthly)
    (key,) = check.check_keys
    assert key == dg.AssetCheckKey(dg.AssetKey(["lake", "resident_register"]), "wards_present")

    LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    lake = Lake(
        root=str(tmp_path / "store"),
        keys_path=str(tmp_path / "keys"),
        municipality="28100",
        principal="test",
        log_path=str(tmp_path / "log" / "key_use.jsonl"),
    )
    rows = pl.DataFrame({"ward": wards()[missing:]})

    @dg.asset(key=["lake", "resident_register"], partitions_def=monthly)
    def register() -> None:
        lake.store.write(PartitionId("lake", "resident_register", "2025-07"), rows)

    graph = dg.Definitions([register], asset_checks=[check], resources={"lake": lake}, executor=dg.in_process_executor)
    job = graph.resolve_implicit_global_asset_job_def()
    ran = job.execute_in_process(instance=ephemeral, partition_key="2025-07")
    (found,) = ran.get_asset_check_evaluations()
    assert (found.passed, found.metadata["absent"].value) == (passed, missing)
    place = PartitionId("lake", "resident_register", "2025-07")
    assert verdicts(lake.store, place)["wards_present"].passed is passed, (
        "the plan reads the verdict beside the partition"
    )
