"""データ利用申請書 on screen: write, hand in, decide, print."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import GovernanceError
from kobe_platform.governance import applications as book
from kobe_platform.governance.application import EDITABLE, WITHDRAWABLE, Application, Draft
from kobe_platform.governance.application_records import applications, get
from kobe_platform.governance.people import Person, names
from kobe_platform.lounge.audiences import load_audiences
from kobe_platform.lounge.pages import readable_pages
from kobe_platform.vocabulary.clock import today
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

DECISIONS = ("approve", "return", "reject")


class Choices:
    """What the form offers: sources that need an application, dashboards, audiences, and who owns each source."""

    def __init__(self, portal: Portal) -> None:
        settings = portal.settings
        contracts = load_contracts(settings.contracts)
        self.sources = {name: c.title for name, c in contracts.items() if c.sensitivity != "public"}
        self.owners = {name: c.legal.owner_section for name, c in contracts.items()}
        self.pages = {slug: found.title for slug, found in readable_pages(settings.dashboards).items()}
        self.audiences = {name: found.label for name, found in load_audiences(settings.dashboards).items()}


async def application_list(request: Request) -> Response:
    """One's own applications, and those that wait for one's section; auditors see all."""
    portal, person = _context(request)
    choices = await run_in_threadpool(Choices, portal)
    found = await run_in_threadpool(applications, portal.database)
    seen = [app for app in found if _may_see(app, person, choices.owners)]
    return page(request, "applications.html", applications=seen, choices=choices, today=today())


async def application_form(request: Request) -> Response:
    """An empty form, or that of a draft or a returned application."""
    portal, person = _context(request)
    choices = await run_in_threadpool(Choices, portal)
    number = request.path_params.get("number")
    app = await _visible(request, choices.owners) if number else None
    if number and (app is None or app.applicant != person.login or app.state not in EDITABLE):
        return _nothing(request)
    return page(request, "application_form.html", app=app, choices=choices, message="", given=None)


async def application_save(request: Request) -> Response:
    """Keep a draft; with the button for it, hand it in as well."""
    portal, person = _context(request)
    choices = await run_in_threadpool(Choices, portal)
    form = await request.form()
    number = request.path_params.get("number")
    try:
        draft = _draft(form, choices)
        hand_in = form.get("then") == "submit"
        if number:
            version = _number(form.get("version"))
            arguments = (portal.database, person, number, draft, version)
            app = await run_in_threadpool(book.edit, *arguments, hand_in=hand_in)
        else:
            app = await run_in_threadpool(book.create, portal.database, person, draft, hand_in=hand_in)
    except GovernanceError as error:
        former = await _visible(request, choices.owners) if number else None
        values = {"app": former, "choices": choices, "message": error.ja, "given": form}
        return page(request, "application_form.html", status=422, **values)
    return RedirectResponse(f"/applications/{app.number}", status_code=303)


async def application_page(request: Request) -> Response:
    """One application with its history and what the reader may do with it."""
    return await _shown(request, "application.html")


async def application_print(request: Request) -> Response:
    """The form as it is filed on paper."""
    return await _shown(request, "application_print.html")


async def application_act(request: Request) -> Response:
    """Submit, withdraw or decide."""
    portal, person = _context(request)
    choices = await run_in_threadpool(Choices, portal)
    app = await _visible(request, choices.owners)
    if app is None:
        return _nothing(request)
    form, action = await request.form(), request.path_params["action"]
    version, note = _number(form.get("version")), str(form.get("note", ""))[:2000]
    try:
        if action in DECISIONS:
            arguments = (portal.database, person, app.number, action, choices.owners, version, note)
            await run_in_threadpool(book.decide, *arguments)
        elif action in ("submit", "withdraw"):
            await run_in_threadpool(getattr(book, action), portal.database, person, app.number, version)
        else:
            return _nothing(request)
    except GovernanceError as error:
        return await _shown(request, "application.html", status=409, message=error.ja)
    return RedirectResponse(f"/applications/{app.number}", status_code=303)


# -- parts -------------------------------------------------------------------------------------------------------


def _context(request: Request) -> tuple[Portal, Person]:
    return request.app.state.portal, request.state.session.person


async def _shown(request: Request, template: str, *, status: int = 200, message: str = "") -> Response:
    portal, person = _context(request)
    choices = await run_in_threadpool(Choices, portal)
    app = await _visible(request, choices.owners)
    if app is None:
        return _nothing(request)
    sections = _sections(app, choices.owners)
    known = await run_in_threadpool(names, portal.database)
    decides = app.state == "submitted" and person.has("decider") and person.section in sections
    return page(
        request, template, status=status, app=app, choices=choices, message=message, today=today(), sections=sections,
        own=app.applicant == person.login, decides=decides and app.applicant != person.login,
        can_edit=app.state in EDITABLE, can_withdraw=app.state in WITHDRAWABLE,
        names=known,
    )  # fmt: skip


async def _visible(request: Request, owners: Mapping[str, str]) -> Application | None:
    """The application of the path, if the person may see it; what may not be seen is as if it were not there."""
    portal, person = _context(request)
    try:
        app = await run_in_threadpool(get, portal.database, request.path_params["number"])
    except GovernanceError:
        return None
    return app if _may_see(app, person, owners) else None


def _may_see(app: Application, person: Person, owners: Mapping[str, str]) -> bool:
    if app.applicant == person.login or person.has("auditor", "administrator"):
        return True
    return person.has("decider") and app.state != "draft" and person.section in _sections(app, owners)


def _sections(app: Application, owners: Mapping[str, str]) -> frozenset[str]:
    return frozenset(owners[source] for source in app.draft.sources if source in owners)


def _draft(form: FormData, choices: Choices) -> Draft:
    def chosen(name: str, known: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(str(value) for value in form.getlist(name) if value in known)

    planned = tuple(part for part in str(form.get("planned", "")).split() if part.isascii() and len(part) <= 64)
    return Draft(
        title=str(form.get("title", "")).strip()[:200],
        purpose=str(form.get("purpose", "")).strip()[:4000],
        audience=next(iter(chosen("audience", choices.audiences)), ""),
        sources=chosen("sources", choices.sources),
        pages=(*chosen("pages", choices.pages), *planned),
        first=_day(form.get("first")),
        last=_day(form.get("last")),
    )


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise GovernanceError(
            "a day is written YYYY-MM-DD",
            code="application.day",
            remedy="choose it in the calendar",
            ja="期間の日付を入力してください",
        ) from None


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _nothing(request: Request) -> Response:
    return page(request, "nothing.html", status=404)
