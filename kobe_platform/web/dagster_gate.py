"""Access control in front of Dagster's web server: who may use which of its routes and which GraphQL operations.

Dagster runs inside this process, so there is no second port by which the rules could be bypassed. The rule is looked up
by the route that Dagster itself would take; one without a rule is refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from kobe_platform.governance.people import Person
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.web.access import NOT_ADMITTED, AccessRule, known_host, only, same_origin, to_sign_in
from kobe_platform.web.graphql_policy import MOST_BYTES, Operation, Refused, examined
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import refusal

PREFIX = "/dagster"
RECHECK = 5.0
"""Seconds after which an open websocket's person is looked up again."""
GRAPHQL = "/graphql"
NO_DAEMON = (
    "Dagsterのデーモンが動いていないため、実行を始められません。運用担当に連絡してください"
    "（運用担当: kobe dev または常駐サービスを起動します）。"
)
READERS = only("operator", "analyst", "auditor")
OPERATORS = only("operator")
NOBODY = AccessRule()
RULES: dict[str, AccessRule] = {
    "/server_info": READERS,
    "/dagit_info": READERS,
    GRAPHQL: READERS,
    "/logs/{path:path}": OPERATORS,
    "/notebook": NOBODY,
    "/dagit/notebook": NOBODY,
    "/download_debug/{run_id:str}": OPERATORS,
    "/report_asset_materialization/{asset_key:path}": NOBODY,
    "/report_asset_check/{asset_key:path}": NOBODY,
    "/report_asset_observation/{asset_key:path}": NOBODY,
    "/{path:path}": READERS,
    "/": READERS,
}
"""Rule by the pattern of Dagster's route. Its static files, which are everybody's on the internet, are for readers."""


def rule_of(route: BaseRoute) -> AccessRule:
    """The rule of one of Dagster's routes; nobody's, where it is not listed."""
    pattern = getattr(route, "path", "")
    if pattern in RULES:
        return RULES[pattern]
    static = isinstance(route, Mount) or getattr(route, "methods", None) == {"GET", "HEAD"}
    return READERS if static and not _sensitive(pattern) else NOBODY


def _sensitive(pattern: str) -> bool:
    """Whether a route that is not listed takes a parameter: then it is no static file."""
    return "{" in pattern


def mount_of(dagster: Starlette) -> Mount:
    """Where all of Dagster's routes hang, below the prefix."""
    (mount,) = (route for route in dagster.routes if isinstance(route, Mount) and route.path == PREFIX)
    return mount


def routes_of(dagster: Starlette) -> Iterator[BaseRoute]:
    """Dagster's routes below the prefix."""
    yield from mount_of(dagster).routes


class DagsterGate:
    """An ASGI application around Dagster's.

    Args:
        dagster: Dagster's application, built with the path prefix ``/dagster``.
        portal: who is asking, and the trail.
    """

    def __init__(self, dagster: Starlette, portal: Portal) -> None:
        self.dagster, self.portal = dagster, portal
        self.mount = mount_of(dagster)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on to Dagster."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    def route(self, scope: Scope) -> BaseRoute | None:
        """The route that Dagster will take, by the very steps in which its own router finds it."""
        match, below = self.mount.matches(scope)
        if match is Match.NONE:
            return None
        matched = [(route, route.matches({**scope, **below})[0]) for route in self.mount.routes]
        full = (route for route, match in matched if match is Match.FULL)
        return next(full, next((route for route, match in matched if match is Match.PARTIAL), None))

    async def _person(self, connection: Request | WebSocket, *, active: bool = True) -> Person | None:
        session = await run_in_threadpool(partial(self.portal.identify, connection, active=active))
        return session.person if session else None

    # -- requests -------------------------------------------------------------------------------------------------

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        session = await run_in_threadpool(self.portal.identify, request)
        request.state.session = session
        person = session.person if session else None
        route = self.route(scope)
        if not known_host(request, self.portal):
            await PlainTextResponse("このアドレスでは利用できません。", 421)(scope, receive, send)
        elif person is None:
            page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
            await (to_sign_in(request) if page else PlainTextResponse("", 401))(scope, receive, send)
        elif request.url.path == PREFIX and request.method == "GET" and READERS.admits(person):
            await RedirectResponse(f"{PREFIX}/", 307)(scope, receive, send)
        elif route is None or not rule_of(route).admits(person):
            await self._refuse(person, request.url.path, "route")
            await refusal(request, NOT_ADMITTED, 403)(scope, receive, send)
        elif getattr(route, "path", "") == GRAPHQL:
            await self._graphql(request, person, scope, receive, send)
        elif request.method not in ("GET", "HEAD"):
            await PlainTextResponse("この操作はできません。", 405)(scope, receive, send)
        else:
            if rule_of(route) is OPERATORS:  # what holds more than its page shows
                await run_in_threadpool(note, self.portal.database, person.login, "dagster", request.url.path)
            await self.dagster(scope, receive, send)

    async def _graphql(self, request: Request, person: Person, scope: Scope, receive: Receive, send: Send) -> None:
        """Only POST, only JSON, only from our own pages, only what the role may ask."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if request.method != "POST" or kind != "application/json":
            await PlainTextResponse("POSTとJSONだけを受け付けます。", 405)(scope, receive, send)
            return
        if not same_origin(request, self.portal):
            await self._refuse(person, request.url.path, "origin")
            await PlainTextResponse("画面から操作してください。", 403)(scope, receive, send)
            return
        body = await _body(request)
        if body is None:
            await PlainTextResponse("送信内容が大きすぎます。", 413)(scope, receive, send)
            return
        try:
            operation = examined(_decoded(body), person, kinds=("query", "mutation"))
        except Refused as refusal:
            await self._refuse(person, request.url.path, str(refusal))
            answer = JSONResponse({"data": None, "errors": [{"message": f"許可されていません: {refusal}"}]}, 403)
            await answer(scope, receive, send)
            return
        if operation.launches and not await run_in_threadpool(self.portal.daemon_alive):
            await JSONResponse({"data": None, "errors": [{"message": NO_DAEMON}]}, 503)(scope, receive, send)
            return
        await self._record(person, operation)
        await self.dagster(_resized(scope, operation), _replayed(operation), send)

    async def _record(self, person: Person, operation: Operation) -> None:
        for name in operation.mutations:
            if name not in ("logTelemetry", "setNuxSeen"):
                await run_in_threadpool(note, self.portal.database, person.login, "dagster", name)

    async def _refuse(self, person: Person, place: str, rule: str) -> None:
        told = {"rule": rule}
        await run_in_threadpool(
            note, self.portal.database, person.login, "dagster", place, outcome=REFUSED, detail=told
        )

    # -- websockets -----------------------------------------------------------------------------------------------

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        person = await self._person(socket)
        graphql = getattr(self.route(scope), "path", "") == GRAPHQL
        ours = known_host(socket, self.portal) and same_origin(socket, self.portal)
        if person is None or not graphql or not ours or not READERS.admits(person):
            if person is not None:
                await self._refuse(person, scope["path"], "websocket")
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        ended: list[int] = []
        gone = asyncio.Event()
        watch = asyncio.create_task(self._until_gone(socket, gone))

        async def send_while_there(message: Message) -> None:
            if not gone.is_set():
                await send(message)

        try:
            await self.dagster(
                scope, _until(gone, self._watched(receive, person, socket, ended), ended), send_while_there
            )
        finally:
            watch.cancel()
        if ended:  # Dagster takes the connection for closed: close it
            await send({"type": "websocket.close", "code": ended[0]})

    async def _until_gone(self, socket: WebSocket, gone: asyncio.Event) -> None:
        """Look every few seconds whether the person may still read, however silent the connection is."""
        try:
            while True:
                await asyncio.sleep(RECHECK)
                present = await self._person(socket, active=False)
                if present is None or not READERS.admits(present):
                    return
        finally:
            gone.set()  # also where it could not be found out

    def _watched(self, receive: Receive, person: Person, socket: WebSocket, ended: list[int]) -> Receive:
        """Messages as they come; one that may not be asked, or whose person has left, ends the connection."""

        def end() -> Message:
            ended.append(1008)
            return {"type": "websocket.disconnect", "code": 1008}

        async def next_message() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            present = await self._person(socket, active=False)
            if present is None or not READERS.admits(present):
                return end()
            try:
                told = _decoded((message.get("text") or "").encode() or message.get("bytes") or b"")
                if not isinstance(told, dict):
                    raise Refused("not a message")
                if told.get("type") == "start":
                    examined(told.get("payload"), present, kinds=("subscription",))
            except Refused as refusal:
                await self._refuse(person, PREFIX, str(refusal))
                return end()
            return message

        return next_message


def _until(gone: asyncio.Event, receive: Receive, ended: list[int]) -> Receive:
    """Messages until somebody is gone: then the connection ends, whether or not there was a message."""
    waiting: asyncio.Task | None = None

    async def next_message() -> Message:
        nonlocal waiting
        waiting = waiting or asyncio.ensure_future(receive())
        leaving = asyncio.ensure_future(gone.wait())
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if gone.is_set():
            waiting.cancel()
            ended[:] = [1008]
            return {"type": "websocket.disconnect", "code": 1008}
        message, waiting = waiting.result(), None
        return message

    return next_message


async def _body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None


def _resized(scope: Scope, operation: Operation) -> Scope:
    length = str(len(_encoded(operation))).encode()
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return {**scope, "query_string": b"", "headers": [*kept, (b"content-length", length)]}


def _encoded(operation: Operation) -> bytes:
    return json.dumps(dict(operation.payload)).encode()


def _replayed(operation: Operation) -> Receive:
    """The request's body as it was examined, so that Dagster reads the very same."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": _encoded(operation), "more_body": False}

    return receive
