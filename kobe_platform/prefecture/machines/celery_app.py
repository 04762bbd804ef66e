"""Celery's application of the prefecture's workers: Dagster's own task for a run, and workers that leave nobody behind.

``celery -A`` loads this module (``kobe prefecture worker``). The settings are those of Dagster's launcher, so that
both look at the same queues. A worker takes a run when it can begin it at once, and each run has a process of its
own, which ends with the worker.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_process_init
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task
from kombu import Queue

from kobe_platform.lifeline import end_with
from kobe_platform.prefecture.machines.instance import QUEUES, SMALL
from kobe_platform.privacy.border import seal_process


def prefecture_app(broker: str) -> Celery:
    """The application on a broker, which keeps the tasks' states, too."""
    app = make_app({"broker": broker, "backend": broker, "task_default_queue": QUEUES[SMALL]})
    app.conf.update(
        task_queues=[Queue(name, routing_key=f"{name}.#") for name in QUEUES.values()],
        worker_disable_prefetch=True,  # a run that waits here could be begun elsewhere
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
    )
    return app


@worker_process_init.connect
def _end_with_the_worker(**_: object) -> None:
    end_with(os.getppid())


seal_process()
app = prefecture_app(os.environ["KOBE_BROKER"])
execute_job = create_execute_job_task(app)
