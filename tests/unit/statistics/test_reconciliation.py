"""Counts of a month agree as the relations say, before anything is protected; what does not is blocked by a check."""

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.tabulation.reconciliation import common_margins, net_flows, stock_and_flow

STATISTICS = load_statistics(Settings().statistics)
MONTH = "2025-07"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> PartitionStore:
    home = tmp_path_factory.mktemp("store")
    keys = LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")
    return PartitionStore(home / "store", keys, municipality="28100")


def found(store: PartitionStore, **counts: dict[str, int]) -> dict[str, bool]:
    """Whether each table's identities hold, by table; each is given as counts by ward."""
    members = [STATISTICS[name] for name in counts]
    for member in members:
        rest = {c: "total" for c in member.dimensions if c != "area"}
        rows = [{"area": ward, **rest, member.measure: number} for ward, number in counts[member.name].items()]
        store.write(PartitionId("statistics", member.name, MONTH), pl.DataFrame(rows))
    return {name: result.holds for name, result in common_margins(store, members, MONTH).items()}


def test_tables_of_one_population_agree(store):
    same = {"28101": 40, "28102": 60}
    assert all(found(store, foreigners_age_ward=same, foreigners_stay_ward=same).values())
    other = {"28101": 41, "28102": 59}
    assert found(store, foreigners_age_ward=same, foreigners_stay_ward=other)["foreigners_stay_ward"] is False


def test_a_part_that_is_more_than_its_whole_is_found_ward_by_ward(store):
    assert all(found(store, foreigners_age_ward={"28101": 40}, population_ward={"28101": 40, "28102": 9}).values())
    more = found(store, foreigners_age_ward={"28101": 41, "28102": 1}, population_ward={"28101": 40, "28102": 9})
    assert more == {"foreigners_age_ward": False, "population_ward": True}


def test_moves_between_wards_are_as_many_in_as_out(store):
    assert all(found(store, ward_moves_in_month={"28101": 5, "28102": 2}, ward_moves_out_month={"28105": 7}).values())
    assert not found(store, ward_moves_in_month={"28101": 5}, ward_moves_out_month={"28105": 7})["ward_moves_out_month"]


def test_what_enters_and_leaves_a_ward_is_read_from_the_relations():
    (told,) = {s.stock_and_flow for s in STATISTICS.values()} - {None}
    events = pl.DataFrame(
        {
            "reason": ["birth", "ward_move", "death", "within_ward"],
            "ward_before": [None, "28101", "28102", "28102"],
            "ward_after": ["28101", "28102", None, "28102"],
        }
    )
    assert net_flows(events, told) == {"28101": 0, "28102": 0}
    assert {s.name for s in STATISTICS.values() if s.stock_and_flow} == {"population_ward"}


def test_two_sources_that_disagree_say_where_and_by_how_many_and_no_more(store):
    """Of 1,000 residents of each ward, three left 灘区 without an event and five came to 東灘区 with one too few."""
    table = STATISTICS["population_ward"]
    stock = {"2025-06": {"28101": 1000, "28102": 1000}, MONTH: {"28101": 1005, "28102": 997}}
    for month, wards in stock.items():
        rows = [ward for ward, people in wards.items() for _ in range(people)]
        store.write(PartitionId("lake", "resident_register", month), pl.DataFrame({"ward": rows}))
    events = {"reason": ["birth"] * 4, "ward_before": [None] * 4, "ward_after": ["28101"] * 4}
    frame = pl.DataFrame(events, schema_overrides={"ward_before": pl.String})
    store.write(PartitionId("lake", "resident_movements", MONTH), frame)
    told = stock_and_flow(store, table, MONTH)
    assert (told.holds, told.apart, told.tolerated) == (False, 4, 0)
    assert told.by_ward == {"ward.28101": 1, "ward.28102": 3}
    assert stock_and_flow(store, table, MONTH, 0.002).holds and not stock_and_flow(store, table, MONTH, 0.001).holds
