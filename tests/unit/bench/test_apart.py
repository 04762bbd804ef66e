"""A part of a measurement that fails ends the measurement with its name, and nothing of it counts."""

from __future__ import annotations

import pytest

from kobe_platform.bench.apart import run_apart
from kobe_platform.errors import PlatformError


def test_what_a_process_prints_and_uses_comes_back():
    words, used = run_apart("json.tool", "--help")
    assert "usage" in words
    assert used.ru_utime > 0


def test_a_process_that_fails_is_named_with_its_status(capfd):
    with pytest.raises(PlatformError) as failed:
        run_apart("kobe_platform.cli", "explain", "no.such.code")
    assert failed.value.code == "bench.run"
    assert failed.value.at == {"process": "kobe_platform.cli explain", "status": 2}
    assert "explain.unknown" in capfd.readouterr().err, "its own words reach the one who measures"
