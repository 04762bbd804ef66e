"""A contract says everything, or it does not load; a new core system needs no code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from kobe_platform.abstraction import STEPS
from kobe_platform.contracts import load_contract, load_contracts
from kobe_platform.contracts.columns import AnyColumn, Column
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake.extracts import take_in
from kobe_platform.settings import PROJECT

from .handmade import abstracted, deliver, taken, text_of

CONTRACTS = PROJECT / "assets" / "contracts"
TRAINING = PROJECT / "tests" / "contracts" / "training_records.toml"


def altered(tmp_path: Path, old: str, new: str, source: Path = TRAINING) -> Path:
    text = source.read_text("utf-8")
    assert old in text
    path = tmp_path / source.name
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.fixture
def training_rows() -> list[dict[str, str]]:
    base = {"name": "研修太郎", "my_number": "907715533118", "held_on": "20250710", "born_on": "19900711", "level": "A"}
    return [
        {**base, "record_no": "00000001", "staff_no": "000042", "hours": "3"},
        {**base, "record_no": "00000002", "staff_no": "000042", "hours": "8", "level": "Z"},
        {**base, "record_no": "00000003", "staff_no": "000043", "hours": "4", "held_on": "20250610"},
    ]


def test_a_new_core_system_needs_no_code(tmp_path, training_rows):
    result = abstracted(tmp_path, load_contract(TRAINING), training_rows)
    assert result.frame.columns == ["record_id", "staff_id", "age", "level", "held_in", "hours"]
    assert result.facts["set_aside"] == {"event.outside_month": 1}
    assert result.facts["warned"] == {"code.unknown": 1}
    assert result.frame["staff_id"].n_unique() == 1
    assert result.frame.select("age", "level", "hours").sort("hours").rows() == [
        (35, "advanced", "0-3"),
        (35, "unknown", "8+"),
    ]


def test_a_number_beyond_the_contracts_range_sets_the_row_aside(tmp_path, training_rows):
    contract = load_contract(altered(tmp_path, "breaks = [0, 4, 8]", "least = 1\nmost = 7"))
    result = abstracted(
        tmp_path, contract, [*training_rows, {**training_rows[0], "record_no": "00000004", "hours": ""}]
    )
    assert result.facts["set_aside"] == {"value.range": 1, "event.outside_month": 1}
    assert result.frame["hours"].to_list().count(None) == 1 and result.frame["hours"].max() == 3


def test_raw_holds_the_bytes_of_what_rules_read_and_nothing_else(tmp_path, training_rows):
    frame = taken(tmp_path, load_contract(TRAINING), training_rows).frame
    assert set(frame.columns) == {
        "record_no", "staff_no", "born_on", "level", "held_on", "hours", "delivery_encoding",
    }  # fmt: skip
    assert set(frame.dtypes) == {pl.Binary}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'class = "C"\nrule = "never"\nshape = "my_number"',
            'class = "C"\nrule = "pseudonym"\npurpose = "x"\nto = "x"',
        ),
        ('class = "C"\nrule = "never"\nshape = "my_number"', 'class = "C"\nrule = "drop"'),
        ('class = "I"\nrule = "drop"', 'class = "I"\nrule = "keep"\nto = "name"\npattern = "^.*$"'),
        ('class = "I"\nrule = "drop"', 'class = "I"\nrule = "codes"\nto = "name"'),
        ('class = "I"\nrule = "drop"', 'rule = "drop"'),
        ('class = "I"\nrule = "drop"', 'class = "I"'),
        ('class = "I"\nrule = "drop"', 'class = "I"\nrule = "hash"'),
        ('rule = "number"\nto = "hours"\nbreaks = [0, 4, 8]', 'rule = "keep"\nto = "hours"'),
        ('basis = "pipa-69-2-2"', 'basis = "because"'),
        ('basis = "pipa-69-2-2"\n', ""),
        ("other_law = []\n", ""),
        ('purpose = "研修の受講に関する統計の作成"', 'purpose = " "'),
        ("retention_months = 60\n", ""),
        ("retention_months = 60", "retention_months = 0"),
        ('basis = "pipa-69-2-2"', 'basis = "council"'),
        ("other_law = []", 'other_law = []\nconsultation = { number = "答申第1号", on = 2021-11-05 }'),
        ('owner_section = "人事課"\n', ""),
        ("other_law = []", 'other_law = ["local-tax-22"]'),
        ('on = "held_on"', 'on = "nowhere"'),
        ('on = "held_on"', 'on = "name"'),
        ('to = "hours"', 'to = "level"'),
        ('header = "時間"', 'header = "レベル"'),
        ('sensitivity = "personal"', 'sensitivity = "public"'),
        ('sensitivity = "personal"', ""),
        ('form = "delimited"', 'form = "fixed"'),
        ('key = ["record_no"]', 'key = ["record_no"]\nsurprise = 1'),
    ],
)
def test_what_a_contract_must_not_say_does_not_load(tmp_path, old, new):
    with pytest.raises(ConfigurationError) as caught:
        load_contract(altered(tmp_path, old, new))
    assert caught.value.code in ("contract.invalid", "contract.legal")
    assert caught.value.at["file"] == "training_records.toml"


def test_a_forbidding_law_is_lifted_by_name_only(tmp_path):
    lifted = 'other_law = ["local-tax-22"]\nlifted_by = "条例第1条"'
    assert load_contract(altered(tmp_path, "other_law = []", lifted)).legal.lifted_by == "条例第1条"


def test_the_error_of_a_column_names_it(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        load_contract(altered(tmp_path, 'class = "C"', 'class = "Q"'))
    assert "my_number" in str(caught.value.at["place"])


def test_a_needed_source_must_have_a_contract(tmp_path):
    (tmp_path / "resident_movements.toml").write_text(
        (CONTRACTS / "resident_movements.toml").read_text("utf-8"), "utf-8"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_contracts(tmp_path)
    assert caught.value.code == "contract.needs"


def test_every_rule_that_a_contract_may_name_is_carried_out():
    kinds = get_args(get_args(AnyColumn)[0])
    named = {get_args(kind.model_fields["rule"].annotation)[0]: kind for kind in kinds}
    assert {name for name, kind in named.items() if kind.classes != "P"} == set(STEPS), (
        "public extracts skip abstraction"
    )
    for kind in named.values():
        assert issubclass(kind, Column)
        assert kind.classes and ("C" not in kind.classes or kind.classes == "C")


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_citys_contracts_classify_every_column_as_the_design_does(path):
    table = tomllib.loads(path.read_text("utf-8"))
    contract = load_contracts(CONTRACTS)[path.stem]
    assert len(contract.columns) == len(table["columns"])
    for column in contract.columns:
        if column.class_ == "C":
            assert column.rule == "never" and not column.read and not column.outputs
        if column.class_ == "I":
            assert column.rule in ("drop", "read") and not column.outputs
        if column.class_ == "X":
            assert column.rule == "protection" and not column.outputs


def test_an_unclassified_column_is_refused_by_its_place(tmp_path, training_rows):
    contract = load_contract(TRAINING)
    shorter = contract.model_copy(update={"columns": tuple(c for c in contract.columns if c.id != "name")})
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contract, training_rows), shorter)
    assert (caught.value.code, caught.value.at["column_number"]) == ("header.unclassified", 4)
    assert 'rule = "drop"' in caught.value.at["declare"] and "左から4列目" in caught.value.at["declare"]


def test_a_renamed_column_is_found_by_its_nearest_name_and_its_text_is_not_repeated(tmp_path, training_rows):
    contract = load_contract(TRAINING)
    header = contract.columns[0].header
    text = text_of(contract, training_rows).replace(header, f"{header}（新）", 1).encode()
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contract, text, count=len(training_rows)), contract)
    at = caught.value.at
    assert (caught.value.code, at["column"], at["nearest_column_number"]) == (
        "header.missing",
        contract.columns[0].id,
        1,
    )
    assert at["declare"] == f'header = "(左から1列目の見出し)" # id = "{contract.columns[0].id}"'
    assert "（新）" not in str(caught.value) + caught.value.ja


def test_a_column_more_names_the_contracted_one_with_the_nearest_name(tmp_path, training_rows):
    contract = load_contract(TRAINING)
    lines = text_of(contract, training_rows).splitlines()
    text = "\r\n".join([f"{lines[0]},{contract.columns[1].header}２", *(f"{line},x" for line in lines[1:]), ""])
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contract, text.encode(), count=len(training_rows)), contract)
    assert (caught.value.code, caught.value.at["nearest_column"]) == ("header.unclassified", contract.columns[1].id)
