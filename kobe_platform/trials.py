"""Remembers between processes which definitions passed their trials, so that a start tries only what changed.

Contracts and statistics are tried on made-up rows when they are loaded. What passed once passes again as long as the
definition, all code, the vocabulary and the libraries that ran it are the same: their digest is the name under which it
is remembered. Only success is remembered: what failed is tried again. Nothing else leans on it: the secrecy rules of a
SELECT are judged at every start. The file may be thrown away at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from kobe_platform.code_version import engine_version
from kobe_platform.custody.durable import drop_abandoned, held_folder, private_folder
from kobe_platform.vocabulary.codes import LISTS
from kobe_platform.vocabulary.municipality import own

FILE = "trials.json"
MOST = 2000
"""Trials that are remembered; the latest."""
_LIBRARIES = ("duckdb", "polars", "pyarrow", "pydantic")
_SEEN: set[str] = set()
"""What passed in this process."""


class Trials:
    """The trials that passed on one installation.

    Args:
        folder: where the file lies between processes (made when something is remembered, unless the installation's own
            folder above it is not there yet); None remembers within this process only.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = folder / FILE if folder else None

    def untried(self, definitions: Iterable[str]) -> list[str]:
        """Those of some definitions (each by a text that holds all of it) that have not passed yet."""
        told = list(definitions)
        names = {text: _name(text) for text in told}
        seen = _SEEN if all(name in _SEEN for name in names.values()) else _SEEN | set(self._read())
        return [text for text in told if names[text] not in seen]

    def passed(self, definitions: Iterable[str]) -> None:
        """Remember that these passed; best effort, as it is only a shortcut."""
        names = [_name(text) for text in definitions]
        _SEEN.update(names)
        if not names or self._file is None or not self._file.parent.parent.is_dir():
            return
        kept = [name for name in self._read() if name not in names]
        with contextlib.suppress(OSError):
            private_folder(self._file.parent)
            drop_abandoned(self._file.parent.glob(f".{FILE}.*"))  # its process was killed while it wrote
            with held_folder(self._file.parent, f".{FILE}.") as aside:
                (aside / FILE).write_text(json.dumps([*kept, *names][-MOST:]), "utf-8")
                os.replace(aside / FILE, self._file)

    def _read(self) -> list[str]:
        try:
            told = json.loads(self._file.read_bytes()) if self._file else []
        except (OSError, ValueError, RecursionError):
            return []
        return [name for name in told if isinstance(name, str)] if isinstance(told, list) else []


def _name(definition: str) -> str:
    return hashlib.sha256(f"{_runs_on()}\n{definition}".encode()).hexdigest()


def _runs_on() -> str:
    """Code, vocabulary and libraries that a trial runs on."""
    return f"{engine_version()} {own().code} {_vocabulary()} {_versions()}"


@cache
def _vocabulary() -> str:
    """SHA-256 of the lists, which this process reads once."""
    digest = hashlib.sha256()
    for path in sorted(LISTS.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _versions() -> str:
    return " ".join(f"{name}={version(name)}" for name in _LIBRARIES)
