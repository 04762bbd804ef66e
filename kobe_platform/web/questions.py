"""質問と意見: readers ask the section that owns a page; who sees the page reads questions and answers."""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.people import names
from kobe_platform.governance.questions import (
    LONGEST,
    SHOWN,
    PageQuestion,
    answer_question,
    ask_section,
    question_of,
    questions,
    questions_elsewhere,
)
from kobe_platform.governance.schema import WITHDRAWN
from kobe_platform.governance.withdrawals import may_withdraw, withdraw
from kobe_platform.web.reading import known_pages, seen_pages
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page, refusal

NO_SUCH_PAGE = "その画面はありません。"
NO_SUCH_QUESTION = "その質問はありません。"
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


async def questions_page(request: Request) -> Response:
    """The questions about one page, with a form to ask; without a page, those about all that the reader sees."""
    return await _shown(request, request.query_params.get("page", ""))


async def question_ask(request: Request) -> Response:
    """Keep a question about a page."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    slug, text = str(form.get("page", "")), str(form.get("text", ""))
    if slug not in seen_pages(portal, person):
        return refusal(request, NO_SUCH_PAGE, 404)
    if not portal.answers.admits(person.login):
        return await _shown(request, slug, message="送信が続いています。1分ほど待ってください。", status=429, text=text)
    try:
        await run_in_threadpool(ask_section, portal.database, person, slug, text)
    except GovernanceError as error:
        return await _shown(request, slug, message=error.ja, status=422, text=text)
    return RedirectResponse(f"/questions?page={slug}", 303)


async def question_answer(request: Request) -> Response:
    """Keep what the owning section answers."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    seen = seen_pages(portal, person)
    asked = await _asked(request)
    if asked is None or asked.page not in seen:
        return refusal(request, NO_SUCH_QUESTION, 404)
    told = (portal.database, person, asked, seen[asked.page].meta.owner, str(form.get("text", "")))
    try:
        await run_in_threadpool(answer_question, *told)
    except GovernanceError as error:
        status = 403 if error.code == "question.section" else 422
        return await _shown(request, asked.page, message=error.ja, status=status)
    return RedirectResponse(f"/questions?page={asked.page}", 303)


async def question_withdraw(request: Request) -> Response:
    """Erase the words of a question, or of one answer (``answer``), for a reason of the list (``reason``)."""
    portal: Portal = request.app.state.portal
    person, form = request.state.session.person, await request.form()
    seen, asked = seen_pages(portal, person), await _asked(request)
    if asked is None or (asked.page not in seen and not may_withdraw(person, asked, _owner(portal, asked)).any):
        return refusal(request, NO_SUCH_QUESTION, 404)
    one = str(form.get("answer", ""))
    told = (portal.database, person, asked, _owner(portal, asked), str(form.get("reason", "")))
    try:
        answer = int(one) if _NUMBER.fullmatch(one) else None if not one else 0
        portal.unswept = True  # whatever becomes of it, the minute's work sweeps once more
        await run_in_threadpool(withdraw, *told, answer)
    except GovernanceError as error:
        status = 403 if error.code == "question.withdraw" else 409
        return await _shown(request, asked.page if asked.page in seen else "", message=error.ja, status=status)
    return RedirectResponse(f"/questions?page={asked.page}" if asked.page in seen else "/questions", 303)


async def _asked(request: Request) -> PageQuestion | None:
    portal: Portal = request.app.state.portal
    number = request.path_params["question"]
    return await run_in_threadpool(question_of, portal.database, int(number)) if _NUMBER.fullmatch(number) else None


def _owner(portal: Portal, question: PageQuestion) -> str:
    about = known_pages(portal).get(question.page)
    return about.meta.owner if about else ""


async def _shown(request: Request, slug: str, *, message: str = "", status: int = 200, text: str = "") -> Response:
    portal: Portal = request.app.state.portal
    person = request.state.session.person
    seen = seen_pages(portal, person)
    if slug and slug not in seen:
        return refusal(request, NO_SUCH_PAGE, 404)
    told = request.query_params.get("before", "")
    before = int(told) if _NUMBER.fullmatch(told) else None
    listed = await run_in_threadpool(questions, portal.database, [slug] if slug else seen, before)
    owners = {name: about.meta.owner for name, about in known_pages(portal).items()}
    unseen = (portal.database, seen, person, owners, before)
    elsewhere = [] if slug else await run_in_threadpool(questions_elsewhere, *unseen)
    full = [kind[-1].id for kind in (listed, elsewhere) if len(kind) == SHOWN]
    known = await run_in_threadpool(names, portal.database)
    may = {one.id: may_withdraw(person, one, _owner(portal, one)) for one in [*listed, *elsewhere]}
    values = {"about": seen.get(slug), "pages": seen, "asked": listed, "elsewhere": elsewhere, "may": may,
              "older": max(full, default=0), "later": before is not None,
              "names": known, "most": LONGEST, "text": text, "reasons": WITHDRAWN}  # fmt: skip
    return page(request, "questions.html", status=status, message=message, **values)
