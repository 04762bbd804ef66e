"""The prefecture's own Dagster: its home, its records, how many runs at a time, and who starts them."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from typing import Any

import dagster as dg

from kobe_platform.errors import ConfigurationError
from kobe_platform.prefecture.homes import folder_of
from kobe_platform.prefecture.machines.claims import claims_of
from kobe_platform.privacy.instance import open_instance
from kobe_platform.settings import Settings

MUNICIPALITY_TAG, SIZE_TAG, INPUTS_TAG = "kobe/municipality", "kobe/size", "kobe/inputs"
LARGE, SMALL = "large", "small"
QUEUES = {LARGE: "kobe-large", SMALL: "kobe-small"}
"""Size of a municipality → the queue that its runs wait in for a worker."""
SETUP, SETUP_SECONDS = "00000", 300.0
"""No municipality's code: the claim of who makes the tables of Dagster's records, and how long others wait for it."""
MEMORY = {LARGE: ("4Gi", "8Gi"), SMALL: ("2Gi", "4Gi")}
"""Size → what a run's pod is given on Kubernetes, and at most: 1.5 million residents took 2 to 3 GB in a month."""


def own_settings(settings: Settings) -> Settings:
    """The settings of the prefecture's own Dagster: its home is the prefecture's folder.

    Raises:
        ConfigurationError: ``prefecture.absent``.
    """
    return settings.model_copy(update={"home": folder_of(settings)})


def run_tags(code: str, size: str, inputs: str, priority: int) -> dict[str, str]:
    """What Dagster's queue is told of a run."""
    return {MUNICIPALITY_TAG: code, SIZE_TAG: size, INPUTS_TAG: inputs, "dagster/priority": str(priority)}


def place_tags(size: str, *, celery: bool, kubernetes: bool) -> dict[str, str]:
    """What those who start a run are told of it, where they are there: on one machine nobody has to be told."""
    requested, most = MEMORY[size]
    resources = {"requests": {"cpu": "1", "memory": requested}, "limits": {"memory": most}}
    # A run asks nothing of the cluster: its pod gets no token of it.
    pod = {"container_config": {"resources": resources}, "pod_spec_config": {"automount_service_account_token": False}}
    tags = {"dagster-celery/queue": QUEUES[size]} if celery else {}
    return tags | ({"dagster-k8s/config": json.dumps(pod)} if kubernetes else {})


def in_kubernetes() -> bool:
    """Whether this process is in a pod: every container is told where the API server is."""
    return "KUBERNETES_SERVICE_HOST" in os.environ


def concurrency(settings: Settings) -> dict[str, Any]:
    """Runs at a time: in all, of large municipalities, and one of each municipality."""
    return {
        "runs": {
            "max_concurrent_runs": settings.prefecture_runs,
            "tag_concurrency_limits": [
                {"key": SIZE_TAG, "value": LARGE, "limit": settings.prefecture_large_runs},
                {"key": MUNICIPALITY_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1},
            ],
        },
    }


def leaves_places(settings: Settings) -> bool:
    """Whether large municipalities, as many as may run at a time, leave a place to small ones."""
    return settings.prefecture_large_runs < settings.prefecture_runs


def launcher(settings: Settings) -> dict[str, Any]:
    """Who starts runs: the code server on this machine, or, with a broker, Celery's workers."""
    if not settings.broker:
        return {}
    # The broker keeps results, too: the daemon that watches over runs is another process than the one that began them.
    place = {"env": "KOBE_BROKER"}
    config = {"broker": place, "backend": place, "default_queue": QUEUES[SMALL]}
    return {"module": "dagster_celery.launcher", "class": "CeleryRunLauncher", "config": config}


def changes(settings: Settings) -> dict[str, Any]:
    """What the prefecture's Dagster has otherwise than a municipality's (``dagster.yaml``)."""
    started = launcher(settings)
    return {"concurrency": concurrency(settings), **({"run_launcher": started} if started else {})}


def open_prefecture(settings: Settings) -> dg.DagsterInstance:
    """The prefecture's Dagster instance, prepared and sealed.

    Args:
        settings: as :func:`own_settings` gives them.
    """
    return open_instance(settings, changes(settings))


def prepared(settings: Settings) -> dict[str, str]:
    """Make the prefecture's Dagster home with its tables; the environment of the processes that work on it.

    Raises:
        ConfigurationError: ``prefecture.broker``, as :func:`check_broker` has it.
    """
    check_broker(settings)
    # One process after the other opens the records: several that create their tables at the same time would fail.
    with claims_of(settings).holding(SETUP, SETUP_SECONDS):
        open_prefecture(settings).dispose()
    return settings.environment()


def check_broker(settings: Settings) -> None:
    """Refuse a broker without the database that all machines share, without its packages, or that is no Redis.

    Raises:
        ConfigurationError: ``prefecture.broker``; the address, which may hold a password, is not told.
    """
    if not settings.broker:
        return
    if not settings.broker.startswith(("redis://", "rediss://")):
        message, remedy = "the broker is not a Redis", "write KOBE_BROKER as redis://… or rediss://…"
    elif not settings.postgres_url:
        message, remedy = (
            "workers need Dagster's records in a database that all machines reach",
            "set KOBE_POSTGRES_URL",
        )
    elif find_spec("dagster_celery") is None or find_spec("redis") is None:
        message, remedy = "the packages of Celery are not installed", "install the extra `celery`"
    else:
        return
    raise ConfigurationError(message, code="prefecture.broker", remedy=remedy, ja="KOBE_BROKER の設定が使えません")
