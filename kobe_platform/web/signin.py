"""The ways in: local accounts, an OpenID Connect provider, a proxy that the operator trusts."""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from kobe_platform.governance import sessions
from kobe_platform.governance.guesses import DEVICE_DAYS, Whence, remembered
from kobe_platform.governance.passwords import check_password
from kobe_platform.governance.people import Person, find_person
from kobe_platform.web.access import LARGEST_FORM, local_path, same_origin
from kobe_platform.web.state import Portal, network_of
from kobe_platform.web.templates import page, refusal

WRONG = "ログイン名またはパスワードが違います。5回続けて間違えると、この端末からは15分間サインインできません。"


async def sign_in_page(request: Request) -> Response:
    """The form; who comes through a trusted proxy, or is signed in, goes on."""
    portal: Portal = request.app.state.portal
    target = local_path(request.query_params.get("next", "/"))
    if request.state.session is not None:
        return RedirectResponse(target, status_code=303)
    login = await run_in_threadpool(portal.proxied, request)
    if login is not None:
        person = await run_in_threadpool(find_person, portal.database, login)
        if person is not None and person.active:
            return await admitted(request, person, "proxy", target)
    return page(request, "sign_in.html", next=target, message="")


async def sign_in(request: Request) -> Response:
    """Check a local account's password."""
    portal: Portal = request.app.state.portal
    if not portal.config.sign_in.local:
        return PlainTextResponse("この方法ではサインインできません。", status_code=404)
    if not same_origin(request, portal):
        return refusal(request, "サインイン画面から操作してください。", 403)
    if int(request.headers.get("content-length") or LARGEST_FORM + 1) > LARGEST_FORM:
        return PlainTextResponse("送信内容が大きすぎます。", status_code=413)
    address = portal.address_of(request)
    if not portal.throttle.admits(address):
        await run_in_threadpool(portal.note_stranger, "sign_in.throttled", address)
        return refusal(request, "試行が多すぎます。1分ほど待ってください。", 429, headers={"Retry-After": "60"})
    form = await request.form(max_files=0, max_fields=10)
    target = local_path(str(form.get("next", "/")))
    login, text = str(form.get("login", "")), str(form.get("password", ""))
    device = request.cookies.get(portal.config.device_cookie, "")[:100]
    whence = Whence(network_of(address), device)
    person = await run_in_threadpool(partial(check_password, portal.database, login, text, whence=whence))
    if person is None:
        return page(request, "sign_in.html", status=403, next=target, message=WRONG)
    portal.throttle.forgive(address)
    answer = await admitted(request, person, "password", target)
    token = await run_in_threadpool(remembered, portal.database, person.login, device)
    answer.set_cookie(
        portal.config.device_cookie, token, max_age=DEVICE_DAYS * 86_400, path="/", secure=portal.config.secure,
        httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


async def sign_out(request: Request) -> Response:
    """End this session."""
    portal: Portal = request.app.state.portal
    await run_in_threadpool(sessions.end, portal.database, request.cookies.get(portal.config.cookie, ""))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(portal.config.cookie, path="/", secure=portal.config.secure, httponly=True, samesite="lax")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def admitted(request: Request, person: Person, method: str, target: str) -> Response:
    """A session of its own, whatever cookie came before, and on to where the person wanted to go."""
    portal: Portal = request.app.state.portal
    former = request.cookies.get(portal.config.cookie, "")
    if former:
        await run_in_threadpool(sessions.end, portal.database, former)
    token = await run_in_threadpool(sessions.begin, portal.database, person, method)
    answer = RedirectResponse(target, status_code=303)
    answer.set_cookie(
        portal.config.cookie, token, max_age=int(sessions.LONGEST.total_seconds()), path="/",
        secure=portal.config.secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer
