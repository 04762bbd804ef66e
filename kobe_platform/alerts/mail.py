"""Sends notices as one plain mail in Japanese, by a mail server in the city's network."""

from __future__ import annotations

import smtplib
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any

from kobe_platform.alerts.config import Mail
from kobe_platform.alerts.line import failed, open_line, read_secret, reason_of, trusted
from kobe_platform.alerts.notice import COORDINATES, KINDS, Notice
from kobe_platform.errors import PlatformError
from kobe_platform.vocabulary.clock import JAPAN

TITLE = "【データ基盤】"
_CLOSING = "全体の状況はサーバーで kobe status を実行すると確かめられます。\nこのメールは自動で送信しています。"


class _Client(smtplib.SMTP):
    """A client on a line that is open already; it calls itself by its address, so that no name is looked up."""

    def __init__(self, line: socket.socket, host: str, port: int) -> None:
        self._line = line
        own = line.getsockname()[0]
        self.whole = False
        super().__init__(host, port, local_hostname=f"[IPv6:{own}]" if ":" in own else f"[{own}]")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._line

    def send(self, s: Any) -> None:
        """Send, and know whether a message went out whole, whose server owes the last answer then."""
        super().send(s)
        self.whole = isinstance(s, bytes) and s.endswith(b"\r\n.\r\n")


def compose(notices: Sequence[Notice], mail: Mail, now: datetime) -> EmailMessage:
    """One mail with all ``notices``, the most pressing kind first."""
    order = list(KINDS)
    ranked = sorted(notices, key=lambda notice: order.index(notice.kind))
    told = [f"{number}. {_told(notice)}" for number, notice in enumerate(ranked, 1)]
    body = "\n\n".join([f"お知らせが{len(ranked)}件あります。", *told, _CLOSING])
    return plain_mail(mail.sender, mail.to, f"{TITLE}{_subject(ranked)}", body, now)


def plain_mail(sender: str, to: Sequence[str], subject: str, body: str, now: datetime) -> EmailMessage:
    """A mail that the platform writes by itself."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = subject
    message["Date"] = format_datetime(now.astimezone(JAPAN))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of an absent reader comes back
    message.set_content(body + "\n", charset="utf-8", cte="base64")
    return message


def _subject(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        where = [notices[0].at[name] for name in ("source", "month") if name in notices[0].at]
        return " ".join([KINDS[notices[0].kind], *where])
    counts = Counter(notice.kind for notice in notices)
    return f"お知らせ{len(notices)}件(" + "、".join(f"{KINDS[kind]}{count}" for kind, count in counts.items()) + ")"


def _told(notice: Notice) -> str:
    where = "、".join(f"{COORDINATES[name]} {value}" for name, value in notice.at.items())
    lines = [f"[{KINDS[notice.kind]}] {notice.text}", f"   {where}" if where else "", f"   対応: {notice.remedy}"]
    return "\n".join(line for line in lines if line)


def send_mail(notices: Sequence[Notice], mail: Mail, seconds: float, now: datetime) -> int:
    """Hand one mail with ``notices`` to the server; its certificate is checked wherever there is TLS.

    Returns:
        How many recipients the server refused, while others got the mail.

    Raises:
        PlatformError: ``alerts.mail`` (coordinates: host, port, reason, and status where the server refused this
            message or its recipients): nobody got it, as far as is known; they may have with the reason ``unanswered``.
    """
    return hand_over(compose(notices, mail, now), mail, seconds)


def hand_over(message: EmailMessage, mail: Mail, seconds: float, to: Sequence[str] | None = None) -> int:
    """Hand a mail to the server, as :func:`send_mail` does with its own.

    Args:
        to: whom it goes to; those whom the message names, where that is not said.
    """
    password = read_secret("mail", mail.password_file, mail.host) if mail.password_file else ""
    context = trusted("mail", mail.ca_file, mail.host) if mail.security != "none" else None
    stage, client = "refused", None
    try:
        with (
            open_line(mail.host, mail.listens, seconds, context if mail.security == "tls" else None) as line,
            closing(_Client(line, mail.host, mail.listens)) as client,
        ):
            if mail.security == "starttls":
                stage = "tls"
                client.starttls(context=context)
            if mail.user is not None:
                stage = "sign_in"
                client.login(mail.user, password)
            stage = "refused"
            refused = client.send_message(message, to_addrs=to)
            with suppress(OSError):
                client.quit()
            return len(refused)
    except (OSError, ValueError) as error:  # SMTPException is an OSError
        late = client is not None and client.whole and not isinstance(error, smtplib.SMTPResponseException)
        reason, status = "unanswered" if late else _reason(error, stage), _status(error)
    raise failed("mail", reason, host=mail.host, port=mail.listens, **({"status": status} if status else {}))


def concerns_others(error: PlatformError) -> bool:
    """Whether a failure of :func:`hand_over` would meet any other message too: it is none of this one alone."""
    return error.at.get("reason") not in ("unanswered", "nobody") and not error.at.get("status")


def is_final(error: PlatformError) -> bool:
    """Whether a message that failed alone is not to be handed over again: refused for good, or perhaps taken."""
    return error.at.get("reason") == "unanswered" or int(str(error.at.get("status", 500))) >= 500


def _status(error: Exception) -> int:
    """The code by which a server refused one message or all its recipients, a passing one before a final one."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(int(code) for code, _ in error.recipients.values())
    return int(error.smtp_code) if isinstance(error, smtplib.SMTPDataError) and error.smtp_code != 421 else 0


def _reason(error: Exception, stage: str) -> str:
    kinds = (
        (smtplib.SMTPRecipientsRefused, "nobody"),
        (smtplib.SMTPSenderRefused, "sender"),
        (smtplib.SMTPServerDisconnected, "protocol"),
        (smtplib.SMTPException, stage),
    )
    return next((reason for kind, reason in kinds if isinstance(error, kind)), "") or reason_of(error)
