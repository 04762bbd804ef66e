"""Keeps an index of the partitions in force, so that planning can look at thousands without keys or decryption.

It reads heads, manifests and verdicts as plain JSON and remembers each file by its inode, time and size, so that a
second look costs three ``stat`` calls a partition. Nothing here is authenticated: the steps and the publication gate
read through :class:`~kobe_platform.lake.store.PartitionStore`, which verifies signatures and the log of key use. A
wrong index can only cause work to be asked for or left undone. The file that keeps it between processes may be thrown
away at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from kobe_platform.custody.durable import drop_abandoned, held_folder
from kobe_platform.lake.partitions import (
    HEAD,
    MANIFEST,
    VERDICTS,
    PartitionId,
    content_of,
    generation_folder,
    made_from,
)

KEPT = "heads.json"
"""Name of the file that keeps an index between processes, in the installation's ``staging``."""
KEPT_EVERY = 500
"""So many partitions changed since the file was written, it is written anew: fewer are soon read again."""
_VERSION = 3
_FACTS = ("content_hash", "basis", "exposed", "wishes")


@dataclass(frozen=True)
class HeadVerdict:
    """What a check found: of which data file, whether it passed and blocks, and by which version of the code."""

    digest: str
    passed: bool
    blocking: bool
    engine: str = ""


@dataclass(frozen=True)
class HeadEntry:
    """A partition in force as the index knows it.

    Attributes:
        made_from: digest of its inputs, see :func:`~kobe_platform.lake.partitions.made_from`.
        definition: the input of that name; empty where it has none.
        verdicts: by check, whatever generation they are about.
        facts: ``content_hash``, ``basis``, ``exposed`` and ``wishes`` only.
    """

    id: PartitionId
    generation: int
    digest: str
    content: str
    made_from: str
    definition: str = ""
    destroyed_at: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Mapping[str, HeadVerdict] = field(default_factory=dict)

    @cached_property
    def stopped_by(self) -> tuple[tuple[str, str], ...]:
        """Blocking checks that failed on this very generation, each with the version of the code that judged."""
        found = ((name, self.verdict(name)) for name in sorted(self.verdicts))
        return tuple((name, one.engine) for name, one in found if one is not None and one.blocking and not one.passed)

    def verdict(self, check: str) -> HeadVerdict | None:
        """What a check found of this very generation; None where it never ran on it."""
        found = self.verdicts.get(check)
        return found if found is not None and found.digest == self.digest else None


@dataclass(frozen=True)
class Heads:
    """All partitions in force at one moment; a :class:`~kobe_platform.lake.shelf.Shelf`."""

    entries: Mapping[PartitionId, HeadEntry]

    @cached_property
    def _months(self) -> dict[tuple[str, str], list[str]]:
        by_source: dict[tuple[str, str], list[str]] = {}
        for id in self.entries:
            by_source.setdefault((id.stage, id.source), []).append(id.month)
        return {key: sorted(months) for key, months in by_source.items()}

    def current(self, id: PartitionId) -> HeadEntry | None:
        """The partition in force, or None."""
        return self.entries.get(id)

    def months(self, stage: str, source: str) -> list[str]:
        """Months that have a partition in force, ascending."""
        return self._months.get((stage, source), [])


_Stamp = tuple[int, int, int]
_Known = tuple[list[_Stamp | None], HeadEntry]


class HeadIndex:
    """Reads :class:`Heads` of one store again and again.

    Args:
        root: the folder ``store``.
        kept: file that keeps the index between processes; None keeps it in memory only.
    """

    def __init__(self, root: Path, kept: Path | None = None) -> None:
        self.root, self.kept = root, kept
        self._known: dict[str, _Known] = {}
        self._unkept = KEPT_EVERY  # what the first look of a process finds is kept
        self._loaded = kept is None
        self._heads: Heads | None = None

    def read(self) -> Heads:
        """The partitions in force now; what stands half-written is taken as it was before."""
        if not self._loaded:
            self._known, self._loaded = _load(self.kept) if self.kept is not None else {}, True
        known, changed, root = {}, 0, os.fspath(self.root)
        for name in self._folders(root):
            held = self._known.get(name)
            if held is None or _stamps(f"{root}/{name}", held[1].generation) != held[0]:
                held, changed = self._entry(PartitionId(*name.split("/")), self.root / name), changed + 1
            if held is not None:
                known[name] = held
        changed += len(self._known.keys() - known.keys())
        self._known = known
        self._unkept += changed
        if changed and self.kept is not None and self._unkept >= KEPT_EVERY:
            _save(self.kept, self._known)
            self._unkept = 0
        if changed or self._heads is None:
            self._heads = Heads({entry.id: entry for _, entry in known.values()})
        return self._heads

    @staticmethod
    def _folders(root: str) -> Iterator[str]:
        for stage in _subfolders(root):
            for source in _subfolders(f"{root}/{stage}"):
                for month in _subfolders(f"{root}/{stage}/{source}"):
                    yield f"{stage}/{source}/{month}"

    def _entry(self, id: PartitionId, folder: Path) -> tuple[list[_Stamp | None], HeadEntry] | None:
        """Read a partition; the stamps are taken before, so that a change meanwhile is seen the next time."""
        try:
            head = _stamp(f"{os.fspath(folder)}/{HEAD}")
            generation = int(json.loads((folder / HEAD).read_bytes())["generation"])
            stamps = [head, *_stamps(os.fspath(folder), generation)[1:]]
            manifest = json.loads((generation_folder(folder, generation) / MANIFEST).read_bytes())
            return stamps, _entry(id, manifest, _verdicts(folder))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


@lru_cache(maxsize=4)
def index_of(root: Path, kept: Path) -> HeadIndex:
    """The index of a store that everybody in a process asks: what one of them has read the others need not read."""
    return HeadIndex(root, kept)


def _load(kept: Path) -> dict[str, _Known]:
    """The index that another process kept; empty where there is none of this version."""
    try:
        told = json.loads(kept.read_bytes())
        if told["version"] != _VERSION:
            return {}
        return {name: ([tuple(s) if s else None for s in stamps], _of(row)) for name, stamps, row in told["heads"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _save(kept: Path, known: Mapping[str, _Known]) -> None:
    """Keep the index (best effort: it is only a shortcut)."""
    rows = [(name, stamps, _row(entry)) for name, (stamps, entry) in known.items()]
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        drop_abandoned(kept.parent.glob(f".{kept.name}.*"))  # its process was killed while it wrote
        with held_folder(kept.parent, f".{kept.name}.") as aside:
            (aside / kept.name).write_text(json.dumps({"version": _VERSION, "heads": rows}), "utf-8")
            os.replace(aside / kept.name, kept)


def _entry(id: PartitionId, manifest: Mapping[str, Any], verdicts: Mapping[str, HeadVerdict]) -> HeadEntry:
    inputs, facts = manifest["inputs"], manifest["facts"]
    return HeadEntry(
        id=id,
        generation=manifest["generation"],
        digest=manifest["digest"],
        content=content_of(facts, inputs, manifest["digest"]),
        made_from=made_from(inputs),
        definition=inputs.get("definition", ""),
        destroyed_at=manifest["destroyed_at"],
        facts={name: facts[name] for name in _FACTS if name in facts},
        verdicts=verdicts,
    )


def _verdicts(folder: Path) -> dict[str, HeadVerdict]:
    try:
        told = json.loads((folder / VERDICTS).read_bytes())["verdicts"]
        return {
            name: HeadVerdict(one["digest"], one["passed"], one["blocking"], one.get("engine", ""))
            for name, one in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _stamps(base: str, generation: int) -> list[_Stamp | None]:
    """Head, manifest and verdicts in a folder, each by inode, time and size; None for one that is not there."""
    return [_stamp(f"{base}/{HEAD}"), _stamp(f"{base}/g{generation:06d}/{MANIFEST}"), _stamp(f"{base}/{VERDICTS}")]


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _subfolders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(entry.name for entry in found if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def _row(entry: HeadEntry) -> list[Any]:
    verdicts = {name: [v.digest, v.passed, v.blocking, v.engine] for name, v in entry.verdicts.items()}
    id = entry.id
    told = [entry.generation, entry.digest, entry.content, entry.made_from, entry.definition, entry.destroyed_at]
    return [[id.stage, id.source, id.month], *told, dict(entry.facts), verdicts]


def _of(row: list[Any]) -> HeadEntry:
    id, generation, digest, content, made, definition, destroyed_at, facts, verdicts = row
    found = {name: HeadVerdict(*told) for name, told in verdicts.items()}
    return HeadEntry(PartitionId(*id), generation, digest, content, made, definition, destroyed_at, facts, found)
