"""Connects to a server in the city's network within a time limit, and names what can go wrong."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from kobe_platform.custody.durable import check_private
from kobe_platform.errors import Coordinate, CustodyError, PlatformError

LONGEST_SECRET = 4096

FAULTS: Mapping[str, tuple[str, str, str]] = {
    "unreachable": (
        "the server cannot be reached",
        "check host, port and firewall, and whether the server runs",
        "サーバーに接続できません",
    ),
    "timeout": (
        "the server did not answer in time",
        "look at the server's load, or raise timeout_seconds",
        "サーバーが時間内に応答しません",
    ),
    "certificate": (
        "the server's certificate is not trusted for its name",
        "check host and ca_file; certificates are never skipped",
        "サーバー証明書を確認できません",
    ),
    "tls": ("TLS did not come about", "check security (or https) and port", "暗号化通信を開始できません"),
    "sign_in": ("the server refused the account", "check user and password_file", "アカウントが拒否されました"),
    "sender": (
        "the server refused the sender",
        "check from with the mail server's operators",
        "送信元が拒否されました",
    ),
    "recipients": (
        "the server refused recipients; the others got the mail",
        "check the addresses in to",
        "一部の宛先が拒否されました",
    ),
    "nobody": ("the server refused every recipient", "check the addresses in to", "すべての宛先が拒否されました"),
    "refused": ("the server refused the message", "ask its operators what it takes", "送信が拒否されました"),
    "unanswered": (
        "the whole message was handed over, and whether it was taken was not said in time",
        "look at the server's load, or raise timeout_seconds",
        "送信しましたが、受け取りの返事が時間内にありません",
    ),
    "redirect": (
        "the server points to another address, which is not followed",
        "write the final address as url",
        "転送先には送信しません",
    ),
    "protocol": (
        "the server broke off, or its answer is not of its protocol",
        "check host, port and security",
        "サーバーの応答が不正です",
    ),
    "secret": (
        "the file of the password or secret cannot be used",
        "make it a regular file of the platform's account, chmod 600, with one line of ASCII (a webhook's: 16 or more)",
        "パスワード・秘密のファイルを使えません",
    ),
    "ca_file": ("the file of authorities cannot be used", "make it a readable PEM file", "認証局ファイルを使えません"),
}
"""Reason of a failure: what is wrong, what to do, the same for screens."""


def failed(channel: str, reason: str, **at: Coordinate) -> PlatformError:
    """The error ``alerts.CHANNEL`` of a failed channel: the reason and where, never what the server said."""
    message, remedy, ja = FAULTS[reason]
    return PlatformError(message, code=f"alerts.{channel}", at={**at, "reason": reason}, remedy=remedy, ja=ja)


def reason_of(error: Exception) -> str:
    """The reason that an error of a socket or of TLS stands for."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(error, ssl.SSLError):
        return "tls"
    return "unreachable" if isinstance(error, OSError) else "protocol"


@contextmanager
def open_line(host: str, port: int, seconds: float, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """Connect, over TLS where there is a context; whatever the server does, the line is cut after ``seconds``.

    A limit on each read alone would let a server go on for ever with a byte now and then.

    Raises:
        TimeoutError: the time was over, whatever error the user of the line met by it.
        OSError: (``ssl.SSLError`` among them) as sockets do.
    """
    until = time.monotonic() + seconds
    plain = socket.create_connection((host, port), seconds)
    plain.settimeout(seconds + 1)  # the cut below comes first
    # TLS takes the descriptor of the socket over; a second one of the same connection can cut it at any stage.
    with plain, socket.socket(fileno=os.dup(plain.fileno())) as twin:
        ended = threading.Event()

        def cut() -> None:
            ended.set()
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
        timer.daemon = True
        timer.start()
        try:
            with context.wrap_socket(plain, server_hostname=host) if context else plain as line:
                yield line
        except Exception:
            if ended.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            timer.join()


def trusted(channel: str, ca_file: Path | None, host: str) -> ssl.SSLContext:
    """What TLS is begun with: certificates and names are checked, against ``ca_file`` alone where there is one.

    Raises:
        PlatformError: ``alerts.CHANNEL``, reason ``ca_file``.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError):
        pass
    raise failed(channel, "ca_file", host=host)


def read_secret(channel: str, path: Path, host: str, least: int = 1) -> str:
    """The first line of a private file: ``least`` or more printable ASCII characters.

    Raises:
        PlatformError: ``alerts.CHANNEL``, reason ``secret``.
    """
    try:
        check_private(path)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            text = file.read(LONGEST_SECRET).decode("ascii")
    except (OSError, CustodyError, UnicodeDecodeError):
        text = ""
    line = text.split("\n")[0].rstrip("\r")
    if len(line) < least or not line.isprintable():
        raise failed(channel, "secret", host=host)
    return line
