"""A question on demand as a job: starts its process, and shows how far it is until there is an answer.

The pages refresh themselves by the header ``Refresh``; no script runs. A reader can stop that (``?still=1``).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import events_of, note
from kobe_platform.ondemand.asking import ACTION, CANCEL, month_begins
from kobe_platform.ondemand.jobs import DONE, WAITING, Job, Jobs
from kobe_platform.ondemand.menu import load_menu
from kobe_platform.ondemand.words import STEPS_JA, in_words, reason
from kobe_platform.settings import Settings
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

POLL_SECONDS = 0.05
KEPT_SECONDS = 20.0
"""A question that was answered before is given so long, before the page of its progress is shown."""
CANCELLED_WITHIN = 3.0
"""Seconds that a press on とりやめる waits for the process to end, before the page says that it is about to."""
_PACE = ((20, 2), (120, 5))
"""A job of less than so many seconds is looked at each so many seconds; after that each ten."""


@dataclass(frozen=True)
class ShownStep:
    """A step on screen: its words, and whether it is ``done``, ``current`` or ``ahead``."""

    words: str
    state: str


async def asked(portal: Portal, person: Person, question: str) -> Job:
    """Enter a question, and give it the time in which an answer is shown straight away.

    One that the person was answered before is kept, as long as nothing was published since; to read it takes a process
    of its own, whose start alone can be longer than that time where the machine is busy. So it is given more.

    Raises:
        QuestionError, CustodyError: see :meth:`Jobs.enter`.
    """
    jobs, config = Jobs(portal.settings.root), portal.config.questions
    start = partial(_start, portal.settings)
    job = await run_in_threadpool(jobs.enter, person.login, question, config.limits, start)
    seconds = config.straight_seconds
    if seconds and await run_in_threadpool(_answered_before, portal, person, job):
        seconds = max(seconds, KEPT_SECONDS)
    return await _awaited(jobs, job, seconds)


def _answered_before(portal: Portal, person: Person, job: Job) -> bool:
    """Whether the person was given an answer to this very question, in this calendar month."""
    asked = _counted(job.asked)
    done = events_of(portal.database, person.login, ACTION, month_begins())
    return any(event.outcome == DONE and _counted(event.detail) == asked for event in done)


def _counted(asked: Mapping[str, Any]) -> tuple[object, ...]:
    """What a question counts, in whatever order it was asked."""
    filters = {name: sorted(map(str, codes)) for name, codes in dict(asked.get("filters", {})).items() if codes}
    return asked.get("month"), asked.get("measure"), sorted(map(str, asked.get("dimensions", ()))), filters


async def job_page(request: Request) -> Response:
    """How far a question of the person is; where it was answered, the answer."""
    job = await _found(request)
    if job is None:
        return page(request, "nothing.html", status=404)
    if job.outcome is not None and job.outcome.code == DONE:
        return RedirectResponse(f"/ondemand/{job.outcome.answer}", status_code=303)
    portal: Portal = request.app.state.portal
    menu = await run_in_threadpool(load_menu, portal.settings.ondemand)
    before = await run_in_threadpool(Jobs(portal.settings.root).before, job) if job.step == WAITING else []
    seconds = int((datetime.now(UTC) - job.entered).total_seconds())
    still = "still" in request.query_params
    answer = page(
        request, "ondemand_job.html", job=job, asked=job.asked, title=_title(job, menu), menu=menu, in_words=in_words,
        given=as_form(job), steps=_steps(job), before=before, seconds=seconds, still=still, reason=reason,
    )  # fmt: skip
    if job.outcome is None and not still:
        pace = next((pace for under, pace in _PACE if seconds < under), 10)
        answer.headers["Refresh"] = str(pace)
    return answer


async def job_cancel(request: Request) -> Response:
    """End a question of the person; one that ended meanwhile stays as it ended."""
    job = await _found(request)
    if job is None:
        return page(request, "nothing.html", status=404)
    portal, person = request.app.state.portal, request.state.session.person
    if job.outcome is None:
        jobs = Jobs(portal.settings.root)
        await run_in_threadpool(note, portal.database, person.login, CANCEL, job.id, detail={"step": job.step})
        await run_in_threadpool(jobs.cancel, job)
        job = await _awaited(jobs, job, CANCELLED_WITHIN)
    return RedirectResponse(f"/ondemand/jobs/{job.id}", status_code=303)


def as_form(job: Job) -> FormData:
    """A job's question as the form that it was asked by."""
    told = job.asked
    fields: list[tuple[str, str | UploadFile]] = []
    fields += [(name, str(told.get(name, ""))) for name in ("month", "measure", "application")]
    fields += [("dimensions", str(name)) for name in told.get("dimensions", ())]
    fields += [(f"only_{name}", str(code)) for name, codes in told.get("filters", {}).items() for code in codes]
    return FormData(fields)


def _title(job: Job, menu) -> str:
    told = job.asked
    return f"{told.get('month', '')} {in_words(menu, str(told.get('measure', '')), told.get('dimensions', ()))}"


def _steps(job: Job) -> list[ShownStep]:
    names = [name for name in STEPS_JA if name != WAITING or job.step == WAITING]
    at = names.index(job.step) if job.step in names else 0
    states = ["done"] * at + ["current"] + ["ahead"] * (len(names) - at - 1)
    return [ShownStep(STEPS_JA[name], state) for name, state in zip(names, states, strict=True)]


async def _found(request: Request) -> Job | None:
    portal, person = request.app.state.portal, request.state.session.person
    return await run_in_threadpool(Jobs(portal.settings.root).find, request.path_params["job"], person.login)


async def _awaited(jobs: Jobs, job: Job, seconds: float) -> Job:
    """The job as soon as it has ended, or as it is after so many seconds."""
    until = time.monotonic() + seconds
    while job.outcome is None and time.monotonic() < until:
        await asyncio.sleep(POLL_SECONDS)
        found = await run_in_threadpool(jobs.find, job.id, job.owner)
        job = found or job
    return job


def _start(settings: Settings, file: Path, login: str, lock: int) -> int:
    """The process of a job: of its own session, so that it outlives the portal; it inherits the lock that tells so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kobe_platform.cli", "ask", str(file), "--by", login, "--job"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**settings.environment(), "KOBE_PRINCIPAL": login},
        pass_fds=(lock,),
        start_new_session=True,
    )
    Thread(target=process.wait, daemon=True).start()  # or it stays as a zombie
    return process.pid
