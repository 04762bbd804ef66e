"""What loads runs: a contract is refused at loading with the line to mend, or carries its rows through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from kobe_platform.cli.main import COMMANDS, invoke
from kobe_platform.contracts import Contract, load_contract, load_contracts
from kobe_platform.contracts.loading import contract_of
from kobe_platform.errors import ConfigurationError
from kobe_platform.quality import trial
from kobe_platform.settings import PROJECT
from tests.contracts.drawn import tables

from .conftest import CARE

CONTRACTS = PROJECT / "assets" / "contracts"
TRAINING = PROJECT / "tests" / "contracts" / "training_records.toml"


@pytest.fixture(scope="module")
def citys() -> dict[str, Contract]:
    return load_contracts(CONTRACTS)


def altered(tmp_path: Path, source: Path, old: str, new: str) -> Path:
    text = source.read_text("utf-8")
    assert old in text
    path = tmp_path / source.name
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


def refused(tmp_path: Path, source: Path, old: str, new: str) -> dict:
    path = altered(tmp_path, source, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_contract(path)
    assert caught.value.code == "contract.invalid"
    line = path.read_text("utf-8").splitlines()[int(caught.value.at["line"]) - 1]
    return {**caught.value.at, "text": line}


def test_the_contracts_of_the_city_and_of_new_sources_run(citys):
    trial.try_contracts({**citys, "care": load_contract(CARE), "training": load_contract(TRAINING)})


ONLY_FOR = 'only_for = { column = "status", value = "care" }\nrequired'
STATUS = 'codes = { 01 = "support"'
LAYOUTS = "[[layouts]]"
PATTERN = "pattern = '^[A-Z]\\d\\d$'"
REFUSED = (
    ('households = ["household_no"]', "households = []", "columns.protection.households"),
    ('released = ["0", ""]', 'released = ["0", "1"]', "columns.protection.released"),
    (PATTERN, "pattern = '(?=a)b'", "columns.facility.pattern"),
    (PATTERN, "pattern = '('", "columns.facility.pattern"),
    ("breaks = [0, 5, 15]", "breaks = [0, 15, 5]", "columns.visits.breaks"),
    ("breaks = [0, 1, 2]", "breaks = []", "columns.certified_on.breaks"),
    ("breaks = [0, 1, 2]", "breaks = [1, 2]", "columns.certified_on.breaks"),
    ("least = 10", "least = 40", "columns.share.least"),
    ("oldest = 95", "oldest = 121", "columns.born_on.oldest"),
    (ONLY_FOR, ONLY_FOR.replace("care", "cure"), "columns.level.only_for"),
    (ONLY_FOR, ONLY_FOR.replace('column = "status", ', ""), "columns.level.only_for"),
    (ONLY_FOR, ONLY_FOR.replace("status", "born_on"), "columns.level.only_for"),
    (STATUS, f'list = "nowhere"\n{STATUS}', "columns.status.list"),
    (STATUS, f'list = "../x"\n{STATUS}', "columns.status.list"),
    (STATUS + ', 02 = "care" }', "codes = {}", "columns.status.codes"),
    (STATUS, 'codes = { "０１" = "support"', "columns.status.codes"),
    ('codes = { 0 = "false"', 'codes = { 0 = "no"', "columns.reduced.codes"),
    ('codes = { 02 = "head"', 'codes = { 02 = "master"', "columns.relationship.codes"),
    ('address = "address_code"', 'address = "insured_no"', "columns.district.address"),
    ('to = "level"', 'to = "Level"', "columns.level.to"),
    ("digits = 4", 'with = ["certificate_no"]\ndigits = 4', "columns.certificate_no.with"),
    ("digits = 4", 'check_digit = "mod11"', "columns.certificate_no.check_digit"),
    ('suffix = [".csv"]', 'suffix = ["csv"]', "layouts.suffix"),
    (LAYOUTS, f'[dates]\neras = {{ S = "showa" }}\n\n{LAYOUTS}', "dates.eras"),
    (LAYOUTS, f'[dates]\nkind = "status"\n\n{LAYOUTS}', "dates.western"),
    (
        LAYOUTS,
        f"[thresholds]\nrow_change_by_month = {{ 3 = 0.1 }}\n\n{LAYOUTS}",
        "thresholds.row_change_by_month",
    ),
)
"""What a contract says, what it could not run with, and the place that the refusal names."""


@pytest.mark.parametrize(("old", "new", "place"), REFUSED)
def test_what_could_not_run_does_not_load_and_names_the_line(tmp_path, old, new, place):
    at = refused(tmp_path, CARE, old, new)
    assert at["place"] == place
    assert place.split(".")[-1] in at["text"] or place == "dates.western"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('before = "address_before"', 'before = "counterpart"', "columns.reason.before"),
        ('reason = "reason"\n', 'reason = "sex"\n', "columns.cancels_history_no.reason"),
        ('01 = "in_domestic"', '01 = "In Domestic"', "columns.reason.codes"),
        (
            'companion_columns = { person = "atena_no", household = "household_no", ',
            "companion_columns = { ",
            "columns.protection.companion_columns",
        ),
    ],
)
def test_rules_that_read_each_other_are_compared(tmp_path, old, new, place):
    assert refused(tmp_path, CONTRACTS / "resident_movements.toml", old, new)["place"] == place


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("resident_movements", 'protection = "protection" }', 'protection = "name" }', "companion_columns"),
        ("resident_movements", 'needs = ["', 'needs = ["resident_movements", "', "needs"),
        ("resident_register", 'reference = "town_districts"', 'reference = "estimated_population"', "reference"),
        ("town_districts", 'to = "lot_to"', 'to = "lot_until"', "reference"),
        ("town_districts", 'rule = "number"\nto = "lot_to"', 'rule = "keep"\nto = "lot_to"', "reference"),
    ],
)  # fmt: skip
def test_sources_that_read_each_other_are_compared(tmp_path, name, old, new, place):
    for path in CONTRACTS.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    altered(tmp_path, tmp_path / f"{name}.toml", old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_contracts(tmp_path)
    assert str(caught.value.at["place"]).endswith(place)


@pytest.mark.slow
def test_the_trial_carries_rows_to_the_end(citys):
    for contract in (*citys.values(), load_contract(CARE), load_contract(TRAINING)):
        made = trial.carried_through(contract, citys)
        assert made.height > 0, contract.name


def test_the_trial_loads_no_second_library_of_tables():
    told = (
        "import sys; from kobe_platform.contracts import load_contracts; from kobe_platform.quality import trial; "
        "from kobe_platform.settings import Settings; "
        "trial.sample(load_contracts(Settings().contracts)['resident_register']); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_protected_class_without_households_looks_them_up_in_the_companion(tmp_path, citys):
    old = 'households = ["household_before", "household_after"]'
    contract = load_contract(altered(tmp_path, CONTRACTS / "resident_movements.toml", old, "households = []"))
    trial.try_contract(contract, {**citys, contract.name: contract})


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(tables())
def test_a_drawn_contract_is_refused_or_runs(citys, table):
    try:
        contract = contract_of(table, Path("drawn.toml"), citys)
    except ConfigurationError as error:
        assert (
            error.code in ("contract.invalid", "contract.needs", "contract.legal") and error.at["file"] == "drawn.toml"
        )
        return
    trial.try_contract(contract, {**citys, contract.name: contract})


def test_the_command_says_what_loads_and_names_the_line_of_what_does_not(tmp_path, monkeypatch, citys, capsys):
    for path in CONTRACTS.glob("*.toml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    monkeypatch.setenv("KOBE_CONTRACTS", str(tmp_path))
    mounted = next(one for one in COMMANDS if one.name == "contracts")
    assert invoke(mounted, ["check"]) == 0
    assert "resident_register: loads and runs" in capsys.readouterr().out
    text = (tmp_path / "resident_register.toml").read_text("utf-8")
    old = 'households = ["household_no"]'
    (tmp_path / "resident_register.toml").write_text(text.replace(old, "households = []"), "utf-8")
    assert invoke(mounted, ["check"]) == 2
    line = text.splitlines().index(old) + 1
    assert f"file resident_register.toml, line {line}, place columns.protection.households" in capsys.readouterr().err


def test_a_contract_that_dies_all_the_same_is_told_by_column_and_rule(citys):
    contract = citys["resident_register"]
    spoilt = contract.column("became_resident_on").model_copy(update={"breaks": ()})
    columns = tuple(spoilt if column.id == spoilt.id else column for column in contract.columns)
    with pytest.raises(ConfigurationError) as caught:
        trial.try_contract(contract.model_copy(update={"columns": columns}), citys)
    assert caught.value.code == "contract.trial"
    assert caught.value.at == {
        "file": "resident_register.toml", "column": "became_resident_on", "rule": "duration", "error": "IndexError",
    }  # fmt: skip
