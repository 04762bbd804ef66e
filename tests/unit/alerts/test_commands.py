"""``kobe alerts``: what is configured, and whether it works."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from kobe_platform.alerts.commands import alerts_app
from tests.unit.alerts.servers import PASSWORD, SECRET, closed_port, hook_server, mail_server


@pytest.fixture
def kobe(tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    return lambda *words: CliRunner().invoke(alerts_app, list(words))


def test_show_tells_the_channels_and_no_secret(kobe, configured):
    configured(2525, 8080, more='kinds = ["held"]')
    for told in (kobe("show"), kobe("show", "--json")):
        assert told.exit_code == 0
        assert "127.0.0.1" in told.output and "operator@city.example" in told.output and "held" in told.output
        assert PASSWORD not in told.output and SECRET not in told.output and "/hooks" not in told.output
    assert json.loads(kobe("show", "--json").output)["mail"]["port"] == 2525


def test_show_without_a_file_says_silent(kobe):
    told = kobe("show")
    assert told.exit_code == 0
    assert "silent" in told.output and "なし" in told.output
    assert json.loads(kobe("show", "--json").output)["silent"] is True


def test_test_sends_one_notice_to_each_channel_every_time(kobe, configured):
    with mail_server() as box, hook_server() as hook:
        configured(box.port, hook.port, more='kinds = ["held"]')
        for _ in range(2):
            told = kobe("test")
            assert told.exit_code == 0, told.output
    assert len(box.taken) == len(hook.got) == 2
    assert "通知の試験" in box.taken[0].get_content()
    assert told.output.split("\n")[:2] == ["mail: sent", "webhook: sent"]


def test_test_names_the_channel_that_failed(kobe, configured):
    with hook_server() as hook:
        configured(closed_port(), hook.port)
        told, as_json = kobe("test"), kobe("test", "--json")
    assert told.exit_code == as_json.exit_code == 1
    assert "alerts.mail" in told.output and "webhook: sent" in told.output
    failures = json.loads(as_json.output)["failures"]
    assert failures["webhook"] is None
    assert failures["mail"]["at"]["reason"] == "unreachable"


def test_test_without_a_channel_fails(kobe):
    told = kobe("test")
    assert told.exit_code == 1
    assert "silent" in told.output
