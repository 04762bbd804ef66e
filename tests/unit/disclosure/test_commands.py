"""``kobe protect`` and ``kobe audit`` as an outside trial calls them: files, exit codes, JSON."""

from __future__ import annotations

import json

import pytest
from command_trials import call, write_trial

from kobe_platform.disclosure.commands import audit, protect


@pytest.fixture
def trial(tmp_path):
    rows = ["w1,m,2", "w1,f,20", "w2,m,21", "w2,f,22", "w3,m,23"]
    return write_trial(tmp_path, ["city,", "w1,city", "w2,city", "w3,city"], rows)


def test_protect_writes_every_row_and_audit_finds_it_safe(trial):
    result = call(protect, trial / "spec.toml", trial / "cells", trial / "out", "--json")
    assert result.exit_code == 0, result.output
    lines = (trial / "out" / "t.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "area,sex,value,status" and len(lines) == 1 + 4 * 3
    assert "w1,m,,suppressed" in lines and "w3,f,0,published" in lines
    record = json.loads((trial / "out" / "disclosure.json").read_text(encoding="utf-8"))
    assert record["audit"]["safe"] and "primary" not in record["tables"][0]
    assert call(audit, trial / "spec.toml", trial / "out", "--json").exit_code == 0


def test_audit_exits_1_when_a_figure_can_be_worked_out(trial):
    call(protect, trial / "spec.toml", trial / "cells", trial / "out")
    path = trial / "out" / "t.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("w1,f,,suppressed", "w1,f,20,published"), encoding="utf-8")
    result = call(audit, trial / "spec.toml", trial / "out", "--json")
    assert result.exit_code == 1
    assert {f["rule"] for f in json.loads(result.stdout)["findings"]} & {"exact", "narrow"}


def test_bad_input_exits_2_and_writes_nothing(trial):
    (trial / "cells" / "t.csv").write_text("area,sex,persons\nw9,m,12345\n", encoding="utf-8")
    result = call(protect, trial / "spec.toml", trial / "cells", trial / "out", "--json")
    assert result.exit_code == 2 and not (trial / "out").exists()
    assert "12345" not in result.output and "w9" not in result.output


def test_the_same_input_gives_the_same_bytes(trial):
    call(protect, trial / "spec.toml", trial / "cells", trial / "one")
    call(protect, trial / "spec.toml", trial / "cells", trial / "two", "--workers", "2")
    for name in ("t.csv", "disclosure.json"):
        assert (trial / "one" / name).read_bytes() == (trial / "two" / name).read_bytes()
