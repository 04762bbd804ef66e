"""What `kobe bench prefecture` tells: totals over made-up municipalities, and by what power seconds grow."""

from dataclasses import replace

import pytest

from kobe_platform.bench.prefecture import SUMMED, exponent, measure, prefecture
from kobe_platform.prefecture.joint import sums_of


def test_the_same_seed_makes_the_same_municipalities():
    one, other = prefecture(2, seed=5), prefecture(2, seed=5)
    assert [h.cells["residents"].rows() for h in one] == [h.cells["residents"].rows() for h in other]


def test_every_total_is_counted_as_shown_or_hidden():
    made = prefecture(3)
    told = measure(made)
    assert told.municipalities == 3 and told.shown > 0
    assert told.shown + told.hidden == sum(len(sums_of(made, one).codes) for one in SUMMED)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_the_power_by_which_seconds_grow(power):
    one = measure(prefecture(1))
    told = [replace(one, municipalities=n, seconds=0.1 * n**power) for n in (1, 5, 10, 41)]
    assert exponent(told) == pytest.approx(power, abs=0.01)
    assert exponent(told[:1]) == 0.0
