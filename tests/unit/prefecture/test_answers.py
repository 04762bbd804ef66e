"""What a municipality answered when nothing was left of it holds until something changes, and no longer."""

import json
import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kobe_platform.prefecture import answers as answers_room
from kobe_platform.prefecture import running
from kobe_platform.prefecture.answers import Answers
from kobe_platform.prefecture.commands import prefecture_app
from kobe_platform.prefecture.homes import OWN_SETTINGS, Home, new_home
from kobe_platform.settings import Settings

AKASHI, AIOI = "28203", "28208"
LOOK = """
import json, os, sys
open(os.environ["ASKED"], "a").write(os.environ["KOBE_MUNICIPALITY"] + "\\n")
left = os.path.exists(os.path.join(os.environ["KOBE_HOME"], "receipts", "held.json"))
told = {"faults": [], "outstanding": [{"ja": "まだ"}] if left else [], "released": {"2025-12": {}}}
print(json.dumps({**told, "turned_away": [{"ja": "2025-12"}]}))
raise SystemExit(int(left))
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home that looks like one at rest, in a prefecture of two."""
    for name, folder in (("PREFECTURE", "prefecture"), ("INBOX", "inbox"), ("HOME", "elsewhere")):
        monkeypatch.setenv(f"KOBE_{name}", str(tmp_path / folder))
    new_home(Settings(), AIOI)
    made = new_home(Settings(), AKASHI)
    delivered = tmp_path / "inbox" / AKASHI / "resident_register" / "2025-12"
    delivered.mkdir(parents=True)
    (delivered / "manifest.json").write_text("{}")
    for name in ("keys", "receipts", "releases/0001-aaaaaaaaaaaa", "store/lake/register/2025-12", "work", "log"):
        (made.path / name).mkdir(parents=True)
    (made.path / "releases" / "current").symlink_to("0001-aaaaaaaaaaaa")
    (made.path / "store/lake/register/2025-12/head.json").write_text("1")
    return made


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """`kobe prefecture status`, with a stand-in for municipalities' processes; who was asked, and the exit code."""
    (tmp_path / "stand_in.py").write_text(LOOK, "utf-8")
    monkeypatch.setattr(running, "MODULE", "stand_in")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = tmp_path / "asked"
    monkeypatch.setenv("ASKED", str(log))

    def status(*codes: str) -> tuple[list[str], int]:
        log.write_text("")
        ended = CliRunner().invoke(prefecture_app, ["status", "--json", *codes])
        report = json.loads(ended.stdout)["municipalities"]
        assert {one["code"] for one in report} == set(codes or (AKASHI, AIOI))
        assert all(one["rejected"] == ["却下 2025-12"] for one in report)  # by a kept answer, too
        return sorted(log.read_text().split()), ended.exit_code

    return status


def test_who_has_nothing_left_is_not_asked_again(home, asked):
    assert asked(AKASHI, AIOI) == ([AKASHI, AIOI], 0)
    assert asked(AKASHI, AIOI) == ([], 0)
    (home.path / "receipts" / "held.json").write_text("{}")
    assert asked(AKASHI, AIOI) == ([AKASHI], 1)
    assert asked(AKASHI, AIOI) == ([AKASHI], 1)  # that something is left is never kept
    (home.path / "receipts" / "held.json").unlink()
    assert asked(AKASHI, AIOI) == ([], 0)  # as it was when it answered


def written(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


CHANGES = {
    "a delivery": lambda home, inbox: written(inbox / AKASHI / "resident_register" / "2026-01" / "manifest.json", "{}"),
    "a delivery again": lambda home, inbox: written(inbox / AKASHI / "resident_register/2025-12/manifest.json", "{ }"),
    "the inbox away": lambda home, inbox: inbox.rename(inbox.with_name("away")),
    "a commit": lambda home, inbox: written(home / "store/lake/register/2025-12/head.json", "2"),
    "a receipt": lambda home, inbox: written(home / "receipts" / AKASHI / "x.held.json", "{}"),
    "a failure": lambda home, inbox: written(home / "failures" / "x.json", "{}"),
    "a run": lambda home, inbox: written(home / "work" / "ticker.lock", ""),
    "another release in force": lambda home, inbox: (
        (home / "releases" / "current").unlink(),
        (home / "releases" / "current").symlink_to("0002-aaaaaaaaaaaa"),
    ),
    "going back": lambda home, inbox: written(home / "releases" / "held", "0001-aaaaaaaaaaaa"),
    "a release gone": lambda home, inbox: (home / "releases" / "0001-aaaaaaaaaaaa").rmdir(),
    "no keys": lambda home, inbox: (home / "keys").rmdir(),
    "an application": lambda home, inbox: written(home / "governance.sqlite", "1"),
    "a setting": lambda home, inbox: written(home / OWN_SETTINGS, "KOBE_RAW_DAYS=3\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_plan_looks_at_changes_the_stamp(home, tmp_path, change):
    before = Answers(Settings()).stamp(home, home.environment(Settings()))
    assert before and before == Answers(Settings()).stamp(home, home.environment(Settings()))
    time.sleep(0.01)  # a file of the same length has another time
    CHANGES[change](home.path, tmp_path / "inbox")
    assert Answers(Settings()).stamp(home, home.environment(Settings())) != before


def test_another_day_and_other_definitions_change_the_stamp(home, monkeypatch, tmp_path):
    def stamp() -> str:
        return Answers(Settings()).stamp(home, home.environment(Settings()))

    before = stamp()
    with monkeypatch.context() as other:
        other.setattr(answers_room, "today", lambda: "another day")
        assert stamp() != before
    with monkeypatch.context() as other:
        other.setattr(answers_room, "defined", lambda settings: "other definitions")
        assert stamp() != before
    assert stamp() == before


@pytest.mark.parametrize("name", ["KOBE_STORE_URL=file:///x", "KOBE_DATABASE_URL=sqlite:///x", "KOBE_STATISTICS=/x"])
def test_no_answer_is_kept_where_something_lies_outside_the_home(home, asked, name):
    (home.path / OWN_SETTINGS).write_text(f"{name}\n")
    for _ in range(2):
        assert asked(AKASHI) == ([AKASHI], 0)


def test_an_answer_is_not_kept_where_the_home_changed_while_it_was_asked(home, asked, tmp_path):
    changing = LOOK.replace("left =", "open(os.environ['KOBE_HOME'] + '/receipts/new.json', 'w')\nleft =")
    (tmp_path / "stand_in.py").write_text(changing, "utf-8")
    for _ in range(2):
        assert asked(AKASHI) == ([AKASHI], 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stamp": "x"}'])
def test_a_damaged_answer_is_no_answer(home, asked, tmp_path, text):
    assert asked(AKASHI) == ([AKASHI], 0)
    kept = tmp_path / "prefecture" / "work" / "answers" / f"{AKASHI}.json"
    assert os.stat(kept).st_mode & 0o077 == 0
    kept.write_text(text)
    assert asked(AKASHI) == ([AKASHI], 0)
