"""The commands ``kobe people``, ``kobe apply`` and ``kobe audit-report``."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.errors import GovernanceError
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from kobe_platform.governance.application import Application, Draft

people_app = typer.Typer(help="Accounts of the staff: roles, audiences, passwords.", no_args_is_help=True)
apply_app = typer.Typer(help="データ利用申請書: file, hand in, decide, print.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Login = Annotated[str, typer.Argument(help="Name at sign-in.")]
By = Annotated[str, typer.Option("--as", help="Login of the acting person.")]
Number = Annotated[str, typer.Argument(help="申請番号, e.g. R8-0001.")]


def _database() -> Engine:
    from kobe_platform.governance.database import open_database

    return open_database(Settings().governance)


@people_app.command("add")
def add(
    login: Login,
    name: Annotated[str, typer.Option(help="氏名.")],
    section: Annotated[str, typer.Option(help="所属, as the contracts name it.")],
    role: Annotated[list[str], typer.Option(help="operator, analyst, auditor, decider, administrator.")] = [],  # noqa: B006
    audience: Annotated[list[str], typer.Option(help="A name of dashboards/audiences.toml.")] = [],  # noqa: B006
    password_stdin: Annotated[bool, typer.Option(help="Read a password from standard input.")] = False,
) -> None:
    """Register a person, or replace their roles and audiences."""
    from kobe_platform.governance.accounts import register

    settings = Settings()
    _known_audiences(settings, audience)
    password = _password() if password_stdin else None
    person = register(
        _database(), login, name, section, roles=tuple(role), audiences=tuple(audience), password=password,
        by=settings.principal,
    )  # fmt: skip
    typer.echo(f"{person.login}: {', '.join(sorted(person.roles)) or 'staff'}; {', '.join(sorted(person.audiences))}")


def _password() -> str:
    """The first line of standard input; empty, and so refused, where it is no text."""
    try:
        return sys.stdin.readline().rstrip("\n")
    except UnicodeDecodeError:
        return ""


def _known_audiences(settings: Settings, names: list[str]) -> None:
    from kobe_platform.lounge.audiences import load_audiences

    known = load_audiences(settings.dashboards)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise GovernanceError(
            "an unknown audience",
            code="people.audience",
            at={"audience": unknown[0]},
            remedy=f"audiences are: {', '.join(known)}",
            ja="閲覧者の一覧にない名前です",
        )


@people_app.command("remove")
def remove(login: Login) -> None:
    """Take away every right at once."""
    from kobe_platform.governance.people import remove_person

    remove_person(_database(), login, by=Settings().principal)
    typer.echo(f"{login}: removed")


@people_app.command("sign-out")
def sign_out(login: Login) -> None:
    """End all of a person's sessions at once."""
    from kobe_platform.governance.people import sign_out as end_sessions

    ended = end_sessions(_database(), login, by=Settings().principal)
    typer.echo(f"{login}: {ended} sessions ended")


@people_app.command("admit")
def admit(login: Login) -> None:
    """Lift the locks that guesses of a password left, as where somebody has a new device at a new address."""
    from kobe_platform.governance.guesses import forgive

    gone = forgive(_database(), login, by=Settings().principal)
    typer.echo(f"{login}: {gone} counts of failures forgotten")


@people_app.command("unbind")
def unbind(login: Login) -> None:
    """Forget whom the identity provider knows an account by; the next sign-in binds it again."""
    from kobe_platform.governance.identities import unbind as forget

    gone = forget(_database(), login, by=Settings().principal)
    typer.echo(f"{login}: {gone} identities forgotten")


@people_app.command("list")
def list_people(as_json: AsJson = False) -> None:
    """List everybody."""
    from kobe_platform.governance.people import people

    found = people(_database())
    if as_json:
        rows = [{**vars(p), "roles": sorted(p.roles), "audiences": sorted(p.audiences)} for p in found]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for p in found:
        state = "" if p.active else "  (removed)"
        typer.echo(f"{p.login:20} {p.name}  {p.section}  {', '.join(sorted(p.roles | p.audiences))}{state}")


@apply_app.command("new")
def new(
    file: Annotated[Path, typer.Argument(help="TOML: title, purpose, audience, sources, pages, from, to.")],
    by: By,
    number: Annotated[str, typer.Option(help="A number of the section's own register.")] = "",
    hand_in: Annotated[bool, typer.Option("--submit", help="Hand it in at once.")] = False,
) -> None:
    """File an application from a TOML file."""
    from kobe_platform.governance import applications as book
    from kobe_platform.governance.application import STATES_JA
    from kobe_platform.governance.people import active_person

    database = _database()
    person = active_person(database, by)
    app = book.create(database, person, _draft(file), number=number or None, hand_in=hand_in)
    typer.echo(f"{app.number}: {STATES_JA[app.state]}")


def _draft(file: Path) -> Draft:
    import tomllib

    from kobe_platform.governance.application import Draft

    try:
        told = tomllib.loads(file.read_text("utf-8"))
        return Draft(
            str(told["title"]), str(told["purpose"]), str(told["audience"]), tuple(told["sources"]),
            tuple(told["pages"]), _date(told["from"]), _date(told["to"]),
        )  # fmt: skip
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        raise GovernanceError(
            "the file is no application",
            code="application.file",
            at={"file": file.name},
            remedy="write title, purpose, audience, sources, pages, from and to (docs/governance.md)",
            ja="申請のファイルを読めません",
        ) from None


def _date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


@apply_app.command("list")
def list_applications(as_json: AsJson = False) -> None:
    """List applications, newest first."""
    from kobe_platform.governance.application import STATES_JA
    from kobe_platform.governance.application_records import applications
    from kobe_platform.vocabulary.clock import today

    found = applications(_database())
    if as_json:
        typer.echo(json.dumps([_record(app) for app in found], ensure_ascii=False, indent=1))
        return
    for app in found:
        state = STATES_JA[app.state_on(today())]
        typer.echo(f"{app.number}  {state}  {app.draft.first}〜{app.draft.last}  {app.draft.title}")


def _record(app: Application) -> dict[str, object]:
    from kobe_platform.vocabulary.clock import today

    draft = app.draft
    return {
        "number": app.number, "state": app.state_on(today()), "title": draft.title, "purpose": draft.purpose,
        "audience": draft.audience, "sources": list(draft.sources), "pages": list(draft.pages),
        "from": draft.first.isoformat(), "to": draft.last.isoformat(), "applicant": app.applicant,
        "section": app.section,
        "history": [
            {"at": s.at.isoformat(), "who": s.who, "action": s.action, "section": s.section, "note": s.note}
            for s in app.steps
        ],
    }  # fmt: skip


@apply_app.command("show")
def show(number: Number) -> None:
    """Show one application with its history, as JSON."""
    from kobe_platform.governance.application_records import get

    typer.echo(json.dumps(_record(get(_database(), number)), ensure_ascii=False, indent=1))


@apply_app.command("act")
def act(
    number: Number,
    action: Annotated[str, typer.Argument(help="submit, withdraw, approve, return or reject.")],
    by: By,
    note: Annotated[str, typer.Option(help="Reason of a return or a rejection.")] = "",
) -> None:
    """Hand in, withdraw or decide on an application."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.governance import applications as book
    from kobe_platform.governance.application import STATES_JA
    from kobe_platform.governance.application_records import get
    from kobe_platform.governance.people import active_person

    database = _database()
    person, version = active_person(database, by), get(database, number).version
    if action in ("submit", "withdraw"):
        app = getattr(book, action)(database, person, number, version)
    else:
        owners = {name: c.legal.owner_section for name, c in load_contracts(Settings().contracts).items()}
        app = book.decide(database, person, number, action, owners, version, note)
    typer.echo(f"{app.number}: {STATES_JA[app.state]}")


def audit_report(
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD; today by default.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Write the page (HTML) to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """What happened between two days: deliveries, key use, applications, releases, sign-ins, refusals."""
    from kobe_platform.vocabulary.clock import today
    from kobe_platform.web.report import audit_report as collect
    from kobe_platform.web.templates import standalone

    try:
        end = date.fromisoformat(last) if last else today()
        begin = date.fromisoformat(first) if first else end - timedelta(days=30)
    except ValueError:
        raise typer.BadParameter("a day is written YYYY-MM-DD") from None
    report = collect(Settings(), _database(), begin, end)
    if out is not None:
        out.write_text(standalone("audit_report_paper.html", report=report), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(report.as_record(), ensure_ascii=False, indent=1))
    elif out is None:
        for section in report.sections:
            typer.echo(f"{section.title}: {len(section.rows)}")
            for row in section.rows:
                typer.echo("  " + "  ".join(str(cell) for cell in row))
