"""The settings file: silent without it, and every mistake is named with its place and what to write."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kobe_platform.alerts import KINDS, AlertSettings, alerts_file, describe, load_alerts
from kobe_platform.alerts.config import WANTED
from kobe_platform.alerts.line import FAULTS
from kobe_platform.alerts.sent import EVENT_DAYS
from kobe_platform.alerts.webhook import SHORTEST_SECRET, SIGNATURE
from kobe_platform.errors import ConfigurationError

MAIL = {"host": '"mail.city.example"', "from": '"platform@city.example"', "to": '["operator@city.example"]'}
HOOK = {"url": '"https://hook.city.example/x?y=1"', "secret_file": '"secret"'}


def table(name: str, lines: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items() if value)


@pytest.fixture
def read(tmp_path):
    def read(text: str) -> AlertSettings:
        alerts_file(tmp_path).write_text(text, "utf-8")
        return load_alerts(alerts_file(tmp_path))

    return read


def test_without_a_file_nothing_is_sent(tmp_path):
    settings = load_alerts(alerts_file(tmp_path))
    assert settings.silent
    assert settings.channels == ()
    assert (
        describe(alerts_file(tmp_path))
        == "通知: なし (alerts.toml がありません) / alerts: silent, there is no alerts.toml"
    )


def test_defaults_are_the_careful_ones(read, tmp_path):
    settings = read(table("mail", MAIL) + table("webhook", HOOK))
    assert settings.channels == ("mail", "webhook")
    assert (settings.mail.security, settings.mail.listens, settings.timeout_seconds) == ("starttls", 587, 10)
    assert settings.webhook.secret_file == tmp_path / "secret"
    assert settings.webhook.origin == "https://hook.city.example"
    told = describe(alerts_file(tmp_path))
    assert "mail.city.example:587" in told and "https://hook.city.example" in told and "/x" not in told


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "mail"),
        ('kinds = ["held"]', "mail"),
        (table("mail", {**MAIL, "host": ""}), "mail.host"),
        (table("mail", {**MAIL, "from": ""}), "mail.from"),
        (table("mail", {**MAIL, "to": ""}), "mail.to"),
        (table("mail", {**MAIL, "to": "[]"}), "mail.to"),
        (table("mail", {**MAIL, "to": '"operator@city.example"'}), "mail.to"),
        (table("mail", {**MAIL, "to": '["操作者@city.example"]'}), "mail.to"),
        (table("mail", {**MAIL, "to": '["a@b.example\\nBcc: c@d.example"]'}), "mail.to"),
        (table("mail", {**MAIL, "from": '"a@b.example\\n"'}), "mail.from"),
        (table("mail", {**MAIL, "from": '"基盤 <a@b.example>"'}), "mail.from"),
        (table("mail", {**MAIL, "host": '"mail.example/x"'}), "mail.host"),
        (table("mail", {**MAIL, "port": '"25"'}), "mail.port"),
        (table("mail", {**MAIL, "port": "true"}), "mail.port"),
        (table("mail", {**MAIL, "port": "70000"}), "mail.port"),
        (table("mail", {**MAIL, "security": '"ssl"'}), "mail.security"),
        (table("mail", {**MAIL, "user": '"u"'}), "mail.password_file"),
        (table("mail", {**MAIL, "password_file": '"p"'}), "mail.password_file"),
        (table("mail", {**MAIL, "security": '"none"', "user": '"u"', "password_file": '"p"'}), "mail.user"),
        (table("mail", {**MAIL, "security": '"none"', "ca_file": '"c"'}), "mail.ca_file"),
        (table("mail", {**MAIL, "password": '"hunter2"'}), "mail.password"),
        (table("webhook", {**HOOK, "secret_file": ""}), "webhook.secret_file"),
        (table("webhook", {**HOOK, "url": ""}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"ftp://h.example/"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"file:///etc/passwd"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"https://u:p@h.example/"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"https://h.example:99999/"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"https://h.example/#x"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"https://h.example/\\r\\nX: y"'}), "webhook.url"),
        (table("webhook", {**HOOK, "url": '"http://h.example/"', "ca_file": '"c"'}), "webhook.ca_file"),
        (table("webhook", {**HOOK, "secret": '"hunter2"'}), "webhook.secret"),
        ('kinds = ["party"]\n' + table("mail", MAIL), "kinds"),
        ("kinds = []\n" + table("mail", MAIL), "kinds"),
        ("timeout_seconds = 0\n" + table("mail", MAIL), "timeout_seconds"),
        ("timeout_seconds = 1.5\n" + table("mail", MAIL), "timeout_seconds"),
        ("colour = 1\n" + table("mail", MAIL), "colour"),
        ("mail = 1", "mail"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_write(read, tmp_path, text, key):
    with pytest.raises(ConfigurationError) as refusal:
        read(text)
    error = refusal.value
    assert (error.code, error.at) == ("alerts.settings", {"file": "alerts.toml", "key": key})
    assert re.match("write |remove it; known here: ", error.remedy)
    assert error.__context__ is None
    assert "hunter2" not in str(error)
    assert key in describe(alerts_file(tmp_path))


def test_a_file_that_is_no_toml_is_named_with_its_line(read, tmp_path):
    with pytest.raises(ConfigurationError) as refusal:
        read("[mail]\nhost = mail.city.example\n")
    assert refusal.value.at == {"file": "alerts.toml", "line": 2}
    assert "line 2" in describe(alerts_file(tmp_path))


@pytest.mark.parametrize("data", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_does_not_mean_silence(tmp_path, data):
    path = alerts_file(tmp_path)
    path.write_bytes(data) if data else path.mkdir()
    with pytest.raises(ConfigurationError):
        load_alerts(path)
    assert "not sent" in describe(path)


def test_the_page_for_operators_tells_every_key_every_kind_and_an_example_that_works(tmp_path):
    page = (Path(__file__).resolve().parents[3] / "docs" / "alerts.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.S)[1]
    alerts_file(tmp_path).write_text(example, "utf-8")
    assert load_alerts(alerts_file(tmp_path)).channels == ("mail", "webhook")
    written = tomllib.loads(example)
    keys = {*written, *(f"{name}.{key}" for name in ("mail", "webhook") for key in written[name])}
    assert keys == WANTED.keys()
    assert all(f"`{word}`" in page for word in (*KINDS, *FAULTS))
    assert f"remembered for {EVENT_DAYS} days" in page
    assert f"# {SHORTEST_SECRET} or more characters" in page
    assert f"`{SIGNATURE}` is" in page
