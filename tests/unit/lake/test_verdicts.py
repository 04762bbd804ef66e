"""What checks found stands signed beside what they saw, and nothing but that opens the publication gate."""

import json
import shutil
import threading

import polars as pl
import pytest

from kobe_platform.errors import CustodyError, DisclosureError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lake.partitions import VERDICTS
from kobe_platform.lake.shelf import SteadyShelf
from kobe_platform.lake.verdicts import green, record, verdicts
from kobe_platform.release.gate import pass_gate
from kobe_platform.release.required_checks import published_checks
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics

ID = PartitionId("published", "population_ward", "2025-07")
OTHER = PartitionId("published", "population_ward", "2025-08")
PUBLIC = PartitionId("published", "estimated_population", "2025-07")
STATISTICS = load_statistics(Settings().statistics)
SHOWN = {"population_ward": ["2025-07", "2025-08"], "estimated_population": ["2025-07"]}
ROWS = pl.DataFrame({"value": [1, 2, 3]})


def checked(store: PartitionStore, id=ID, *, leaving_out=(), failing=()) -> None:
    """Commit a table and its verdicts."""
    held = store.write(id, ROWS)
    for check, blocking in published_checks(STATISTICS[id.source]).items():
        if check not in leaving_out:
            record(store, held, check, passed=check not in failing, blocking=blocking, facts={"cells": 3})


def path_of(store, id=ID):
    return store.manifests.folder(id) / VERDICTS


def test_a_verdict_says_what_was_found_of_which_file(store):
    held = store.write(ID, ROWS)
    record(store, held, "disclosure", passed=True, blocking=True, facts={"cells": 3})
    record(store, held, "no_identifiers", passed=False, blocking=False, facts={})
    told = verdicts(store, ID)
    assert (told["disclosure"].passed, told["disclosure"].blocking, told["disclosure"].facts) == (
        True,
        True,
        {"cells": 3},
    )
    assert told["disclosure"].digest == held.digest and told["disclosure"].of(held)
    assert green(store, held) == {"disclosure"}
    assert path_of(store).stat().st_mode & 0o777 == 0o600


def test_a_partition_without_verdicts_has_none(store):
    assert verdicts(store, ID) == {}
    held = store.write(ID, ROWS)
    assert verdicts(store, ID) == {} and not green(store, held)


def test_a_later_verdict_of_the_same_check_takes_the_place_of_the_former(store):
    held = store.write(ID, ROWS)
    for found in (True, False, True):
        record(store, held, "disclosure", passed=found, blocking=True, facts={})
        assert ("disclosure" in green(store, held)) is found


def test_a_verdict_on_a_former_generation_does_not_count(store):
    checked(store)
    assert "disclosure" in green(store, store.current(ID))
    held = store.write(ID, ROWS)
    assert verdicts(store, ID)["disclosure"].passed, "it is still to be read"
    assert "disclosure" not in green(store, held), "but it saw another file"


def test_checks_of_two_threads_do_not_lose_one_anothers_verdicts(store):
    held = store.write(ID, ROWS)
    names = [f"check_{number}" for number in range(12)]
    tell = [
        threading.Thread(
            target=record, args=(store, held, name), kwargs={"passed": True, "blocking": True, "facts": {}}
        )
        for name in names
    ]
    for thread in tell:
        thread.start()
    for thread in tell:
        thread.join()
    assert sorted(verdicts(store, ID)) == sorted(names)


@pytest.mark.parametrize("change", ["passed", "digest", "blocking", "unsigned", "torn", "other partition", "list"])
def test_a_verdict_that_somebody_changed_is_refused_and_verification_names_it(store, change):
    checked(store, failing=["disclosure"])
    checked(store, OTHER)
    path = path_of(store)
    told = json.loads(path.read_bytes())
    if change == "passed":
        told["verdicts"]["disclosure"]["passed"] = True
    elif change == "digest":
        told["verdicts"]["no_identifiers"]["digest"] = "0" * 64
    elif change == "blocking":
        told["verdicts"]["disclosure"]["blocking"] = False
    elif change == "unsigned":
        del told["mac"]
    elif change == "list":
        told = [told]
    if change == "torn":
        path.write_bytes(path.read_bytes()[:-20])
    elif change == "other partition":
        shutil.copy(path_of(store, OTHER), path)
    else:
        path.write_text(json.dumps(told))
    for ask in (lambda: verdicts(store, ID), lambda: green(store, store.current(ID))):
        with pytest.raises(CustodyError) as refusal:
            ask()
        assert refusal.value.code == "custody.tampered_manifest"
    assert store.verify().faults == ((str(ID), "custody.tampered_manifest"),)
    with pytest.raises(CustodyError):
        pass_gate(store, {"population_ward": ["2025-07"]}, STATISTICS)


def test_verdicts_of_a_former_generation_put_back_do_not_make_the_one_in_force_green(store):
    checked(store)
    former = path_of(store).read_bytes()
    checked(store, failing=["disclosure"])
    path_of(store).write_bytes(former)
    assert "disclosure" not in green(store, store.current(ID)), "authentic, and about another file"


def test_a_new_verdict_does_not_make_changed_ones_authentic(store):
    checked(store, failing=["disclosure"])
    path = path_of(store)
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    with pytest.raises(CustodyError):
        record(store, store.current(ID), "no_identifiers", passed=True, blocking=True, facts={})


# ── the publication gate ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_gate_opens_where_all_is_green_without_anything_of_dagsters(store, monkeypatch):
    monkeypatch.setattr("dagster.DagsterInstance.get", lambda: pytest.fail("the gate asks Dagster"))
    for id in (ID, OTHER, PUBLIC):
        checked(store, id)
    assert pass_gate(store, SHOWN, STATISTICS) == {"checks": 5}
    reopened = PartitionStore(store.root, store.keys, municipality="28100")
    assert pass_gate(reopened, SHOWN, STATISTICS) == {"checks": 5}, "and where the store alone was restored"


@pytest.mark.parametrize(
    ("left", "check"),
    [
        ({"failing": ["disclosure"]}, "disclosure"),
        ({"failing": ["no_identifiers"]}, "no_identifiers"),
        ({"leaving_out": ["disclosure"]}, "disclosure"),
        ({"leaving_out": ["no_identifiers"]}, "no_identifiers"),
    ],
)
def test_the_gate_stays_shut_where_one_check_is_red_or_missing(store, left, check):
    checked(store)
    checked(store, OTHER, **left)
    checked(store, PUBLIC)
    with pytest.raises(DisclosureError) as refusal:
        pass_gate(store, SHOWN, STATISTICS)
    assert refusal.value.code == "release.gate"
    assert refusal.value.at == {"table": "population_ward", "check": check, "month": "2025-08", "not_green": 1}


def test_the_gate_stays_shut_for_a_generation_that_no_check_saw(store):
    for id in (ID, OTHER, PUBLIC):
        checked(store, id)
    store.write(PUBLIC, ROWS)
    with pytest.raises(DisclosureError) as refusal:
        pass_gate(store, SHOWN, STATISTICS)
    assert (refusal.value.at["table"], refusal.value.at["not_green"]) == ("estimated_population", 1)


def test_the_gate_judges_the_very_generations_that_a_release_was_collected_from(store):
    """A newer one is not shown, so that its checks neither open the gate nor shut it."""
    for id in (ID, OTHER, PUBLIC):
        checked(store, id)
    looked = SteadyShelf(store)
    assert pass_gate(store, SHOWN, STATISTICS, looked) == {"checks": 5}
    seen = looked.current(PUBLIC)
    store.write(PUBLIC, ROWS)
    assert looked.current(PUBLIC) == seen != store.current(PUBLIC)
    assert pass_gate(store, SHOWN, STATISTICS, looked) == {"checks": 5}, "record_released refuses what was overtaken"
    store.write(ID, ROWS)
    record(store, store.current(ID), "disclosure", passed=False, blocking=True, facts={})
    record(store, store.current(ID), "no_identifiers", passed=True, blocking=True, facts={})
    with pytest.raises(DisclosureError):
        pass_gate(store, SHOWN, STATISTICS, SteadyShelf(store))


def test_the_gate_reads_the_verdicts_of_a_partition_once(store, monkeypatch):
    for id in (ID, OTHER, PUBLIC):
        checked(store, id)
    read, names = type(store.manifests).read_signed, []

    def seen(manifests, id, name):
        names.append(str(id))
        return read(manifests, id, name)

    monkeypatch.setattr(type(store.manifests), "read_signed", seen)
    assert pass_gate(store, SHOWN, STATISTICS) == {"checks": 5}
    assert sorted(names) == sorted(map(str, (ID, OTHER, PUBLIC)))


def test_the_gate_stays_shut_for_a_table_that_is_not_there_and_counts_all_that_is_not_green(store):
    with pytest.raises(DisclosureError) as refusal:
        pass_gate(store, SHOWN, STATISTICS)
    assert refusal.value.at["not_green"] == 5


def test_every_table_of_the_project_has_blocking_checks_without_which_it_does_not_leave():
    for statistic in STATISTICS.values():
        checks = {check for check, blocks in published_checks(statistic).items() if blocks}
        assert "no_identifiers" in checks and ("disclosure" in checks) == (statistic.kind != "public")
