"""オンデマンド集計 on screen: a form of the menu's words, and answers.

The portal opens no key: a question goes to a process of its own (``kobe ask``), which answers it, records it and ends.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sys
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import events_of
from kobe_platform.lounge.release import current
from kobe_platform.ondemand.asking import ACTION, counted, month_begins
from kobe_platform.ondemand.forms import for_spreadsheets
from kobe_platform.ondemand.menu import Measure, Menu, load_menu
from kobe_platform.ondemand.words import in_words, reason
from kobe_platform.vocabulary.clock import today
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.months import is_month
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

LONGEST = 300
"""Seconds that an answer may take."""
_NAME = re.compile(r"^answer_[a-z2-7]{12}$")
_ONE = asyncio.Semaphore(1)
"""One question at a time: each holds a month of rows."""


@dataclass(frozen=True)
class Offered:
    """A dimension on the form: its title and the codes that it may be narrowed to (none for districts)."""

    name: str
    title: str
    codes: tuple[tuple[str, str], ...]


async def ondemand_form(request: Request) -> Response:
    """The form for one measure, and the answers of this month."""
    return await _form(request)


async def ondemand_ask(request: Request) -> Response:
    """Ask, and lead to the answer."""
    portal, person = request.app.state.portal, request.state.session.person
    form = await request.form()
    told = await _asked(portal, person, _question(form))
    if "answer" not in told:
        return await _form(request, form=form, message=str(told.get("ja", "")), offer=told.get("offer"), status=422)
    return RedirectResponse(f"/ondemand/{told['answer']}/{told['month']}", status_code=303)


async def ondemand_answer(request: Request) -> Response:
    """An answer that the person was given, as a table or (``.csv``) for spreadsheets."""
    portal, person = request.app.state.portal, request.state.session.person
    name, month = request.path_params["name"], request.path_params["month"]
    as_file = month.endswith(".csv")
    month = month.removesuffix(".csv")
    if not (_NAME.match(name) and is_month(month)):
        return page(request, "nothing.html", status=404)
    told = await _run(portal, person, ["--again", f"{name}/{month}"], "")
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
    offer: dict | None = None,
    status: int = 200,
) -> Response:
    portal, person = request.app.state.portal, request.state.session.person
    menu = await run_in_threadpool(load_menu, portal.settings.ondemand)
    asked = str((form or request.query_params).get("measure", ""))
    chosen = asked if asked in menu.measures else next(iter(menu.measures))
    since = month_begins()
    done = await run_in_threadpool(events_of, portal.database, person.login, ACTION, since)
    release = await run_in_threadpool(current, portal.settings.releases)
    known = [told["periods"][1] for told in release.tables.values() if told.get("period") == "month"] if release else []
    return page(
        request, "ondemand.html", status=status, menu=menu, chosen=chosen, message=message, given=form, done=done,
        offer=offer, in_words=in_words, reason=reason,
        offered=_offered(menu, menu.measures[chosen]), left=menu.quota - counted(done),
        month=max(known, default=f"{today():%Y-%m}"),
        synthetic=bool(release and release.facts.get("basis") == "synthetic"),
    )  # fmt: skip


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
    """A TOML basic string."""
    return json.dumps(text[:200], ensure_ascii=False)


async def _asked(portal: Portal, person: Person, question: str) -> dict:
    async with _ONE:
        return await _run(portal, person, [], question)


async def _run(portal: Portal, person: Person, more: list[str], question: str) -> dict:
    """``kobe ask`` for a person; its JSON, or the words for what went wrong."""
    command = [sys.executable, "-m", "kobe_platform.cli", "ask", "-", "--by", person.login, "--json", *more]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**portal.settings.environment(), "KOBE_PRINCIPAL": person.login},
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(question.encode()), LONGEST)
        told = json.loads(out)
    except TimeoutError:
        told = {"ja": "時間内に集計できませんでした。区分を減らしてください"}
    except ValueError:
        told = {"ja": "集計できませんでした。運用担当に連絡してください"}
    finally:
        if process.returncode is None:
            process.kill()
    return told
