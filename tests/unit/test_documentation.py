"""The documents are true to the tree: links lead somewhere, decisions are listed, every room is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kobe_platform.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
ELSEWHERE = {"__pycache__"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(document):
    named = LINK.findall(re.sub(r"```.*?```|`[^`]*`", "", document.read_text("utf-8"), flags=re.S))
    assert [name for name in named if not (document.parent / name).exists()] == []


def test_the_index_lists_each_decision_with_its_date_and_status():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (\d{4}-\d\d-\d\d) \| ([^|]+) \|", index, re.M)
    assert {name for _, name, _, _ in rows} == {path.name for path in folder.glob("0*.md")}
    assert all(name.startswith(number) and status.strip() for number, name, _, status in rows)


def test_the_architecture_names_every_room():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = {path.name for path in (ROOT / "kobe_platform").iterdir() if path.is_dir() and path.name not in ELSEWHERE}
    assert sorted(room for room in rooms if not re.search(rf"[`/]{room}/`", text)) == []


def test_commands_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    known = {command.name for command in COMMANDS}
    assert set(re.findall(r"`kobe ([a-z][a-z-]*)", text)) <= known


def test_targets_of_make_that_documents_name_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for document in DOCUMENTS:
        named = set(re.findall(r"`(?:[A-Z]+=\S+ )?make ([a-z]+)", document.read_text("utf-8")))
        assert named <= targets, document.name
