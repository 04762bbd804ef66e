"""``KOBE_HOME=… KOBE_INBOX=… python -m tests.benchmarks.ticks [--folders N]``: seconds of one tick of each sensor.

The sensors are the daemon's own, on the home and inbox of an installation, which is only read. With ``--folders`` the
inbox is a made-up one: so many delivery folders over the contracted sources, each a link to the first delivery of its
source that the real one holds, all still to be taken in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import dagster as dg

from kobe_platform.definitions import build_definitions
from kobe_platform.settings import Settings

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


def main() -> None:
    """Print each sensor's first tick of a process and the median of the later ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=0)
    arguments = parser.parse_args()
    settings = Settings()
    with tempfile.TemporaryDirectory(dir=settings.inbox.resolve().parent) as scratch:
        if arguments.folders:
            inbox = crowded(settings, arguments.folders, Path(scratch))
            settings = settings.model_copy(update={"inbox": inbox})
        began = time.perf_counter()
        definitions = build_definitions(settings)
        print(f"definitions {time.perf_counter() - began:.2f} s")
        repository = definitions.get_repository_def()
        with dg.DagsterInstance.ephemeral() as instance:
            for name in ("inbox", "tables", "release"):
                sensor = definitions.resolve_sensor_def(name)
                seconds = []
                for _ in range(ROUNDS + 1):
                    context = dg.build_sensor_context(
                        instance=instance,
                        repository_def=repository,
                        resources=dict(definitions.resources or {}),
                        sensor_name=name,
                    )
                    began = time.perf_counter()
                    result = sensor.evaluate_tick(context)
                    seconds.append(time.perf_counter() - began)
                asked = (
                    f"{len(result.run_requests)} runs"
                    if result.run_requests
                    else f"nothing requested: {result.skip_message}"
                )
                later = statistics.median(seconds[1:])
                print(f"{name}: first {seconds[0]:.2f} s, then {later:.2f} s (to {max(seconds[1:]):.2f}); {asked}")


if __name__ == "__main__":
    main()
