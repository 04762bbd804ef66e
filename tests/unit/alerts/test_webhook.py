"""A webhook gets one signed POST; only 2xx counts, no redirect is followed, nothing is read without an end."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import traceback

import pytest

from kobe_platform.alerts import deliver, of_error
from kobe_platform.errors import DeliveryRejected
from tests.unit.alerts.conftest import notice
from tests.unit.alerts.servers import SECRET, certificate, closed_port, hook_server, odd_server


def failure_of(report) -> tuple[str, int]:
    (failure,) = report.failures
    assert failure.code == "alerts.webhook"
    told = "".join(traceback.format_exception(failure)) + repr(failure.as_record())
    assert SECRET not in told and "canary-of-the-server" not in told and "/hooks/" not in told
    assert failure.__context__ is None
    assert report.waiting == {"webhook": 1}
    return failure.at["reason"], failure.at.get("status", 0)


def test_all_new_notices_are_posted_at_once_and_signed(configured):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        deliver([notice(), notice("x:1", "overdue")], settings, home)
    ((path, headers, body),) = hook.got
    assert path == "/hooks/kobe"
    assert headers["Host"] == f"127.0.0.1:{hook.port}"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    wanted = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Kobe-Signature"] == f"sha256={wanted}"
    told = json.loads(body)
    assert told["version"] == 1 and told["sent_at"].endswith("+09:00")
    assert [each["id"] for each in told["notices"]] == [notice().id, "x:1"]
    assert told["notices"][0] == notice().as_record()


def test_a_query_of_the_address_is_kept(configured):
    with hook_server() as hook:
        deliver([notice()], *configured(webhook=f"http://127.0.0.1:{hook.port}?channel=a"))
    assert hook.got[0][0] == "/?channel=a"


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_an_answer_that_is_no_success_leaves_notices_unsent(configured, status):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        hook.status, hook.body = status, b"canary-of-the-server"
        assert failure_of(deliver([notice()], settings, home)) == ("refused", status)
        hook.status = 200
        assert deliver([notice()], settings, home).sent == {"webhook": (notice().id,)}
    assert len(hook.got) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(configured, status):
    with hook_server() as hook, hook_server() as elsewhere:
        hook.status, hook.location = status, f"http://127.0.0.1:{elsewhere.port}/hooks/"
        assert failure_of(deliver([notice()], *configured(webhook=hook.port))) == ("redirect", status)
    assert elsewhere.got == []


def test_a_proxy_of_the_environment_is_not_asked(configured, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with hook_server() as hook:
        assert deliver([notice()], *configured(webhook=hook.port)).sent


def test_over_tls_the_certificate_is_checked(configured, tmp_path):
    ca, context = certificate(tmp_path / "ca", "127.0.0.1")
    other, _ = certificate(tmp_path / "other", "127.0.0.1")
    with hook_server(context) as hook:
        url = f"https://127.0.0.1:{hook.port}/hooks/"
        for trusted in ("", f'ca_file = "{other}"'):
            report = deliver([notice()], *configured(webhook=url, more_webhook=trusted))
            assert failure_of(report) == ("certificate", 0)
        assert hook.got == []
        assert deliver([notice()], *configured(webhook=url, more_webhook=f'ca_file = "{ca}"')).sent
        assert len(hook.got) == 1


def test_a_certificate_of_another_name_is_refused(configured, tmp_path):
    ca, context = certificate(tmp_path / "ca", "hook.elsewhere.example")
    with hook_server(context) as hook:
        url = f"https://127.0.0.1:{hook.port}/"
        assert failure_of(deliver([notice()], *configured(webhook=url, more_webhook=f'ca_file = "{ca}"')))[0] == (
            "certificate"
        )


def test_a_receiver_that_is_down_is_named(configured):
    assert failure_of(deliver([notice()], *configured(webhook=closed_port()))) == ("unreachable", 0)


@pytest.mark.slow
def test_a_slow_receiver_is_left(configured):
    with hook_server() as hook:
        hook.slow = 4
        begun = time.monotonic()
        assert failure_of(deliver([notice()], *configured(webhook=hook.port))) == ("timeout", 0)
        assert time.monotonic() - begun < 3.5


@pytest.mark.slow
@pytest.mark.parametrize("say", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"X: y\r\n"])
def test_no_receiver_holds_the_platform_longer_than_the_time_it_has(configured, say):
    with odd_server(say, every=0.05) as port:
        begun = time.monotonic()
        reason, _ = failure_of(deliver([notice()], *configured(webhook=port)))
        assert time.monotonic() - begun < 3.5
    assert reason in {"timeout", "protocol"}


def test_an_answer_without_an_end_is_not_read_to_it(configured):
    with hook_server() as hook:
        hook.status, hook.body = 200, b"x" * 50_000_000
        begun = time.monotonic()
        assert deliver([notice()], *configured(webhook=hook.port)).sent
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("text", ["", "short"])
def test_a_secret_that_is_too_short_is_not_used(configured, private, text):
    with hook_server() as hook:
        settings, home = configured(webhook=hook.port)
        private("secret", text)
        assert failure_of(deliver([notice()], settings, home)) == ("secret", 0)
    assert hook.got == []


def test_values_in_the_cause_of_an_error_reach_no_body(configured):
    canary = "山田太郎 123456789018"
    error = DeliveryRejected(canary, code="delivery.row", ja="行を読めません", at={"value": canary}, remedy=canary)
    error.__cause__ = ValueError(canary)
    with hook_server() as hook:
        deliver([of_error("turned_away", error)], *configured(webhook=hook.port))
    ((_, headers, body),) = hook.got
    whole = repr(headers) + body.decode() + json.dumps(json.loads(body))
    assert "行を読めません" in whole
    assert "山田" not in whole and "\\u5c71" not in whole and "123456789018" not in whole
