"""Measures one month from the inbox to the release in force for ``kobe bench month``, beside a plain script.

Both run once each, in processes of their own, on the same made-up extracts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

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


def measure(scratch: Path, residents: int) -> dict:
    """Synthesize, then run the platform and the plain script, each in a process of its own.

    Returns:
        ``ratios`` (platform ÷ plain, elapsed; protection, checks, pages and release, which the plain script has not,
        are not in them), ``seconds`` by stage until the release is in force, ``cpu`` of both as a whole, ``peak_mb``.
    """
    inbox = scratch / "inbox"
    _call("kobe_platform.cli", "synthesize", "--out", inbox, "--residents", residents, "--from", MONTH, "--to", MONTH)
    platform = json.loads(_call(__name__, "platform", inbox, scratch / "var"))
    plain = json.loads(_call(__name__, "plain", inbox, scratch))
    seconds = {**platform["seconds"], **{f"plain_{name}": spent for name, spent in plain["seconds"].items()}}
    to_lake = sum(seconds[stage] for stage in ("raw", "abstracted", "lake"))
    return {
        "residents": residents,
        "ratios": {
            "inbox_to_lake": round(to_lake / plain["seconds"]["inbox_to_lake"], 2),
            "lake_to_tables": round(seconds["statistics"] / plain["seconds"]["lake_to_tables"], 2),
        },
        "seconds": {name: round(spent, 2) for name, spent in seconds.items()},
        "cpu": {"platform": platform["cpu"], "plain": plain["cpu"]},
        "peak_mb": platform["peak_mb"],
        "plain_peak_mb": plain["peak_mb"],
    }


def _call(module: str, *arguments: object) -> str:
    words, _ = run_apart(module, *arguments)
    return words.strip().splitlines()[-1] if words.strip() else ""


def run_platform(inbox: Path, home: Path) -> dict:
    """The real graph until the release is in force, seconds by stage; ``dagster`` is what its steps leave over."""
    from kobe_platform.cli.run import process
    from kobe_platform.custody.keys import LocalKeyStore
    from kobe_platform.settings import Settings

    settings = Settings(home=home, inbox=inbox)
    LocalKeyStore.create(settings.keys, log=settings.key_log)
    outcomes = process(settings).outcomes
    failed = [fault.text for outcome in outcomes for fault in outcome.faults]
    if failed or not all(outcome.success for outcome in outcomes):
        raise SystemExit("\n".join(failed) or "a blocking check refused")
    steps = [step for outcome in outcomes for step in outcome.steps]
    seconds = by_stage(steps, sum(outcome.seconds for outcome in outcomes))
    return {"seconds": seconds, "cpu": _processor(), "peak_mb": _peak()}


def by_stage(steps: Sequence[tuple[str, float]], total: float) -> dict[str, float]:
    """Seconds of a run's steps by stage, ``checks``, ``total``, and ``dagster``: what the steps leave of the total."""
    seconds = {stage: _spent(steps, (stage,)) for stage in STAGES}
    seconds["checks"] = _spent(steps, CHECKS)
    seconds["total"] = total
    seconds["dagster"] = total - sum(seconds[name] for name in (*STAGES, "checks"))
    return seconds


def _spent(steps: Sequence[tuple[str, float]], prefixes: tuple[str, ...]) -> float:
    return sum(seconds for name, seconds in steps if name.split("__")[0] in prefixes)


def run_plain(inbox: Path, scratch: Path) -> dict:
    """What an analyst would write: parse, derive age and ward, write Parquet; then the statistics' own SQL.

    It checks nothing, encrypts nothing and drops identifiers only because no column asks for them.
    """
    from kobe_platform.bench.plain import inbox_to_parquet, parquet_to_counts

    spent = {
        "inbox_to_lake": _timed(lambda: inbox_to_parquet(inbox, scratch, MONTH)),
        "lake_to_tables": _timed(lambda: parquet_to_counts(scratch)),
    }
    return {"seconds": spent, "cpu": _processor(), "peak_mb": _peak()}


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _processor() -> float:
    """Processor seconds of this process, its threads and its children, the imports included."""
    return round(sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)), 2)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    _run = {"platform": run_platform, "plain": run_plain}[sys.argv[1]]
    print(json.dumps(_run(Path(sys.argv[2]), Path(sys.argv[3]))))
