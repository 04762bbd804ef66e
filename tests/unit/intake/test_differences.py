"""A difference over the extract that it follows gives the rows of a full extract, and a full extract is compared."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.abstraction import abstract
from kobe_platform.contracts import Contract
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake.deliveries import Delivery, find_one
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.extracts.describing import describe
from kobe_platform.intake.manifest import MANIFEST
from kobe_platform.reception.accounting import balance
from kobe_platform.reception.differences import overlay, reconcile
from kobe_platform.reception.vintages import difference, told_by_ward

from .conftest import MONTH, REGISTER, pseudonym_key
from .handmade import TOWNS, person, taken, text_of

JULY = "2025-07"


@pytest.fixture
def laid(tmp_path, contracts):
    """Lays handmade rows over handmade rows."""

    def lay(former: list[dict], changes: list[dict], **form):
        contract = contracts[REGISTER]
        base = taken(tmp_path, contract, former).frame
        return overlay(base, taken(tmp_path, contract, changes, kind="difference", **form).frame, contract, JULY)

    return lay


def sexes(frame: pl.DataFrame) -> dict[str, str]:
    return {key.decode().lstrip("0"): sex.decode() for key, sex in frame.select("atena_no", "sex").iter_rows()}


def home(number: int, **values: str) -> dict[str, str]:
    return person(number, household_no=f"{number:012d}", **values)


def test_records_come_change_and_end(laid):
    found = laid(
        [home(1), home(2), home(3), home(4)],
        [
            home(1, history_no="2", resident_state="2"),
            home(2, history_no="2", sex="2"),
            home(3, history_no="2", resident_state="3"),
            home(5),
        ],
    )
    assert sexes(found.frame) == {"2": "2", "4": "1", "5": "1"}
    assert found.ended == {"resident_state.died": 1, "resident_state.moved_out": 1}
    assert found.counts == {
        "base_rows": 4, "rows": 4, "added": 1, "changed": 1, "same": 0, "older": 0, "ended": 2
    }  # fmt: skip
    assert found.frame.height + found.superseded + sum(found.ended.values()) == 4 + 4


def test_the_largest_history_number_wins_wherever_it_stands_and_numbers_are_no_texts(laid):
    found = laid(
        [home(1, history_no="9"), home(2, history_no="10", sex="2")],
        [home(1, history_no="11", sex="1"), home(1, history_no="12", sex="2"), home(2, history_no="9", sex="1")],
    )
    assert sexes(found.frame) == {"1": "2", "2": "2"}
    assert (found.counts["older"], found.counts["changed"]) == (1, 1)


def test_of_the_same_history_number_the_later_delivery_is_in_force(laid):
    found = laid([home(1), home(2)], [home(1, sex="2"), home(2)])
    assert sexes(found.frame) == {"1": "2", "2": "1"}
    assert (found.counts["changed"], found.counts["same"]) == (1, 1)


def test_a_cancelled_departure_brings_the_resident_back(laid, contracts):
    gone = laid([home(1)], [home(1, history_no="2", resident_state="2")])
    assert gone.frame.height == 0
    back = laid([home(2)], [home(1, history_no="3")])
    assert sexes(back.frame) == {"2": "1", "1": "1"}


def test_a_key_is_the_same_however_it_is_written(laid):
    found = laid([home(1)], [home(1, history_no="2", sex="2", atena_no="０" * 14 + "１")], encoding="cp932")
    assert found.frame.height == 1 and found.frame["sex"].to_list() == [b"2"]


def test_a_column_that_says_that_a_record_was_deleted_is_a_second_filter(tmp_path, contracts):
    told = contracts[REGISTER].model_dump(by_alias=True, exclude_unset=True)
    mark = {"id": "update", "header": "更新区分", "class": "T", "rule": "filter", "keep": ["", "1", "2"], "width": 1}
    contract = Contract(**{**told, "columns": [*told["columns"], {**mark, "codes": {"3": "deleted"}}]})
    base = taken(tmp_path, contract, [home(1), home(2)]).frame
    changes = [home(1, update="3"), home(2, history_no="2", sex="2", update="2"), home(3, update="1")]
    found = overlay(base, taken(tmp_path, contract, changes, kind="difference").frame, contract, JULY)
    assert sexes(found.frame) == {"2": "2", "3": "1"} and found.ended == {"update.deleted": 1}


def test_an_empty_difference_changes_nothing(laid):
    found = laid([home(1), home(2)], [])
    assert found.frame.height == 2 and found.superseded == 0


def test_rows_without_a_history_number_refuse_a_difference_by_line(tmp_path, contracts):
    rows = [home(1), home(2, history_no="")]
    with pytest.raises(DeliveryRejected) as refused:
        taken(tmp_path, contracts[REGISTER], rows, kind="difference")
    assert (refused.value.code, refused.value.at["line"], refused.value.at["column"]) == (
        "difference.version", 3, "history_no"
    )  # fmt: skip
    assert taken(tmp_path, contracts[REGISTER], rows, kind="snapshot").frame.height == 2


def test_a_contract_that_changed_in_between_asks_for_a_full_extract(tmp_path, contracts):
    frame = taken(tmp_path, contracts[REGISTER], [home(1)]).frame
    with pytest.raises(ConfigurationError) as refused:
        overlay(frame.drop("sex"), frame, contracts[REGISTER], JULY)
    assert refused.value.code == "extracts.overlay"


@pytest.mark.parametrize("lacking", ["key", "snapshot"])
def test_a_contract_of_differences_has_a_key_and_takes_full_extracts(contracts, lacking):
    from kobe_platform.contracts.consistency import faults

    told = contracts[REGISTER].model_dump(by_alias=True, exclude_unset=True)
    told |= {"key": []} if lacking == "key" else {"kinds": ["difference"]}
    assert "kinds" in [key for key, _ in faults(Contract(**told))]


def test_what_follows_from_base_and_difference_is_what_follows_from_the_full_extract(tmp_path, contracts):
    """抽象化 of both, in two encodings: the same rows."""
    contract = contracts[REGISTER]
    base = taken(tmp_path, contract, [home(n, lot="１５番地") for n in range(1, 40)], encoding="cp932").frame
    changes = [home(n, history_no="2", lot="１５番地", sex="2") for n in (3, 5)] + [home(50, lot="１５番地")]
    changes += [home(7, history_no="2", resident_state="3")]
    full = [home(n, lot="１５番地", **({"history_no": "2", "sex": "2"} if n in (3, 5) else {})) for n in range(1, 40)]
    full = [row for row in full if int(row["atena_no"]) != 7] + [home(50, lot="１５番地")]
    raw = overlay(base, taken(tmp_path, contract, changes, kind="difference").frame, contract, JULY)
    frames = []
    for frame in (raw.frame, taken(tmp_path, contract, full).frame):
        told = {
            "month": JULY,
            "references": {"town_districts": TOWNS},
            "companions": {},
            "pseudonym_key": pseudonym_key,
        }
        result = abstract(frame, contract, **told)
        assert balance(result.facts) == 0
        frames.append(result.frame)
    assert frames[0].equals(frames[1]) and frames[0].height == 39


def test_a_full_extract_of_the_same_month_must_be_the_same(tmp_path, contracts):
    contract = contracts[REGISTER]
    chain = taken(tmp_path, contract, [home(1), home(2, history_no="3"), home(3), home(4)], encoding="cp932").frame
    full = [home(1, sex="2"), home(2, history_no="2"), home(4), home(5, address_code="28102001000")]
    full += [home(6, history_no="2", resident_state="2")]
    found = reconcile(chain, taken(tmp_path, contract, full).frame, contract, JULY, same_month=True)
    assert found.by_kind == {"differing": 3, "behind": 1}  # 1 changed, 3 gone, 5 come; 2 is an older version
    assert found.by_ward == {"28101": {"differing": 2, "behind": 1}, "28102": {"differing": 1}}
    assert (found.compared, found.wrong) == (5, 4)
    assert found.within(0.8) and not found.within(0.79)


def test_a_full_extract_of_the_next_month_may_bring_its_own_changes(tmp_path, contracts):
    contract = contracts[REGISTER]
    chain = taken(tmp_path, contract, [home(n) for n in (1, 2, 3, 4)]).frame
    full = [home(1, history_no="2", sex="2"), home(2, sex="2"), home(3), home(9)]
    found = reconcile(chain, taken(tmp_path, contract, full).frame, contract, MONTH, same_month=False)
    assert found.by_kind == {"differing": 1, "behind": 0, "came": 1, "went": 1}


def test_a_month_that_was_sent_again_is_compared_by_ward_whatever_its_form(tmp_path, contracts):
    contract = contracts[REGISTER]
    rows = [home(n, lot="１５番地") for n in range(1, 6)]
    former = taken(tmp_path, contract, rows, encoding="cp932").frame
    again = taken(tmp_path, contract, rows[::-1], encoding="utf-8").frame
    assert difference(former, again, contract, JULY).by_kind == {"added": 0, "removed": 0, "changed": 0}
    revised = [*rows[:3], {**rows[3], "address_code": "28102001000"}, home(9)]
    found = difference(former, taken(tmp_path, contract, revised).frame, contract, JULY)
    assert found.counts == {"rows": 5, "former_rows": 5, "added": 1, "removed": 1, "changed": 1}
    assert told_by_ward(found.by_ward) == "東灘区 追加1・削除1、灘区 変更1"


def test_several_part_files_are_one_delivery_and_a_fault_is_named_in_its_file(tmp_path, contracts):
    contract = contracts[REGISTER]
    folder = tmp_path / "28100" / REGISTER / JULY
    folder.mkdir(parents=True)

    def send(second: list[dict[str, str]]) -> Delivery:
        (folder / MANIFEST).unlink(missing_ok=True)
        for name, rows in (("part1.csv", [home(1), home(2)]), ("part2.csv", second)):
            (folder / name).write_text(text_of(contract, rows), "utf-8")
        (folder / MANIFEST).write_text(describe(folder, contract, kind="difference", sequence=2).model_dump_json())
        found = find_one(tmp_path, "28100", REGISTER, JULY)
        assert found is not None and found.manifest is not None and len(found.manifest.files) == 2
        return found

    assert take_in(send([home(3)]), contract).frame.height == 3
    with pytest.raises(DeliveryRejected) as refused:
        take_in(send([home(3), home(4, history_no="")]), contract)
    assert (refused.value.at["file"], refused.value.at["line"]) == ("part2.csv", 3)
    with pytest.raises(DeliveryRejected) as refused:
        take_in(send([home(2, sex="2")]), contract)
    assert (refused.value.code, refused.value.at["file"]) == ("key.conflict", "part2.csv"), "across files, too"
