"""What was tried: one line of JSON a kill, so that an interrupted soak goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kobe_platform.settings import PROJECT

CODE = ("kobe_platform", "assets", "checks", "resources", "tests/soak")


@dataclass(frozen=True)
class Tried:
    """One kill and what came of it.

    Attributes:
        killed: whether the process was still there to be killed.
        problems: why the home has not healed; empty where it has.
        seconds: of the next `kobe run`, the one that heals.
    """

    id: str
    boundary: str
    killed: bool
    problems: tuple[str, ...]
    seconds: float

    @property
    def healed(self) -> bool:
        """Whether it was killed and nothing is left of it."""
        return self.killed and not self.problems


def code_digest() -> str:
    """Names the code that is being tried: with other code, everything is tried again."""
    digest = hashlib.sha256()
    for room in CODE:
        for path in sorted((PROJECT / room).rglob("*")):
            if path.suffix in (".py", ".toml", ".sql"):
                digest.update(str(path.relative_to(PROJECT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class Records:
    """The records of one state of the code.

    Args:
        folder: of all of them; several processes may write.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "kills.jsonl"

    def add(self, tried: Tried) -> None:
        """Keep what came of a kill."""
        line = json.dumps(asdict(tried), ensure_ascii=False) + "\n"
        handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def all(self) -> dict[str, Tried]:
        """The newest record of each kill."""
        return {tried.id: tried for tried in self._lines()}

    def _lines(self) -> Iterator[Tried]:
        text = self.file.read_text("utf-8") if self.file.exists() else ""
        for line in text.splitlines():
            told = json.loads(line)
            yield Tried(**{**told, "problems": tuple(told["problems"])})


def table(tried: dict[str, Tried]) -> list[str]:
    """Kills, healed, and seconds of the healing run (median, most) by boundary, as lines of a Markdown table."""
    by_boundary: dict[str, list[Tried]] = defaultdict(list)
    for one in tried.values():
        if one.killed:
            by_boundary[one.boundary].append(one)
    lines = ["| boundary | kills | healed | next run, median s | most s |", "|---|---|---|---|---|"]
    for boundary, ones in [*sorted(by_boundary.items()), ("**all**", [one for one in tried.values() if one.killed])]:
        seconds = sorted(one.seconds for one in ones) or [0.0]
        healed = sum(one.healed for one in ones)
        middle = seconds[len(seconds) // 2]
        lines.append(f"| {boundary} | {len(ones)} | {healed} | {middle:.0f} | {seconds[-1]:.0f} |")
    return lines
