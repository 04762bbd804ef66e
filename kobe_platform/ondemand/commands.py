"""``kobe ask``: an on-demand question from a TOML file, answered as a person's."""

from __future__ import annotations

import json
import signal
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kobe_platform.errors import ConfigurationError, PlatformError, QuestionError
from kobe_platform.settings import Settings

if TYPE_CHECKING:
    from kobe_platform.ondemand import Answer, Question
    from kobe_platform.ondemand.answers import Progress
    from kobe_platform.ondemand.asking import Desk

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


def open_desk(settings: Settings) -> Desk:
    """What answers questions in an installation."""
    from kobe_platform.contracts import load_contracts
    from kobe_platform.governance.database import open_database
    from kobe_platform.lake.opening import open_partitions
    from kobe_platform.lounge.release import current
    from kobe_platform.ondemand.asking import Desk
    from kobe_platform.ondemand.menu import load_menu
    from kobe_platform.statistics import load_statistics
    from kobe_platform.trials import Trials

    store = open_partitions(settings)
    release, contracts = current(settings.releases), load_contracts(settings.contracts)
    trials = Trials(settings.trials)
    statistics = load_statistics(settings.statistics, contracts, trials)
    return Desk(
        store=store,
        statistics=statistics,
        menu=load_menu(settings.ondemand, statistics, contracts, trials),
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

    What is being done is said on standard error. Ctrl-C ends it until the answer is being recorded, and the question is
    not counted; where it is known that there is no answer, it ends the search for the nearest question that has one.
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
    except KeyboardInterrupt:  # of which _asked has told what it means for the quota
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
    counts = False

    def refused(_words: str) -> None:
        nonlocal counts
        counts = True
        typer.echo("kobe ask: there is no answer; looking for the nearest question that has one", err=True)

    try:
        with _until_recording() as show:
            return desk.ask(active_person(desk.governance, by), asked, application, show, refused=refused)
    except KeyboardInterrupt:
        typer.echo(f"kobe ask: stopped; the question is {'' if counts else 'not '}counted", err=True)
        raise


@contextmanager
def _until_recording() -> Iterator[Progress]:
    """Says on standard error how far a question is; from *recording* on, Ctrl-C does not end it.

    Else one could learn from that step that a question can be answered, end it, and pay nothing.
    """
    former = signal.getsignal(signal.SIGINT)

    def show(step: str, number: int, of: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if step == "recording" else former)
        typer.echo(f"kobe ask: {step} ({number} of {of})", err=True)

    try:
        yield show
    finally:
        signal.signal(signal.SIGINT, former)


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
