"""オンデマンド集計 on screen: a form of the menu's words, and answers.

The portal opens no key: a question goes to a process of its own (``kobe ask``), which answers it, records it and ends.
How long that takes, :mod:`jobs` shows.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.errors import PlatformError
from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import Event, events_of
from kobe_platform.lounge.release import current
from kobe_platform.ondemand.asking import ACTION, counted, month_begins
from kobe_platform.ondemand.forms import for_spreadsheets
from kobe_platform.ondemand.jobs import CANCELLED, DONE, ENDED, FAILED, LONGEST, Job, Jobs
from kobe_platform.ondemand.menu import Measure, Menu, load_menu
from kobe_platform.ondemand.words import STEPS_JA, in_words, reason
from kobe_platform.vocabulary.clock import today
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import is_month
from kobe_platform.web.jobs import as_form, asked
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

LONGEST_READING = 60
"""Seconds that it may take to read an answer that was given before."""
_NAME = re.compile(r"^answer_[a-z2-7]{12}$")


@dataclass(frozen=True)
class Offered:
    """A dimension on the form: its title and the codes that it may be narrowed to (none for districts)."""

    name: str
    title: str
    codes: tuple[tuple[str, str], ...]


async def ondemand_form(request: Request) -> Response:
    """The form for one measure (or that of a job, ``?job=``), what is under way, and the answers of this month."""
    portal, person = request.app.state.portal, request.state.session.person
    job = await run_in_threadpool(Jobs(portal.settings.root).find, request.query_params.get("job", ""), person.login)
    return await _form(request, form=as_form(job) if job else None)


async def ondemand_ask(request: Request) -> Response:
    """Ask, and lead to the answer, or to how far it is where it takes longer."""
    portal, person = request.app.state.portal, request.state.session.person
    form = await request.form()
    try:
        job = await asked(portal, person, _question(form))
    except PlatformError as error:
        return await _form(request, form=form, message=error.ja, status=429)
    outcome = job.outcome
    if outcome is not None and outcome.code != DONE:
        message = outcome.words or f"{reason(outcome.code)}。"
        return await _form(request, form=form, message=message, offer=outcome.offer, status=422)
    place = f"jobs/{job.id}" if outcome is None else outcome.answer
    return RedirectResponse(f"/ondemand/{place}", status_code=303)


async def ondemand_answer(request: Request) -> Response:
    """An answer that the person was given, as a table or (``.csv``) for spreadsheets."""
    portal, person = request.app.state.portal, request.state.session.person
    name, month = request.path_params["name"], request.path_params["month"]
    as_file = month.endswith(".csv")
    month = month.removesuffix(".csv")
    if not (_NAME.match(name) and is_month(month)):
        return page(request, "nothing.html", status=404)
    told = await _recalled(portal, person, f"{name}/{month}")
    if "rows" not in told:
        return page(request, "nothing.html", status=404)
    if as_file:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(for_spreadsheets([told["heads"], *told["rows"]]))
        headers = {"Content-Disposition": f'attachment; filename="{name}_{month}.csv"', "Cache-Control": "no-store"}
        return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)
    menu = await run_in_threadpool(load_menu, portal.settings.ondemand)
    return page(request, "ondemand_answer.html", told=told, measure=menu.measures[told["measure"]], name=name)


async def _form(
    request: Request,
    *,
    form: FormData | None = None,
    message: str = "",
    offer: Mapping | None = None,
    status: int = 200,
) -> Response:
    portal, person = request.app.state.portal, request.state.session.person
    menu = await run_in_threadpool(load_menu, portal.settings.ondemand)
    wanted = str((form or request.query_params).get("measure", ""))
    chosen = wanted if wanted in menu.measures else next(iter(menu.measures))
    since = month_begins()
    done = await run_in_threadpool(events_of, portal.database, person.login, ACTION, since)
    jobs = await run_in_threadpool(Jobs(portal.settings.root).of, person.login)
    release = await run_in_threadpool(current, portal.settings.releases)
    known = [told["periods"][1] for told in release.tables.values() if told.get("period") == "month"] if release else []
    return page(
        request, "ondemand.html", status=status, menu=menu, chosen=chosen, message=message, given=form,
        questions=_questions(done, jobs), under_way=[job for job in jobs if job.outcome is None], steps=STEPS_JA,
        offer=offer, in_words=in_words, reason=reason,
        offered=_offered(menu, menu.measures[chosen]), left=menu.quota - counted(done),
        month=max(known, default=f"{today():%Y-%m}"),
        synthetic=bool(release and release.facts.get("basis") == "synthetic"),
    )  # fmt: skip


@dataclass(frozen=True)
class ListedQuestion:
    """A question in the list of this month: when, its words (empty where it was not understood), and what became of it.

    ``answer``: NAME/MONTH, or empty; ``code``: why there is no answer; ``job``: its page, of one that left no answer.
    """

    at: datetime
    told: Mapping[str, Any]
    answer: str = ""
    code: str = ""
    job: str = ""


def _questions(done: list[Event], jobs: list[Job]) -> list[ListedQuestion]:
    """What the trail has of this month, and the jobs that ended without an entry there, newest first."""
    found = [
        ListedQuestion(event.at, event.detail, answer=event.object)
        if event.outcome == DONE
        else ListedQuestion(event.at, event.detail, code=str(event.detail.get("code", "")))
        for event in done
    ]
    lost = (CANCELLED, LONGEST, FAILED, ENDED)
    found += [
        ListedQuestion(job.entered, job.asked, code=job.outcome.code, job=job.id)
        for job in jobs
        if job.outcome is not None and job.outcome.code in lost
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _offered(menu: Menu, measure: Measure) -> list[Offered]:
    found = []
    for name in measure.dimensions:
        dimension = menu.dimensions[name]
        tree = hierarchies().get(dimension.hierarchy)
        codes = (
            [(code.code, code.label or "総数") for code in tree.codes if code.code not in tree.residual] if tree else []
        )
        found.append(Offered(name, dimension.title, tuple(codes)))
    return found


def _question(form: FormData) -> str:
    """The question as TOML: strings of the form, quoted; what they may be is for the desk to say."""
    filters = {
        key.removeprefix("only_"): [str(value) for value in form.getlist(key)]
        for key in form
        if key.startswith("only_")
    }
    parts = [f"{key} = {_quoted(str(form.get(key, '')))}" for key in ("month", "measure", "application")]
    parts.append(f"dimensions = [{', '.join(_quoted(str(value)) for value in form.getlist('dimensions'))}]")
    narrowed = (f"{_quoted(key)} = [{', '.join(map(_quoted, codes))}]" for key, codes in filters.items())
    return "\n".join([*parts, "[filters]", *narrowed]) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string; unlike in JSON, DEL is escaped there."""
    return json.dumps(text[:200], ensure_ascii=False).replace("\x7f", "\\u007f")


async def _recalled(portal: Portal, person: Person, answer: str) -> dict:
    """An answer (NAME/MONTH) that a person was given, as ``kobe ask --again`` tells it; empty where there is none."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kobe_platform.cli", "ask", "-", "--by", person.login, "--json", "--again", answer),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**portal.settings.environment(), "KOBE_PRINCIPAL": person.login},
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), LONGEST_READING)
        return json.loads(out)
    except (TimeoutError, ValueError):
        return {}
    finally:
        if process.returncode is None:
            process.kill()
