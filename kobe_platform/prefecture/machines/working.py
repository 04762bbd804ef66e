"""Turns this process into a worker of Celery that takes the prefecture's runs from the broker, so many at a time."""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from kobe_platform.errors import ConfigurationError
from kobe_platform.prefecture.machines.instance import LARGE, QUEUES, SMALL, prepared
from kobe_platform.settings import PROJECT, Settings

APP = "kobe_platform.prefecture.machines.celery_app"


def become_worker(settings: Settings, *, large: bool, runs: int, name: str) -> NoReturn:
    """Replace this process by the worker.

    Args:
        settings: of the prefecture's own home.
        large: whether it takes large municipalities; a machine with the memory for one says so.
        runs: municipalities at a time.
        name: of the worker; the machine's by default.

    Raises:
        ConfigurationError: ``prefecture.broker``.
    """
    if not settings.broker:
        raise ConfigurationError(
            "no broker is set",
            code="prefecture.broker",
            remedy="set KOBE_BROKER to the Redis that the prefecture's Dagster uses",
            ja="KOBE_BROKER の設定が使えません",
        )
    environment = prepared(settings)
    queues = [QUEUES[SMALL], *([QUEUES[LARGE]] if large else ())]
    path = os.pathsep.join([str(PROJECT), *filter(None, [environment.get("PYTHONPATH")])])
    command = [
        sys.executable, "-m", "celery", "-A", APP, "worker", "--hostname", f"{name or socket.gethostname()}@%h",
        "--queues", ",".join(queues), "--concurrency", str(runs), "--loglevel", "warning",
        "--without-gossip", "--without-mingle",
    ]  # fmt: skip
    os.execve(sys.executable, command, {**environment, "PYTHONPATH": path})
