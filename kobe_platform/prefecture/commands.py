"""The command ``kobe prefecture``: the municipalities' homes, their runs, and what is left of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kobe_platform.prefecture.above import Above
    from kobe_platform.prefecture.running import Ending, Task
    from kobe_platform.settings import Settings

prefecture_app = typer.Typer(help="The municipalities of a prefecture, each with a home of its own.")
Codes = Annotated[list[str] | None, typer.Argument(help="Five-digit codes; all homes of the prefecture by default.")]
Workers = Annotated[int, typer.Option(min=1, help="Municipalities at a time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON, and no progress.")]
MACHINES = "kobe_platform.prefecture.machines.definitions"
"""Module of the prefecture's code location."""
_REASONS = 2
"""Things left that a line names; the rest is counted."""


@prefecture_app.command()
def add(
    codes: Annotated[list[str] | None, typer.Argument(help="Five-digit codes of municipalities.")] = None,
    every: Annotated[str, typer.Option("--all-of", help="Two digits: all municipalities of this prefecture.")] = "",
    workers: Workers = 1,
) -> None:
    """Make homes with keys of their own; a home that has keys stays as it is."""
    from kobe_platform.prefecture.homes import new_home
    from kobe_platform.prefecture.running import Task
    from kobe_platform.settings import Settings
    from kobe_platform.vocabulary.municipality import municipalities, municipality

    chosen = [*(codes or []), *(municipalities(every) if every else ())]
    if not chosen:
        raise typer.BadParameter("name at least one municipality of the list", param_hint="CODES")
    settings = Settings()
    for code in chosen:
        municipality(code)  # all are known before the first folder is made
    made = [new_home(settings, code) for code in dict.fromkeys(chosen)]
    tasks = [Task(home.place.code, home.place.name, ("keys", "init"), home.environment(settings)) for home in made]
    _finish(tasks, workers, as_json=False)


@prefecture_app.command()
def run(codes: Codes = None, workers: Workers = 1, as_json: AsJson = False) -> None:
    """Do what is outstanding in every municipality, then above them; exit 0 only where nothing is left."""
    endings = _ended(*_tasks(codes, ("run", "--json")), workers, as_json)
    _close(endings, as_json, _publish([], workers, as_json) if not codes else None)


@prefecture_app.command()
def status(codes: Codes = None, workers: Workers = 1, as_json: AsJson = False) -> None:
    """What is outstanding in each municipality and above them; exit 0 only where nothing is."""
    endings = _looked(codes, workers, as_json)
    _close(endings, as_json, None if codes else _outstanding(endings))


@prefecture_app.command()
def publish(
    months: Annotated[list[str] | None, typer.Argument(help="Months, YYYY-MM; all that are due by default.")] = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Sum what municipalities have released, protect it with all that each has published, and release it."""
    from kobe_platform.vocabulary.months import is_month

    if not all(map(is_month, months or ())):
        raise typer.BadParameter("a month is written YYYY-MM", param_hint="MONTHS")
    _close([], as_json, _publish(months or [], workers, as_json))


@prefecture_app.command()
def serve(port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port.")] = 8000) -> None:
    """Serve the prefecture's release in force."""
    import os
    import sys

    from kobe_platform.prefecture.homes import home_above, homes
    from kobe_platform.prefecture.running import MODULE
    from kobe_platform.settings import Settings

    settings = Settings()
    environment = home_above(settings, homes(settings).values()).environment(settings)
    os.execve(sys.executable, [sys.executable, "-m", MODULE, "serve", "--port", str(port)], environment)


@prefecture_app.command("hand-over", hidden=True)
def hand_over(
    months: Annotated[list[str] | None, typer.Argument()] = None,
    listed: Annotated[bool, typer.Option("--list")] = False,
) -> None:
    """A municipality's side of `publish`: writes to a pipe what its prefecture gets of some months."""
    import os
    import stat
    import sys

    from kobe_platform.errors import ConfigurationError
    from kobe_platform.home_format import check_version
    from kobe_platform.prefecture.handing import Hander
    from kobe_platform.release.sharing import bring_together
    from kobe_platform.settings import Settings

    if not listed and not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        raise ConfigurationError(
            "counts are handed over to a pipe, never shown on a terminal or written to a file",
            code="prefecture.terminal",
            remedy="kobe prefecture publish",
            ja="未公開の数値は、画面やファイルには出力しません",
        )
    settings = Settings()
    check_version(settings.root)
    bring_together(settings)
    hander = Hander(settings)
    if listed:
        print(json.dumps({"months": hander.released(), "held": hander.held()}))
        return
    handed, refused = hander.hand_over(months or ())
    reasons = [f"[{error.code}] {month} {group} {error.ja}" for month, group, error in refused]
    print(json.dumps({"records": [one.as_record() for one in handed], "refused": reasons}))


@prefecture_app.command(hidden=True)
def look() -> None:
    """A municipality's side of `status`: what is outstanding, and the months that are released."""
    from kobe_platform.errors import PlatformError
    from kobe_platform.planning.observing import Observer
    from kobe_platform.planning.status import record
    from kobe_platform.prefecture.handing import Hander
    from kobe_platform.settings import Settings

    settings = Settings()
    plan = Observer(settings).plan()
    report = record(plan)
    try:
        hander = Hander(settings)
        report |= {"released": hander.released(), "held": hander.held()}
    except PlatformError as error:
        report["unanswered"] = str(error)
    print(json.dumps(report, ensure_ascii=False))
    raise typer.Exit(int(not plan.empty))


@prefecture_app.command("take-in", hidden=True)
def take_in() -> None:
    """A municipality's side of `publish`: reads from a pipe what totals over municipalities ask of it."""
    import sys

    from kobe_platform.errors import PlatformError
    from kobe_platform.home_format import check_version
    from kobe_platform.prefecture.handing import Hander
    from kobe_platform.release.sharing import bring_together
    from kobe_platform.settings import Settings

    settings = Settings()
    check_version(settings.root)
    told = json.load(sys.stdin)
    bring_together(settings)
    hander = Hander(settings)
    refused = []
    for one in told["statements"]:
        try:
            hander.take_in(one)
        except PlatformError as error:
            refused.append(f"[{error.code}] {one.get('month')} {one.get('group')} {error.ja}")
    bring_together(settings)
    print(json.dumps({"held": hander.held(), "refused": refused}, ensure_ascii=False))


@prefecture_app.command(hidden=True)
def receive(workers: Workers = 1) -> None:
    """The prefecture's side of `publish`: reads what was handed over from a pipe."""
    import sys
    from dataclasses import asdict, replace

    from kobe_platform.errors import PlatformError
    from kobe_platform.home_format import check_version
    from kobe_platform.prefecture.publishing import Prefecture
    from kobe_platform.release.sharing import bring_together
    from kobe_platform.settings import Settings

    settings = Settings()
    check_version(settings.root)
    told = json.load(sys.stdin)
    bring_together(settings)
    above = Prefecture(settings)
    received, refused, release = [], [], ""
    statements: list[Mapping[str, Any]] = []
    with above.publishing():
        above.taken(told.get("taken", ()))
        for part in told["parts"]:
            try:
                made = above.receive(part["month"], part["group"], part["records"], part["missing"], workers)
                statements += made.statements
                received.append({**asdict(replace(made, statements=())), "missing": part["missing"]})
            except PlatformError as error:
                refused.append(f"[{error.code}] {part['month']} {part['group']} {error.ja}")
        if not statements:
            try:
                release = above.release().id
            except PlatformError as error:
                refused.append(f"[{error.code}] {error.ja}")
    try:
        bring_together(settings)
    except PlatformError as error:
        refused.append(f"[{error.code}] {error.ja}")
    report = {"received": received, "refused": refused, "release": release, "statements": statements}
    print(json.dumps(report, ensure_ascii=False))


def _publish(months: list[str], workers: int, as_json: bool) -> Above:
    from kobe_platform.prefecture.above import publish as bring
    from kobe_platform.prefecture.homes import homes
    from kobe_platform.settings import Settings

    settings = Settings()
    below = list(homes(settings).values())
    return bring(settings, below, months, workers, lambda line: None if as_json else print(line, flush=True))


def _outstanding(endings: list[Ending]) -> Above:
    """What is due above the municipalities, by what each of them has answered."""
    from kobe_platform.prefecture.above import Above, due_above
    from kobe_platform.prefecture.homes import home_above, homes
    from kobe_platform.prefecture.publishing import unreleased
    from kobe_platform.settings import Settings

    settings = Settings()
    below = list(homes(settings).values())
    released = {one.code: one.report["released"] for one in endings if "released" in one.report}
    held = {one.code: one.report.get("held", {}) for one in endings if "released" in one.report}
    failed = [(one, one.error or one.report.get("unanswered") or one.exit_code) for one in endings]
    silent = {one.code: f"{one.name}({one.code}): {error}" for one, error in failed if one.code not in released}
    left = [
        f"{one.month} {one.group}: 都道府県の表が未作成です"
        for one in due_above(settings, below, released, set(silent), held)
    ]
    waiting = len(unreleased(home_above(settings, below).path))
    left += [f"都道府県の公開が済んでいません({waiting}件)"] if waiting else []
    return Above(left=[*left, *silent.values()])


@prefecture_app.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
) -> None:
    """Start the prefecture's own Dagster (UI, daemon, code server), which runs every municipality that is due."""
    from kobe_platform.orchestration.development import CodeLocation, develop
    from kobe_platform.prefecture.machines.instance import own_settings, prepared
    from kobe_platform.settings import Settings

    develop(own_settings(Settings()), CodeLocation("prefecture", MACHINES), prepared, host, port)


@prefecture_app.command()
def worker(
    large: Annotated[bool, typer.Option("--large", help="Take large municipalities, too.")] = False,
    runs: Annotated[int, typer.Option(min=1, help="Municipalities at a time on this machine.")] = 1,
    name: Annotated[str, typer.Option(help="Name of this worker; by default that of the machine.")] = "",
) -> None:
    """Work on this machine for the prefecture's Dagster, through the broker of KOBE_BROKER, until a signal ends it."""
    from kobe_platform.prefecture.machines.instance import own_settings
    from kobe_platform.prefecture.machines.working import become_worker
    from kobe_platform.settings import Settings

    become_worker(own_settings(Settings()), large=large, runs=runs, name=name)


def _tasks(codes: list[str] | None, arguments: tuple[str, ...]) -> tuple[list[Task], list[Ending]]:
    """What to run, and the municipalities whose own settings keep them from it: they stop no other."""
    from kobe_platform.errors import ConfigurationError
    from kobe_platform.prefecture.homes import delivered_bytes, home_above, homes
    from kobe_platform.prefecture.running import Task, not_begun
    from kobe_platform.settings import Settings

    settings: Settings = Settings()
    found = homes(settings, tuple(codes or ()))
    if not found:
        raise ConfigurationError(
            "the prefecture has no homes",
            code="prefecture.unknown",
            remedy="kobe prefecture add CODE makes one",
        )
    if not codes:
        home_above(settings, found.values())  # homes of several prefectures are refused before any work
    tasks, refused = [], []
    for home in found.values():
        code, name = home.place.code, home.place.name
        try:
            environment = home.environment(settings)
        except ConfigurationError as error:
            refused.append(not_begun(code, name, error))
            continue
        tasks.append(Task(code, name, arguments, environment, delivered_bytes(home, environment)))
    return tasks, refused


def _looked(codes: list[str] | None, workers: int, as_json: bool) -> list[Ending]:
    """What each municipality answers: kept answers first, where nothing has changed since; the others are asked."""
    from kobe_platform.prefecture.answers import Answers
    from kobe_platform.prefecture.homes import homes
    from kobe_platform.prefecture.running import Ending
    from kobe_platform.settings import Settings

    settings = Settings()
    answers, there = Answers(settings), homes(settings)
    tasks, known = _tasks(codes, ("prefecture", "look"))
    stamps = {task.code: answers.stamp(there[task.code], task.environment) for task in tasks}
    asked = []
    for task in tasks:
        told = answers.recall(there[task.code], stamps[task.code])
        if told is None:
            asked.append(task)
        else:
            known.append(Ending(task.code, task.name, 0, told, "", 0.0))
    endings = _ended(asked, known, workers, as_json)
    for task in asked:
        (ending,) = [one for one in endings if one.code == task.code]
        stamp = stamps[task.code]
        if ending.done and "released" in ending.report and stamp == answers.stamp(there[task.code], task.environment):
            told = {name: ending.report[name] for name in ("released", "held", "turned_away") if name in ending.report}
            answers.keep(there[task.code], stamp, told)
    return endings


def _ended(tasks: list[Task], known: list[Ending], workers: int, as_json: bool) -> list[Ending]:
    """Run all, and tell each as it ends, those first that need not or could not be begun."""
    from rich.console import Console

    from kobe_platform.orchestration.ending import ending_soon
    from kobe_platform.prefecture.running import run_all

    console = Console(highlight=False, soft_wrap=True)

    def tell(one: Ending) -> None:
        if not as_json:
            console.print(told(one), markup=False)

    for one in known:
        tell(one)
    with ending_soon():
        return [*known, *run_all(tasks, workers, tell)]


def _finish(tasks: list[Task], workers: int, as_json: bool) -> None:
    _close(_ended(tasks, [], workers, as_json), as_json, None)


def _close(endings: list[Ending], as_json: bool, above: Above | None) -> None:
    """Tell what is left of municipalities and above them; exit with 1 where something is."""
    left = [one for one in endings if not one.done]
    more = above.left if above else []
    if as_json:
        records = [_record(one) for one in sorted(endings, key=lambda one: one.code)]
        report = {"exit_code": int(bool(left or more)), "municipalities": records}
        report |= {"prefecture": above.record()} if above else {}
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        names = "、".join(f"{one.name}({one.code})" for one in sorted(left, key=lambda one: one.code))
        if endings:
            print(f"残り {len(left)}/{len(endings)}: {names}" if left else f"{len(endings)} / 残りはありません")
        if rejected := sum(len(_rejected(one.report)) for one in endings):
            print(f"却下した提供データが{rejected}件あります。直したものが届くのを待っています")
        for line in more:
            print(f"✗ {line}")
        if above and above.release:
            print(f"都道府県の公開: {above.release}")
    raise typer.Exit(int(bool(left or more)))


def told(one: Ending) -> str:
    """One municipality in one line: whether it is done (✓), has work that the next run does (・), or needs somebody or
    something else (✗); what is left, and what to do."""
    reasons = [one.error] if one.error else [*_rejected(one.report), *_left(one.report)]
    if not one.done and not reasons:
        reasons = [f"exit {one.exit_code}"]
    more = f" ほか{len(reasons) - _REASONS}件" if len(reasons) > _REASONS else ""
    mark = "✓" if one.done else "・" if _goes_on(one) else "✗"
    rest = f" {' / '.join(reasons[:_REASONS])}{more}" if reasons else ""
    return f"{mark} {one.code} {one.name} {one.seconds:.1f} s{rest}"


def _goes_on(one: Ending) -> bool:
    """Whether something is left that the next run does, and nothing that failed, is held, or was given up."""
    states = {step.get("state") for step in one.report.get("outstanding", ())}
    over = one.error or any(one.report.get(name) for name in ("faults", "runs", "unanswered"))
    return not over and bool(states & {"ready", "under_way"}) and not states & {"held", "failed", "blocked"}


def _left(report: Mapping[str, Any]) -> list[str]:
    faults = [f"[{fault['code']}] {fault['ja']}" for fault in report.get("faults", ())]
    broken = [one for run in report.get("runs", ()) if run["what"] == "plan" for one in run["faults"]]
    given_up = [f"[{one['code']}] {one['text']}" for one in broken]
    return [*faults, *given_up, *(step["ja"] for step in report.get("outstanding", ()))]


def _record(one: Ending) -> dict[str, object]:
    record = {"code": one.code, "name": one.name, "exit_code": one.exit_code, "seconds": round(one.seconds, 2)}
    return {**record, "error": one.error, "left": _left(one.report), "rejected": _rejected(one.report)}


def _rejected(report: Mapping[str, Any]) -> list[str]:
    """Deliveries that were rejected: nothing is left to do here, but somebody has to be told."""
    return [f"却下 {one['ja']}" for one in report.get("turned_away", ())]
