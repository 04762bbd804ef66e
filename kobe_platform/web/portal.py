"""The portal as one ASGI application: its own screens, the lounge, and Dagster behind the gate."""

from __future__ import annotations

import logging
import re

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kobe_platform.errors import PlatformError
from kobe_platform.governance.database import open_database
from kobe_platform.lounge.serve import HEADERS
from kobe_platform.settings import Settings
from kobe_platform.vocabulary.coordinates import place
from kobe_platform.web import (
    applications,
    audit,
    condition,
    deliveries,
    former,
    jobs,
    links,
    observed,
    oidc,
    ondemand,
    questions,
    readers,
    responses,
    signin,
    survey,
    usage,
)
from kobe_platform.web.access import ANYBODY, SIGN_IN, STAFF, GuardedRoute, only
from kobe_platform.web.config import PortalConfig
from kobe_platform.web.dagster_gate import PREFIX, DagsterGate
from kobe_platform.web.minutely import minutely
from kobe_platform.web.sites import lounge
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import STATIC, refusal


async def not_so(request: Request, error: Exception) -> Response:
    """A known address that was asked for in another way than its screen does, as after a reload."""
    allowed = dict(getattr(error, "headers", None) or {})
    return refusal(request, "この操作は、画面のボタンから行ってください。", 405, headers=allowed)


async def faulty(request: Request, error: Exception) -> Response:
    """What stops a screen, by its code; to operators with what is wrong and where."""
    assert isinstance(error, PlatformError)
    _LOG.warning("%s could not be shown: %s", request.url.path, error.code)
    session = getattr(request.state, "session", None)
    operates = session is not None and session.person.has("operator")
    told = f"{error.ja}{place(error.at)}。" if operates else ""
    sentence = f"{told}いまは表示できません（{error.code}）。少し待っても続くときは、この符号を担当に伝えてください。"
    return refusal(request, sentence, 503)


async def style(request: Request) -> Response:
    """The look of the portal's own screens."""
    return FileResponse(STATIC / "portal.css", headers={"Cache-Control": "public, max-age=3600"})


async def icon(request: Request) -> Response:
    """The mark that browsers show beside the title."""
    return FileResponse(STATIC / "icon.svg", headers={"Cache-Control": "public, max-age=3600"})


_LOG = logging.getLogger(__name__)
APPLICATION = "/applications/{number}"
JOB = "/ondemand/jobs/{job}"
DELIVERY = "/deliveries/{source}/{month}"
ANALYSTS = only("analyst", "operator")
OPERATORS = only("operator")
ROUTES = (
    GuardedRoute("/healthz", observed.health, ANYBODY),
    GuardedRoute("/readyz", observed.ready, ANYBODY),
    GuardedRoute("/metrics", observed.metrics, ANYBODY),
    GuardedRoute("/-/portal.css", style, ANYBODY),
    GuardedRoute("/-/icon.svg", icon, ANYBODY),
    GuardedRoute("/sign-in", signin.sign_in_page, ANYBODY),
    GuardedRoute("/sign-in", signin.sign_in, SIGN_IN, methods=("POST",)),
    GuardedRoute("/sign-in/oidc", oidc.oidc_start, ANYBODY),
    GuardedRoute("/sign-in/oidc/callback", oidc.oidc_callback, SIGN_IN),
    GuardedRoute("/sign-out", signin.sign_out, STAFF, methods=("POST",)),
    GuardedRoute("/applications", applications.application_list, STAFF),
    GuardedRoute("/applications", applications.application_save, STAFF, methods=("POST",)),
    GuardedRoute("/applications/new", applications.application_form, STAFF),
    GuardedRoute(APPLICATION, applications.application_page, STAFF),
    GuardedRoute(APPLICATION, applications.application_save, STAFF, methods=("POST",)),
    GuardedRoute(f"{APPLICATION}/edit", applications.application_form, STAFF),
    GuardedRoute(f"{APPLICATION}/print", applications.application_print, STAFF),
    GuardedRoute(f"{APPLICATION}/{{action}}", applications.application_act, STAFF, methods=("POST",)),
    GuardedRoute("/survey", survey.survey_form, STAFF),
    GuardedRoute("/survey.html", survey.survey_form, STAFF),
    GuardedRoute("/survey", survey.survey_save, STAFF, methods=("POST",)),
    GuardedRoute("/responses", responses.responses_page, STAFF),
    GuardedRoute("/responses.html", responses.responses_page, STAFF),
    GuardedRoute("/responses", responses.responses_save, STAFF, methods=("POST",)),
    GuardedRoute("/ondemand", ondemand.ondemand_form, ANALYSTS),
    GuardedRoute("/ondemand", ondemand.ondemand_ask, ANALYSTS, methods=("POST",)),
    GuardedRoute(JOB, jobs.job_page, ANALYSTS),
    GuardedRoute(f"{JOB}/cancel", jobs.job_cancel, ANALYSTS, methods=("POST",)),
    GuardedRoute("/ondemand/{name}/{month}", ondemand.ondemand_answer, ANALYSTS),
    GuardedRoute("/condition", condition.condition_page, OPERATORS),
    GuardedRoute("/deliveries", deliveries.delivery_list, OPERATORS),
    GuardedRoute(DELIVERY, deliveries.delivery_page, OPERATORS),
    GuardedRoute(f"{DELIVERY}/{{decision}}", deliveries.delivery_decide, OPERATORS, methods=("POST",)),
    GuardedRoute("/audit-report", audit.audit_report, only("auditor")),
    GuardedRoute("/audit-report.csv", audit.audit_file, only("auditor")),
    GuardedRoute("/releases", former.releases_page, STAFF),
    GuardedRoute("/releases.html", former.releases_page, STAFF),
    GuardedRoute("/reader.json", readers.reader_file, STAFF),
    GuardedRoute("/favourites", readers.favourites_save, STAFF, methods=("POST",)),
    GuardedRoute("/news", readers.news_page, STAFF),
    GuardedRoute("/news", readers.news_mail, STAFF, methods=("POST",)),
    GuardedRoute("/news/confirm", readers.news_confirm_page, STAFF),
    GuardedRoute("/news/confirm", readers.news_confirm, STAFF, methods=("POST",)),
    GuardedRoute("/questions", questions.questions_page, STAFF),
    GuardedRoute("/questions", questions.question_ask, STAFF, methods=("POST",)),
    GuardedRoute("/questions/{question}", questions.question_answer, STAFF, methods=("POST",)),
    GuardedRoute("/questions/{question}/withdraw", questions.question_withdraw, STAFF, methods=("POST",)),
    GuardedRoute("/usage", usage.usage_page, STAFF),
    GuardedRoute("/usage.csv", usage.usage_file, STAFF),
    GuardedRoute("/s", links.link_make, STAFF, methods=("POST",)),
    GuardedRoute("/s/{code}", links.link_open, STAFF),
    GuardedRoute("/r/{number}/{path:path}", former.former_site, STAFF),
    GuardedRoute("/{path:path}", lounge, STAFF),
)
"""Every route of the portal with its rule; what is not here is not there."""


_POLICY = b"content-security-policy"


class SecureHeaders:
    """Strict headers on every answer; Dagster's pages keep their own content policy, which
    carries a nonce, and get a second one beside it: both hold."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app = app
        self.headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
        if secure:
            self.headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add what the answer does not have."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = [h for h in self.headers if h[0] not in present]
                if _POLICY in present:
                    added.append((_POLICY, b"frame-ancestors 'none'; form-action 'self'; base-uri 'self'"))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


_DISGUISED = re.compile(r"[\x00-\x1f\x7f\\]|//")
"""What no address of ours holds, and routers differ about: control characters, backslashes, empty parts."""


async def _refused(scope: Scope, receive: Receive, send: Send, status: int) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse("このアドレスは使えません。", status)(scope, receive, send)


class Doors:
    """Dagster's door and the portal's, told apart by the path alone."""

    def __init__(self, app: ASGIApp, gate: DagsterGate | None) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on to one of them."""
        path = scope.get("path", "")
        if scope["type"] != "lifespan" and _DISGUISED.search(path):
            await _refused(scope, receive, send, 400)
        elif self.gate is not None and (path == PREFIX or path.startswith(f"{PREFIX}/")):
            await self.gate(scope, receive, send)
        elif scope["type"] == "websocket":
            await _refused(scope, receive, send, 403)
        else:
            await self.app(scope, receive, send)


def build_portal(settings: Settings, config: PortalConfig, *, dagster: Starlette | None = None) -> Starlette:
    """The portal.

    Args:
        dagster: Dagster's web application with the path prefix ``/dagster``, whose state says whether the daemon lives
            (:func:`~kobe_platform.web.commands.dagster_app`); None leaves that door out.

    Raises:
        GovernanceError, ConfigurationError: the governance database cannot be opened.
    """
    portal = Portal(settings, config, open_database(settings.governance))
    gate = DagsterGate(dagster, portal) if dagster is not None else None
    portal.daemon_alive = getattr(getattr(dagster, "state", None), "daemon_alive", portal.daemon_alive)
    figures = observed.PortalFigures(settings, config)
    app = Starlette(
        routes=list(ROUTES),
        middleware=[
            Middleware(observed.Timed, figures=figures),
            Middleware(SecureHeaders, secure=config.secure),
            Middleware(GZipMiddleware, minimum_size=1000),
            Middleware(Doors, gate=gate),
        ],
        exception_handlers={405: not_so, PlatformError: faulty},
        lifespan=minutely(portal),
    )
    app.state.portal = portal
    app.state.gate = gate
    app.state.figures = figures
    origin = config.origin or "http://127.0.0.1:8000"
    app.state.provider = oidc.Provider(config.sign_in.oidc, origin) if config.sign_in.oidc else None
    return app
