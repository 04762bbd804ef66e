"""Files: found, verified and cut; errors name the physical line whatever the layout."""

from __future__ import annotations

import json

import pytest

from kobe_platform.contracts import Contract
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake import deliveries, receipts
from kobe_platform.intake.extracts import take_in, taking
from kobe_platform.reception.outcomes import receipt_status
from kobe_platform.synthesis import Form

from .conftest import MONTH, REGISTER
from .handmade import deliver, person, taken, text_of


@pytest.fixture
def register(contracts) -> Contract:
    return contracts[REGISTER]


def refusal(inbox, contract, rows, month="2025-07", **manifest) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(inbox, contract, rows, month, **manifest), contract)
    return caught.value


def test_a_line_is_counted_as_an_editor_does(tmp_path, register):
    rows = [person(1, notes="二行の\n備考"), person(2, household_no="1234")]
    assert refusal(tmp_path, register, rows).at["line"] == 4


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_lines_are_found_with_every_line_end(tmp_path, register, end):
    text = text_of(register, [person(1), person(2), person(3, household_no="1.23E+11")]).replace("\r\n", end)
    error = refusal(tmp_path, register, text.encode(), count=3)
    assert (error.code, error.at["line"], error.at["column"]) == ("key.spreadsheet", 4, "household_no")


def test_a_record_with_another_number_of_fields_is_named(tmp_path, register):
    text = text_of(register, [person(1), person(2), person(3)]).splitlines(keepends=True)
    text[2] = text[2].replace("5番地", "5,番地")
    error = refusal(tmp_path, register, "".join(text).encode(), count=3)
    assert (error.code, error.at["line"], error.at["fields"]) == ("file.record", 3, 35)


def test_bytes_that_do_not_decode_are_named_by_line_and_column(tmp_path, register):
    data = (
        text_of(register, [person(1), person(2, notes="追記")])
        .encode("cp932")
        .replace("追記".encode("cp932"), b"\x92\xc7\x8b")
    )
    error = refusal(tmp_path, register, data, count=2, encoding="cp932")
    assert (error.code, error.at["line"], error.at["column_number"]) == ("file.encoding", 3, 16)


def test_a_stray_byte_of_the_column_line_is_named_though_no_column_holds_it(tmp_path, register):
    data = text_of(register, [person(1)]).encode("cp932").replace(b"\r\n", b"\xa0\r\n", 1)
    error = refusal(tmp_path, register, data, count=1, encoding="cp932")
    assert (error.code, error.at["line"]) == ("file.encoding", 1)


def test_utf8_in_a_cp932_file_is_refused(tmp_path, register):
    rows = [person(i, name="神戸　花子", household_no=f"{i:012d}") for i in (1, 2)]
    head, tail = text_of(register, rows[:1]).encode("cp932"), text_of(register, rows[1:]).split("\r\n", 1)[1].encode()
    assert refusal(tmp_path, register, head + tail, count=2, encoding="cp932").code == "file.encoding"


def test_cp932_in_a_utf8_file_is_refused(tmp_path, register):
    data = text_of(register, [person(1, name="神戸　花子")]).encode("cp932")
    assert refusal(tmp_path, register, data, count=1, encoding="utf-8").code == "file.encoding"


def test_delimiters_quotes_and_trail_bytes_inside_texts_are_text(tmp_path, register):
    name = '表ソ能,"予"十\r\n構'
    facts = taken(tmp_path, register, [person(1, name=name, notes=name), person(2)], encoding="cp932").facts
    assert facts["kept"] == 2


def test_vendor_extensions_and_gaiji_of_cp932_are_read(tmp_path, register):
    rows = [person(1, name="髙﨑①～－", lot="\ue000番地")]
    assert taken(tmp_path, register, rows, encoding="cp932").facts["kept"] == 1


def test_a_protection_column_cannot_be_missing_even_where_others_are(tmp_path, register):
    shorter = register.model_copy(
        update={"columns": tuple(c for c in register.columns if c.id not in ("protection", "sex"))}
    )
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, shorter, [person(1)]), register)
    assert caught.value.code == "header.protection"


@pytest.mark.parametrize("name", ["../register.csv", "/etc/passwd", "a/b.csv", "manifest.json", "..", ""])
def test_a_manifest_cannot_point_outside_its_folder(tmp_path, register, name):
    delivery = deliver(tmp_path, register, [person(1)])
    manifest = json.loads((delivery.path / "manifest.json").read_text())
    manifest["files"][0]["name"] = name
    (delivery.path / "manifest.json").write_text(json.dumps(manifest))
    found = deliveries.find(tmp_path, {REGISTER: register}, "28100")[0]
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(found, register)
    assert caught.value.code == "manifest.unreadable"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"municipality": "28100"}', "\udcff"])
def test_a_broken_manifest_is_rejected_and_not_ignored(tmp_path, register, content):
    folder = tmp_path / "28100" / REGISTER / "2025-07"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    found = deliveries.find(tmp_path, {REGISTER: register}, "28100")
    assert len(found) == 1
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(found[0], register)
    assert caught.value.code == "manifest.unreadable"
    receipt = receipts.write_receipt(tmp_path / "home", found[0], "rejected", caught.value)
    assert receipt.name == f"{found[0].content_hash[:12]}.rejected.json"


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"kind": "events"}, "manifest.kind"),
        ({"encoding": "euc-jp"}, "manifest.encoding"),
        ({"municipality": "27100"}, "manifest.city"),
        ({"source": "resident_movements"}, "manifest.source"),
        ({"month": "2025-06"}, "manifest.month"),
    ],
)
def test_a_manifest_agrees_with_folder_and_contract(tmp_path, register, said, rule):
    delivery = deliver(tmp_path, register, [person(1)])
    manifest = json.loads((delivery.path / "manifest.json").read_text())
    (delivery.path / "manifest.json").write_text(json.dumps(manifest | said))
    with pytest.raises(DeliveryRejected) as caught:
        deliveries.verify(deliveries.find(tmp_path, {REGISTER: register}, "28100")[0], register)
    assert caught.value.code == rule


def test_finding_reads_manifests_only(tmp_path, register):
    delivery = deliver(tmp_path, register, [person(1)])
    (delivery.path / f"{REGISTER}.csv").unlink()
    (tmp_path / "28100" / REGISTER / "notes").mkdir()
    assert [d.month for d in deliveries.find(tmp_path, {REGISTER: register}, "28100")] == ["2025-07"]


def test_several_files_are_one_delivery(tmp_path, register):
    deliver(tmp_path, register, [person(1)], name="a.csv")
    first = json.loads((tmp_path / "28100" / REGISTER / "2025-07" / "manifest.json").read_text())["files"]
    deliver(tmp_path, register, [person(2), person(3, household_no="77")], name="b.csv")
    path = tmp_path / "28100" / REGISTER / "2025-07" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"files": [*first, *manifest["files"]]}))
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliveries.find(tmp_path, {REGISTER: register}, "28100")[0], register)
    assert (caught.value.at["file"], caught.value.at["line"]) == ("b.csv", 3)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-8-sig"])
def test_layout_and_encoding_change_nothing_in_the_lake(make_inbox, encoding):
    expected = make_inbox().abstract(REGISTER).frame
    for layout in ("delimited", "fixed"):
        assert make_inbox(form=Form(encoding, layout)).abstract(REGISTER).frame.equals(expected)


def test_a_fixed_record_of_another_length_is_named(tmp_path, make_inbox, register):
    source = make_inbox(form=Form("cp932", "fixed")).delivery(REGISTER)
    lines = (source.path / f"{REGISTER}.dat").read_bytes().split(b"\r\n")
    lines[4] = lines[4][:-1]
    error = refusal(
        tmp_path, register, b"\r\n".join(lines), MONTH, count=len(lines) - 1, encoding="cp932", name=f"{REGISTER}.dat"
    )
    assert (error.code, error.at["line"]) == ("file.record", 5)


def test_receipts_are_replaced_whole_and_tell_the_last_sequence(tmp_path, register):
    delivery = deliver(tmp_path / "inbox", register, [person(1)], month="2025-06", sequence=305)
    later = deliver(tmp_path / "inbox", register, [person(1)], month="2025-07", sequence=306)
    home = tmp_path / "home"
    assert receipts.previous_sequence(home, later) is None
    path = receipts.write_receipt(home, delivery, "accepted", {"rows": 1, "kept": 1})
    assert receipts.write_receipt(home, delivery, "accepted", {"rows": 1, "kept": 1}) == path
    assert [p.name for p in path.parent.iterdir()] == [f"{delivery.content_hash[:12]}.accepted.json"]
    assert receipts.previous_sequence(home, later) == 305
    assert receipt_status(home, delivery) == "accepted"
    assert receipt_status(home, later) == "none"


def test_a_line_is_never_told_of_a_file_that_changed_meanwhile(tmp_path, register, monkeypatch):
    """Bytes are not held while rows are looked at: where a line is asked for, the file is read and verified again."""
    look = taking.screened

    def changing(screening):
        file = next(tmp_path.rglob("*.csv"))
        file.write_bytes(file.read_bytes().replace(b"3550401", b"3550402"))
        return look(screening)

    rows = [person(1, household_no="1234")]
    assert refusal(tmp_path, register, rows).code == "key.spreadsheet"
    monkeypatch.setattr(taking, "screened", changing)
    assert refusal(tmp_path, register, rows).code == "file.hash"


def test_a_file_that_is_another_and_does_not_parse_either_is_refused_as_another(tmp_path, register):
    """It is parsed while its digest is made: of bytes that nobody sent, nothing else is told."""
    delivery = deliver(tmp_path, register, [person(1)])
    path = delivery.path / f"{register.name}.csv"
    path.write_bytes(path.read_bytes().replace(b",", b"\x80"))
    with pytest.raises(DeliveryRejected) as caught:
        take_in(delivery, register)
    assert caught.value.code == "file.hash"
    assert caught.value.__context__ is None and caught.value.__cause__ is None
