"""``kobe ask``: an on-demand question from a TOML file, answered as a person's."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.errors import ConfigurationError, PlatformError, QuestionError
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from kobe_platform.ondemand import Answer, Question
    from kobe_platform.ondemand.asking import Desk

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


def open_desk(settings: Settings) -> Desk:
    """What answers questions in an installation."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.custody.opening import KeyPlace, open_key_service
    from kobe_platform.governance.database import open_database
    from kobe_platform.lake import PartitionStore
    from kobe_platform.lounge.release import current
    from kobe_platform.ondemand.asking import Desk
    from kobe_platform.ondemand.menu import load_menu
    from kobe_platform.statistics import load_statistics
    from kobe_platform.trials import Trials

    keys = open_key_service(KeyPlace.of(settings))
    store = PartitionStore(settings.store, keys, municipality=settings.municipality, principal=settings.principal)
    release, contracts = current(settings.releases), load_contracts(settings.contracts)
    statistics = load_statistics(settings.statistics, contracts, Trials(settings.trials))
    return Desk(
        store=store,
        statistics=statistics,
        menu=load_menu(settings.ondemand, statistics, contracts),
        governance=open_database(settings.governance),
        basis=str(release.facts.get("basis", "register")) if release else "register",
        window=settings.history_months,
    )


def ask(
    file: Annotated[Path, typer.Argument(help="TOML: month, measure, dimensions, filters, application; - for stdin.")],
    by: Annotated[str, typer.Option("--by", help="Login of the analyst who asks.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the answer (CSV) to this file.")] = None,
    again: Annotated[str, typer.Option("--again", help="NAME/MONTH: give an answer of this person once more.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer, or why there is none, as JSON.")] = False,
    job: Annotated[bool, typer.Option("--job", hidden=True, help="The file is a job's: see ondemand/jobs.py.")] = False,
) -> None:
    """Ask for a statistic: protected with all that is published of the same people, and recorded.

    What is being done is said on standard error; Ctrl-C ends it, and the question is not counted.
    """
    if job:
        _work(file)
        return
    desk = open_desk(Settings())
    try:
        question, given = _again(desk, by, again) if again else _asked(desk, by, _read(file))
    except PlatformError as error:
        if not as_json:
            raise
        offer = getattr(error, "offer", None)
        told = {"code": error.code, "ja": error.ja, "offer": offer.question.as_record() if offer else None}
        typer.echo(json.dumps(told, ensure_ascii=False))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("kobe ask: stopped; the question is not counted", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _tell(desk, question, given, out, as_json)


def _work(file: Path) -> None:
    from kobe_platform.ondemand.jobs import Jobs
    from kobe_platform.ondemand.working import work

    settings = Settings()
    jobs = Jobs(settings.root)
    work(jobs, jobs.of_question(file), lambda: open_desk(settings))


def _asked(desk: Desk, by: str, asked: dict) -> tuple[Question, Answer]:
    from kobe_platform.governance.people import active_person

    application = str(asked.pop("application", ""))
    return desk.ask(active_person(desk.governance, by), asked, application, _show)


def _show(step: str, number: int, of: int) -> None:
    typer.echo(f"kobe ask: {step} ({number} of {of})", err=True)


def _again(desk: Desk, by: str, again: str) -> tuple[Question, Answer]:
    from kobe_platform.governance.people import active_person

    name, _, month = again.partition("/")
    held = desk.recall(active_person(desk.governance, by), name, month)
    if held is None:
        raise QuestionError(
            "this person was given no such answer",
            code="ondemand.absent",
            remedy="ask again",
            ja="この集計結果はありません",
        )
    return held


def _tell(desk: Desk, question: Question, given: Answer, out: Path | None, as_json: bool) -> None:
    from kobe_platform.ondemand.forms import as_csv, readable

    areas = desk.areas(question.month)
    if as_json:
        heads, rows = readable(question, given, desk.menu, areas)
        told = {"answer": question.statistic.name, **question.as_record(), "facts": given.facts, "kept": given.kept}
        typer.echo(json.dumps({**told, "heads": heads, "rows": rows}, ensure_ascii=False))
        return
    text = as_csv(question, given, desk.menu, areas)
    if out is None:
        typer.echo(text.removeprefix("\ufeff"), nl=False)
        return
    out.write_text(text, encoding="utf-8", newline="")
    typer.echo(f"{question.statistic.name} {question.month}: {given.facts['rows']} rows, {out.name}")


def _read(file: Path) -> dict:
    try:
        return tomllib.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ConfigurationError(
            "the file is no question",
            code="ondemand.file",
            at={"file": file.name},
            remedy="write month, measure, dimensions and, where wanted, filters and application (docs/ondemand.md)",
            ja="質問のファイルを読めません",
        ) from None
