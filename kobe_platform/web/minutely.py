"""What the portal does once a minute and at its end: it writes the views of pages and sends readers their mail."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool

from kobe_platform.errors import PlatformError
from kobe_platform.web.mailing import send_news
from kobe_platform.web.state import Portal

SECONDS = 60
_LOG = logging.getLogger(__name__)


def minutely(portal: Portal) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of a portal's application."""

    @asynccontextmanager
    async def living(_app: Any) -> AsyncIterator[None]:
        task = asyncio.create_task(_again_and_again(portal))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await run_in_threadpool(_write_views, portal)

    return living


async def _again_and_again(portal: Portal) -> None:
    while True:
        await asyncio.sleep(SECONDS)
        await run_in_threadpool(_write_views, portal)
        await run_in_threadpool(_send, portal)


def _write_views(portal: Portal) -> None:
    try:
        portal.views.flush(portal.database)
    except Exception as error:  # a database that is away comes back: the counts wait for it
        _LOG.warning("views of pages could not be written and are kept: %s", type(error).__name__)


def _send(portal: Portal) -> None:
    try:
        send_news(portal)
    except PlatformError as error:
        _LOG.warning("mail of changes could not be sent and is tried again: %s", error.code)
    except Exception as error:
        _LOG.warning("mail of changes could not be sent and is tried again: %s", type(error).__name__)
