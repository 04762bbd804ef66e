"""Runs a part of a measurement in a process of its own, so that nothing of another part is in its figures."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping

from kobe_platform.errors import PlatformError
from kobe_platform.vocabulary.municipality import VARIABLE

_OF_AN_INSTALLATION = ("KOBE_", "DAGSTER_")
"""What the names of variables begin with that name an installation's home, store, databases and keys. Which made-up
municipality it is (:data:`VARIABLE`) goes along."""


def run_apart(
    module: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> tuple[str, resource.struct_rusage]:
    """What ``python -m module …`` printed, and what it used with its children from its start to its end.

    Args:
        environment: settings of the installation that is measured; none of this process's own is passed on but the
            municipality's code.

    Raises:
        PlatformError: it ended with anything but 0; what it said of that stands on its standard error.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    told = os.environ.items()
    kept = {name: value for name, value in told if name == VARIABLE or not name.startswith(_OF_AN_INSTALLATION)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=kept | dict(environment or {}))
    assert process.stdout is not None
    with process.stdout:
        words = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PlatformError(
            "a measured process did not end well",
            code="bench.run",
            at={"process": " ".join([module, *map(str, arguments[:1])]), "status": process.returncode},
            remedy="Mend what its own output names, then start the measurement again.",
            ja="計測する処理が正常に終わりませんでした",
        )
    return words, used
