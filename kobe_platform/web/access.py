"""Who may take which route: a route says whom it admits, and one that says nothing is not built.

Every request is looked at in this order: is the host ours; who is it; may this person take the route; and, where
something is to be changed, does the request come from one of our own pages (origin, and the session's form token).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from kobe_platform.governance.people import Person
from kobe_platform.governance.sessions import Session
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.lounge.serve import local
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import refusal

NOT_ADMITTED = "この画面を見る権限がありません。必要なときは、権限を管理する課に相談してください。"
SAFE_METHODS = ("GET", "HEAD")
LARGEST_FORM = 64 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class AccessRule:
    """Whom a route admits: ``anybody``, every signed-in member of ``staff``, or those with one of ``roles``.

    ``own_check``: the endpoint guards changes itself (sign-in, where there is no session yet; GraphQL).
    """

    anybody: bool = False
    staff: bool = False
    roles: frozenset[str] = field(default_factory=frozenset)
    own_check: bool = False

    def admits(self, person: Person | None) -> bool:
        """Whether the person, or nobody, may take the route."""
        if self.anybody:
            return True
        return person is not None and person.active and (self.staff or bool(person.roles & self.roles))


ANYBODY = AccessRule(anybody=True)
SIGN_IN = AccessRule(anybody=True, own_check=True)
STAFF = AccessRule(staff=True)


def only(*roles: str) -> AccessRule:
    """Those with one of these roles."""
    return AccessRule(roles=frozenset(roles))


class GuardedRoute(Route):
    """A route with its rule; there is no other kind in the portal."""

    def __init__(self, path: str, endpoint: Endpoint, rule: AccessRule, *, methods: tuple[str, ...] = ("GET",)) -> None:
        self.rule = rule

        async def guarded(request: Request) -> Response:
            refused = await _refusal(request, rule)
            return refused or await endpoint(request)

        super().__init__(path, guarded, methods=list(methods), name=endpoint.__name__)


async def _refusal(request: Request, rule: AccessRule) -> Response | None:
    portal: Portal = request.app.state.portal
    if not known_host(request, portal):
        return PlainTextResponse("このアドレスでは利用できません。", status_code=421)
    reads = request.method in SAFE_METHODS
    session = await (portal.reader(request) if reads else run_in_threadpool(portal.identify, request))
    request.state.session = session
    person = session.person if session else None
    if not rule.admits(person):
        return await _turned_away(request, portal, person)
    if request.method not in SAFE_METHODS and not rule.own_check:
        return await _forged(request, portal, session)
    return None


async def _turned_away(request: Request, portal: Portal, person: Person | None) -> Response:
    if person is not None:
        await run_in_threadpool(note, portal.database, person.login, "access", request.url.path, outcome=REFUSED)
        return refusal(request, NOT_ADMITTED, 403)
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if not wants_page:
        return PlainTextResponse("サインインが必要です。", status_code=401)
    return to_sign_in(request)


def to_sign_in(request: Request) -> Response:
    """To the sign-in, which leads on to what was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(local_path(asked), safe='')}", status_code=303)


async def _forged(request: Request, portal: Portal, session: Session | None) -> Response | None:
    """Refuse a change that does not come from a form of this session."""
    if int(request.headers.get("content-length") or LARGEST_FORM + 1) > LARGEST_FORM:
        return PlainTextResponse("送信内容が大きすぎます。", status_code=413)
    token = ""
    if same_origin(request, portal) and session is not None:
        token = str((await request.form(max_files=0, max_fields=100)).get("csrf", ""))
    if session is None or not token or not session.guards(token):
        who = session.person.login if session else "?"
        await run_in_threadpool(note, portal.database, who, "csrf", request.url.path, outcome=REFUSED)
        return refusal(request, "画面の有効期限が切れました。前の画面を開き直してください。", 403)
    return None


def known_host(connection: HTTPConnection, portal: Portal) -> bool:
    """Whether the request is for the portal's own host."""
    named = connection.headers.getlist("host")
    if len(named) != 1:
        return False  # a proxy before us may have read the other one
    host = named[0]
    if portal.loopback:
        return local(host)
    return not portal.config.host or host == portal.config.host


def same_origin(connection: HTTPConnection, portal: Portal) -> bool:
    """Whether a browser says that the request comes from one of our pages; one that says nothing is not believed."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = connection.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    if portal.config.origin:
        return origin == portal.config.origin
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc == connection.headers.get("host")


def local_path(target: str) -> str:
    """A path of this site, or ``/`` where the target could lead anywhere else."""
    plain = target.startswith("/") and not target.startswith("//")
    if not plain or "\\" in target or any(ord(character) < 0x20 or ord(character) == 0x7F for character in target):
        return "/"
    return target
