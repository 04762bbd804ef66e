"""アンケート: what readers think of a dashboard; no name is kept."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kobe_platform.governance.database import writing
from kobe_platform.governance.schema import survey_answer
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page, refusal

RATINGS = {
    5: "とても役に立った",
    4: "役に立った",
    3: "どちらともいえない",
    2: "あまり役に立たなかった",
    1: "役に立たなかった",
}


async def survey_form(request: Request) -> Response:
    """The questions."""
    return page(request, "survey.html", ratings=RATINGS, about=request.query_params.get("page", "")[:64], thanks=False)


async def survey_save(request: Request) -> Response:
    """Keep an answer."""
    portal: Portal = request.app.state.portal
    form = await request.form()
    rating, comment = str(form.get("rating", "")), str(form.get("comment", ""))[:2000]
    about = str(form.get("about", ""))[:64]
    if rating not in map(str, RATINGS):
        return page(request, "survey.html", status=422, ratings=RATINGS, about=about, thanks=False)
    if not portal.answers.admits(request.state.session.person.login):
        return refusal(request, "回答が続いています。1分ほど待ってください。", 429, headers={"Retry-After": "60"})
    await run_in_threadpool(_keep, portal, int(rating), comment, about)
    return page(request, "survey.html", ratings=RATINGS, about=about, thanks=True)


def _keep(portal: Portal, rating: int, comment: str, about: str) -> None:
    values = {"at": datetime.now(UTC), "page": about, "rating": rating, "comment": comment}
    with writing(portal.database) as connection:
        connection.execute(insert(survey_answer).values(**values))
