"""A file for spreadsheets holds no text that one would compute, wherever it is saved."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kobe_platform.ondemand.forms import COMPUTED, for_spreadsheets
from kobe_platform.settings import PROJECT

SAVING = PROJECT / "dashboards" / "theme" / "src" / "saving.js"
HEADS = ["=1+1", "＝1+1", "+1", "＋1", "-10", "－10", "−10", "@a", "＠SUM(A1)", "\t=1", "\r=1", "\n=1"]
PLAIN = ["灘区", "1-2", "X", "…", "ー10", "", "10代"]


@pytest.mark.parametrize("text", HEADS)
def test_an_answer_guards_what_a_spreadsheet_would_compute(text):
    assert list(for_spreadsheets([[text, 1]])) == [[f"'{text}", 1]]


def test_figures_and_plain_texts_stay():
    assert list(for_spreadsheets([[*PLAIN, -5, 1.5, None]])) == [[*PLAIN, -5, 1.5, None]]


def test_the_pages_downloads_guard_the_same():
    node = shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    script = (
        f"const {{ field }} = await import({json.dumps(SAVING.as_uri())});"
        "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(field)))"
    )
    texts = [*HEADS, *PLAIN, -5, *(f"{sign}x" for sign in COMPUTED)]
    command = [node, "--input-type=module", "-e", script, json.dumps(texts)]
    saved = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert [text.strip('"')[0] for text in saved[: len(HEADS)]] == ["'"] * len(HEADS)
    assert saved[len(HEADS) : len(HEADS) + len(PLAIN) + 1] == [*PLAIN, "-5"]
    assert all(text.strip('"').startswith("'") for text in saved[-len(COMPUTED) :])
