"""What the portal does once a minute and at its end: it writes the views of pages and sends readers their mail.

The mail has a thread of its own, so that a server that takes its time holds up neither the views nor the portal's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool

from kobe_platform.errors import PlatformError
from kobe_platform.governance.database import sweep
from kobe_platform.web.mailing import send_due
from kobe_platform.web.state import Portal

SECONDS = 60
PATIENCE = 2.0
"""Seconds that the end waits for a mail under way; what was not noted by then is sent again after the next start."""
_LOG = logging.getLogger(__name__)


def minutely(portal: Portal) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of a portal's application."""

    @asynccontextmanager
    async def living(_app: Any) -> AsyncIterator[None]:
        stop = threading.Event()
        mailing = threading.Thread(target=_mail, args=(portal, stop), name="mail to readers", daemon=True)
        mailing.start()
        task = asyncio.create_task(_again_and_again(portal))
        try:
            yield
        finally:
            stop.set()
            portal.mail_due.set()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await run_in_threadpool(_write_views, portal)
            await run_in_threadpool(mailing.join, PATIENCE)

    return living


async def _again_and_again(portal: Portal) -> None:
    while True:
        await asyncio.sleep(SECONDS)
        await run_in_threadpool(_write_views, portal)


def _mail(portal: Portal, stop: threading.Event) -> None:
    while not stop.is_set():
        portal.mail_due.wait(SECONDS)
        portal.mail_due.clear()
        if not stop.is_set():
            _send(portal, stop)
            _sweep(portal)


def _write_views(portal: Portal) -> None:
    try:
        portal.views.flush(portal.database)
    except Exception as error:  # a database that is away comes back: the counts wait for it
        _LOG.warning("views of pages could not be written and are kept: %s", type(error).__name__)


def _send(portal: Portal, stop: threading.Event) -> None:
    try:
        send_due(portal, stop)
    except PlatformError as error:
        _LOG.warning("mail to readers could not be sent and is tried again: %s", error.code)
    except Exception as error:
        _LOG.warning("mail to readers could not be sent and is tried again: %s", type(error).__name__)


def _sweep(portal: Portal) -> None:
    """What was withdrawn leaves the database's log too, where a reader was in the way or the portal was killed."""
    if not portal.unswept:
        return
    portal.unswept = False  # before it begins: what is withdrawn meanwhile sets it again
    try:
        if not sweep(portal.database):
            portal.unswept = True
    except Exception as error:
        portal.unswept = True
        _LOG.warning("the database could not be swept and is tried again: %s", type(error).__name__)
