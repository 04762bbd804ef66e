"""A made-up city's stocks, from its deliveries to published tables that stand in the record of releases, and a desk."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from kobe_platform.contracts import load_contracts
from kobe_platform.custody import keys as key_store
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure import FormerRelease
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import Person, add_person
from kobe_platform.intake.deliveries import find
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.ondemand.asking import Desk
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery
from kobe_platform.settings import Settings
from kobe_platform.statistics import groups, load_statistics
from kobe_platform.statistics.history import record_release
from kobe_platform.statistics.protection import specification
from kobe_platform.synthesis.deliveries import CityPlan, synthesize
from kobe_platform.tabulation.steps import areas_of, count_group, protect_counts

MONTH = "2025-12"


def city_desk(root: Path, residents: int, published: Collection[str] = (), seed: int = 0) -> tuple[Desk, Person]:
    """A desk over a city of so many residents, and an analyst: the same city with the same keys for the same seed.

    The residual floor chooses rows in the order of their pseudonyms, so what is hidden, and rarely whether a question
    can be answered beside it, depends on the keys.

    Args:
        published: tables of the stocks that are published (default: all).
    """
    with patch.object(key_store, "secrets", SimpleNamespace(token_bytes=Random(seed).randbytes)):
        return _city_desk(root, residents, published, seed)


def _city_desk(root: Path, residents: int, published: Collection[str], seed: int) -> tuple[Desk, Person]:
    place = Settings(home=root / "var", inbox=root / "inbox")
    LocalKeyStore.create(place.keys, log=place.key_log)
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality, principal="test")
    contracts = load_contracts(place.contracts)
    synthesize(CityPlan(place.inbox, residents, MONTH, MONTH, seed), lambda step: None)
    deliveries = {delivery.source: delivery for delivery in find(place.inbox, contracts, place.municipality)}
    for name in ("town_districts", "resident_register"):
        take_in_delivery(deliveries[name], contracts[name], store, place.root)
    abstract_month(contracts["resident_register"], MONTH, store, keys, contracts)
    admit_month(contracts["resident_register"], MONTH, store)
    stocks = groups(load_statistics(place.statistics, contracts).values())["stocks/month"]
    members = [member for member in stocks if not published or member.name in published]
    statistics = {member.name: member for member in members}
    count_group(store, members, MONTH)
    protect_counts(store, members, MONTH, statistics)
    tables = {name: store.read(PartitionId("published", name, MONTH)).drop("period") for name in statistics}
    release = FormerRelease(tables, specification(members, areas_of(store, members, MONTH)))
    record_release(store, members[0].key, MONTH, release)
    governance = open_database(f"sqlite:///{root / 'governance.sqlite'}")
    desk = Desk(store, statistics, load_menu(place.ondemand, statistics, contracts), governance, "synthetic")
    return desk, add_person(governance, "hanako", "花子", "企画調整局政策課", roles=("analyst",), by="test")
