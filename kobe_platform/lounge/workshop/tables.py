"""Finds the tables that an author works with: those of the release in force, or made-up ones before there is any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from kobe_platform.lounge.release import current
from kobe_platform.lounge.tables import write_tables
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.trials import Trials


@contextmanager
def tables_at_hand(settings: Settings, *, sample: bool = False) -> Iterator[tuple[Path, str, str]]:
    """Give the directory of tables, their basis, and what they are in words.

    Args:
        sample: take made-up figures of every statistic in any case (a new statistic is in no release yet).
    """
    release = current(settings.releases)
    if release and not sample:
        yield release.path / "tables", str(release.facts.get("basis", "register")), f"release {release.id}"
        return
    from kobe_platform.synthesis.published import published

    with TemporaryDirectory(prefix="kobe-sample-") as scratch:
        tables, dims, facts = published(
            statistics=settings.statistics, forecasts=settings.forecast_files, unusual=settings.watch_files
        )
        write_tables(Path(scratch) / "tables", tables, dims, facts["tables"])
        yield Path(scratch) / "tables", "synthetic", "made-up figures of every statistic"


def kinds_of(settings: Settings) -> dict[str, str]:
    """Every statistic's table → its kind."""
    statistics = load_published(
        settings.statistics, settings.forecast_files, trials=Trials(settings.trials), unusual=settings.watch_files
    )
    return {name: statistic.kind for name, statistic in statistics.items()}
