"""Sends readers mail by the server of ``alerts.toml``: changes of their favourites, and links to confirm addresses.

A server that takes its time keeps nobody waiting: between mails the sender looks whether the portal stops.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from kobe_platform.alerts.config import Mail, alerts_file, load_alerts
from kobe_platform.alerts.mail import concerns_others, hand_over, is_final, plain_mail
from kobe_platform.errors import PlatformError
from kobe_platform.governance.favourites import mark_mailed, subscribers
from kobe_platform.governance.mail_addresses import VALID, issue_token, mark_sent, may_be_mailed, unsent_claims
from kobe_platform.governance.people import find_person
from kobe_platform.lounge.served import release_in_force
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.municipality import own
from kobe_platform.web.readers import news_of
from kobe_platform.web.reading import number
from kobe_platform.web.state import Portal

SUBJECT = "【{lounge}】お気に入りの画面が更新されました"
CONFIRM = "【{lounge}】メールアドレスの確認"
_CLOSING = (
    "画面の題名の横の ★ を外すか、「お気に入りの更新」の画面でメールアドレスを空にすると、届かなくなります。\n"
    "このメールは自動で送信しています。"
)


def send_due(portal: Portal, stop: threading.Event) -> None:
    """Send what is due to readers, until ``stop`` is set; a mail under way then is the last.

    Raises:
        PlatformError: ``alerts.settings``, ``alerts.mail``; what was not sent is tried again next time.
    """
    send_confirmations(portal, stop)
    send_news(portal, stop)


def send_confirmations(portal: Portal, stop: threading.Event | None = None) -> int:
    """Send the links by which readers confirm their addresses; how many mails there were.

    An address that the server refuses for good is not tried again, and nobody is told: a screen that said so would
    tell which addresses there are.

    Raises:
        PlatformError: as :func:`send_due`.
    """
    domains = portal.config.notices.domains
    claims = unsent_claims(portal.database) if domains else []
    waiting = [one for one in claims if may_be_mailed(one.address, domains) and not portal.postponed.holds(one.address)]
    line = _line(portal) if waiting else None
    sent = 0
    for claim in waiting:
        if line is None or (stop is not None and stop.is_set()):
            break
        token = issue_token(portal.database, claim)
        if token:
            body = (
                f"{own().lounge}で、お気に入りの画面の更新をこのアドレスで受け取るよう登録されました。\n"
                "サインインして次のリンクを開くと、届くようになります"
                f"（{VALID // timedelta(hours=1)}時間以内、1回限り）。\n\n"
                f"{portal.config.origin}/news/confirm?token={token}\n\n"
                "心当たりがなければ、何もしないでください。更新のメールは届きません。"
            )
            took = _handed_over(portal, *line, claim.address, CONFIRM.format(lounge=own().lounge), body)
            sent += took is True
            if took is not None:
                mark_sent(portal.database, claim)
    return sent


def send_news(portal: Portal, stop: threading.Event | None = None) -> int:
    """Send what is due; how many mails there were. Who was mailed of a release is not mailed of it again.

    A mail tells titles and periods and no figure.
    Whose address or message the server refuses for good counts as mailed, and so does a mail that it got whole and
    was silent about: it would come again and again. A crash between sending and noting sends it twice.

    Raises:
        PlatformError: as :func:`send_due`; those who had no mail yet get it next time.
    """
    release = release_in_force(portal.settings.releases)
    domains = portal.config.notices.domains
    if release is None or not domains:
        return 0
    waiting = [one for one in subscribers(portal.database) if min(one.pages.values()) < number(release)]
    line = _line(portal) if waiting else None
    sent = 0
    for one in waiting:
        if line is None or (stop is not None and stop.is_set()):
            break
        person = find_person(portal.database, one.login)
        allowed = may_be_mailed(one.address, domains)
        news = news_of(portal, person, dict(one.pages)) if person and allowed else []
        if portal.postponed.holds(one.address):
            continue
        if news:
            origin = portal.config.origin
            told = [f"・{entry['title']}：{entry['text']}\n  {origin}/{entry['page']}.html" for entry in news]
            body = "\n\n".join(["お気に入りの画面のデータが変わりました。", "\n".join(told), _CLOSING])
            took = _handed_over(portal, *line, one.address, SUBJECT.format(lounge=own().lounge), body)
            sent += took is True
            if took is None:
                continue
        mark_mailed(portal.database, one.login, number(release))
    return sent


def _line(portal: Portal) -> tuple[Mail, int] | None:
    """The mail server of ``alerts.toml`` and the seconds that one mail may take; None where there is none."""
    alerts = load_alerts(alerts_file(portal.settings.root))
    return (alerts.mail, alerts.timeout_seconds) if alerts is not None and alerts.mail is not None else None


def _handed_over(portal: Portal, mail: Mail, seconds: int, address: str, subject: str, body: str) -> bool | None:
    """Whether the server took a mail; None where it puts it off, and it is to be tried again later.

    Raises:
        PlatformError: the server is gone, or takes nothing from us.
    """
    try:
        hand_over(plain_mail(mail.sender, [address], subject, body, datetime.now(JAPAN)), mail, seconds, [address])
    except PlatformError as error:
        if concerns_others(error):
            raise
        if not is_final(error):
            portal.postponed.put_off(address)
            return None
        return False
    return True
