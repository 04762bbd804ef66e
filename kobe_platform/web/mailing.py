"""Sends those who want it one mail of what changed in their favourites, by the mail server of ``alerts.toml``."""

from __future__ import annotations

from datetime import datetime

from kobe_platform.alerts.config import alerts_file, load_alerts
from kobe_platform.alerts.mail import hand_over, plain_mail
from kobe_platform.errors import PlatformError
from kobe_platform.governance.favourites import mark_mailed, subscribers
from kobe_platform.governance.people import find_person
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.web.readers import news_of
from kobe_platform.web.reading import number
from kobe_platform.web.sites import release_in_force
from kobe_platform.web.state import Portal

SUBJECT = "【データラウンジ】お気に入りの画面が更新されました"
_CLOSING = (
    "画面の題名の横の ★ を外すか、「お気に入りの更新」の画面でメールアドレスを空にすると、届かなくなります。\n"
    "このメールは自動で送信しています。"
)


def send_news(portal: Portal) -> int:
    """Send what is due; how many mails there were. Who was mailed of a release is not mailed of it again.

    A mail tells titles and periods and no figure.
    Whose address the server refuses counts as mailed. A crash between sending and noting sends it twice.

    Raises:
        PlatformError: ``alerts.settings``, ``alerts.mail``; those who had no mail yet get it next time.
    """
    release = release_in_force(portal.settings.releases)
    domains = portal.config.notices.domains
    if release is None or not domains:
        return 0
    waiting = [one for one in subscribers(portal.database) if min(one.pages.values()) < number(release)]
    alerts = load_alerts(alerts_file(portal.settings.root)) if waiting else None
    if alerts is None or alerts.mail is None:
        return 0
    sent = 0
    for one in waiting:
        person = find_person(portal.database, one.login)
        allowed = one.address.rpartition("@")[2].lower() in domains
        news = news_of(portal, person, dict(one.pages)) if person and allowed else []
        if news:
            origin = portal.config.origin
            told = [f"・{entry['title']}：{entry['text']}\n  {origin}/{entry['page']}.html" for entry in news]
            body = "\n\n".join(["お気に入りの画面のデータが変わりました。", "\n".join(told), _CLOSING])
            message = plain_mail(alerts.mail.sender, [one.address], SUBJECT, body, datetime.now(JAPAN))
            try:
                hand_over(message, alerts.mail, alerts.timeout_seconds)
                sent += 1
            except PlatformError as error:
                if error.at.get("reason") != "nobody":  # the server is gone, or takes nothing from us
                    raise
        mark_mailed(portal.database, one.login, number(release))
    return sent
