"""Differences with planted persons: laid over a month, refused, held and reconciled, they leave no trace of anybody."""

from __future__ import annotations

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DeliveryHeld, DeliveryRejected, LakeError, PlatformError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.planning.showing import shown
from kobe_platform.reception.accounting import LAID
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery
from kobe_platform.settings import Settings
from tests.secrecy.canaries import PLANTED, Search
from tests.unit.intake.handmade import TOWNS, deliver, person

REGISTER = "resident_register"
JULY, AUGUST, SEPTEMBER = "2025-07", "2025-08", "2025-09"
SEARCH = Search(PLANTED.items())
PERSON = person(1, **PLANTED)


def people(first: int, last: int) -> list[dict[str, str]]:
    return [person(n, household_no=f"{n:012d}") for n in range(first, last)]


def test_what_becomes_of_differences_leaves_no_trace_of_a_person(tmp_path):
    settings = Settings(home=tmp_path / "var", inbox=tmp_path / "inbox")
    contracts, said = load_contracts(settings.contracts), []
    keys = LocalKeyStore.create(settings.keys, log=settings.key_log)
    store = PartitionStore(settings.store, keys, municipality="28100")
    store.write(PartitionId("raw", "town_districts", JULY), TOWNS)
    home, contract = settings.root, contracts[REGISTER]

    def take_in(month: str, rows: list[dict[str, str]], sequence: int, kind: str = "difference") -> None:
        one = deliver(settings.inbox, contract, rows, month, kind=kind, sequence=sequence)
        try:
            take_in_delivery(one, contract, store, home)
            abstract_month(contract, month, store, keys, contracts, delivery=one, home=home)
            admit_month(contract, month, store, delivery=one, home=home)
        except PlatformError as error:
            said.append(f"{error} {error.ja} {error.at}")
            raise
        finally:
            said.append(shown(settings, one).text)

    take_in(JULY, [PERSON, *people(2, 400)], 1, "snapshot")
    take_in(AUGUST, [{**PERSON, "history_no": "2", "sex": "2"}], 2)
    laid = store.current(PartitionId("raw", REGISTER, AUGUST))
    assert laid is not None and laid.facts[LAID]["changed"] == 1, "the person went through"
    for refused, rows, sequence in (
        (DeliveryRejected, [PERSON], 9),
        (DeliveryRejected, [{**PERSON, "history_no": ""}], 3),
    ):
        with pytest.raises(refused):
            take_in(SEPTEMBER, rows, sequence)
    with pytest.raises(LakeError):
        take_in("2025-11", [PERSON], 3)
    with pytest.raises(DeliveryHeld) as held:
        take_in(AUGUST, [{**PERSON, "history_no": "2", "sex": "1"}, *people(2, 400)], 2, "snapshot")
    assert held.value.code == "difference.reconciliation" and held.value.at["differing"] == 1
    assert sum(1 for path in home.rglob("*") if path.is_file()) > 20
    assert SEARCH.tree(home) == []
    assert SEARCH.data("\n".join(said).encode(), "said") == []
    raw = store.read(PartitionId("raw", REGISTER, AUGUST))
    assert not {"my_number", "resident_code", "name", "kana", "annex", "notes"} & set(raw.columns)
