"""Brings what municipalities hand over to the prefecture's own process, through pipes alone.

Each side runs in a process of its own with the keys of its own home. What passes between them is held in the memory of
this process, which opens no key: it is in no file, log, argument or environment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from kobe_platform.errors import ConfigurationError
from kobe_platform.prefecture.homes import Home, home_above
from kobe_platform.prefecture.publishing import received, unreleased
from kobe_platform.prefecture.running import Ending, Task, not_begun, run_all, run_one
from kobe_platform.prefecture.stating import COMPLETE, waiting
from kobe_platform.settings import Settings

HAND_OVER, TAKE_IN, RECEIVE = (("prefecture", name) for name in ("hand-over", "take-in", "receive"))
AT_ONCE = 6
"""Months that are handed over at a time: so many are in memory."""


@dataclass(frozen=True)
class DueAbove:
    """A group and month whose totals are not what municipalities have released.

    Attributes:
        contents: municipality → digest of what it has released; those without a release of the month are not there.
        missing: codes of the homes without.
        before: codes of the municipalities that the tables of the month are made of now.
    """

    month: str
    group: str
    contents: Mapping[str, str]
    missing: tuple[str, ...]
    before: frozenset[str] = frozenset()


@dataclass
class Above:
    """What became of the tables above: lines for people, and whether something is left."""

    told: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    months: list[Mapping[str, object]] = field(default_factory=list)
    release: str = ""

    def record(self) -> dict[str, object]:
        """JSON-ready: coordinates and counts."""
        return {"left": self.left, "months": self.months, "release": self.release}


def outstanding(settings: Settings, below: Sequence[Home], workers: int) -> tuple[list[DueAbove], list[Ending]]:
    """What is due above the municipalities, oldest month first; and how those ended that could not be asked."""
    tasks, refused = [], []
    for one in below:
        try:
            tasks.append(_task(one, settings, (*HAND_OVER, "--list")))
        except ConfigurationError as error:
            refused.append(not_begun(one.place.code, one.place.name, error))
    endings = [*refused, *run_all(tasks, workers, lambda one: None)]
    failed = [one for one in endings if not one.done]
    released = {one.code: one.report["months"] for one in endings if "months" in one.report}
    held = {one.code: one.report.get("held", {}) for one in endings}
    return due_above(settings, below, released, {one.code for one in failed}, held), failed


def due_above(
    settings: Settings,
    below: Sequence[Home],
    released: Mapping[str, Mapping[str, Mapping[str, str]]],
    unknown: Set[str],
    held: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]],
) -> list[DueAbove]:
    """What is due above the municipalities, oldest month first.

    Args:
        released: municipality → month → group → digest of what was released of it.
        unknown: codes of the municipalities that could not be asked.
        held: municipality → month → group → digests of what it holds of what totals ask of it.
    """
    known: dict[tuple[str, str], dict[str, str]] = {}
    for code, months in released.items():
        for month, groups in months.items():
            for group, content in groups.items():
                known.setdefault((month, group), {})[code] = content
    everyone = {home.place.code for home in below}
    above = home_above(settings, below)
    _bring_shared(above, settings)
    found = [
        _due(above.path, month, group, contents, everyone, unknown, held)
        for (month, group), contents in sorted(known.items())
    ]
    return [one for one in found if one is not None]


def _bring_shared(above: Home, settings: Settings) -> None:
    """Have the receipts and the release of other machines that publish above the municipalities here; no key is opened
    for it."""
    if url := above.environment(settings).get("KOBE_STORE_URL"):
        from kobe_platform.lounge.sharing import SharedReleases
        from kobe_platform.objects import open_objects
        from kobe_platform.release.sharing import bring_receipts_together

        bring_receipts_together(url, above.path)
        SharedReleases(open_objects(url), above.path / "releases").pull()


def _due(
    home: Path,
    month: str,
    group: str,
    contents: Mapping[str, str],
    everyone: Set[str],
    unknown: Set[str],
    held: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]],
) -> DueAbove | None:
    """A group and month, unless it was received as it is; what nobody could be asked about is taken as it was."""
    receipt = received(home, month, group)
    before = {code: told["content"] for code, told in receipt.get("received", {}).items()}
    missing = tuple(sorted(everyone - set(contents)))
    same = {code: content for code, content in before.items() if code not in unknown} == dict(contents)
    knows = {code: held.get(code, {}).get(month, {}).get(group, ()) for code in contents}
    told = receipt.get("stated") if receipt.get("totals") == COMPLETE else {}
    stated = told is not None and all(
        digest in knows[code] for code, digest in told.items() if code in knows and code not in unknown
    )  # None: totals of a version that told municipalities nothing yet
    stated &= not waiting(receipt)  # it was taken, perhaps, and nobody noted it
    if same and stated and set(receipt.get("missing", ())) - unknown == set(missing) - unknown:
        return None
    return DueAbove(month, group, contents, missing, frozenset(before))


def publish(
    settings: Settings,
    below: Sequence[Home],
    months: Iterable[str],
    workers: int,
    tell: Callable[[str], None],
) -> Above:
    """Hand over, protect and release what is due; of some months only where ``months`` names any.

    Where nothing is, the release is made again if its pages or words have changed since. A month stays as it is
    published when one of its municipalities cannot be asked, or fails to hand over: that one is named as left.
    """
    above, chosen = Above(), set(months)
    due, failed = outstanding(settings, below, workers)
    above.left += [f"{one.name}({one.code}): {one.error or one.exit_code}" for one in failed]
    due = [one for one in due if not chosen or one.month in chosen]
    home = home_above(settings, below)
    names = {one.place.code: one.place.name for one in below}
    if due and not (home.path / "keys" / "root.json").exists():
        made = run_one(_task(home, settings, ("keys", "init")), "")
        above.left += [made.error or str(made.exit_code)] if not made.done else []
    listed = sorted({one.month for one in due})
    for start in range(0, len(listed), AT_ONCE):
        part = [one for one in due if one.month in listed[start : start + AT_ONCE]]
        _bring(settings, below, home, part, workers, above, tell, {one.code for one in failed})
    if not listed and ((home.path / "releases" / "current").exists() or unreleased(home.path)):
        _bring(settings, below, home, [], workers, above, tell)  # pages may have changed, or a release have failed
    for told in above.months:
        tell(_line(told, names))
    return above


def _bring(
    settings: Settings,
    below: Sequence[Home],
    home: Home,
    due: Sequence[DueAbove],
    workers: int,
    above: Above,
    tell: Callable[[str], None],
    unknown: Set[str] = frozenset(),
) -> None:
    months = sorted({one.month for one in due})
    having = {code for one in due for code in one.contents}
    tasks = [_task(one, settings, (*HAND_OVER, *months)) for one in below if one.place.code in having]
    records: dict[tuple[str, str], list[Mapping[str, object]]] = {}
    for ending in run_all(tasks, workers, lambda one: tell(_handed_over(one))):
        above.left += [f"{ending.name}({ending.code}): {told}" for told in ending.report.get("refused", ())]
        if not ending.done:
            above.left.append(f"{ending.name}({ending.code}): {ending.error or ending.exit_code}")
        for record in ending.report.get("records", ()):
            if record["municipality"] != ending.code:
                above.left.append(f"{ending.name}({ending.code}): [prefecture.handed] 別の市町村の数値です")
                continue
            records.setdefault((record["month"], record["group"]), []).append(record)
    everyone, parts = {one.place.code for one in below}, []
    for one in due:
        found = records.get((one.month, one.group), [])
        missing = everyone - {str(record["municipality"]) for record in found}
        if found and not one.before & missing & (unknown | set(one.contents)):
            parts.append({"month": one.month, "group": one.group, "records": found, "missing": sorted(missing)})
    if parts:
        tell(f"秘匿と監査 {len(parts)}件 …")
    given: dict[str, object] = {"parts": parts}
    while True:
        ended = run_one(_task(home, settings, (*RECEIVE, "--workers", str(workers))), json.dumps(given))
        above.months += ended.report.get("received", ())
        above.left += ended.report.get("refused", ())
        above.left += [ended.error or str(ended.exit_code)] if not ended.report else []
        above.release = ended.report.get("release", above.release)
        if not (told := ended.report.get("statements")):
            return
        given = {"parts": [], "taken": _told(settings, below, told, above)}


def _told(
    settings: Settings, below: Sequence[Home], statements: Sequence[Mapping[str, object]], above: Above
) -> list[tuple[object, ...]]:
    """Tell each municipality what the totals ask of it: month, group, code and digest of what it holds now."""
    taken: list[tuple[object, ...]] = []
    for one in below:
        own = [told for told in statements if told["municipality"] == one.place.code]
        if not own:
            continue
        ended = run_one(_task(one, settings, TAKE_IN), json.dumps({"statements": own}))
        named = f"{ended.name}({ended.code})"
        above.left += [f"{named}: {refused}" for refused in ended.report.get("refused", ())]
        above.left += [f"{named}: {ended.error or ended.exit_code}"] if not ended.done else []
        held = ended.report.get("held", {})
        taken += [
            (month, group, ended.code, digest)
            for month, groups in held.items()
            for group, digests in groups.items()
            for digest in digests
        ]
    return taken


def _handed_over(one: Ending) -> str:
    return f"{'✓' if one.done else '✗'} 受け渡し {one.code} {one.name} {one.seconds:.1f} s"


def _task(home: Home, settings: Settings, arguments: tuple[str, ...]) -> Task:
    return Task(home.place.code, home.place.name, arguments, home.environment(settings))


def _line(told: Mapping[str, object], names: Mapping[str, str]) -> str:
    missing = told.get("missing")
    lacking = "、".join(names.get(code, code) for code in missing) if isinstance(missing, list) else ""
    uneven = told.get("uneven")
    fewer = "、".join(names.get(code, code) for code in uneven) if isinstance(uneven, list) else ""
    head = f"{told['month']} {told['group']}"
    if told["totals"] == "complete":
        return f"{head}: 合計 {told['shown']}、秘匿 {told['hidden']}"
    if lacking:
        return f"{head}: 合計なし(未提供: {lacking})"
    if fewer:
        return f"{head}: 合計なし(年の月がそろっていない: {fewer})"
    return f"{head}: 合計なし(別の市町村の組み合わせで公表済み)"
