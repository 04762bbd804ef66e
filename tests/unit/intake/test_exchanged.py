"""Two columns whose values were exchanged below their headers are refused, both by name."""

from __future__ import annotations

import csv
import io

import polars as pl
import pytest

from kobe_platform.contracts import Contract
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.extracts import take_in
from kobe_platform.intake.extracts.exchanged import exchanged
from kobe_platform.intake.receipts import receipt
from kobe_platform.lake import PartitionStore
from kobe_platform.tabulation.steps import take_in_public

from .conftest import FIRST, MOVEMENTS, REGISTER
from .handmade import deliver, person, text_of
from .test_public import ESTIMATES, rows

LATER = "2025-08"


def swap(text: str, one: str, other: str) -> str:
    """A CSV text with the values of two columns exchanged below their headers."""
    header, *body = csv.reader(io.StringIO(text))
    at, to = header.index(one), header.index(other)
    for fields in body:
        fields[at], fields[to] = fields[to], fields[at]
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([header, *body])
    return out.getvalue()


def refusal(tmp_path, contract: Contract, text: str, count: int, month: str = "2025-07") -> tuple:
    with pytest.raises(DeliveryRejected) as caught:
        take_in(deliver(tmp_path, contract, text.encode(), month, count=count), contract)
    at = caught.value.at
    return caught.value.code, at["column"], at.get("other_column"), at["line"]


# ── where the values do not fit ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        ("atena_no", "household_no", ("atena_no", "household_no")),
        ("relationship", "address_code", ("relationship", "address_code")),
        ("nationality", "residence_status", ("nationality", "residence_status")),
    ],
)
def test_columns_of_the_register_that_hold_each_others_values_are_named(tmp_path, contracts, one, other, named):
    contract = contracts[REGISTER]
    header = {column.id: column.header for column in contract.columns}
    foreign = {"resident_type": "2", "nationality": "KOR", "residence_status": "03", "birth_date": "19800401"}
    people = [person(number, household_no=f"{number:012d}", **foreign) for number in range(1, 30)]
    text = text_of(contract, people)
    assert refusal(tmp_path, contract, swap(text, header[one], header[other]), 29) == ("columns.exchanged", *named, 2)


@pytest.mark.parametrize(("one", "other"), [("ward_code", "households"), ("as_of", "ward_code"), ("basis", "as_of")])
def test_columns_of_public_figures_that_hold_each_others_values_are_named(tmp_path, contracts, one, other):
    contract = contracts[ESTIMATES]
    code, *named = refusal(tmp_path, contract, swap(text_of(contract, rows()), one, other), 10, "2025-11")
    assert code == "columns.exchanged" and set(named[:2]) == {one, other}


def test_a_column_that_is_wrong_by_itself_is_refused_by_its_own_rule(tmp_path, contracts):
    text = text_of(contracts[ESTIMATES], rows(ward_code="28199"))
    assert refusal(tmp_path, contracts[ESTIMATES], text, 10, "2025-11")[0] in ("code.unlisted", "key.conflict")


# ── where both still parse ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def months(make_inbox):
    """Raw rows of two months of a city, by source."""
    inbox = make_inbox(residents=3000)
    taken = {source: [inbox.take(source, month).frame for month in (FIRST, LATER)] for source in (REGISTER, MOVEMENTS)}
    return taken | {MOVEMENTS: [pl.concat([frame] * 10) for frame in taken[MOVEMENTS]]}  # a larger city's events


@pytest.mark.parametrize("source", [REGISTER, MOVEMENTS])
def test_two_sound_months_are_not_taken_for_exchanged(months, contracts, source):
    former, now = months[source]
    assert exchanged(now, former, contracts[source]) is None
    assert exchanged(former, now, contracts[source]) is None


@pytest.mark.parametrize(
    ("source", "one", "other"),
    [
        (REGISTER, "resident_type", "sex"),
        (REGISTER, "sex", "protection"),
        (REGISTER, "became_resident_on", "birth_date"),
        (MOVEMENTS, "address_before", "address_after"),
        (MOVEMENTS, "household_before", "household_after"),
    ],
)
def test_columns_that_still_parse_are_told_by_the_month_before(months, contracts, source, one, other):
    former, now = months[source]
    wrong = now.with_columns(pl.col(other).alias(one), pl.col(one).alias(other))
    assert set(exchanged(wrong, former, contracts[source]) or ()) == {one, other}


def test_one_column_that_changed_by_itself_is_not_taken_for_exchanged(months, contracts):
    former, now = months[REGISTER]
    changed = now.with_columns(pl.lit(b"2").alias("resident_type"), pl.lit(b"1").alias("sex"))
    assert exchanged(changed, former, contracts[REGISTER]) is None
    assert exchanged(now.head(50), former, contracts[REGISTER]) is None


def test_men_and_women_of_public_figures_are_told_by_the_month_before(tmp_path, contracts):
    contract = contracts[ESTIMATES]
    former = take_in(deliver(tmp_path, contract, rows(), "2025-11"), contract).frame
    moved = former.with_columns(pl.col("male") + 1, pl.col("population") + 1)
    assert exchanged(moved, former, contract) is None
    wrong = moved.with_columns(pl.col("male").alias("female"), pl.col("female").alias("male"))
    assert exchanged(wrong, former, contract) == ("male", "female")


def test_a_delivery_is_compared_with_the_month_before_and_its_receipt_names_both_columns(tmp_path, contracts):
    contract = contracts[ESTIMATES]
    LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log")
    keys = LocalKeyStore.open(tmp_path / "keys", log=tmp_path / "log")
    store = PartitionStore(tmp_path / "store", keys, municipality="28100", principal="test")
    inbox, home = tmp_path / "inbox", tmp_path / "home"
    take_in_public(deliver(inbox, contract, rows(), "2025-11"), contract, store, home)
    later = [{**row, "as_of": "2025-12-01"} for row in rows()]
    wrong = deliver(inbox, contract, swap(text_of(contract, later), "male", "female").encode(), "2025-12", count=10)
    with pytest.raises(DeliveryRejected) as caught:
        take_in_public(wrong, contract, store, home)
    assert caught.value.at == {
        **{"delivery": f"{ESTIMATES}/2025-12", "column": "male", "other_column": "female", "compared": "2025-11"},
        "rule": "columns.exchanged",
    }
    assert receipt(home, wrong, "rejected")["error"]["code"] == "columns.exchanged"
    thresholds = contract.thresholds.model_copy(update={"exchanged": 1.0})
    trusting = contract.model_copy(update={"thresholds": thresholds})
    assert take_in_public(wrong, trusting, store, home).rows == 10
