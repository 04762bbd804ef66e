"""Writes and opens Dagster's own storage from a template that stores nothing which could contain a value."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from kobe_platform.privacy.border import seal_process
from kobe_platform.settings import PROJECT, Settings, with_driver

QUEUE = "QUEUED_RUN_COORDINATOR"
"""Dagster's name for the daemon that starts queued runs."""
SILENCE = 120
"""Seconds without a heartbeat (Dagster's daemons give one every 30) after which the daemon counts as stopped."""
TICKS = timedelta(minutes=10)
"""Without a tick for so long, a sensor that is on counts as silent: theirs come every few seconds or minutes."""
TEMPLATE = PROJECT / "dagster.yaml"
_SQLITE = """run_storage:
  module: kobe_platform.orchestration.run_storage
  class: KeptRunStorage
  config:
    base_dir: {runs}
event_log_storage:
  module: kobe_platform.orchestration.event_log
  class: KeptEventLog
  config:
    base_dir: {events}
"""
_POSTGRES = """storage:
  postgres:
    postgres_url:
      env: KOBE_POSTGRES_URL
"""


def prepare_instance(settings: Settings, changes: Mapping[str, Any] | None = None) -> Path:
    """Make ``DAGSTER_HOME`` (mode 0700) with its ``dagster.yaml`` and return it; the file follows the template.

    Args:
        changes: sections that stand in place of the template's.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = TEMPLATE.read_text(encoding="utf-8")
    history = home / "history"
    local = _SQLITE.format(runs=json.dumps(str(history)), events=json.dumps(str(history / "runs")))
    text = text.replace("# {storage}\n", _POSTGRES if settings.postgres_url else local)
    if changes:
        text = yaml.safe_dump({**yaml.safe_load(text), **changes}, sort_keys=False)
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        aside = target.with_suffix(".tmp")
        aside.write_text(text, encoding="utf-8")
        aside.replace(target)
    return home


def open_instance(settings: Settings, changes: Mapping[str, Any] | None = None) -> dg.DagsterInstance:
    """The installation's Dagster instance, prepared and sealed; close it with ``dispose`` or ``with``.

    Args:
        changes: see :func:`prepare_instance`.
    """
    seal_process()
    home = prepare_instance(settings, changes)
    os.environ["DAGSTER_HOME"] = str(home)
    if settings.postgres_url:  # Dagster reads it from the environment, by the name that its file gives
        os.environ["KOBE_POSTGRES_URL"] = with_driver(settings.postgres_url)
    return dg.DagsterInstance.from_config(str(home))


def daemon_alive(instance: dg.DagsterInstance) -> bool:
    """Whether the daemon that starts queued runs was heard of lately."""
    beat = instance.get_daemon_heartbeats().get(QUEUE)
    return beat is not None and time.time() - beat.timestamp < SILENCE


def silent_sensors(instance: dg.DagsterInstance, now: datetime) -> list[str]:
    """Sensors that are on and did not tick lately, or whose last tick failed."""
    silent = []
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if not state.is_running:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        if not ticks or ticks[0].status is TickStatus.FAILURE or ticks[0].timestamp < (now - TICKS).timestamp():
            silent.append(state.instigator_name)
    return sorted(silent)
