"""The search for canaries must itself find them in every form, else its silence means nothing."""

import base64
import gzip
import hashlib
import sqlite3

import polars as pl
import pytest

from tests.secrecy.canaries import PLANTED, Search

SEARCH = Search(PLANTED.items())
VALUE = PLANTED["name"]


@pytest.mark.parametrize(
    "data",
    [
        f"前{VALUE}後".encode(),
        VALUE.encode("cp932"),
        VALUE.encode("utf-16-le"),
        VALUE.encode("cp932").hex().encode(),
        base64.b64encode(b"x" + VALUE.encode() + b"yz"),
        base64.b64encode(b"xy" + VALUE.encode("cp932") + b"z"),
        gzip.compress(b"log: " + VALUE.encode(), mtime=0),
        hashlib.sha256(PLANTED["my_number"].encode()).hexdigest().encode(),
        PLANTED["my_number"].encode(),
    ],
)
def test_a_canary_is_found_in_every_form(data):
    assert SEARCH.data(data, "sample")


def test_a_canary_is_found_inside_tables_and_databases(tmp_path):
    pl.DataFrame({"x": [VALUE] * 3}).write_parquet(tmp_path / "plain.parquet")
    with sqlite3.connect(tmp_path / "events.db") as connection:
        connection.execute("create table events (body blob)")
        connection.execute("insert into events values (?)", (gzip.compress(VALUE.encode("cp932"), mtime=0),))
    places = {finding.place.split(" ")[0] for finding in SEARCH.tree(tmp_path)}
    assert places == {"plain.parquet", "events.db"}


def test_ordinary_text_is_not_found():
    assert not SEARCH.data("神戸市中央区の人口は前月より減りました 2025-07".encode(), "sample")
