"""Every code that the program can show is explained, and nothing else is; the handbook lists them as they are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.cli import main
from kobe_platform.cli.explain import with_list
from kobe_platform.custody import aws, durable
from kobe_platform.governance.approvals import REASONS
from kobe_platform.ondemand import jobs, working
from kobe_platform.vocabulary.error_codes import explanations
from kobe_platform.vocabulary.rules import rules
from tests.error_codes import Source

ROOT = Path(__file__).resolve().parents[2]
JUDGING, SYNTAX = "kobe_platform/statistics/select/judging.py", "kobe_platform/statistics/select/syntax.py"
PASSED_ON = {
    "assets/schedules.py: faults[0][1]",
    "kobe_platform/lake/maintenance.py: faults[0][1]",
    "kobe_platform/ondemand/working.py: error.code",
    "kobe_platform/orchestration/attending.py: str(told.metadata['code'].value)",
    "kobe_platform/orchestration/headless.py: str(code.value)",
    "kobe_platform/orchestration/headless.py: told.code",
    "kobe_platform/planning/observing.py: error.code",
    "kobe_platform/planning/observing.py: str(error.get('code', ''))",
}
"""Places that pass the code of another error on."""
FROM_TABLES = {
    "kobe_platform/custody/aws.py: _REFUSED.get(name, ('AWS KMS refused a request', 'custody.kms'))": lambda source: (
        {code for _, code in aws._REFUSED.values()} | {"custody.kms"}
    ),
    "kobe_platform/custody/durable.py: code": lambda source: set(durable._KINDS),
    "kobe_platform/lounge/queries.py: fault.code": lambda source: {
        f"query.{code}" for code in source.passed_to("fault", 1, JUDGING) | source.passed_to("SelectFault", 0, SYNTAX)
    },
    "kobe_platform/lounge/tables.py: problem": lambda source: {
        f"tables.status_{problem}" for problem in ("unknown", "leaked", "empty")
    },
    "kobe_platform/ondemand/working.py: brake.waits": lambda source: set(working._STOPS.values()),
    "kobe_platform/ondemand/working.py: stop.code": lambda source: set(working._STOPS.values()),
}
"""Places that take the code from a table, and the codes of that table."""


@cache
def source() -> Source:
    return Source()


def test_every_code_that_can_be_shown_stands_in_the_handbook_and_no_other():
    shown = set(source().codes) - {"", jobs.DONE} | set(REASONS) | set(rules())
    for codes in FROM_TABLES.values():
        shown |= codes(source())
    assert set(explanations()) == shown


def test_where_each_code_of_the_handbook_comes_from_is_known():
    assert source().open == PASSED_ON | FROM_TABLES.keys()


def test_an_explanation_is_two_short_japanese_sentences():
    for code, one in explanations().items():
        assert re.search("[ぁ-ん]", one.cause) and re.search("[ぁ-ん]", one.remedy), code
        assert len(one.cause) <= 70 and len(one.remedy) <= 130, code


def test_the_handbook_lists_the_codes_as_they_are():
    text = (ROOT / "docs" / "運用.md").read_text("utf-8")
    assert with_list(text) == text, "run: python -m kobe_platform.cli.explain docs/運用.md"


@pytest.mark.parametrize("asked", ["custody.disk_full", "[custody.disk_full]"])
def test_a_code_is_explained_as_it_was_shown(asked):
    told = CliRunner().invoke(main.app, ["explain", asked])
    assert told.exit_code == 0
    assert "空きを作ってください" in told.output


def test_a_mistyped_code_gets_the_nearest(capsys):
    assert main.invoke(next(c for c in main.COMMANDS if c.name == "explain"), ["custody.diskfull"]) == 2
    assert "custody.disk_full" in capsys.readouterr().err
