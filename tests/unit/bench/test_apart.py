"""A part of a measurement that fails ends the measurement with its name, and nothing of it counts."""

from __future__ import annotations

import json
import os

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


def test_what_is_measured_knows_nothing_of_the_installation_that_it_is_measured_from(tmp_path, monkeypatch):
    """Else a made-up city's runs would stand in the records, or the store, that its settings name."""
    (tmp_path / "tells.py").write_text("import json, os\nprint(json.dumps(dict(os.environ)))\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name in ("KOBE_POSTGRES_URL", "KOBE_STORE_URL", "KOBE_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "the operator's")
    monkeypatch.setenv("KOBE_MUNICIPALITY", "28203")
    told = json.loads(run_apart("tells", environment={"KOBE_HOME": "scratch"})[0])
    assert {name: value for name, value in told.items() if name.startswith(("KOBE_", "DAGSTER_"))} == {
        "KOBE_HOME": "scratch",
        "KOBE_MUNICIPALITY": "28203",
    }
    assert told["PATH"] == os.environ["PATH"]
