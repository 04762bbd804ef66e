"""How the tests are shared among processes (`make test`): a file stays together, long ones begin first."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOGETHER = ("soak/test_daemon.py", "soak", "browser", "integration", "secrecy")
"""Files and folders, the longest first; what shares prepared homes or a built site is one group."""


def _group(path: Path) -> tuple[int, str]:
    relative = path.relative_to(HERE).as_posix()
    for place, name in enumerate(TOGETHER):
        if relative.startswith(name):
            return place, name if name in ("soak", "browser") else relative
    return len(TOGETHER), relative


@pytest.hookimpl(tryfirst=True)  # before the ids are given to the processes
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group and begin with the longest groups."""
    items.sort(key=lambda item: _group(item.path))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)[1]))
