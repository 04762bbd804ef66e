"""The kills: each names the home that it is tried on, the command that dies, and the moment.

A moment is an event of the file system (see ``watching``), counted, with some milliseconds after it; or, without a
pattern, a share of the time that the command takes when nobody disturbs it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

RUN = ("run",)
ROTATE = ("keys", "rotate")
DESTROY = ("lake", "destroy-due")
RETENTION = ("-m", "dagster", "job", "execute", "-m", "kobe_platform.definitions", "-a", "defs", "-j", "retention")
PEOPLE = ("people", "add", "hanako", "--name", "神戸花子", "--section", "企画調整局", "--role", "analyst",
          "--audience", "staff", "--password-stdin")  # fmt: skip
NO_RAW = {"KOBE_RAW_DAYS": "0"}
_MONTH = r"[\d-]+"


@dataclass(frozen=True)
class Aim:
    """One kill.

    Attributes:
        boundary: what is about to be, or was just, put on the disk; ``random`` for an instant of any kind.
        home: a name of ``homes.DUE``.
        command: of ``kobe``, or ``-m`` and a module.
        pattern: of an event; empty for a random instant.
        count: which event of the pattern.
        delay: milliseconds after the event.
        share: of the undisturbed time, where there is no pattern.
        more: environment of the command.
    """

    boundary: str
    home: str
    pattern: str = ""
    count: int = 1
    delay: float = 0.0
    command: tuple[str, ...] = RUN
    share: float = 0.0
    more: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def id(self) -> str:
        """Names the kill."""
        what = "run" if self.command == RUN else self.command[-1 if self.command == RETENTION else 0]
        moment = f"{self.count}+{self.delay:g}ms" if self.pattern else f"at-{self.share:.3f}"
        number = "" if not self.pattern else f"-{abs(_digest(self.pattern)) % 0xFFF:03x}"
        return f"{self.boundary}-{self.home}-{what}{number}-{moment}"


def _digest(text: str) -> int:
    return sum((place + 1) * ord(letter) for place, letter in enumerate(text))


def _head(stage: str, source: str = r"\w+") -> str:
    return rf"moved store/{stage}/{source}/{_MONTH}/head\.json"


WRITING = rf"changed store/(raw|statistics)/\w+/{_MONTH}/\.g\d+\.new/data\.parquet"
RENAMED = rf"moved store/(raw|statistics)/\w+/{_MONTH}/g\d+$"
NEXT_HEAD = rf"moved store/(raw|statistics)/\w+/{_MONTH}/head\.next"
COMMITTED = _head("(raw|abstracted|lake|statistics)")
RECEIPT = r"(moved|made) receipts/.*\.accepted\.json$"
RECEIPT_ASIDE = r"made receipts/.*\.accepted\.json\.new"
CHECKED = rf"moved store/\w+/\w+/{_MONTH}/verdicts\.json"
CHECK_ASIDE = rf"made store/\w+/\w+/{_MONTH}/\.verdicts\.json\.new"
COUNTED = _head("statistics")
COUNTING = rf"changed store/statistics/\w+/{_MONTH}/\.g\d+\.new/data\.parquet"
PROTECTED = _head("published")
PROTECTING = rf"changed store/published/\w+/{_MONTH}/\.g\d+\.new/data\.parquet"
STAGED = r"moved staging/tables-\w+$"
PAGE = r"(made|moved) staging/(pages/[\w-]+$|bodies/)"
BUILDING = r"made releases/\.building-\w+$"
SITE = r"made releases/\.building-\w+/sites/\w+$"
RELEASED = _head("released")
NAMED = r"moved releases/\d{4,}-[0-9a-f]{12}$"
SWITCHING = r"made releases/\.current-\w+$"
SWITCHED = r"moved releases/current$"
INPUTS = r"moved releases/inputs\.json$"
KEYRING = r"moved keys/keyring\.json"
REWRAPPED = rf"moved store/\w+/\w+/{_MONTH}/g\d+/manifest\.json"
REWRAPPING = rf"made store/\w+/\w+/{_MONTH}/g\d+/\.manifest\.json\.new"
UNLINKED = rf"gone store/\w+/\w+/{_MONTH}/g\d+/data\.parquet"
LOGGED = r"changed log/key_use\.jsonl"
GOVERNED = r"(made|changed|gone) governance\.sqlite.*"

SHORT = (
    Aim("receipt", "public", RECEIPT_ASIDE),
    Aim("page", "tabulated", PAGE, 3),
    Aim("release switch", "tabulated", SWITCHING),
    Aim("rotation", "done", REWRAPPED, 20, command=ROTATE),
    Aim("destruction", "done", REWRAPPED, 1, command=DESTROY, more=NO_RAW),
    Aim("governance write", "done", GOVERNED, 4, command=PEOPLE),
)
"""Six kills, for `make test`."""


def _aimed() -> Iterator[Aim]:
    for boundary, home, pattern, counts in (
        ("raw written", "first", WRITING, (3, 4)),
        ("raw written", "register", WRITING, (1, 2)),
        ("raw written", "public", WRITING, (1, 2)),
        ("committed", "first", RENAMED, (3,)),
        ("committed", "first", NEXT_HEAD, (2,)),
        ("committed", "public", NEXT_HEAD, (1,)),
        ("committed", "first", COMMITTED, (4, 8)),
        ("committed", "register", COMMITTED, (1, 2, 3)),
        ("committed", "public", COMMITTED, (1,)),
        ("committed", "public", RENAMED, (1,)),
        ("receipt", "first", RECEIPT, (2, 4)),
        ("receipt", "register", RECEIPT_ASIDE, (1,)),
        ("receipt", "register", RECEIPT, (1,)),
        ("receipt", "public", RECEIPT, (1,)),
        ("check", "register", CHECKED, (1, 4, 6, 7)),
        ("check", "first", CHECKED, (9,)),
        ("check", "public", CHECKED, (1,)),
        ("check", "public", CHECK_ASIDE, (1,)),
        ("check", "tabulated", LOGGED, (4,)),
        ("check", "taken", CHECKED, (1, 13, 29, 31, 40, 60, 80)),
        ("count", "taken", COUNTING, (1, 12, 20)),
        ("count", "taken", COUNTED, (1, 3, 10, 16, 17, 29)),
        ("protect", "taken", PROTECTING, (1, 9, 30)),
        ("protect", "taken", PROTECTED, (1, 5, 10, 16, 17, 30)),
        ("protect", "public", PROTECTED, (1,)),
        ("protect", "public", PROTECTING, (1,)),
        ("page", "tabulated", STAGED, (1,)),
        ("page", "tabulated", PAGE, (1, 5, 20, 40)),
        ("page", "public", PAGE, (1, 8)),
        ("release record", "tabulated", RELEASED, (1, 2)),
        ("release record", "public", LOGGED, (4, 8)),
        ("release switch", "tabulated", BUILDING, (1,)),
        ("release switch", "tabulated", SITE, (1,)),
        ("release switch", "tabulated", NAMED, (1,)),
        ("release switch", "tabulated", SWITCHED, (1,)),
        ("release switch", "tabulated", INPUTS, (1,)),
        ("release switch", "public", SITE, (1,)),
        ("release switch", "public", NAMED, (1,)),
        ("release switch", "public", SWITCHING, (1,)),
        ("release switch", "public", SWITCHED, (1,)),
        ("release switch", "public", INPUTS, (1,)),
    ):  # fmt: skip
        for count in counts:
            yield Aim(boundary, home, pattern, count)


def _aimed_at_commands() -> Iterator[Aim]:
    for count in (1, 2, 5, 9):
        yield Aim("rotation", "done", KEYRING, count, command=ROTATE)
    for count in (1, 2, 10, 35, 50, 69):
        yield Aim("rotation", "done", REWRAPPED, count, command=ROTATE)
    for count in (3, 40):
        yield Aim("rotation", "done", REWRAPPING, count, command=ROTATE)
        yield Aim("rotation", "public", REWRAPPED, count, command=ROTATE)
    for pattern, counts in ((REWRAPPING, (1, 2)), (REWRAPPED, (2,)), (UNLINKED, (1, 2)), (LOGGED, (1, 2, 3))):
        for count in counts:
            yield Aim("destruction", "done", pattern, count, command=DESTROY, more=NO_RAW)
    for pattern, count in ((REWRAPPED, 1), (UNLINKED, 1), (UNLINKED, 2), (LOGGED, 2)):
        yield Aim("destruction", "done", pattern, count, command=RETENTION, more=NO_RAW)
    for home, counts in (("tabulated", (1, 2, 4, 6, 8, 11)), ("done", (1, 2, 3, 5, 6, 7))):
        for count in counts:
            yield Aim("governance write", home, GOVERNED, count, command=PEOPLE)


def _random() -> Iterator[Aim]:
    dice = random.Random(12)
    for home, number in (("first", 10), ("register", 8), ("taken", 8), ("tabulated", 14), ("public", 24)):
        for _ in range(number):
            yield Aim("random", home, share=round(dice.uniform(0.05, 1.0), 3))
    for command, more, number in ((ROTATE, {}, 18), (DESTROY, NO_RAW, 10), (PEOPLE, {}, 16)):
        for _ in range(number):
            yield Aim("random", "done", share=round(dice.uniform(0.3, 1.0), 3), command=command, more=more)


_ALL = (*_aimed(), *_aimed_at_commands(), *_random())
LONG = tuple({aim.id: aim for aim in _ALL if aim.id not in {short.id for short in SHORT}}.values())
"""The rest of the kills, for `make soak`."""
