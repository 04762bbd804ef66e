"""Every command of the operators' handbook exists with its options, and the codes that it explains are ours."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kobe_platform.cli import main

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = (ROOT / "docs" / "運用.md").read_text("utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", HANDBOOK, re.M | re.S)
COMMANDS = sorted({line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()})


@cache
def told(*words: str) -> str:
    """The help of a command; fails where there is none."""
    called = CliRunner().invoke(main.app, [*words, "--help"], env={"COLUMNS": "200"})
    assert called.exit_code == 0, called.output
    return called.output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_handbook_exists_with_its_options(command):
    program, *words = command.split()
    assert program == "kobe"
    mounted = next(one for one in main.COMMANDS if one.name == words[0])
    families = typer.main.get_command(main._typer_of(mounted))
    names = [words[0]]
    if len(words) > 1 and words[1] in getattr(families, "commands", {}):
        names.append(words[1])
    text = told(*names)
    for option in (word for word in words if word.startswith("--")):
        assert option in text, f"{command}: {option}"


def test_commands_in_the_text_exist_too():
    for words in re.findall(r"`kobe ([a-z-]+)(?: ([a-z-]+))?", HANDBOOK):
        mounted = next((one for one in main.COMMANDS if one.name == words[0]), None)
        assert mounted, words
        families = getattr(typer.main.get_command(main._typer_of(mounted)), "commands", None)
        assert not families or not words[1] or words[1] in families or words[0] == "backup", words


def test_the_codes_that_are_explained_are_raised_somewhere():
    rows = re.findall(r"^\| ((?:`[a-z]+` ?)+)\|", HANDBOOK, re.M)
    code = "".join(path.read_text("utf-8") for path in (ROOT / "kobe_platform").rglob("*.py"))
    code += (ROOT / "assets" / "vocabulary" / "rules.toml").read_text("utf-8")
    for prefix in re.findall(r"`([a-z]+)`", " ".join(rows)):
        assert f'"{prefix}.' in code, prefix
