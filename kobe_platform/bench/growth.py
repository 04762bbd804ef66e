"""Measures for ``kobe bench growth`` whether one more month costs more because there are many.

Extracts of a made-up city are delivered into one home in order. The months from August to October of the first year and
of the last one come alone, each with a ``kobe run`` of its own that is measured to its end; what lies between comes a
year at a time. Beside each measured month the plain script of ``kobe bench month`` reads and counts the same extracts,
which says how fast the machine was at that time. A folder that is kept can be gone on with after an end at any point.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from kobe_platform.bench.apart import run_apart
from kobe_platform.bench.month import by_stage
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.months import months_between

LAST_YEAR = 2025
ALONE = ("08", "09", "10")
"""Ordinary months, the fourth to the sixth of the first year: neither the yearly tables nor the moves of spring."""
PLAIN_TURNS = 5
"""The plain script takes a fraction of a second, so that many turns of it are one measurement."""


@dataclass(frozen=True)
class GrowthTrial:
    """The folder of one trial: what is delivered, what is not yet, the home, and the record."""

    folder: Path

    @property
    def inbox(self) -> Path:
        """What has been delivered."""
        return self.folder / "inbox"

    @property
    def later(self) -> Path:
        """What has not."""
        return self.folder / "later"

    @property
    def settings(self) -> Settings:
        """The installation of the trial."""
        return Settings(home=self.folder / "home", inbox=self.inbox)

    @property
    def record(self) -> Path:
        """One JSON object a line: the trial, then each run."""
        return self.folder / "growth.jsonl"

    def runs(self) -> list[dict[str, Any]]:
        """The recorded runs, in order."""
        lines = self.record.read_text("utf-8").splitlines()[1:]
        return [json.loads(line) for line in lines]

    def note(self, entry: dict[str, Any]) -> None:
        """Add a line to the record."""
        with self.record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def turns(years: int) -> list[tuple[str, ...]]:
    """Months by ``kobe run``, of ``12 * years + 6`` months that end with October of ``LAST_YEAR``."""
    first = LAST_YEAR - years
    months = months_between(f"{first}-05", f"{LAST_YEAR}-10")
    alone = [month for month in months if month[:4] in (str(first), str(LAST_YEAR)) and month[5:] in ALONE]
    grouped: list[tuple[str, ...]] = []
    waiting: list[str] = []
    for month in months:
        if month in alone:
            grouped += [tuple(waiting), (month,)] if waiting else [(month,)]
            waiting = []
        else:
            waiting.append(month)
            if len(waiting) == 12:
                grouped, waiting = [*grouped, tuple(waiting)], []
    return grouped


def measure(folder: Path, residents: int, years: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Deliver and run all turns that the folder's record does not have yet.

    Returns:
        ``months``, ``elapsed`` (seconds of all runs), ``runs`` (each with its months, processor and elapsed seconds,
        peak memory, seconds by stage, size of the home) and ``medians``: by figure that of the first year's months that
        came alone and that of the last one's.

    Raises:
        ConfigurationError: ``bench.trial``: the folder holds another trial.
        subprocess.CalledProcessError: a run left work undone; its words are on standard error.
    """
    kept, planned = GrowthTrial(folder), turns(years)
    _begin(kept, {"residents": residents, "years": years}, planned, tell)
    done = {month for run in kept.runs() for month in run["months"]}
    left = [turn for turn in planned if turn[-1] not in done]
    began, total = time.monotonic(), sum(map(len, left))
    for number, turn in _counted(left):
        fresh = _deliver(kept, turn)
        run = _run(kept, turn) | {"alone": len(turn) == 1 and fresh}
        if run["alone"]:
            run["plain"] = _plain(kept, turn[0])
        kept.note(run)
        spent = time.monotonic() - began
        to_go = timedelta(seconds=round(spent / number * (total - number)))
        tell(
            f"{turn[-1]}: {run['cpu']:.1f} processor s, {run['seconds']:.1f} s; {total - number} months to go, {to_go}"
        )
    return report(kept.runs(), years)


def report(runs: Sequence[dict[str, Any]], years: int) -> dict[str, Any]:
    """What :func:`measure` returns, of recorded runs."""
    alone = [run for run in runs if run["alone"]]
    early = [run for run in alone if run["months"][0][:4] == str(LAST_YEAR - years)]
    late = [run for run in alone if run["months"][0][:4] == str(LAST_YEAR)]
    return {
        "months": sum(len(run["months"]) for run in runs),
        "elapsed": round(sum(run["seconds"] for run in runs), 1),
        "medians": {
            name: [round(median(_figures(run)[name] for run in some), 2) for some in (early, late)]
            for name in _figures(early[0])
        },
        "runs": list(runs),
    }


def _figures(run: dict[str, Any]) -> dict[str, float]:
    return {
        "processor seconds": run["cpu"],
        "… of the plain script": run["plain"],
        "elapsed seconds": run["seconds"],
        "peak MB": run["peak_mb"],
        **{f"{stage}, elapsed s": seconds for stage, seconds in run["stages"].items()},
        **run["home"],
    }


def _begin(
    kept: GrowthTrial, trial: dict[str, int], planned: list[tuple[str, ...]], tell: Callable[[str], None]
) -> None:
    """Make the city and its home where the folder is empty; what was begun before must be the same trial."""
    if kept.record.exists():
        if json.loads(kept.record.read_text("utf-8").splitlines()[0]) != trial:
            raise ConfigurationError(
                "the folder holds another trial",
                code="bench.trial",
                at={"folder": kept.folder.name},
                remedy="Name another folder, or give the residents and years of the one that is there.",
            )
        return
    from kobe_platform.synthesis import CityPlan, synthesize

    tell(f"making {sum(map(len, planned))} months of {trial['residents']:,} residents")
    kept.folder.mkdir(parents=True, exist_ok=True)
    synthesize(CityPlan(kept.later, trial["residents"], planned[0][0], planned[-1][-1]))
    LocalKeyStore.create(kept.settings.keys, log=kept.settings.key_log)
    kept.note(trial)


def _counted(left: Sequence[tuple[str, ...]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each turn with the number of months that are done after it."""
    number = 0
    for turn in left:
        number += len(turn)
        yield number, turn


def _deliver(kept: GrowthTrial, turn: tuple[str, ...]) -> bool:
    """Move the months' deliveries into the inbox; whether all of them came now, not in a run that was broken off."""
    moved = 0
    for source in sorted(kept.later.glob("*/*")):
        for month in turn:
            if (source / month).is_dir():
                place = kept.inbox / source.relative_to(kept.later) / month
                place.parent.mkdir(parents=True, exist_ok=True)
                (source / month).rename(place)
                moved += 1
    return moved > 0


def _run(kept: GrowthTrial, turn: tuple[str, ...]) -> dict[str, Any]:
    """One ``kobe run`` in a process of its own, measured with its children from its start to its end."""
    settings = kept.settings
    environment = {"KOBE_HOME": str(settings.home), "KOBE_INBOX": str(settings.inbox)}
    began = time.monotonic()
    words, used = run_apart("kobe_platform.cli", "run", "--json", environment=environment)
    seconds = time.monotonic() - began
    told = json.loads(words)
    steps = [step for run in told["runs"] for step in run["steps"]]
    stages = by_stage(steps, sum(run["seconds"] for run in told["runs"]))
    return {
        "months": list(turn),
        "cpu": round(used.ru_utime + used.ru_stime, 2),
        "seconds": round(seconds, 2),
        "peak_mb": used.ru_maxrss // 1024,
        "stages": {name: round(spent, 2) for name, spent in stages.items()},
        "home": _home(settings),
    }


def _home(settings: Settings) -> dict[str, float]:
    """How large the home has become."""
    sizes = {name: round(_bytes(settings.home / name) / 1e6, 1) for name in ("store", "dagster", "releases", "log")}
    with settings.key_log.open("rb") as file:
        entries = sum(1 for _ in file)
    return {f"{name}/ MB": size for name, size in sizes.items()} | {"key log entries": entries}


def _bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _plain(kept: GrowthTrial, month: str) -> float:
    """Processor seconds of the plain script over the same extracts."""
    from kobe_platform.bench.plain import inbox_to_parquet, parquet_to_counts

    began = time.process_time()
    for _ in range(PLAIN_TURNS):
        inbox_to_parquet(kept.inbox, kept.folder, month)
        parquet_to_counts(kept.folder)
    return round((time.process_time() - began) / PLAIN_TURNS, 3)
