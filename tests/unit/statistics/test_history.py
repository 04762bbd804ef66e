"""What was released stays on record: every version with its specification, the newest whatever its age."""

from datetime import UTC, datetime

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import Dimension, FormerRelease, Spec, Table
from kobe_platform.lake import PartitionStore
from kobe_platform.statistics.history import former_releases, is_recorded, record_release, under

GROUP, MONTH = "stocks/month", "2025-07"
SPEC = Spec(
    dimensions={"ward": Dimension(hierarchy={"city": None, "a": "city", "b": "city"})},
    tables=(Table(name="t", dimensions={"area": "ward"}),),
)


@pytest.fixture
def store(tmp_path) -> PartitionStore:
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return PartitionStore(tmp_path / "store", keys, municipality="28100")


def table(first: int | None, second: int = 20) -> pl.DataFrame:
    status = ["published", "suppressed" if first is None else "published", "published"]
    return pl.DataFrame({"area": ["city", "a", "b"], "value": [40, first, second], "status": status})


def at(month: str) -> datetime:
    return datetime.fromisoformat(f"{month}-15T09:00:00").replace(tzinfo=UTC)


def release(first: int | None, name: str = "t") -> FormerRelease:
    spec = SPEC.model_copy(update={"tables": (Table(name=name, dimensions={"area": "ward"}),)})
    return FormerRelease({name: table(first)}, spec)


def versions(store, window=24):
    return [next(iter(r.tables.values()))["value"].to_list()[1] for r in former_releases(store, GROUP, MONTH, window)]


def test_a_version_comes_back_as_it_was_released(store):
    assert former_releases(store, GROUP, MONTH) == []
    assert record_release(store, GROUP, MONTH, release(None))
    (held,) = former_releases(store, GROUP, MONTH)
    assert held.tables["t"].equals(table(None)) and held.tables["t"].schema == table(None).schema
    assert held.spec == SPEC
    assert former_releases(store, GROUP, "2025-08") == former_releases(store, "flows/month", MONTH) == []


def test_the_same_again_is_no_further_version(store):
    assert record_release(store, GROUP, MONTH, release(10), content="c1")
    assert not record_release(store, GROUP, MONTH, release(10), content="c1")
    assert is_recorded(store, GROUP, MONTH, ["t"], "c1") and not is_recorded(store, GROUP, MONTH, ["t"], "c2")
    assert record_release(store, GROUP, MONTH, release(11), content="c2")
    assert record_release(store, GROUP, MONTH, release(10), content="c1"), "the first truth is shown anew"
    assert versions(store) == [10, 11, 10]


def test_old_versions_leave_the_window_but_the_newest_of_a_table_never_does(store):
    for month, count in (("2020-01", 11), ("2020-02", 12), ("2023-05", 13), ("2023-06", 14), ("2025-06", 15)):
        record_release(store, GROUP, MONTH, release(count), now=at(month))
    assert versions(store) == [14, 15]
    assert versions(store, window=25) == [13, 14, 15]
    record_release(store, GROUP, MONTH, release(90, "answer"), now=at("2030-01"))
    assert versions(store) == [15, 90], "an answer over the same people does not push the tables out"


def test_a_release_without_its_specification_is_refused(store):
    with pytest.raises(ValueError):
        record_release(store, GROUP, MONTH, FormerRelease({"t": table(10)}))


def test_a_specification_that_says_the_same_is_left_out():
    other = {"city": None, "a": "city", "c": "city"}
    moved = SPEC.model_copy(update={"dimensions": {"ward": Dimension(hierarchy=other)}})
    stricter = SPEC.model_copy(update={"tables": (SPEC.tables[0].model_copy(update={"minimum_frequency": 20}),)})
    wider = SPEC.model_copy(update={"tables": (*SPEC.tables, Table(name="u", dimensions={"area": "ward"}))})
    told = [FormerRelease({"t": table(10)}, spec) for spec in (SPEC, wider, moved, stricter)]
    assert [r.spec for r in under(SPEC, told)] == [None, None, moved, stricter]
