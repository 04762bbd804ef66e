"""A code is read in the system that the contract declares; another system rejects the delivery and is named."""

from __future__ import annotations

import polars as pl
import pytest

from kobe_platform.contracts import Contract, load_contract
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake.extracts.code_systems import check_digit_holds, is_place
from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.codes import code_system

from .handmade import abstracted, deliver, event, person, taken

CONTRACTS = PROJECT / "assets" / "contracts"
ELSEWHERE = ["13101", "01100", "27100", "28201", "ZKOR", "99999", ""]


def declared(contract: Contract, column: str, **said) -> Contract:
    changed = contract.column(column).model_copy(update=said)
    return contract.model_copy(update={"columns": tuple(changed if c.id == column else c for c in contract.columns)})


def residents(places: list[str]) -> list[dict[str, str]]:
    return [person(n, household_no=f"{n:012d}", previous_address=place) for n, place in enumerate(places, 1)]


@pytest.mark.parametrize("code", ["011002", "281000", "131016", "271004", "231002", "141003", "282014"])
def test_the_check_digit_of_a_local_government_holds(code):
    wrong = code[:5] + str((int(code[5]) + 1) % 10)
    assert (
        check_digit_holds(pl.Series([code, wrong, code[1:], code + "0", "", "ABCDEF"])).to_list()
        == [True] + [False] * 5
    )


def test_a_place_is_a_prefecture_or_a_municipality_by_its_number():
    codes = ["13101", "01100", "28", "28000", "47382", "11002", "48101", "13901", "1310", "131016", "", "ZKOR"]
    assert is_place(pl.Series(codes)).to_list() == [True] * 5 + [False] * 7


def test_a_code_that_lost_its_zero_is_unknown_and_counted_and_no_other_prefecture(tmp_path, contracts):
    result = abstracted(tmp_path, contracts["resident_register"], residents(["11002", "01100", "11203"]))
    assert sorted(result.frame["previous_area"].to_list()) == ["01", "11", "unknown"]
    assert result.facts["warned"]["code.unknown"] == 1


def test_six_digits_are_read_where_the_contract_declares_them(tmp_path, contracts):
    contract = declared(contracts["resident_register"], "previous_address", system="local-government")
    places = ["131016", "011002", "282014", "281000", "281018", "131017", "13101", "ZKOR", "99999", ""]
    result = abstracted(tmp_path, contract, residents(places))
    found = result.frame["previous_area"].value_counts().rows()
    areas = {"13": 1, "01": 1, "28201": 1, "28100": 2, "unknown": 3, "asia_east": 1, None: 1}
    assert dict(found) == areas
    assert result.facts["warned"]["code.unknown"] == 2


@pytest.mark.parametrize(
    ("codes", "seems"),
    [
        (["131016"] * 40 + ["11002"] * 10, "local-government"),
        (["1101", "1202", "2201", "3202"] * 5 + ["13101"] * 2, "jis-x-0402 without its zero"),
        (["11002", "12025", "22012"] * 5, "local-government without its zero"),
        (["KOR", "CHN"] * 10, "iso-3166-alpha-3"),
        (["XYZ9"] * 20, None),
    ],
)
def test_a_column_of_another_system_rejects_the_delivery_and_names_it(tmp_path, contracts, codes, seems):
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts["resident_register"], residents(codes))
    assert (caught.value.code, caught.value.at["column"]) == ("code.threshold", "previous_address")
    assert caught.value.at.get("seems") == seems and caught.value.at["line"] == 2


def test_the_columns_that_are_preferred_are_checked_too(tmp_path, contracts):
    rows = [event(n, destination_planned="131016") for n in range(1, 21)]
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts["resident_movements"], rows)
    assert (caught.value.at["column"], caught.value.at["seems"]) == ("destination_planned", "local-government")


def test_the_five_digits_of_the_declared_system_pass(tmp_path, contracts):
    frame = taken(tmp_path, contracts["resident_register"], residents(ELSEWHERE * 4)).frame
    assert frame.height == 28


FOREIGN = {"resident_type": "2", "birth_date": "19800401", "residence_status": "01"}


@pytest.mark.parametrize(
    ("system", "code"),
    [("iso-3166-alpha-3", "KOR"), ("iso-3166-alpha-2", "KR"), ("iso-3166-numeric", "410"), (None, "KOR")],
)
def test_nationalities_are_read_in_each_system_of_iso_3166(tmp_path, contracts, system, code):
    contract = declared(contracts["resident_register"], "nationality", system=system)
    result = abstracted(tmp_path, contract, [person(1, **FOREIGN, nationality=code)])
    assert result.frame["nationality"].to_list() == ["KOR"]


@pytest.mark.parametrize(("code", "seems"), [("KR", "iso-3166-alpha-2"), ("410", "iso-3166-numeric")])
def test_nationalities_of_another_system_reject_the_delivery(tmp_path, contracts, code, seems):
    rows = [person(n, household_no=f"{n:012d}", **FOREIGN, nationality=code) for n in range(1, 16)]
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, contracts["resident_register"], rows)
    assert (caught.value.at["column"], caught.value.at["seems"]) == ("nationality", seems)
    assert code not in str(caught.value)


def test_every_system_of_iso_3166_tells_the_countries_apart():
    listed = code_system("countries", "iso-3166-alpha-3")
    for system, form in (("iso-3166-alpha-2", r"^[A-Z]{2}$"), ("iso-3166-numeric", r"^\d{3}$")):
        codes = code_system("countries", system)
        assert len(codes) == len(set(codes.values())) >= len(listed) - 1  # the stateless have no code of ISO's
        assert pl.Series(list(codes)).str.contains(form).all()


def test_a_system_of_nationalities_belongs_to_their_list(tmp_path):
    text = (CONTRACTS / "resident_register.toml").read_text("utf-8")
    path = tmp_path / "resident_register.toml"
    path.write_text(text.replace('list = "countries"', 'list = "prefectures"\nsystem = "iso-3166-numeric"'), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_contract(path)
    assert caught.value.at["place"] == "columns.nationality.system"


def test_the_prefectures_alone_are_places(tmp_path, contracts):
    assert deliver(tmp_path, contracts["resident_register"], residents(["13", "27"])).manifest is not None
    result = abstracted(tmp_path, contracts["resident_register"], residents(["13", "27"]))
    assert sorted(result.frame["previous_area"].to_list()) == ["13", "27"]
