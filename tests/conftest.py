"""How the tests are shared among processes (`make test`): a file stays together, long ones begin first.

No test depends on how fast a machine is, drawn examples neither.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["OPENPYXL_LXML"] = "False"  # as the platform reads workbooks, whoever imports the library first
settings.register_profile("any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")
HERE = Path(__file__).parent
TOGETHER = ("soak/test_daemon.py", "soak", "browser", "integration", "secrecy")
"""Files and folders, the longest first; what shares prepared homes or a built site is one group."""


def _group(path: str) -> tuple[int, str]:
    """The place of a test file in the order, and the group whose tests one process takes."""
    for place, name in enumerate(TOGETHER):
        if path.startswith(name):
            return place, name if name in ("soak", "browser") else path
    return len(TOGETHER), path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest groups."""
    items.sort(key=lambda item: _group(item.path.relative_to(HERE).as_posix()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """Give each process whole groups of tests."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid.partition("::")[0].removeprefix(f"{HERE.name}/"))[1]

    return ByGroup(config, log)
