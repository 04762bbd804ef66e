"""The portal's own screens: Jinja templates with everything escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from kobe_platform.governance.application import ACTIONS_JA, STATES_JA
from kobe_platform.governance.people import Person
from kobe_platform.governance.schema import ROLES
from kobe_platform.lounge.formats import period_label
from kobe_platform.vocabulary.clock import JAPAN
from kobe_platform.vocabulary.municipality import own
from kobe_platform.web.config import PortalConfig

FOLDER = Path(__file__).resolve().parent / "html"
STATIC = Path(__file__).resolve().parent / "static"
HEADINGS = {403: "この画面は表示できません", 404: "ページがありません", 429: "少し待ってください"}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = lambda value: value.astimezone(JAPAN).strftime("%Y年%-m月%-d日 %H:%M")
    environment.filters["day"] = lambda value: f"{value.year}年{value.month}月{value.day}日"
    environment.filters["period"] = period_label
    environment.globals.update(states=STATES_JA, actions=ACTIONS_JA, role_names=ROLES, lounge=own().lounge)
    return environment


def menu_of(person: Person, config: PortalConfig) -> list[tuple[str, str]]:
    """The portal's screens for a person: title and address, in order."""
    screens = (
        ("ダッシュボード", "/", True),
        ("お気に入りの更新", "/news", True),
        ("質問と意見", "/questions", True),
        ("版と訂正", "/releases", True),
        ("利用状況", "/usage", True),
        ("利用申請", "/applications", True),
        ("オンデマンド集計", "/ondemand", person.has("analyst", "operator")),
        ("提供データ", "/deliveries", person.has("operator")),
        ("データの状態", "/condition", person.has("operator")),
        ("監査報告", "/audit-report", person.has("auditor")),
        ("Dagster", "/dagster/", config.dagster.enabled and person.has("operator", "analyst", "auditor")),
    )
    return [(title, address) for title, address, admitted in screens if admitted]


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A screen for whoever asks."""
    session = getattr(request.state, "session", None)
    shared = {
        "config": request.app.state.portal.config,
        "person": session.person if session else None,
        "screens": menu_of(session.person, request.app.state.portal.config) if session else [],
        "csrf": session.csrf if session else "",
        "oidc": request.app.state.provider,
    }
    text = _environment().get_template(template).render(**shared, **values)
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def refusal(request: Request, sentence: str, status: int, *, headers: Mapping[str, str] | None = None) -> Response:
    """Why something is not shown: for readers a screen with a way back and whom to ask, for programs the sentence."""
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(sentence, status_code=status, headers=dict(headers or {}))
    heading = HEADINGS.get(status, "表示できません")
    answer = page(request, "refusal.html", status=status, sentence=sentence, heading=heading)
    answer.headers.update(headers or {})
    return answer


def standalone(template: str, **values: object) -> str:
    """A page for a file: nobody is signed in, nothing is linked."""
    return _environment().get_template(template).render(style=(STATIC / "portal.css").read_text("utf-8"), **values)
