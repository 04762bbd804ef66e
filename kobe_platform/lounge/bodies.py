"""Keeps compiled bodies of pages by a digest of their inputs, so that unchanged pages are not compiled again.

A body is what a page's fences and components became: Markdown, the browser's spec, hashed slices. It depends on the
page's text below its front matter, on the published tables that it reads, on ready inserts and on the engine, and on
nothing else: title, audience, manual and file name stay out, so they may change, and a body may serve several sites.
Bodies hold published figures only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import drop_abandoned, held_folder

_RECORD = "body.json"
_ENGINE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class CompiledBody:
    """What a page's body became.

    Attributes:
        markdown: text with components drawn.
        filters, components, slices: what the browser must know; ``slices``: filter → value → file name.
        bytes: size of the slices.
        cells: figures shipped.
        words: titles of sections and charts, for the catalogue.
        labels: what filters offer and charts show, for the search (``filters``, ``charts``).
    """

    markdown: str
    filters: list[dict[str, Any]]
    components: list[dict[str, Any]]
    slices: dict[str, dict[str, str]]
    bytes: int
    cells: int
    words: list[str]
    labels: dict[str, list[dict[str, Any]]]

    @property
    def files(self) -> list[str]:
        """Names of the slices."""
        return sorted({name for values in self.slices.values() for name in values.values()})


@cache
def engine_digest() -> str:
    """SHA-256 over the code that compiles and the engines below it."""
    digest = hashlib.sha256(f"duckdb {version('duckdb')} polars {version('polars')}".encode())
    for path in sorted(p for p in _ENGINE.iterdir() if p.suffix in (".py", ".toml")):
        digest.update(f"\n{path.name} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def body_key(text: str, tables: str, inserts: Mapping[str, str]) -> str:
    """The name of a body: SHA-256 over all that it is made of.

    Args:
        text: the page below its front matter, and the units that it declares.
        tables: digest of the published tables that it reads.
        inserts: ready HTML that it shows.
    """
    made_of = json.dumps([engine_digest(), tables, text, sorted(inserts.items())], ensure_ascii=False)
    return hashlib.sha256(made_of.encode()).hexdigest()[:32]


class Bodies:
    """A folder of compiled bodies; several threads and processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Keep bodies in ``folder``, which is created where absent."""
        self.folder = folder
        self._used: set[str] = set()
        self._making: dict[str, threading.Lock] = defaultdict(threading.Lock)
        folder.mkdir(parents=True, exist_ok=True)

    def making(self, key: str) -> threading.Lock:
        """Held while a body is made, so that two pages with one and the same body wait rather than make it twice."""
        return self._making[key]

    def find(self, key: str) -> CompiledBody | None:
        """The body of that name, or None where it was not made yet or its files are not whole."""
        self._used.add(key)
        try:
            record = json.loads((self.folder / key / _RECORD).read_text(encoding="utf-8"))
            body = CompiledBody(**record)
        except (OSError, ValueError, TypeError):
            return None
        return body if set(body.files) <= set(os.listdir(self.folder / key)) else None

    def scratch(self, key: str) -> AbstractContextManager[Path]:
        """An empty folder to write a new body's slices into; :meth:`keep` puts it in its place."""
        return held_folder(self.folder, f".{key}-")

    def keep(self, key: str, body: CompiledBody, scratch: Path) -> None:
        """Take a finished body in; the record is written last and the folder named by one rename."""
        (scratch / _RECORD).write_text(json.dumps(vars(body), ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(self.folder / key, ignore_errors=True)
        try:
            scratch.rename(self.folder / key)
        except OSError:
            # Another process made the same body meanwhile.
            shutil.rmtree(scratch, ignore_errors=True)

    def lay_out(self, key: str, body: CompiledBody, target: Path) -> int:
        """Put a body's slices into ``target`` (links where the file system has them); gives their bytes."""
        if not body.files:
            return 0
        target.mkdir(parents=True, exist_ok=True)
        there = set(os.listdir(target))
        for name in body.files:
            if name not in there:
                _link(self.folder / key / name, target / name)
        return body.bytes

    def drop_unused(self) -> None:
        """Remove what was not asked for since this object was made, and what a killed process was making."""
        for path in self.folder.iterdir():
            if path.name.startswith("."):
                drop_abandoned([path])
            elif path.name not in self._used:
                shutil.rmtree(path, ignore_errors=True)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)
