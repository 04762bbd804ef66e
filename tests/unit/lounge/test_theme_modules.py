"""The front end's modules that compute: their own tests, run by Node, and their agreement with the platform's texts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from kobe_platform.lounge.classes import classes_of
from kobe_platform.lounge.eras import era_label
from kobe_platform.lounge.formats import Format, period_label

HERE = Path(__file__).parent / "theme"
FORMATS = (Format(), Format("人"), Format("人", signed=True), Format("歳", 1), Format("%", 2, signed=True))
FIGURES = (0, 1, -1, 12, 999, 1000, -1234, 1234567, 0.5, -0.5, 1.005, 2.675, -0.04, 0.049, 99.95, 123456.789, None, "X")
PERIODS = ("2025", "2025-07", "2025-12", "東灘区", "2025-7", "")
ERA_PERIODS = (
    *PERIODS, "1850", "1868", "1873", "1912", "1912-07", "1926-12", "1989", "1989-01", "1989-01-07", "1989-01-08",
    "2018", "2019", "2019-04", "2019-05", "2019-04-30", "2019-05-01", "2026-01-09",
)  # fmt: skip


def node() -> str:
    """Node of the machine where there is one, else the one that Python's packages bring, as in the Makefile."""
    found = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    assert found is not None, "node is missing: run make setup"
    return found


def test_the_modules_of_the_theme_do_what_their_tests_say(tmp_path):
    kinds = [(form, {"unit": form.unit, "digits": form.digits, "signed": form.signed}) for form in FORMATS]
    cases = {
        "figures": [(value, kind, form.text(value)) for form, kind in kinds for value in FIGURES],
        "periods": [(code, period_label(code)) for code in PERIODS],
        "eras": [(code, era_label(code)) for code in ERA_PERIODS],
    }
    figures = ([], [5], [0, 0], [3, 3, 3, 9], [10, 20, 30, 40, 1000], [-4, 0, 8], [0.5, 2.25, 7, 9, 11.5, 12])
    hows = ({}, {"free": True}, {"quantile": True})
    cut = [(known, how, classes_of(known, **how)) for known in figures for how in hows]
    cases["classes"] = [
        (known, how, made.low, made.ends, [made.shade(value) for value in known]) for known, how, made in cut
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    files = sorted(HERE.glob("*.test.mjs"))
    together = "".join(f"import {json.dumps(path.as_uri())};" for path in files)  # one process for all of them
    run = subprocess.run(
        [node(), "--input-type=module", "--eval", together],
        env={**os.environ, "KOBE_THEME_CASES": str(tmp_path / "cases.json")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    assert len(files) >= 6
