"""Sends to each channel the notices that it has not had yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kobe_platform.alerts.config import AlertSettings, Mail
from kobe_platform.alerts.line import failed
from kobe_platform.alerts.mail import send_mail
from kobe_platform.alerts.notice import Notice
from kobe_platform.alerts.sent import FILE, Memory
from kobe_platform.alerts.webhook import post
from kobe_platform.custody.durable import locked, storage_errors
from kobe_platform.errors import PlatformError
from kobe_platform.vocabulary.clock import JAPAN

POSSIBLY_TAKEN = {"mail": ("unanswered",), "webhook": ("timeout",)}
"""Reasons of a failure after which the receiver may have what was sent: it is not sent again with every call."""


@dataclass(frozen=True)
class SendingReport:
    """What became of one call.

    Attributes:
        sent: ids that each channel got in this call.
        waiting: how many notices each channel has not got, as far as is known, and gets with a later call.
        failures: why, ``alerts.mail`` or ``alerts.webhook``; also of a mail that only some recipients got.
        silent: no channel is configured.
    """

    sent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[PlatformError, ...] = ()
    silent: bool = False


def deliver(
    notices: Iterable[Notice], settings: AlertSettings, home: Path, *, now: datetime | None = None
) -> SendingReport:
    """Send every notice that a channel has not had: one mail, one POST. A channel that fails is tried again next time.

    ``notices`` are all that hold *now*: an id that is no longer among them is forgotten and sent again when it comes
    back (ids of ``run_failed`` and ``tick_failed`` are remembered for 90 days). Of two processes at once the second
    waits for the first. What a channel got and did not acknowledge in time is sent again after 2, 4, 8 … minutes,
    an hour at most, beside what is new. A crash between sending and remembering sends twice, never not at all.

    Args:
        home: ``KOBE_HOME``; what was sent is remembered in its ``alerts/sent.json``.
        now: with a time zone; for tests.

    Raises:
        CustodyError: the memory cannot be read or written (``custody.disk_full`` …); nothing is sent then, since
            the same mail would go out with every call.
    """
    if settings.silent:
        return SendingReport(silent=True)
    moment = now or datetime.now(JAPAN)
    current: dict[str, Notice] = {}
    for notice in notices:
        current.setdefault(notice.id, notice)
    wanted = [notice for notice in current.values() if settings.kinds is None or notice.kind in settings.kinds]
    folder = home / "alerts"
    sent, waiting, failures = {}, {}, []
    with storage_errors("alerts"), locked(folder / "lock"):
        memory = Memory(folder / FILE)
        memory.forget(current.keys(), moment)
        memory.store()
        for channel in settings.channels:
            unsent = [notice for notice in wanted if notice.id not in memory.channels[channel]]
            new = [notice for notice in unsent if not memory.rests(channel, notice.id, moment)]
            if len(new) < len(unsent):
                waiting[channel] = len(unsent) - len(new)
            if not new:
                continue
            memory.store(always=True)
            got, failure = attempt(channel, new, settings, moment)
            if failure:
                failures.append(failure)
            if got:
                memory.add(channel, new, moment)
                memory.store()
                sent[channel] = tuple(notice.id for notice in new)
            else:
                waiting[channel] = len(unsent)
                if failure and failure.at.get("reason") in POSSIBLY_TAKEN[channel]:
                    memory.doubt(channel, new, moment)
                    memory.store()
    return SendingReport(sent, waiting, tuple(failures))


def attempt(
    channel: str, notices: Sequence[Notice], settings: AlertSettings, now: datetime
) -> tuple[bool, PlatformError | None]:
    """Send ``notices`` to one channel, without memory: whether it got them, and what went wrong."""
    try:
        if channel == "webhook" and settings.webhook is not None:
            post(notices, settings.webhook, settings.timeout_seconds, now)
        elif settings.mail is not None:
            return True, _mailed(notices, settings.mail, settings.timeout_seconds, now)
    except PlatformError as error:
        return False, error
    return True, None


def _mailed(notices: Sequence[Notice], mail: Mail, timeout: float, now: datetime) -> PlatformError | None:
    """Send by mail; an error where the server took it for some recipients only."""
    refused = send_mail(notices, mail, timeout, now)
    return failed("mail", "recipients", host=mail.host, port=mail.listens, refused=refused) if refused else None
