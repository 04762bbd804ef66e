"""Pseudonyms are AES-CMAC, whatever the length, and the same in bulk as one by one."""

import polars as pl
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.custody.pseudonyms import pseudonyms

KEY = bytes(range(32))


def reference(value: bytes, key: bytes = KEY) -> int:
    mac = CMAC(algorithms.AES(key))
    mac.update(value)
    return int.from_bytes(mac.finalize()[:8], "big")


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=30))
def test_each_pseudonym_is_the_cmac_of_its_value(values):
    column = pseudonyms(pl.Series("id", values, dtype=pl.Binary), KEY)
    assert column.to_list() == [None if value is None else reference(value) for value in values]


def test_the_published_vectors_hold():
    """NIST SP 800-38B, appendix D.3 (AES-256): the empty message and one of 16 bytes."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    messages = [b"", bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")]
    column = pseudonyms(pl.Series(messages, dtype=pl.Binary), key)
    assert column.to_list() == [0x028962F61B7BF89E, 0x28A7023F452E8F82]


def test_text_counts_as_utf8_and_another_key_gives_other_pseudonyms():
    ids = pl.Series("id", ["000000000000018", "000000000000026", "000000000000018"])
    one, other = pseudonyms(ids, KEY), pseudonyms(ids, KEY[::-1])
    assert one.name == "id" and one.dtype == pl.UInt64
    assert one[0] == one[2] == reference(b"000000000000018") != one[1]
    assert not set(one) & set(other)
