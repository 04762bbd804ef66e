"""Turns every error that passes from the engine to Dagster into coordinates without values.

Polars, DuckDB, Great Expectations and Python itself put values into messages (a failed cast, a KeyError, a sample of
rows). Dagster would write them to its event log. So every asset, check and sensor runs inside :func:`border`.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from kobe_platform.custody.durable import disk_fault, storage_error
from kobe_platform.errors import Coordinate, PlatformError
from kobe_platform.privacy.telling import Told, in_words, show_what_was_told
from kobe_platform.privacy.uncaught import tell_kinds_only
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.coordinates import place

REDACTED_LOGGER = "dagster.redacted_errors"
TOLD_FIRST = "1 内容と場所"
"""Metadata of an error that the UI shows before any other: digits sort before letters."""
_NO_ROOM_BYTES = 2**20


class BorderError(PlatformError):
    """An error of a library, of which only its kind and the place in the platform's own code are told."""


def seal_process() -> None:
    """Set what keeps values from the disk and from the terminal for the whole process; idempotent.

    Dagster redacts errors of user code and the logger that would still print them is mute; there is no core dump and no
    telemetry. Of errors that nobody can catch, in a thread or while an object is given up, only the kind is told.
    """
    os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] = "1"
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logger = logging.getLogger(REDACTED_LOGGER)
    logger.disabled = True
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    show_what_was_told()
    tell_kinds_only()
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def coordinates_only(error: BaseException, at: dict[str, Coordinate]) -> PlatformError:
    """A :class:`PlatformError` for any error: those of the engine as they are, others without their message.

    Args:
        error: what was raised.
        at: where the platform was (stage, source, month …).
    """
    if isinstance(error, PlatformError):
        rebuilt = error.__reduce__()
        clean = rebuilt[0](*rebuilt[1])
        clean.at = {**at, **error.at}
        clean.args = (str(clean),)
        return clean
    if fault := disk_fault(error):
        told = storage_error(OSError(errno.ENOSPC, "") if _no_room() else fault, "KOBE_HOME")
        told.at = {**at, **told.at}
        told.args = (str(told),)
        return told
    return BorderError(
        "a step failed; the library's message is withheld because it may carry values",
        code="border.withheld",
        at={**at, "error": type(error).__name__, **_place(error)},
        remedy="reproduce it with made-up data at the named line",
        ja="処理に失敗しました(値を含むおそれがあるため、ライブラリのメッセージは表示しません)",
    )


def _no_room() -> bool:
    """Whether the installation's disk is full: SQLite may only say that it cannot open or write a file."""
    try:
        return shutil.disk_usage(Settings().home).free < _NO_ROOM_BYTES
    except OSError:
        return False


@contextmanager
def border(**at: Coordinate) -> Iterator[None]:
    """Let only coordinates out: run a step's body inside it.

    Raises:
        Told: with the coordinates of whatever was raised, and without retry (the plan asks again).
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:
        told = coordinates_only(error, dict(at))
    else:
        return
    raise Told(description=in_words(told), metadata=error_metadata(told), allow_retries=False) from None


def error_metadata(error: PlatformError) -> dict[str, str]:
    """An error as Dagster's metadata: its code, coordinates, the sentence for screens, and what to do next.

    The UI sorts by name and cuts long lists off in a run's events, so the sentence with its place has a name that comes
    first.
    """
    words = {TOLD_FIRST: error.ja + place(error.at), "code": error.code, "ja": error.ja, "remedy": error.remedy}
    return {**{name: text for name, text in words.items() if text}, **_places(error)}


def _places(error: PlatformError) -> dict[str, str]:
    return {f"at/{name}": str(value) for name, value in error.at.items()}


def _place(error: BaseException) -> dict[str, Coordinate]:
    """File and line of the innermost frame that belongs to the platform."""
    place: dict[str, Coordinate] = {}
    frame = error.__traceback__
    while frame is not None:
        module = frame.tb_frame.f_globals.get("__name__", "")
        if module.split(".")[0] in ("kobe_platform", "assets", "checks", "resources") and module != __name__:
            place = {"module": module, "line": frame.tb_lineno}
        frame = frame.tb_next
    return place
