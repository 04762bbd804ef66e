"""One property of the audit's report says whether tables may be published, and everybody asks that one."""

from __future__ import annotations

import json

import pytest
from command_trials import call

from kobe_platform.disclosure import joints
from kobe_platform.disclosure.auditor import AuditReport, Finding
from kobe_platform.disclosure.auditor import joints as auditor_joints
from kobe_platform.disclosure.commands import audit, protect

RULES = (
    "narrow",
    "exact",
    "small",
    "undecided",
    "contradiction",
    "ratchet",
    "singleton",
    "residual",
    "ring",
    "dominated",
)
PAIRS = (("a", "b"), ("b", "c"), ("a", "c"))


@pytest.fixture
def ring_of_tables(tmp_path):
    """A × B, B × C, A × C with two codes each: eight joint cells; 12 persons in each cell of each table."""
    lines = ["[rule]", "minimum_frequency = 10"]
    for pair in PAIRS:
        lines += ["[[tables]]", f'name = "{pair[0]}{pair[1]}"', f"dimensions = {list(pair)}", 'measure = "persons"']
        lines += ['population = "residents"']
    (tmp_path / "spec.toml").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "cells").mkdir()
    for one, other in PAIRS:
        rows = [f"{one}{i},{other}{j},12" for i in (1, 2) for j in (1, 2)]
        text = "\n".join([f"{one},{other},persons", *rows])
        (tmp_path / "cells" / f"{one}{other}.csv").write_text(text + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("rule", RULES)
def test_any_finding_at_all_forbids_publication(rule):
    finding = Finding(rule, "t", {}, "why")
    assert not AuditReport((finding,), {}, 0.0).publishable
    assert AuditReport((), {}, 0.0).publishable


def test_the_record_says_what_the_property_says():
    counts = {"cells": 4, "hidden": 2}
    for findings in ((), (Finding("ring", "t", {}, "why"),)):
        report = AuditReport(findings, counts, 0.0)
        assert report.as_record()["safe"] == report.published_record()["safe"] == report.publishable


def test_both_commands_refuse_an_audit_that_left_a_ring_out(ring_of_tables, monkeypatch):
    spec, cells, out = (ring_of_tables / name for name in ("spec.toml", "cells", "out"))
    assert call(protect, spec, cells, out).exit_code == 0
    assert call(audit, spec, out).exit_code == 0
    for room in (joints, auditor_joints):
        monkeypatch.setattr(room, "MOST_JOINT_CELLS", 7)
    refused = call(audit, spec, out, "--json")
    record = json.loads(refused.stdout)
    assert refused.exit_code == 1 and record["safe"] is False
    assert [finding["rule"] for finding in record["findings"]] == ["ring"]
    again = call(protect, spec, cells, ring_of_tables / "again", "--json")
    assert again.exit_code == 1 and json.loads(again.stdout)["error"]["code"] == "disclosure.ring"
    assert not (ring_of_tables / "again").exists()
