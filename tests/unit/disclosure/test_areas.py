"""The area rule: nobody is left in an area with fewer than seven households, men or women, and months agree."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.disclosure.areas import LEAST, merge_small_areas
from kobe_platform.errors import DisclosureError

RING = {f"a{i}": (f"a{(i + 1) % 6}", f"a{(i - 1) % 6}") for i in range(6)}
sizes = st.lists(st.tuples(*[st.integers(0, 30)] * 3), min_size=6, max_size=6)


def table(rows):
    return pl.DataFrame([(f"a{i}", *row) for i, row in enumerate(rows)],
                        schema=["area", "households", "male", "female"], orient="row")  # fmt: skip


@given(sizes)
def test_every_group_is_large_enough_or_nothing_comes_out(rows):
    counts = table(rows)
    if counts.select(pl.col("households", "male", "female").sum().min() < LEAST).to_numpy().any():
        with pytest.raises(DisclosureError):
            merge_small_areas(counts, RING)
        return
    leader = merge_small_areas(counts, RING)
    groups = (
        counts.with_columns(group=pl.col("area").replace_strict(leader))
        .group_by("group")
        .agg(pl.col("households", "male", "female").sum())
    )
    assert groups.select(pl.min_horizontal("households", "male", "female").min()).item() >= LEAST
    assert all(leader[head] == head for head in leader.values())


@given(sizes, sizes)
def test_what_was_merged_stays_merged(first, second):
    counts = [table([tuple(n + 7 for n in row) for row in second]), table(first)]
    if counts[1].select(pl.col("households", "male", "female").sum()).transpose().min().item() < LEAST:
        return
    before = merge_small_areas(counts[1], RING)
    after = merge_small_areas(counts[0], RING, before)
    for area, head in before.items():
        assert after[area] == after[head]


def test_a_small_area_without_neighbours_is_an_error_by_name():
    with pytest.raises(DisclosureError, match="a0"):
        merge_small_areas(table([(1, 9, 9), (20, 20, 20)]), {})
