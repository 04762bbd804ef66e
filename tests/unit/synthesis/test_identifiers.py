"""Nobody's numbers: right in form, one to one with people, and with check digits that no real number has."""

from __future__ import annotations

import numpy as np
import polars as pl
from stdnum.jp import in_ as my_number

from kobe_platform.synthesis import identifiers

from .reading import of, read


def test_my_numbers_have_twelve_digits_and_never_a_valid_check_digit():
    numbers = identifiers.my_numbers(np.arange(5_000)).to_list()
    assert all(len(number) == 12 and number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert not any(my_number.is_valid(number) for number in numbers)


def test_the_check_digit_is_that_of_the_ordinance():
    digits = identifiers.digits_of(np.array([12345678901]), 11)
    valid = identifiers.check_digit(digits, identifiers.MY_NUMBER_WEIGHTS)
    assert my_number.is_valid(f"12345678901{valid[0]}")


def test_resident_codes_have_eleven_digits_and_a_wrong_check_digit():
    numbers = identifiers.resident_codes(np.arange(5_000))
    assert numbers.n_unique() == 5_000
    digits = np.array([[int(digit) for digit in number] for number in numbers.to_list()], dtype=np.uint8)
    assert digits.shape[1] == 11
    assert (identifiers.check_digit(digits[:, :10], identifiers.ATENA_WEIGHTS) != digits[:, 10]).all()


def test_atena_numbers_are_unique_with_a_valid_check_digit():
    numbers = identifiers.atena_numbers(np.arange(5_000))
    digits = np.array([[int(digit) for digit in number] for number in numbers.to_list()], dtype=np.uint8)
    assert numbers.n_unique() == 5_000
    assert digits.shape[1] == 15
    assert (identifiers.check_digit(digits[:, :14], identifiers.ATENA_WEIGHTS) == digits[:, 14]).all()


def test_no_code_that_identifies_by_law_stands_in_another_column(deliver):
    rows = read(of(deliver(), "resident_register"))
    secret = pl.concat([rows["my_number"], rows["resident_code"], rows["residence_card_no"].drop_nulls()])
    others = rows.drop("my_number", "resident_code", "residence_card_no")
    for column in others.columns:
        tokens = rows[column].drop_nulls().str.replace_all(r"\D", "").implode().explode()
        assert not tokens.is_in(secret.implode()).any(), column


def test_residence_cards_are_held_by_foreigners_only(deliver):
    rows = read(of(deliver(), "resident_register"))
    assert (
        rows.filter(pl.col("resident_type") == "1")["residence_card_no"].null_count()
        == rows.filter(pl.col("resident_type") == "1").height
    )
    assert rows.filter(pl.col("resident_type") == "2")["residence_card_no"].str.contains(r"^ZQ\d{8}XX$").all()
