"""``KOBE_HOME=… KOBE_INBOX=… python -m tests.benchmarks.ticks [--folders N [--rejected N]]``: seconds of one tick.

The sensors are the daemon's own, on the home and inbox of an installation, which is only read. With ``--folders`` the
inbox is a made-up one: so many delivery folders over the contracted sources, each a link to the first delivery of its
source that the real one holds, all still to be taken in. With ``--rejected`` the home is a made-up one, too, in which
so many of them were rejected, and ``kobe deliveries list`` is measured as a command of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg

from kobe_platform.contracts import load_contracts
from kobe_platform.definitions import build_definitions
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.receipts import write_receipt
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.rules import rejection

ROUNDS = 5
FIRST_YEAR = 2026


def crowded(settings: Settings, folders: int, place: Path) -> Path:
    """An inbox of so many folders at ``place``."""
    own = settings.inbox / settings.municipality
    firsts = {source.name: sorted(source.iterdir())[0] for source in sorted(own.iterdir())}
    for number in range(folders):
        source = list(firsts)[number % len(firsts)]
        year, month = divmod(number // len(firsts), 12)
        target = place / settings.municipality / source / f"{FIRST_YEAR + year:04d}-{month + 1:02d}"
        target.mkdir(parents=True)
        for file in firsts[source].iterdir():
            shutil.copy(file, target) if file.name == "manifest.json" else os.link(file, target / file.name)
    return place


def rejected(settings: Settings, number: int) -> None:
    """Receipts of refusal for so many of the deliveries of the inbox, evenly over all of them."""
    found = find(settings.inbox, load_contracts(settings.contracts), settings.municipality)
    for place in range(number):
        delivery = found[place * len(found) // number]
        error = rejection("manifest.city", **delivery.at, file="manifest.json")
        write_receipt(settings.root, delivery, "rejected", error)


def kobe(settings: Settings, *arguments: str) -> str:
    """What ``kobe …`` prints on this home."""
    environment = {**os.environ, "KOBE_HOME": str(settings.root), "KOBE_INBOX": str(settings.inbox)}
    command = [sys.executable, "-m", "kobe_platform.cli", *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def list_seconds(settings: Settings) -> tuple[int, float]:
    """Lines of ``kobe deliveries list`` and the processor seconds of the whole command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    listed = kobe(settings, "deliveries", "list")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return listed.count("\n"), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print each sensor's first tick of a process and the median of the later ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=0)
    parser.add_argument("--rejected", type=int, default=0, help="of the folders")
    arguments = parser.parse_args()
    settings = Settings()
    with tempfile.TemporaryDirectory(dir=settings.inbox.resolve().parent) as scratch:
        if arguments.folders:
            inbox = crowded(settings, arguments.folders, Path(scratch))
            settings = settings.model_copy(update={"inbox": inbox})
        if arguments.folders and arguments.rejected:
            settings = settings.model_copy(update={"home": Path(scratch) / "home"})
            kobe(settings, "keys", "init")
            rejected(settings, arguments.rejected)
            told = [list_seconds(settings) for _ in range(ROUNDS)]
            print(f"list: {told[0][0]} lines, {statistics.median(one for _, one in told):.2f} processor seconds")
        began = time.perf_counter()
        definitions = build_definitions(settings)
        print(f"definitions {time.perf_counter() - began:.2f} s")
        repository = definitions.get_repository_def()
        with dg.DagsterInstance.ephemeral() as instance:
            for name in ("inbox", "tables", "release"):
                sensor = definitions.resolve_sensor_def(name)
                seconds, worked = [], []
                for _ in range(ROUNDS + 1):
                    context = dg.build_sensor_context(
                        instance=instance,
                        repository_def=repository,
                        resources=dict(definitions.resources or {}),
                        sensor_name=name,
                    )
                    began, at_work = time.perf_counter(), time.process_time()
                    result = sensor.evaluate_tick(context)
                    seconds.append(time.perf_counter() - began)
                    worked.append(time.process_time() - at_work)
                asked = (
                    f"{len(result.run_requests)} runs"
                    if result.run_requests
                    else f"nothing requested: {result.skip_message}"
                )
                later, processor = statistics.median(seconds[1:]), statistics.median(worked[1:])
                told = f"first {seconds[0]:.2f} s, then {later:.2f} s (to {max(seconds[1:]):.2f})"
                print(f"{name}: {told}, {processor:.2f} of the processor; {asked}")


if __name__ == "__main__":
    main()
