"""The nightly job opens every partition, and fails with coordinates where one is not what it was."""

import dagster as dg
import polars as pl

from assets.schedules import nightly_verification
from kobe_platform.lake import PartitionId
from resources import Lake

ID = PartitionId("lake", "resident_register", "2025-07")


def executed(store) -> dg.ExecuteInProcessResult:
    lake = Lake(
        root=str(store.root),
        keys_path=str(store.keys.path),
        municipality="28100",
        principal="platform",
        log_path=str(store.keys.log.path),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return nightly_verification.execute_in_process(
            resources={"lake": lake}, instance=instance, raise_on_error=False
        )


def test_the_nightly_job_passes_a_sound_store_and_fails_on_a_changed_byte(store):
    store.write(ID, pl.DataFrame({"person": range(100)}))
    assert executed(store).success
    path = store.data_file(store.current(ID))
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    assert not executed(store).success
