"""Tells errors that nobody can catch, in a thread or while an object is given up, by their kind alone."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress


def tell_kinds_only() -> None:
    """From now on, in this process: one line with the kind; Python would print the message, which may hold values."""
    sys.unraisablehook = _told
    threading.excepthook = _told


def _told(error: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> None:
    if error.exc_type is not SystemExit:
        with suppress(
            AttributeError, OSError, ValueError
        ):  # as the interpreter ends, there may be no terminal any more
            sys.stderr.write(f"passed over: {error.exc_type.__name__}\n")
