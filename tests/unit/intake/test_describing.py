"""A manifest that the platform writes for given files is the one that it takes."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from typer.testing import CliRunner

from kobe_platform.contracts import Layout
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.extracts.describing import describe
from kobe_platform.intake.manifest import MANIFEST, Manifest, ManifestFile
from kobe_platform.reception.commands import deliveries_app
from kobe_platform.settings import PROJECT
from kobe_platform.synthesis import Form
from kobe_platform.vocabulary.rules import rules

from .conftest import REGISTER
from .handmade import person, text_of


@pytest.fixture
def register(contracts):
    return contracts[REGISTER]


def put(inbox, data: bytes, name: str = f"{REGISTER}.csv", month: str = "2025-07"):
    folder = inbox / "28100" / REGISTER / month
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("encoding", "layout"), [("cp932", "delimited"), ("utf-8", "fixed"), ("utf-8-sig", "delimited")]
)
def test_it_says_of_a_citys_files_what_the_city_said(make_inbox, register, encoding, layout):
    delivery = make_inbox(form=Form(encoding, layout)).delivery(REGISTER)
    told = describe(delivery.path, register, sequence=delivery.manifest.sequence)
    same = ("municipality", "source", "month", "kind", "sequence", "files", "encoding")
    assert {name: getattr(told, name) for name in same} == {name: getattr(delivery.manifest, name) for name in same}


def test_the_command_writes_what_the_platform_takes_in(tmp_path, register):
    rows = [person(1, notes="二行の\n備考"), person(2)]
    folder = put(tmp_path, text_of(register, rows).encode("cp932"))
    put(tmp_path, text_of(register, [person(3)]).encode("cp932"), "more.csv")
    assert CliRunner().invoke(deliveries_app, ["manifest", str(folder), "--sequence", "7"]).exit_code == 0
    delivery = find_one(tmp_path, "28100", REGISTER, "2025-07")
    assert (delivery.manifest.encoding, delivery.manifest.rows, delivery.manifest.sequence) == ("cp932", 3, 7)
    assert take_in(delivery, register).frame.height == 3
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "more.csv", f"{REGISTER}.csv"]
    again = CliRunner().invoke(deliveries_app, ["manifest", str(folder)])
    assert again.exit_code == 2 and "there is a manifest already" in re.sub(r"\s+", " ", again.output)


def test_leading_and_trailing_records_are_not_rows(tmp_path, register):
    layout = Layout(form="delimited", suffix=(".csv",), leading=1, trailer=True)
    contract = register.model_copy(update={"layouts": (layout,)})
    folder = put(tmp_path, f"H,1\r\n{text_of(contract, [person(1)])}T,1\r\n".encode())
    assert describe(folder, contract).rows == 1


def test_a_trailer_that_counts_other_rows_is_refused_before_a_manifest_says_otherwise(tmp_path, register):
    layout = Layout(form="delimited", suffix=(".csv",), trailer=True)
    contract = register.model_copy(update={"layouts": (layout,)})
    folder = put(tmp_path, f"{text_of(contract, [person(1)])}T,2\r\n".encode())
    with pytest.raises(DeliveryRejected) as caught:
        describe(folder, contract)
    assert (caught.value.code, caught.value.at["trailer"], caught.value.at["line"]) == ("file.rows", 2, 3)


def test_files_that_do_not_fit_the_contract_are_named_with_their_line(tmp_path, register):
    folder = put(tmp_path, text_of(register, [person(1)]).replace("5番地", "5,番地").encode())
    with pytest.raises(DeliveryRejected) as caught:
        describe(folder, register)
    assert (caught.value.code, caught.value.at["line"]) == ("file.record", 2)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [("notes.md", b"x", "manifest.files"), (f"{REGISTER}.csv", b"\xff\xfe\x00\x80", "manifest.encoding")],
)
def test_what_cannot_be_described_says_what_to_do(tmp_path, register, name, data, code):
    with pytest.raises(ConfigurationError) as caught:
        describe(put(tmp_path, data, name), register)
    assert caught.value.code == code and caught.value.remedy


def test_a_folder_elsewhere_is_no_delivery(tmp_path, register):
    with pytest.raises(ConfigurationError) as caught:
        describe(tmp_path, register)
    assert caught.value.code == "manifest.folder"


def test_the_reference_lists_every_key_with_its_need():
    text = (PROJECT / "docs" / "manifest.md").read_text("utf-8")
    rows = {m[1]: m[2] for m in re.finditer(r"^\| `([a-z0-9_\[\].]+)` \| [^|]+ \| (yes|no) \|", text, re.M)}
    keys = {name: field.is_required() for name, field in Manifest.model_fields.items()}
    keys |= {f"files[].{name}": field.is_required() for name, field in ManifestFile.model_fields.items()}
    assert rows == {name: "yes" if needed else "no" for name, needed in keys.items()}


def test_the_references_example_is_a_manifest():
    text = (PROJECT / "docs" / "manifest.md").read_text("utf-8")
    example = re.search(r"```json\n(.*?)```", text, re.S)[1].replace("9f2b…", "9f2b" * 16)
    assert Manifest.model_validate(json.loads(example)).rows == 1203


def test_the_month_of_the_made_up_city_is_described_as_public_where_it_is(make_inbox, contracts):
    delivery = make_inbox().delivery("town_districts", "2025-07")
    assert describe(delivery.path, contracts["town_districts"]).kind == "public"


def test_public_figures_that_do_not_fit_are_told_to_their_sender(make_inbox, contracts, tmp_path):
    delivery = make_inbox().delivery("town_districts", "2025-07")
    folder = shutil.copytree(delivery.path, tmp_path / "28100" / "town_districts" / "2025-07")
    file = next(path for path in folder.iterdir() if path.name != MANIFEST)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b'"', *lines[2:]]))
    with pytest.raises(DeliveryRejected) as caught:
        describe(folder, contracts["town_districts"])
    public = rules()[caught.value.code].of_public_figures()
    assert public.remedy_ja in caught.value.ja and public.remedy_ja != rules()[caught.value.code].remedy_ja


def test_a_folder_that_is_not_there_is_named(tmp_path):
    told = CliRunner().invoke(deliveries_app, ["manifest", str(tmp_path / "28100" / REGISTER / "2025-07")])
    assert told.exit_code == 2 and "does not exist" in re.sub(r"[\s│]+", " ", told.output)
