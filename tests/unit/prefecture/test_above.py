"""What a prefecture makes of municipalities that cannot be asked, or hand nothing over: it is named, and nothing that
is published is taken away for it."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from kobe_platform.lounge.release import record_inputs
from kobe_platform.lounge.sharing import SharedReleases
from kobe_platform.objects import open_objects
from kobe_platform.prefecture import publishing, running
from kobe_platform.prefecture.commands import prefecture_app
from kobe_platform.prefecture.homes import OWN_SETTINGS, home_above, homes, new_home
from kobe_platform.prefecture.publishing import receipt_path
from kobe_platform.release.sharing import bring_receipts_together
from kobe_platform.settings import Settings

AKASHI, AIOI = "28203", "28208"
MONTH, GROUP = "2025-06", "stocks/month"

STAND_IN = """
# Stands in for `kobe`; "other" in a home has it hand over what another municipality would.
import json, os, signal, sys
from pathlib import Path
home, code, arguments = Path(os.environ["KOBE_HOME"]), os.environ["KOBE_MUNICIPALITY"], sys.argv[1:]
if "hand-over" in arguments:
    if (home / "dies").exists() and "--list" not in arguments:
        os.kill(os.getpid(), signal.SIGKILL)
    released = json.loads((home / "released.json").read_text())
    sender = "28999" if (home / "other").exists() else code
    records = [
        {"municipality": sender, "month": month, "group": group, "content": content}
        for month in arguments for group, content in released.get(month, {}).items()
    ]
    print(json.dumps({"months": released, "records": records, "refused": []}))
if "look" in arguments:
    released = json.loads((home / "released.json").read_text())
    print(json.dumps({"faults": [], "outstanding": [], "turned_away": [], "released": released}))
if "receive" in arguments:
    told = sys.stdin.read()
    with (home / "told.jsonl").open("a") as file:
        file.write(told + "\\n")
    parts = [{**one, "totals": "incomplete", "records": 0} for one in json.loads(told)["parts"]]
    print(json.dumps({"received": parts, "refused": [], "release": "0001-0"}))
"""


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """Two homes, with processes in place of `kobe` that hand over what a test has put there."""
    monkeypatch.setenv("KOBE_PREFECTURE", str(tmp_path / "prefecture"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    (tmp_path / "stand_in.py").write_text(STAND_IN, "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(running, "MODULE", "stand_in")
    for code in (AKASHI, AIOI):
        releases(new_home(Settings(), code).path, {MONTH: {GROUP: f"{code} first"}})
    return Settings()


def releases(home: Path, months: dict) -> None:
    (home / "released.json").write_text(json.dumps(months))


def was_received(settings: Settings, **contents: str) -> Path:
    """A receipt of both, as the last publication left it; the prefecture's home."""
    home = home_above(settings, homes(settings).values()).path
    receipt = receipt_path(home, MONTH, GROUP)
    receipt.parent.mkdir(parents=True)
    received = {code: {"content": contents.get(f"of_{code}", f"{code} first")} for code in (AKASHI, AIOI)}
    receipt.write_text(json.dumps({"received": received, "missing": []}))
    return home


def told(home: Path) -> list[dict]:
    """The parts that the prefecture's own process was given, time after time."""
    file = home / "told.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def publish() -> tuple[int, list[str]]:
    done = CliRunner().invoke(prefecture_app, ["publish", "--json"])
    return done.exit_code, json.loads(done.stdout)["prefecture"]["left"]


def test_a_municipality_whose_process_was_killed_while_it_handed_over_is_named(settings):
    (homes(settings)[AKASHI].path / "dies").touch()
    code, left = publish()
    assert code == 1 and [line for line in left if AKASHI in line], left


def test_what_is_not_the_senders_own_is_named_and_not_received(settings):
    (homes(settings)[AKASHI].path / "other").touch()
    code, left = publish()
    assert code == 1 and [line for line in left if AKASHI in line and "prefecture.handed" in line], left
    home = home_above(settings, homes(settings).values()).path
    senders = {record["municipality"] for one in told(home) for part in one["parts"] for record in part["records"]}
    assert senders == {AIOI}


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "3", "{}", '{"received": [], "missing": []}', '{"received": {"28203": 1}, "missing": []}']
)
def test_a_receipt_that_cannot_be_read_counts_as_none(settings, text):
    home = was_received(settings)
    receipt_path(home, MONTH, GROUP).write_text(text)
    assert publish()[0] == 0
    (part,) = [part for one in told(home) for part in one["parts"]]
    assert {record["municipality"] for record in part["records"]} == {AKASHI, AIOI}


def test_a_month_that_is_published_stays_when_one_of_its_municipalities_fails_to_hand_over(settings):
    """Else its totals would be withdrawn until somebody has mended that one."""
    home = was_received(settings, **{f"of_{AIOI}": "before its correction"})
    (homes(settings)[AKASHI].path / "dies").touch()
    code, left = publish()
    assert code == 1 and [line for line in left if AKASHI in line], left
    assert [part for one in told(home) for part in one["parts"]] == []


@pytest.mark.parametrize("corrected", [False, True])
def test_a_month_that_is_published_stays_when_one_of_its_municipalities_cannot_be_asked(settings, corrected):
    home = was_received(settings, **({f"of_{AIOI}": "before its correction"} if corrected else {}))
    (homes(settings)[AKASHI].path / OWN_SETTINGS).write_text("KOBE_HOME=/other\n", "utf-8")
    code, left = publish()
    assert code == 1 and [line for line in left if AKASHI in line], left
    assert [part for one in told(home) for part in one["parts"]] == []


def test_a_month_that_is_new_is_published_without_one_that_cannot_be_asked(settings):
    (homes(settings)[AKASHI].path / OWN_SETTINGS).write_text("KOBE_HOME=/other\n", "utf-8")
    assert publish()[0] == 1
    (one,) = told(home_above(settings, homes(settings).values()).path)
    assert [(part["month"], part["missing"]) for part in one["parts"]] == [(MONTH, [AKASHI])]


@pytest.mark.parametrize("command", ["publish", "run"])
def test_what_was_received_is_released_although_no_month_is_due_and_no_release_was_made_yet(settings, command):
    """The process that received it may have been killed, or the release may have failed."""
    home = was_received(settings)
    done = CliRunner().invoke(prefecture_app, [command, "--json"])
    assert json.loads(done.stdout)["prefecture"]["release"] == "0001-0", done.output
    assert told(home) == [{"parts": []}]


def test_what_was_received_and_not_released_is_outstanding(settings):
    was_received(settings)
    done = CliRunner().invoke(prefecture_app, ["status", "--json"])
    assert (done.exit_code, len(json.loads(done.stdout)["prefecture"]["left"])) == (1, 1), done.output


def test_what_another_machine_has_released_is_not_outstanding_here(settings, tmp_path, monkeypatch):
    """Over a store: its receipts come here, and so does the release that it made of them."""
    url = f"file://{tmp_path / 'store'}"
    monkeypatch.setenv("KOBE_STORE_URL", url)
    here = was_received(settings)
    there = tmp_path / "the other machine"
    shutil.move(here, there)
    place = there / "releases" / "0001-000000000000"
    shared = SharedReleases(open_objects(f"{url}/28000"), place.parent)
    place.mkdir(parents=True)
    told = {"id": place.name, "created_at": "", "content": "", "tables": {}, "sites": {}, "audiences": {}, "facts": {}}
    (place / "release.json").write_text(json.dumps(told))
    shared.pull()
    shared.publish(place.name)
    release = SimpleNamespace(id=place.name)
    record_inputs(there / "releases", release, publishing._receipts(there), shared)
    bring_receipts_together(f"{url}/28000", there)
    done = CliRunner().invoke(prefecture_app, ["status", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["prefecture"]["left"]) == (0, []), done.output
