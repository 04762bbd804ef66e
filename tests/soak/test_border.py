"""The inbox border under generated faults: each spoiled delivery is accepted or rejected with a receipt, no more.

`make soak` tries for ``KOBE_FUZZ_MINUTES`` (60); `make test` a few. What was tried is in docs/field_reports.md.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.soak import border
from tests.soak.border import CONTRACTS

SLOWEST = 20.0
"""Seconds for three small deliveries: far more means that something waits or reads without end."""


def one_inbox(parcel: border.Parcel, data: st.DataObject, folder: Path) -> dict[str, int]:
    """A spoiled delivery beside sound ones, taken in."""
    inbox = folder / "inbox"
    shutil.rmtree(folder, ignore_errors=True)
    border.sound(inbox, CONTRACTS)
    for spoil in data.draw(st.lists(st.sampled_from(border.SPOILERS), min_size=1, max_size=4)):
        spoil(parcel, data)
    written = border.write(parcel, inbox)
    vanishing = written if data.draw(st.sampled_from((False,) * 9 + (True,))) else None
    began = time.monotonic()
    outcomes = border.tried(inbox, folder / "home", CONTRACTS, vanishing=vanishing)
    assert time.monotonic() - began < SLOWEST, "a delivery keeps the platform busy"
    return outcomes


def fuzz(folder: Path, examples: int, seen: Counter) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(border.parcels(CONTRACTS), st.data())
    def holds(parcel, data):
        seen.update(one_inbox(parcel, data, folder))
        seen["tried"] += 1

    holds()


def test_the_border_holds_for_a_few_spoiled_deliveries(tmp_path):
    seen: Counter = Counter()
    fuzz(tmp_path / "fuzz", 5, seen)
    assert seen["tried"] >= 5 and seen["accepted"] >= len(CONTRACTS) * seen["tried"]


@pytest.mark.soak
def test_the_border_holds_for_an_hour(tmp_path, capsys):
    until = time.monotonic() + 60 * float(os.environ.get("KOBE_FUZZ_MINUTES", "60"))
    seen: Counter = Counter()
    while time.monotonic() < until:
        fuzz(tmp_path / "fuzz", 200, seen)
        with capsys.disabled():
            print(f"\nborder: {dict(seen)}", flush=True)
