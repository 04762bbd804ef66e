"""Measures one month from the inbox to the release in force for ``kobe bench month``, beside two scripts.

One is plain (:mod:`bench.plain`), one does the least that the platform promises (:mod:`bench.least`). All run in turn
on the same made-up extracts, each time in processes of their own. Over several sizes of a city the
exponent says how time and memory grow: 1 where twice the residents take twice as much.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from kobe_platform.bench.apart import run_apart

MONTH = "2025-07"
STAGES = ("raw", "abstracted", "lake", "statistics", "published", "dashboards")
CHECKS = (
    "rows_accounted",
    "no_identifiers",
    "expectations",
    "common_margins",
    "stock_and_flow",
    "disclosure",
)
TO_LAKE = ("raw", "abstracted", "lake")
KINDS = ("seconds", "cpu")
WAYS = ("platform", "least", "plain")


def measure(scratch: Path, sizes: Sequence[int], runs: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Every size so many times, the platform and both scripts in turn; medians and ranges over the runs.

    Returns:
        ``runs``; ``cases``: by residents ``seconds`` (elapsed) and ``cpu`` (processor seconds) by stage, of ``total``
        (until the release is in force), ``process`` (with imports and definitions), ``plain_…`` and ``least_…``, each
        as median, least and most; ``ratios`` and ``cpu_ratios`` (platform ÷ plain, and ``…_to_least``; protection,
        checks, pages and release, which the scripts have not, are not in them); ``peak_mb`` and ``plain_peak_mb``.
        ``exponents``, where there are several sizes: of each stage's processor seconds, and of ``peak_mb``.
    """
    cases = {}
    for residents in sorted(sizes):
        tell(f"{residents:,} residents")
        inbox = scratch / "inbox"
        options = ("--out", inbox, "--residents", residents, "--from", MONTH, "--to", MONTH)
        run_apart("kobe_platform.cli", "synthesize", *options)
        told = []
        for run in range(runs):
            platform, least, plain = (_told(way, inbox, scratch / "var") for way in WAYS)
            tell(f"  {run + 1}. {platform['seconds']['total']:.1f} s, {platform['cpu']['process']:.1f} processor s")
            told.append((platform, plain, least))
        shutil.rmtree(inbox)
        cases[str(residents)] = _middle(told)
    return {"runs": runs, "cases": cases, **({"exponents": _exponents(cases)} if len(cases) > 1 else {})}


def compared(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """By size that both reports have: how many times as much as before, each run measured by its own plain script."""
    told = {}
    for size in now["cases"].keys() & before["cases"].keys():
        own, earlier = ({kind: _by_plain(report["cases"][size], kind) for kind in KINDS} for report in (now, before))
        peak = now["cases"][size]["peak_mb"] / before["cases"][size]["peak_mb"]
        told[size] = {kind: round(own[kind] / earlier[kind], 2) for kind in KINDS} | {"peak_mb": round(peak, 2)}
    return told


def _by_plain(case: Mapping[str, Any], kind: str) -> float:
    spent = case[kind]
    return spent["total"][0] / (spent["plain_inbox_to_lake"][0] + spent["plain_lake_to_tables"][0])


def _told(way: str, inbox: Path, home: Path) -> dict[str, Any]:
    """What one way tells. The least reads the lake that the platform left in its home; the others begin anew."""
    if way != "least":
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
    words, _ = run_apart(__name__, way, inbox, home)
    return json.loads(words.strip().splitlines()[-1])


def _middle(told: Sequence[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    case: dict[str, Any] = {}
    for kind in KINDS:
        every = [
            {**own[kind], **_named("plain", plain[kind]), **_named("least", least[kind])} for own, plain, least in told
        ]
        case[kind] = {name: spread(one[name] for one in every) for name in every[0]}
    for kind, name in zip(KINDS, ("ratios", "cpu_ratios"), strict=True):
        spent = {stage: value for stage, (value, _, _) in case[kind].items()}
        case[name] = {
            "inbox_to_lake": round(sum(spent[stage] for stage in TO_LAKE) / spent["plain_inbox_to_lake"], 2),
            "lake_to_tables": round(spent["statistics"] / spent["plain_lake_to_tables"], 2),
            "inbox_to_lake_to_least": round(sum(spent[stage] for stage in TO_LAKE) / spent["least_inbox_to_lake"], 2),
            "lake_to_tables_to_least": round(spent["statistics"] / spent["least_lake_to_tables"], 2),
        }
    peaks = [max(one["peak_mb"] for one in ways) for ways in zip(*told, strict=True)]
    case["peak_mb"], case["plain_peak_mb"], case["least_peak_mb"] = peaks
    return case


def _named(way: str, spent: Mapping[str, float]) -> dict[str, float]:
    return {f"{way}_{name}": seconds for name, seconds in spent.items()}


def spread(values: Iterable[float]) -> list[float]:
    """Median, least and most."""
    spent = sorted(values)
    return [round(value, 2) for value in (median(spent), spent[0], spent[-1])]


def _exponents(cases: Mapping[str, Any]) -> dict[str, float]:
    """The slope of each figure over the residents, both as logarithms; a stage that takes no time has none."""
    residents = [int(size) for size in cases]
    figures = {name: [case["cpu"][name][0] for case in cases.values()] for name in next(iter(cases.values()))["cpu"]}
    figures |= {name: [case[name] for case in cases.values()] for name in ("peak_mb", "plain_peak_mb")}
    told = {name: values for name, values in figures.items() if min(values) > 0}
    return {name: round(float(np.polyfit(np.log(residents), np.log(values), 1)[0]), 2) for name, values in told.items()}


def run_platform(inbox: Path, home: Path) -> dict[str, Any]:
    """The real graph until the release is in force, by stage; ``dagster`` is what its steps leave over."""
    from kobe_platform.bench.processor import ProcessorClock
    from kobe_platform.cli.run import process
    from kobe_platform.custody.keys import LocalKeyStore
    from kobe_platform.privacy.instance import open_instance
    from kobe_platform.settings import Settings

    settings = Settings(home=home, inbox=inbox)
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    with ProcessorClock() as clock:
        outcomes = process(settings).outcomes
    failed = [fault.text for outcome in outcomes for fault in outcome.faults]
    if failed or not all(outcome.success for outcome in outcomes):
        raise SystemExit("\n".join(failed) or "a blocking check refused")
    steps = [step for outcome in outcomes for step in outcome.steps]
    seconds = by_stage(steps, sum(outcome.seconds for outcome in outcomes))
    used = _processor()
    with open_instance(settings) as instance:
        spans, whole = _spans(instance)
    cpu = by_stage([(name, clock.used(*span)) for name, span in spans], sum(clock.used(*span) for span in whole))
    return {"seconds": seconds, "cpu": cpu | {"process": used}, "peak_mb": _peak()}


def _spans(instance: Any) -> tuple[list[tuple[str, tuple[float, float]]], list[tuple[float, float]]]:
    """Begin and end of every step, and of every run (from its being asked for), in Dagster's record of them."""
    steps, runs = [], []
    for record in instance.get_run_records():
        began: dict[str, float] = {}
        for entry in instance.all_logs(record.dagster_run.run_id):
            event = entry.dagster_event
            if event is not None and event.event_type_value == "STEP_START":
                began[event.step_key] = entry.timestamp
            elif event is not None and event.event_type_value == "STEP_SUCCESS":
                steps.append((event.step_key, (began[event.step_key], entry.timestamp)))
        runs.append((record.create_timestamp.timestamp(), record.end_time))
    return steps, runs


def by_stage(steps: Sequence[tuple[str, float]], total: float) -> dict[str, float]:
    """Seconds of a run's steps by stage, ``checks``, ``total``, and ``dagster``: what the steps leave of the total."""
    seconds = {stage: _spent(steps, (stage,)) for stage in STAGES}
    seconds["checks"] = _spent(steps, CHECKS)
    seconds["total"] = total
    seconds["dagster"] = total - sum(seconds[name] for name in (*STAGES, "checks"))
    return seconds


def _spent(steps: Sequence[tuple[str, float]], prefixes: tuple[str, ...]) -> float:
    return sum(seconds for name, seconds in steps if name.split("__")[0] in prefixes)


def run_plain(inbox: Path, scratch: Path) -> dict[str, Any]:
    """What an analyst would write: parse, derive age and ward, write Parquet; then the statistics' own SQL.

    It checks nothing, encrypts nothing and drops identifiers only because no column asks for them.
    """
    from kobe_platform.bench.plain import inbox_to_parquet, parquet_to_counts

    parts = {
        "inbox_to_lake": _timed(lambda: inbox_to_parquet(inbox, scratch, MONTH)),
        "lake_to_tables": _timed(lambda: parquet_to_counts(scratch)),
    }
    return _parts(parts)


def run_least(inbox: Path, home: Path) -> dict[str, Any]:
    """What is left of the platform's work where only its bytes and its tables' SQL are asked for."""
    from kobe_platform.bench import least
    from kobe_platform.custody.commands import open_store
    from kobe_platform.settings import Settings
    from kobe_platform.statistics import load_statistics

    with tempfile.TemporaryDirectory(dir=home) as scratch:
        to_lake = _timed(lambda: least.inbox_to_lake(inbox, Path(scratch), MONTH))
    settings = Settings(home=home, inbox=inbox)
    store, statistics = open_store(settings), load_statistics(settings.statistics).values()
    to_tables = _timed(lambda: least.lake_to_tables(store, statistics, MONTH))
    return _parts({"inbox_to_lake": to_lake, "lake_to_tables": to_tables})


def _parts(parts: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    spent: dict[str, Any] = {
        kind: {name: part[place] for name, part in parts.items()} for place, kind in enumerate(KINDS)
    }
    spent["cpu"]["process"] = _processor()
    return {**spent, "peak_mb": _peak()}


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - used


def _processor() -> float:
    """Processor seconds of this process, its threads and its children, the imports included."""
    return round(sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)), 2)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    _run = {"platform": run_platform, "least": run_least, "plain": run_plain}[sys.argv[1]]
    print(json.dumps(_run(Path(sys.argv[2]), Path(sys.argv[3]))))
