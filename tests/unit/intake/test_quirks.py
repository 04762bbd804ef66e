"""Every quirk of the extracts design, planted in a delivery, gets what the design says.

A rejection names delivery, file, line, column and rule; nothing that intake says or records holds a value.
"""

from __future__ import annotations

import json

import polars as pl
import pytest

from kobe_platform.abstraction import validate
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DeliveryHeld, DeliveryRejected
from kobe_platform.intake import receipts
from kobe_platform.intake.extracts import take_in
from kobe_platform.lake import PartitionStore
from kobe_platform.reception.inputs import target
from kobe_platform.reception.outcomes import receipt_status
from kobe_platform.reception.steps import hold_revision
from kobe_platform.synthesis import Form
from kobe_platform.synthesis.quirks import registry
from kobe_platform.vocabulary.rules import rules

from .conftest import FIRST, MONTH, MOVEMENTS, REGISTER

FORMS = [Form(encoding, layout) for layout in ("delimited", "fixed") for encoding in ("cp932", "utf-8")]

REJECTING = {
    "undecodable": {"file.encoding"},
    "two_encodings": {"file.encoding"},
    "cut_character": {"file.cut_character"},
    "lost_zeros": {"key.spreadsheet"},
    "exponent_keys": {"key.spreadsheet"},
    "history_conflict": {"key.conflict", "key.repeated"},
    "person_twice": {"key.repeated"},
    "many_unknown_codes": {"code.threshold"},
    "no_protection_column": {"header.protection"},
    "my_number_in_annex": {"leak.own_number"},
    "my_number_in_notes": {"leak.own_number", "leak.keyword"},
    "my_number_in_lot": {"leak.own_number"},
    "no_header": {"header.absent"},
    "header_renamed": {"header.missing"},
    "column_added": {"header.unclassified"},
    "column_missing": {"header.missing"},
    "count_differs": {"file.rows"},
    "hash_differs": {"file.hash"},
    "size_differs": {"file.bytes"},
    "trailer_differs": {"file.record", "file.rows"},
    "truncated": {"file.record", "file.encoding", "file.rows"},
    "empty": {"file.empty"},
    "wrong_city": {"manifest.city"},
    "wrong_month": {"manifest.month"},
    "wrong_source": {"manifest.source"},
    "file_missing": {"file.missing"},
    "difference_missing": {"manifest.sequence"},
    "difference_out_of_order": {"manifest.sequence"},
}
SETTING_ASIDE = {
    "date_ambiguous": "date.ambiguous",
    "birth_future": "birth.future",
    "too_old": "birth.too_old",
    "two_heads": "household.two_heads",
    "nationality_on_japanese": "value.unexpected",
    "no_nationality": "value.missing",
}
WARNING = {
    "gaiji": "text.gaiji",
    "history_gap": "history.gap",
    "no_head": "household.no_head",
    "check_digit": "key.check_digit",
    "expired_stay": "residence.expired",
    "unknown_relationship": "code.unknown",
    "unknown_status": "code.unknown",
    "unknown_reason": "code.unknown",
    "town_abolished": "area.town_retired",
    "district_underivable": "district.unknown",
}
CONVERTED = {
    "date_slashes",
    "date_hyphens",
    "date_era_letter",
    "date_era_kanji",
    "era_overrun",
    "heisei_overrun",
    "date_serial",
    "birth_text",
}
LINELESS = {"file.rows", "file.hash", "file.bytes", "file.missing", "file.empty"}


def cases(*treatments: str) -> list:
    return [
        pytest.param(name, source, id=f"{name}-{source}")
        for name, quirk in registry().items()
        if quirk.treatment in treatments
        for source in quirk.sources
    ]


def inbox_with(make_inbox, quirk: str, source: str):
    form = next(form for form in FORMS if registry()[quirk].fits(form))
    return make_inbox(f"{quirk}@{MONTH}:{source}", form=form)


def values_of(inbox, source: str) -> set[str]:
    """Every value of the delivery that says something of a person (short numbers and codes do not)."""
    found: set[str] = set()
    for path in inbox.path.glob(f"28100/{source}/*/*"):
        if path.suffix in (".csv", ".dat") and path.is_file():
            for encoding in ("cp932", "utf-8"):
                text = path.read_bytes().decode(encoding, errors="ignore")
                found |= {part.strip(' "') for line in text.splitlines()[1:] for part in line.split(",")}
    return {value for value in found if len(value) >= 6 or (len(value) >= 3 and not value.isascii())}


def assert_no_value(said: str, values: set[str]) -> None:
    leaked = sum(value in said for value in values if value not in {MONTH, "2025-07"})
    assert leaked == 0, f"{leaked} values of the delivery were repeated"


@pytest.mark.slow
@pytest.mark.parametrize(("quirk", "source"), cases("R"))
def test_a_rejected_delivery_is_named_by_place_and_rule_and_never_by_value(make_inbox, tmp_path, quirk, source):
    inbox = inbox_with(make_inbox, quirk, source)
    delivery = inbox.delivery(source)
    former = inbox.delivery(source, FIRST).manifest.sequence
    with pytest.raises(DeliveryRejected) as caught:
        take_in(delivery, inbox.contracts[source], previous_sequence=former)
    error = caught.value
    assert error.code in REJECTING[quirk]
    assert error.at["delivery"] == f"{source}/{MONTH}"
    assert error.at["rule"] == error.code
    assert error.remedy == rules()[error.code].remedy
    assert rules()[error.code].ja in error.ja
    assert "file" in error.at
    if error.code not in LINELESS and error.at["file"] != "manifest.json":
        assert int(error.at["line"]) >= 1
    assert error.__cause__ is None
    receipt = receipts.write_receipt(tmp_path, delivery, "rejected", error)
    assert json.loads(receipt.read_text("utf-8"))["error"]["code"] == error.code
    assert_no_value(f"{error}{error.ja}{error.at}{receipt.read_text('utf-8')}{receipt}", values_of(inbox, source))


@pytest.mark.slow
@pytest.mark.parametrize(("quirk", "source"), cases("Q"))
def test_a_doubtful_row_is_set_aside_by_a_named_rule(make_inbox, quirk, source):
    inbox = inbox_with(make_inbox, quirk, source)
    facts = inbox.abstract(source).facts
    planted = inbox.planted[source, MONTH][quirk]
    aside = facts["set_aside"].get(SETTING_ASIDE[quirk], 0)
    assert planted - facts["superseded"] <= aside <= planted
    assert set(facts["set_aside"]) <= {SETTING_ASIDE[quirk]}
    assert aside == planted or source == MOVEMENTS
    assert_accounted(facts)
    assert_no_value(json.dumps(facts), values_of(inbox, source))


@pytest.mark.slow
@pytest.mark.parametrize(("quirk", "source"), cases("W"))
def test_an_odd_value_is_counted_and_loaded(make_inbox, quirk, source):
    inbox = inbox_with(make_inbox, quirk, source)
    taken = inbox.take(source)
    facts = inbox.abstract(source).facts
    warned = {**taken.facts["warned"], **facts["warned"]}
    assert warned[WARNING[quirk]] == inbox.planted[source, MONTH][quirk]
    assert not facts["set_aside"]
    assert_accounted(facts)


@pytest.mark.slow
@pytest.mark.parametrize(("quirk", "source"), cases("N"))
def test_what_a_contract_puts_right_changes_no_count(make_inbox, quirk, source):
    inbox = inbox_with(make_inbox, quirk, source)
    clean = make_inbox(form=next(form for form in FORMS if registry()[quirk].fits(form))).abstract(source)
    result = inbox.abstract(source)
    assert result.facts["kept"] == clean.facts["kept"]
    assert result.frame.schema == clean.frame.schema
    assert not result.facts["set_aside"]
    assert_accounted(result.facts)
    if quirk in CONVERTED:
        assert result.facts["warned"]["date.normalised"] == inbox.planted[source, MONTH][quirk]


@pytest.mark.parametrize(
    "quirk",
    [
        "newline_in_quotes",
        "nul_padding",
        "byte_order_mark",
        "line_feeds",
        "carriage_returns",
        "mixed_line_ends",
        "end_mark",
        "nul_tail",
        "variation_selector",
        "full_width_lot",
        "wave_dash",
        "full_width_codes",
        "padded_keys",
        "full_width_keys",
        "half_width_kana",
        "date_slashes",
        "date_hyphens",
        "date_era_letter",
        "date_era_kanji",
        "era_overrun",
        "heisei_overrun",
        "date_serial",
        "district_blank",
        "columns_reordered",
        "row_repeated",
        "formula_text",
    ],
)
def test_another_spelling_gives_the_same_lake_rows(make_inbox, quirk):
    form = next(form for form in FORMS if registry()[quirk].fits(form))
    clean = make_inbox(form=form).abstract(REGISTER).frame
    assert inbox_with(make_inbox, quirk, REGISTER).abstract(REGISTER).frame.equals(clean)


@pytest.mark.slow
@pytest.mark.parametrize(("quirk", "source"), cases("filter", "net"))
def test_rows_that_do_not_count_are_accounted_for(make_inbox, quirk, source):
    inbox = inbox_with(make_inbox, quirk, source)
    facts = inbox.abstract(source).facts
    if quirk in ("departed", "planned_departure"):
        assert sum(facts["filtered"].values()) == inbox.planted[source, MONTH][quirk]
    else:
        assert facts["rows"] == inbox.take(source).facts["rows"]
    assert not facts["set_aside"]
    assert_accounted(facts)


def by_share_alone(contract):
    """A contract that holds small towns' changes as well."""
    return contract.model_copy(update={"thresholds": contract.thresholds.model_copy(update={"row_change_rows": 0})})


@pytest.mark.slow
def test_a_jump_in_rows_waits_for_an_operator(make_inbox):
    inbox = inbox_with(make_inbox, "row_count_jump", REGISTER)
    former = inbox.abstract(REGISTER, "2025-07").frame.height
    result, contract = inbox.abstract(REGISTER), by_share_alone(inbox.contracts[REGISTER])
    with pytest.raises(DeliveryHeld) as caught:
        validate(result, contract, month=MONTH, previous_rows=former)
    assert caught.value.code == "delivery.row_change"
    assert validate(result, contract, month=MONTH, previous_rows=None)["kept"] == result.frame.height


@pytest.mark.parametrize(
    ("month", "held"), [("2025-02", True), ("2025-03", False), ("2025-04", False), ("2025-05", True)]
)
def test_march_and_april_may_change_by_one_and_a_half_percent(make_inbox, month, held):
    inbox = make_inbox()
    result, contract = inbox.abstract(REGISTER), by_share_alone(inbox.contracts[REGISTER])
    former = round(result.frame.height * 1.012)
    if held:
        with pytest.raises(DeliveryHeld):
            validate(result, contract, month=month, previous_rows=former)
    else:
        assert validate(result, contract, month=month, previous_rows=former)["previous_rows"] == former


@pytest.mark.parametrize(("change", "held"), [(30, False), (-30, False), (31, True), (-31, True)])
def test_in_a_small_town_a_few_people_more_or_fewer_are_no_jump(make_inbox, change, held):
    inbox = make_inbox()
    result, contract = inbox.abstract(REGISTER), inbox.contracts[REGISTER]
    former = result.frame.height - change
    assert former < 30 / contract.thresholds.row_change, "the town is too large for this"
    if held:
        with pytest.raises(DeliveryHeld) as caught:
            validate(result, contract, month="2025-05", previous_rows=former)
        assert caught.value.at["allowed"] == 30
    else:
        assert validate(result, contract, month="2025-05", previous_rows=former)["previous_rows"] == former


@pytest.mark.parametrize("source", [REGISTER, MOVEMENTS])
def test_a_folder_without_a_manifest_waits(make_inbox, source):
    inbox = inbox_with(make_inbox, "no_manifest", source)
    assert (source, MONTH) not in inbox.deliveries()


@pytest.mark.parametrize("source", [REGISTER, MOVEMENTS])
def test_the_same_content_sent_again_is_nothing_to_do(make_inbox, tmp_path, source):
    first = make_inbox().delivery(source)
    again = inbox_with(make_inbox, "sent_again", source).delivery(source)
    receipts.write_receipt(tmp_path, first, "accepted", {"rows": 1})
    assert receipt_status(tmp_path, again) == "accepted"


def test_other_content_for_a_month_in_force_is_held_until_approved(make_inbox, tmp_path):
    inbox, store = make_inbox(), store_at(tmp_path)
    first, contract = inbox.delivery(REGISTER), inbox.contracts[REGISTER]
    again = inbox_with(make_inbox, "revised", REGISTER).delivery(REGISTER)
    hold_revision(first, contract, store, tmp_path)
    facts = {"content_hash": first.content_hash, "rows": 1}
    store.write(target(contract, MONTH), pl.DataFrame({"a": [1]}), facts=facts)
    hold_revision(first, contract, store, tmp_path)
    with pytest.raises(DeliveryHeld) as caught:
        hold_revision(again, contract, store, tmp_path)
    assert caught.value.code == "delivery.revised"
    assert {"rows", "former_rows"} <= set(caught.value.at)
    receipts.approve(tmp_path, again, "operator")
    hold_revision(again, contract, store, tmp_path)


def store_at(place):
    keys = LocalKeyStore.create(place / "keys", log=place / "log" / "key_use.jsonl")
    return PartitionStore(place / "store", keys, municipality="28100")


def test_every_quirk_of_the_generator_is_covered():
    treated = {name: quirk.treatment for name, quirk in registry().items()}
    assert {name for name, kind in treated.items() if kind == "R"} == set(REJECTING)
    assert {name for name, kind in treated.items() if kind == "Q"} == set(SETTING_ASIDE)
    assert {name for name, kind in treated.items() if kind == "W"} == set(WARNING)


def assert_accounted(facts: dict) -> None:
    aside, filtered = sum(facts["set_aside"].values()), sum(facts["filtered"].values())
    assert facts["rows"] == facts["kept"] + aside + facts["superseded"] + filtered
