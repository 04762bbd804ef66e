"""A month of made-up residents in the lake, with one published table of theirs."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import Menu, load_menu
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic
from kobe_platform.tabulation.steps import count_group, protect_counts

MONTH = "2025-07"
CANARY = "990077553311008"
WARDS = ["28101", "28102", "28105"]


def statistic(name: str, **dimensions: str) -> Statistic:
    chosen = ", ".join(f"{tree} AS {column}" for column, tree in dimensions.items())
    return Statistic(
        name=name, sql=f"SELECT {chosen}, count(*) AS persons FROM resident_register GROUP BY ALL", title=name,
        description=name, owner="課", period="month", group="stocks", population="residents", unit="人",
        measure="persons", minimum_frequency=10, dimensions=dimensions,
    )  # fmt: skip


def residents(small: int = 3) -> pl.DataFrame:
    """Three wards × two sexes × ages; in the first ward ``small`` women of 90."""
    rows = []
    for ward in WARDS:
        for sex in ("male", "female"):
            for age in range(0, 90, 5):
                rows += [(ward, sex, age)] * 20
    rows += [(WARDS[0], "female", 90)] * small + [(WARDS[0], "male", 90)] * 40 + [(WARDS[1], "female", 90)] * 30
    frame = pl.DataFrame(rows, schema={"ward": pl.String, "sex": pl.String, "age": pl.Int64}, orient="row")
    return frame.with_row_index("n").select(
        pl.concat_str(pl.lit(CANARY), pl.col("n")).alias("person_id"), "ward", "sex", "age"
    )


@pytest.fixture
def store(tmp_path) -> PartitionStore:
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    return PartitionStore(tmp_path / "store", keys, municipality="28100")


@pytest.fixture
def statistics() -> dict[str, Statistic]:
    return {"population": statistic("population", area="ward", sex="sex")}


def publish(store: PartitionStore, statistics: dict[str, Statistic], rows: pl.DataFrame) -> None:
    """Take the month's rows in and publish its tables."""
    store.write(PartitionId("lake", "resident_register", MONTH), rows)
    members = sorted(statistics.values(), key=lambda member: member.name)
    count_group(store, members, MONTH)
    protect_counts(store, members, MONTH, statistics)


@pytest.fixture
def governance(tmp_path):
    return open_database(f"sqlite:///{tmp_path / 'governance.sqlite'}")


@pytest.fixture
def menu() -> Menu:
    return load_menu(Settings().ondemand)


@pytest.fixture
def desk(store, statistics, governance, menu) -> Desk:
    publish(store, statistics, residents())
    return Desk(store, statistics, menu, governance, "synthetic")


@pytest.fixture
def analyst(desk):
    return add_person(desk.governance, "yamada", "山田", "政策課", roles=("analyst",), by="test")
