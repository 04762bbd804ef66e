"""Mails reach a real server in whole, over checked TLS, and no failure tells a secret."""

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime, timedelta
from email import message_from_bytes

import pytest

from kobe_platform.alerts import deliver, of_error
from kobe_platform.alerts.sent import Memory
from kobe_platform.errors import DeliveryRejected
from tests.unit.alerts.conftest import notice
from tests.unit.alerts.servers import PASSWORD, certificate, closed_port, mail_server, odd_server

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

ACCOUNT = 'user = "kobe"\npassword_file = "{}/password"'


def failure_of(report):
    (failure,) = report.failures
    assert failure.code == "alerts.mail"
    told = "".join(traceback.format_exception(failure)) + repr(failure.as_record())
    assert PASSWORD not in told
    assert "canary-of-the-server" not in told
    assert failure.__context__ is None
    return failure.at["reason"]


def test_one_mail_tells_all_new_notices_in_japanese(configured):
    with mail_server() as box:
        settings, home = configured(box.port)
        first, second = notice(), notice("overdue:resident_movements:2025-09", "overdue", source="resident_movements")
        assert deliver([second, first], settings, home).sent == {"mail": (second.id, first.id)}
    (mail,) = box.taken
    assert mail["Subject"] == "【データ基盤】お知らせ2件(提供データの保留1、期限超過1)"
    assert (mail["From"], mail["To"]) == ("platform@city.example", "operator@city.example, second@city.example")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].endswith("+0900")
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content_charset() == "utf-8"
    text = mail.get_content()
    assert "1. [提供データの保留] 行数が前月と大きく違います" in text
    assert "データ resident_register、対象月 2025-10、コード delivery.held" in text
    assert "対応: 内容を確かめて承認してください。" in text
    assert text.index("提供データの保留") < text.index("期限超過")
    assert box.greeted_as == ["[127.0.0.1]"]


def test_the_subject_of_one_notice_says_where(configured):
    with mail_server() as box:
        deliver([notice()], *configured(box.port))
    assert box.taken[0]["Subject"] == "【データ基盤】提供データの保留 resident_register 2025-10"


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_an_account_signs_in_over_checked_tls(configured, tmp_path, way):
    ca, context = certificate(tmp_path / "ca", "127.0.0.1")
    with mail_server(account="kobe", **{way: context}) as box:
        more = f'security = "{way}"\nca_file = "{ca}"\n' + ACCOUNT.format(tmp_path)
        report = deliver([notice()], *configured(box.port, more_mail=more))
    assert report.sent and not report.failures
    assert (box.over_tls, box.signed_in) == ([True], [True])


@pytest.mark.parametrize("way", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["unknown", "name", "other"])
def test_a_wrong_certificate_is_refused_before_anything_is_told(configured, tmp_path, way, wrong):
    ca, context = certificate(tmp_path / "ca", "mail.elsewhere.example" if wrong == "name" else "127.0.0.1")
    if wrong == "other":
        ca, _ = certificate(tmp_path / "other", "127.0.0.1")
    with mail_server(account="kobe", **{way: context}) as box:
        more = f'security = "{way}"\n' + (f'ca_file = "{ca}"\n' if wrong != "unknown" else "")
        report = deliver([notice()], *configured(box.port, more_mail=more + ACCOUNT.format(tmp_path)))
    assert failure_of(report) == "certificate"
    assert box.taken == []


def test_a_server_without_starttls_gets_nothing(configured, tmp_path):
    ca, _ = certificate(tmp_path / "ca", "127.0.0.1")
    with mail_server() as box:
        report = deliver([notice()], *configured(box.port, more_mail=f'security = "starttls"\nca_file = "{ca}"'))
    assert failure_of(report) == "tls"
    assert box.taken == []


def test_tls_to_a_server_that_speaks_none_fails_as_such(configured):
    with mail_server() as box:
        report = deliver([notice()], *configured(box.port, more_mail='security = "tls"'))
    assert failure_of(report) in {"tls", "timeout"}


def test_a_wrong_password_is_not_told(configured, tmp_path, private):
    ca, context = certificate(tmp_path / "ca", "127.0.0.1")
    with mail_server(account="somebody-else", starttls=context) as box:
        more = f'security = "starttls"\nca_file = "{ca}"\n' + ACCOUNT.format(tmp_path)
        report = deliver([notice()], *configured(box.port, more_mail=more))
    assert failure_of(report) == "sign_in"


@pytest.mark.parametrize("wrong", ["absent", "mode", "empty", "link", "ascii", "folder"])
def test_a_file_of_a_password_that_is_not_private_is_not_used(configured, tmp_path, private, wrong):
    path = tmp_path / "password"
    _, context = certificate(tmp_path / "ca", "127.0.0.1")
    with mail_server(account="kobe", starttls=context) as box:
        settings, home = configured(box.port, more_mail=ACCOUNT.format(tmp_path))
        path.unlink()
        if wrong == "mode":
            private("password", PASSWORD, 0o640)
        elif wrong == "empty":
            private("password", "\n")
        elif wrong == "link":
            path.symlink_to(private("real", PASSWORD))
        elif wrong == "ascii":
            private("password", f"{PASSWORD}あ")
        elif wrong == "folder":
            path.mkdir(0o700)
        assert failure_of(deliver([notice()], settings, home)) == "secret"


def test_authorities_that_are_no_pem_are_named(configured, tmp_path, private):
    private("ca.pem", "not a certificate")
    more = f'security = "tls"\nca_file = "{tmp_path}/ca.pem"'
    assert failure_of(deliver([notice()], *configured(closed_port(), more_mail=more))) == "ca_file"


def test_a_server_that_is_down_is_tried_again(configured):
    settings, home = configured(closed_port())
    report = deliver([notice()], settings, home)
    assert failure_of(report) == "unreachable"
    assert (report.sent, report.waiting) == ({}, {"mail": 1})
    assert report.failures[0].at["host"] == "127.0.0.1"
    with mail_server() as box:
        assert deliver([notice()], *configured(box.port)).sent
    assert len(box.taken) == 1


@pytest.mark.slow
@pytest.mark.parametrize("say", [b"", b"2", b"250-more\r\n", b"220 come in\r\n"])
def test_no_server_holds_the_platform_longer_than_the_time_it_has(configured, say):
    with odd_server(say, every=0.05) as port:
        begun = time.monotonic()
        reason = failure_of(deliver([notice()], *configured(port)))
        assert time.monotonic() - begun < 3.5
    assert reason in {"timeout", "sender"}


def test_a_server_that_speaks_another_protocol_is_named(configured):
    with odd_server(b"HTTP/1.1 400 canary-of-the-server\r\n\r\n", every=0.05) as port:
        assert failure_of(deliver([notice()], *configured(port))) in {"refused", "protocol"}


def test_a_refused_message_stays_unsent(configured):
    with mail_server() as box:
        box.answer = "554 canary-of-the-server"
        settings, home = configured(box.port)
        report = deliver([notice()], settings, home)
        assert failure_of(report) == "refused"
        box.answer = "250 taken"
        assert deliver([notice()], settings, home).sent


def test_a_server_that_answers_late_is_not_handed_the_same_mail_with_every_call(configured):
    with mail_server() as box:
        settings, home = configured(box.port, more="")
        box.late, begun = 2.2, datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
        first, second = notice(), notice("held:resident_register:2025-11")
        assert failure_of(deliver([first], settings, home, now=begun)) == "unanswered"
        box.late = 0
        soon = deliver([first], settings, home, now=begun + timedelta(minutes=1))
        assert soon.waiting == {"mail": 1} and not soon.failures and len(box.taken) == 1
        new = deliver([first, second], settings, home, now=begun + timedelta(minutes=1, seconds=30))
        assert new.sent["mail"] == (second.id,) and len(box.taken) == 2, "a new notice does not wait behind it"
        again = deliver([first, second], settings, home, now=begun + timedelta(minutes=2))
        assert again.sent["mail"] == (first.id,) and len(box.taken) == 3


def test_the_wait_for_a_late_server_grows_to_an_hour_and_ends_with_its_notice(tmp_path):
    memory, begun = Memory(tmp_path / "sent.json"), datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    waits = []
    for _ in range(8):
        memory.doubt("mail", [notice()], begun)
        memory.store()
        memory = Memory(tmp_path / "sent.json")
        waits.append(sum(memory.rests("mail", notice().id, begun + timedelta(minutes=n)) for n in range(100)))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    memory.forget([], begun)
    assert not memory.rests("mail", notice().id, begun)


def test_one_refused_recipient_keeps_no_mail_from_the_others_and_is_told_once(configured):
    with mail_server() as box:
        box.refuse = {"second@city.example"}
        settings, home = configured(box.port)
        report = deliver([notice()], settings, home)
        assert failure_of(report) == "recipients"
        assert report.failures[0].at["refused"] == 1
        assert report.sent and not report.waiting
        assert deliver([notice()], settings, home).failures == ()
        assert len(box.taken) == 1


def test_when_every_recipient_is_refused_nothing_counts_as_sent(configured):
    with mail_server() as box:
        box.refuse = {"operator@city.example", "second@city.example"}
        report = deliver([notice()], *configured(box.port))
    assert failure_of(report) == "nobody"
    assert report.waiting == {"mail": 1}


def test_values_in_the_cause_of_an_error_reach_no_mail(configured):
    canary = "山田太郎 123456789018"
    try:
        try:
            raise ValueError(canary)
        except ValueError as cause:
            raise DeliveryRejected(canary, code="delivery.row", ja="行を読めません", at={"value": canary}) from cause
    except DeliveryRejected as error:
        told = of_error("turned_away", error, {"source": "resident_register"})
    with mail_server() as box:
        deliver([told], *configured(box.port))
    (mail,) = box.taken
    assert "行を読めません" in mail.get_content()
    whole = mail.as_string() + mail.get_content() + str(message_from_bytes(mail.as_bytes()))
    assert "山田" not in whole and "123456789018" not in whole
