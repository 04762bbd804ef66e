"""Tables that cities made to be looked at are read by the contract alone, or refused with the line that would."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kobe_platform.contracts import Contract
from kobe_platform.errors import ConfigurationError, DeliveryRejected
from kobe_platform.intake.deliveries import find_one
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.extracts.describing import describe
from kobe_platform.quality.trial import try_contract

from .published_tables import FORMS, HIDDEN, MONTHS, STANDARD, Form, column, contract, layout

MONTH = "2025-07"


def taken(
    inbox: Path, read: Contract, files: dict[str, str], records: dict[str, int], encoding: str = "utf-8", said: str = ""
):
    folder = inbox / "28100" / read.name / MONTH
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, text in files.items():
        data = text.encode(encoding)
        (folder / name).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        listed.append({"name": name, "rows": records[name], "sha256": sha256, "bytes": len(data)})
    manifest = {"municipality": "28100", "source": read.name, "month": MONTH, "kind": "public", "sequence": 1}
    manifest |= {"created_at": "", "encoding": said or encoding, "files": listed}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    delivery = find_one(inbox, "28100", read.name, MONTH)
    assert delivery is not None
    return take_in(delivery, read)


def refusal(inbox: Path, read: Contract, text: str, records: int = 1) -> dict:
    with pytest.raises(DeliveryRejected) as caught:
        taken(inbox, read, {"a.csv": text}, {"a.csv": records})
    return {"code": caught.value.code, **caught.value.at}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_by_its_contract_alone(tmp_path, form):
    told: Form = FORMS[form]
    read = contract(told.contract)
    result = taken(tmp_path, read, told.files, told.records, told.encoding)
    rows = result.frame.to_dicts()
    assert len(rows) == told.rows and result.facts["encoding"] == told.encoding
    for some in told.some:
        assert any(some.items() <= row.items() for row in rows), some
    described = describe(tmp_path / "28100" / read.name / MONTH, read)
    assert {file.name: file.rows for file in described.files} == told.records


@pytest.mark.parametrize("form", FORMS)
def test_the_contract_of_every_form_runs_over_rows_that_are_generated_from_it(form):
    read = contract(FORMS[form].contract)
    try_contract(read, {read.name: read})


PLAIN = contract(
    'key = ["ward"]---' + layout() + column("ward", "区") + column("persons", "人口", "number", "least = 0")
)
LISTED = contract('key = ["city"]---' + layout() + column("city", "団体", more='list = "compared_city"'))


@pytest.mark.parametrize(
    ("text", "code", "line", "declare"),
    [
        ("区の人口,\n\n区,人口\n東,1\n", "header.absent", 1, "leading = 2"),
        ("区の人口\n区,人口\n東,1\n", "header.absent", 1, "leading = 1"),
        ("題名,\n令和7年,\n区,人口\n東,1\n", "header.absent", 1, "leading = 2"),
        ("区,人口\n東,1\n注 外国人を含む\n", "file.record", 3, '[layouts.table] notes = ["注"]'),
        ("区,人口\n東,1\n（注）外国人を含む,\n", "value.form", 3, '[layouts.table] notes = ["(注"]'),
        ("区,人口\n東,1\n西,－\n", "value.form", 3, 'missing = ["－"]'),
        ("区,人口\n東,1\n西,…\n", "value.form", 3, 'missing = ["…"]'),
        ("区,人口\n東,1\n西,***\n", "value.form", 3, 'missing = ["***"]'),
        ("区,人口\n東,1\n西,27,90\n", "file.record", 3, None),
        ("区,人口\n東,1\n西,\"27,90\"\n", "value.form", 3, None),
        ("区,人口\n東,1\n西,▲5\n", "value.range", 3, None),
        ("人口\n1\n", "header.missing", 1, "[layouts.table] file_name = '(?P<ward>…)'"),
        ("区,人口,男,女\n東,2,1,1\n", "header.unclassified", 1, "[layouts.table] spread = '(?P<ID>…)', figures = 'ID'"),
        ("区,人口,山羊座\n東,2,1\n", "header.unclassified", 1, None),
    ],
)  # fmt: skip
def test_a_form_that_is_not_declared_is_refused_with_the_line_to_write(tmp_path, text, code, line, declare):
    at = refusal(tmp_path, PLAIN, text, 2)
    assert (at["code"], at["line"], at.get("declare")) == (code, line, declare)
    assert "山羊座" not in str(at) and "27,90" not in str(at)


def test_a_six_digit_code_is_refused_with_the_system_to_declare(tmp_path):
    at = refusal(tmp_path, LISTED, "団体\n271004\n")
    assert (at["code"], at["line"], at["declare"]) == ("code.unlisted", 2, 'system = "local-government"')
    assert "declare" not in refusal(tmp_path, LISTED, "団体\n271005\n")
    told = LISTED.model_dump(by_alias=True)
    told["columns"][0]["system"] = "local-government"
    assert taken(tmp_path, Contract(**told), {"a.csv": "団体\n271004\n"}, {"a.csv": 1}).frame["city"].to_list() == [
        "27100"
    ]
    assert refusal(tmp_path, Contract(**told), "団体\n27100\n")["code"] == "code.unlisted"


STANDARD_FILE, HIDDEN_FILE, MONTHS_FILE = (form.files[next(iter(form.files))] for form in (STANDARD, HIDDEN, MONTHS))


@pytest.mark.parametrize(
    ("form", "text", "records", "expected"),
    [
        (STANDARD, STANDARD_FILE.replace(",4,5,", ",4,五,"), 1,
         {"code": "value.form", "line": 2, "column": "persons", "column_number": 8}),
        (STANDARD, STANDARD_FILE.replace("132071", "132072"), 1, {"code": "value.form", "line": 2, "column": "city"}),
        (STANDARD, STANDARD_FILE.replace("2025/7/1", "2025/8/1"), 1,
         {"code": "period.other", "line": 2, "column": "as_of"}),
        (STANDARD, STANDARD_FILE.replace("総人口", "住民数"), 1, {"code": "header.unclassified", "column_number": 4}),
        (STANDARD, STANDARD_FILE.replace("調査年月日", "日"), 1, {"code": "header.missing", "column": "as_of"}),
        (STANDARD, STANDARD_FILE.replace("歳", "才"), 1, {"code": "header.missing", "column": "persons"}),
        (STANDARD, STANDARD_FILE, 2, {"code": "file.rows", "rows": 1, "manifest": 2}),
        (STANDARD, STANDARD_FILE.replace("132071,2025/7/1", "132071"), 1,
         {"code": "file.record", "line": 2, "fields": 10}),
        (STANDARD, "", 1, {"code": "header.absent", "line": 1}),
        (STANDARD, "表\n" + STANDARD_FILE, 1, {"code": "header.absent", "declare": "leading = 1"}),
        (STANDARD, STANDARD_FILE.replace("100歳以上の男性", "0-4歳の男性"), 1,
         {"code": "key.conflict", "line": 2, "column_number": 9}),
        (HIDDEN, HIDDEN_FILE.replace("現在", ""), 3, {"code": "table.given", "given_by": "title"}),
        (HIDDEN, HIDDEN_FILE.replace("7月31日", "6月30日"), 3, {"code": "period.other", "line": 5, "column": "as_of"}),
        (HIDDEN, "題\n題\n題\n", 3, {"code": "file.leading"}),
        (MONTHS, MONTHS_FILE.replace("…", "－"), 2,
         {"code": "value.form", "line": 5, "column_number": 4, "declare": 'missing = ["－"]'}),
        (MONTHS, MONTHS_FILE.replace("（注）", "この表は"), 2, {"code": "file.rows", "rows": 3}),
    ],
)  # fmt: skip
def test_a_table_that_is_not_as_declared_is_refused_at_its_cell(tmp_path, form, text, records, expected):
    at = refusal(tmp_path, contract(form.contract), text, records)
    assert expected.items() <= at.items(), at


def test_bytes_that_are_no_text_are_refused_at_their_place(tmp_path):
    read = contract(HIDDEN.contract)
    with pytest.raises(DeliveryRejected) as caught:
        taken(tmp_path, read, {"c.csv": HIDDEN_FILE}, {"c.csv": 3}, "cp932", said="utf-8")
    assert (caught.value.code, caught.value.at["line"], caught.value.at["column_number"]) == ("file.encoding", 1, 1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"spread": "(?P<nobody>.)", "figures": "persons"}, "nobody"),
        ({"spread": "(?P<ward>.)"}, "belong together"),
        ({"spread": "(?P<persons>.)", "figures": "ward"}, "rule number"),
        ({"file_name": "("}, "no regular expression"),
        ({"title": "(?P<ward>.)"}, "leading records"),
    ],
)
def test_a_table_that_gives_what_no_column_holds_keeps_the_contract_from_loading(said, reason):
    with pytest.raises(ConfigurationError, match=reason):
        contract('key = ["ward"]---' + layout(**said) + column("ward", "区") + column("persons", "人口", "number"))


def test_tables_belong_to_public_contracts(contracts):
    told = contracts["resident_register"].model_dump(by_alias=True)
    told["layouts"][0]["table"] = {"notes": ["注"]}
    with pytest.raises(ValueError, match="belongs to public contracts"):
        Contract(**told)
