"""Remembers whose a session is, so that the files of one page ask the governance database once.

A remembered answer ends with the next commit to the database (a sign-out, a right taken away), whoever makes it, and
after a few seconds in any case. Only reading asks here; whatever changes something asks the database itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from sqlalchemy import Engine

from kobe_platform.governance.database import change_mark
from kobe_platform.governance.sessions import Session

KEPT = 5.0
"""Seconds for which an answer is remembered; so much longer than allowed may an idle session last."""
KEPT_UNSEEN = 1.0
"""The same over a database server, which does not say that something changed."""
MOST = 20_000


class Recall:
    """Sessions found lately, by all that identified them. One event loop uses it."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._mark, self._clock = change_mark(engine), clock
        self._kept = KEPT_UNSEEN if self._mark() is None else KEPT
        self._found: dict[Hashable, tuple[float, Session]] = {}
        self._as_of: int | None = None

    def get(self, key: Hashable) -> Session | None:
        """A session that was found lately and cannot have changed since; None asks the database."""
        self._forget_if_changed()
        until, found = self._found.get(key, (0.0, None))
        return found if self._clock() < until else None

    def mark(self) -> int | None:
        """To be taken before the database is asked, and given to :meth:`put`."""
        return self._mark()

    def put(self, key: Hashable, found: Session, mark: int | None) -> None:
        """Remember what the database said, unless it changed since ``mark``."""
        self._forget_if_changed()
        if mark != self._as_of:
            return
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[key] = (self._clock() + self._kept, found)

    def _forget_if_changed(self) -> None:
        mark = self._mark()
        if mark != self._as_of:
            self._found.clear()
            self._as_of = mark
