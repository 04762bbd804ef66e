"""Homes that are prepared once, the records of the soak, and the table at its end.

``KOBE_SOAK=FOLDER`` keeps homes and records there (`make soak` does), so that another call goes on from where this one
stopped. ``KOBE_SOAK_PART=1/2`` takes every second kill, for two processes side by side.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.homes import Homes
from tests.soak.records import Records, code_digest, table


def _kept() -> Path | None:
    folder = os.environ.get("KOBE_SOAK", "")
    return Path(folder).resolve() / code_digest() if folder else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked ``soak`` to `make soak`, and take the part of it that ``KOBE_SOAK_PART`` names."""
    part, _, parts = os.environ.get("KOBE_SOAK_PART", "1/1").partition("/")
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    if "KOBE_SOAK" in os.environ:
        left_out = {item for place, item in enumerate(own) if place % int(parts) != int(part) - 1}
    else:
        left_out = {item for item in own if item.get_closest_marker("soak")}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Path:
    """Where homes and records are kept."""
    return _kept() or tmp_path_factory.mktemp("soak")


@pytest.fixture(scope="session")
def homes(kept) -> Homes:
    """The prepared homes."""
    return Homes(kept / "homes")


@pytest.fixture(scope="session")
def records(kept) -> Records:
    """What was tried with this code."""
    return Records(kept)


def pytest_terminal_summary(terminalreporter) -> None:
    """The table of all kills that are on record."""
    folder = _kept()
    if folder is None or not (folder / "kills.jsonl").exists():
        return
    terminalreporter.section(f"kills with this code ({folder.name})")
    tried = Records(folder).all()
    for line in table(tried):
        terminalreporter.write_line(line)
    for one in tried.values():
        for problem in one.problems:
            terminalreporter.write_line(f"{one.id}: {problem}")
