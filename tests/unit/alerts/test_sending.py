"""Each channel has each notice once, whatever fails, is killed or runs beside it."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import stat
from datetime import datetime, timedelta

import pytest

from kobe_platform.alerts import SendingReport, alerts_file, deliver, load_alerts
from kobe_platform.alerts.sent import EVENT_DAYS, MOST_EVENTS, Memory
from kobe_platform.errors import CustodyError
from kobe_platform.vocabulary.clock import JAPAN
from tests.unit.alerts.conftest import notice
from tests.unit.alerts.servers import closed_port, hook_server, mail_server

NOW = datetime(2026, 1, 5, 9, tzinfo=JAPAN)


def test_silence_touches_nothing(tmp_path):
    assert deliver([notice()], load_alerts(alerts_file(tmp_path)), tmp_path) == SendingReport(silent=True)
    assert list(tmp_path.iterdir()) == []


def test_a_notice_is_sent_once_as_long_as_it_stands(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        for _ in range(3):
            deliver([notice(), notice()], settings, home)
        deliver([notice(), notice("b")], settings, home)
    assert [[each["id"] for each in told] for told in hook.notices] == [[notice().id], ["b"]]


def test_what_comes_back_is_sent_again(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        for current in ([notice()], [], [notice()]):
            deliver(current, settings, home)
    assert len(hook.got) == 2


@pytest.mark.parametrize("kind", ["run_failed", "tick_failed"])
def test_failures_are_remembered_for_ninety_days_though_nobody_lists_them(configured, kind):
    event = notice("run:1", kind)
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        deliver([event], settings, home, now=NOW)
        deliver([], settings, home, now=NOW + timedelta(days=1))
        deliver([event], settings, home, now=NOW + timedelta(days=EVENT_DAYS))
        assert len(hook.got) == 1
        deliver([event], settings, home, now=NOW + timedelta(days=EVENT_DAYS + 1))
        assert len(hook.got) == 1  # listed without a break
        deliver([], settings, home, now=NOW + timedelta(days=EVENT_DAYS + 2))
        deliver([event], settings, home, now=NOW + timedelta(days=EVENT_DAYS + 3))
        assert len(hook.got) == 2


def test_a_channel_that_fails_holds_up_no_other_and_gets_all_later(configured):
    with hook_server() as hook:
        settings, home = configured(closed_port(), hook.port)
        report = deliver([notice()], settings, home)
        assert (report.sent, report.waiting) == ({"webhook": (notice().id,)}, {"mail": 1})
        with mail_server() as box:
            settings, home = configured(box.port, hook.port)
            report = deliver([notice(), notice("b")], settings, home)
    assert report.sent == {"mail": (notice().id, "b"), "webhook": ("b",)}
    assert len(box.taken) == 1


def test_kinds_that_are_not_wanted_are_not_sent_until_they_are(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port, more='kinds = ["overdue"]')
        deliver([notice(), notice("b", "overdue")], settings, home)
        settings, home = configured(webhook=hook.port)
        deliver([notice(), notice("b", "overdue")], settings, home)
    assert [[each["id"] for each in told] for told in hook.notices] == [["b"], [notice().id]]


def test_the_memory_is_private_and_holds_ids_and_times_only(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        deliver([notice()], settings, home, now=NOW)
    path = home / "alerts" / "sent.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["channels"] == {
        "mail": {},
        "webhook": {notice().id: ["held", "2026-01-05T09:00:00+09:00"]},
    }


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"channels": {"mail": {"a": 1}}}', '{"channels": {"mail": {"a": ["held", "x"]}}}']
)
def test_a_memory_that_cannot_be_understood_means_once_more(configured, text):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        deliver([notice()], settings, home)
        (home / "alerts" / "sent.json").write_text(text)
        deliver([notice()], settings, home)
        deliver([notice()], settings, home)
    assert len(hook.got) == 2


def test_what_cannot_be_remembered_is_not_sent(configured, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        monkeypatch.setattr("kobe_platform.alerts.sent.write_private", full)
        with pytest.raises(CustodyError) as refusal:
            deliver([notice()], settings, home)
        assert refusal.value.code == "custody.disk_full"
        assert hook.got == []
        monkeypatch.undo()
        assert deliver([notice()], settings, home).sent


def _deliver(home, ids, start) -> None:
    start.wait(10)
    deliver([notice(id) for id in ids], load_alerts(alerts_file(home)), home)


@pytest.mark.slow
def test_of_two_processes_at_once_one_sends(configured):
    with hook_server() as hook:
        _, home = configured(webhook=hook.port, more="")
        hook.slow = 0.3
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(3)
        both = [context.Process(target=_deliver, args=(home, ["a", "b"], start)) for _ in range(3)]
        for process in both:
            process.start()
        for process in both:
            process.join(30)
            assert process.exitcode == 0
    assert [[each["id"] for each in told] for told in hook.notices] == [["a", "b"]]


def test_the_memory_is_bounded(tmp_path):
    memory = Memory(tmp_path / "sent.json")
    memory.add("mail", [notice(f"r:{n}", "run_failed") for n in range(MOST_EVENTS + 5)], NOW)
    memory.add("mail", [notice("last", "run_failed")], NOW + timedelta(minutes=1))
    memory.forget(["r:0"], NOW)
    assert len(memory.channels["mail"]) == MOST_EVENTS + 1
    assert {"r:0", "last"} <= memory.channels["mail"].keys()
    memory.store()
    assert Memory(tmp_path / "sent.json").channels == memory.channels


def test_a_kill_while_the_memory_is_written_leaves_nothing_behind(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        (home / "alerts").mkdir(mode=0o700)
        (home / "alerts" / ".sent.json.new").write_text("{half")
        deliver([notice()], settings, home)
    assert {path.name for path in (home / "alerts").iterdir()} == {"lock", "sent.json"}


def test_what_was_sent_follows_the_home(configured, tmp_path):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        deliver([notice()], settings, home)
        shutil.copytree(home, tmp_path / "moved")
        assert deliver([notice()], settings, tmp_path / "moved").sent == {}
