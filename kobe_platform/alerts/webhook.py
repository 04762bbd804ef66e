"""Posts notices as one signed JSON body to an address in the city's network."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from kobe_platform.alerts.config import Webhook
from kobe_platform.alerts.line import failed, open_line, read_secret, reason_of, trusted
from kobe_platform.alerts.notice import Notice
from kobe_platform.vocabulary.clock import JAPAN

SIGNATURE = "X-Kobe-Signature"
SHORTEST_SECRET = 16
MOST_READ = 4096


def body_of(notices: Sequence[Notice], now: datetime) -> bytes:
    """What is posted: UTF-8 JSON ``{"version", "sent_at", "notices": [{"id", "kind", "at", "text", "remedy"}]}``."""
    sent_at = now.astimezone(JAPAN).isoformat(timespec="seconds")
    body = {"version": 1, "sent_at": sent_at, "notices": [notice.as_record() for notice in notices]}
    return json.dumps(body, ensure_ascii=False).encode()


def signature(secret: str, body: bytes) -> str:
    """The value of the header ``X-Kobe-Signature``: ``sha256=`` and the HMAC-SHA256 of the body in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(notices: Sequence[Notice], webhook: Webhook, seconds: float, now: datetime) -> None:
    """Post ``notices`` in one request; only an answer 2xx counts. No proxy is asked, no redirect followed.

    Raises:
        PlatformError: ``alerts.webhook`` (coordinates: host, port, reason, and status where there was an answer).
    """
    address = urlsplit(webhook.url)
    secure = address.scheme == "https"
    host, port = address.hostname or "", address.port or (443 if secure else 80)
    secret = read_secret("webhook", webhook.secret_file, host, least=SHORTEST_SECRET)
    context = trusted("webhook", webhook.ca_file, host) if secure else None
    body = body_of(notices, now)
    headers = {
        "Host": address.netloc,
        "Content-Type": "application/json; charset=utf-8",
        SIGNATURE: signature(secret, body),
        "Connection": "close",
    }
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    status = 0
    try:
        with open_line(host, port, seconds, context) as line, closing(HTTPConnection(host, port)) as connection:
            connection.sock = line
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            status = answer.status
            answer.read(MOST_READ)
    except (OSError, HTTPException, ValueError) as error:
        reason = reason_of(error)
    else:
        reason = "redirect" if 300 <= status < 400 else "refused"
    if 200 <= status < 300:
        return
    raise failed("webhook", reason, host=host, port=port, **({"status": status} if status else {}))
