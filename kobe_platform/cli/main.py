"""Mounts the commands of all packages as ``kobe …``; a package is imported when its command is called."""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import sys
from dataclasses import dataclass
from importlib import import_module

import typer

from kobe_platform.errors import ConfigurationError, PlatformError
from kobe_platform.privacy.uncaught import tell_kinds_only

app = typer.Typer(
    name="kobe",
    help="データ基盤: from core-system extracts to published, protected statistics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True)
class Mounted:
    """A command or a family of commands: where it lives, and the one line that ``kobe --help`` shows of it."""

    name: str
    target: str
    help: str
    panel: str
    any_home: bool = False
    """Whether it may be called on a home of another version, as it does not work on one, or sets that right."""


COMMANDS = (
    Mounted("run", "kobe_platform.cli.run:run", "Do what is outstanding, through Dagster, up to a release.", "Work"),
    Mounted("status", "kobe_platform.planning.status:status", "What is outstanding, and why.", "Work"),
    Mounted("retry", "kobe_platform.planning.status:retry", "Let steps that failed be tried again.", "Work"),
    Mounted("explain", "kobe_platform.cli.explain:explain", "What an error code means, and what to do.", "Work", True),
    Mounted("doctor", "kobe_platform.upkeep.commands:doctor", "How the installation is, and what to do.", "Work", True),
    Mounted(
        "upgrade", "kobe_platform.upkeep.commands:upgrade", "Bring KOBE_HOME to this version.", "Work", any_home=True
    ),
    Mounted("config", "kobe_platform.upkeep.commands:config_app", "Check the settings (KOBE_*).", "Work", True),
    Mounted("metrics", "kobe_platform.upkeep.commands:metrics", "Figures for Prometheus.", "Work"),
    Mounted(
        "dev",
        "kobe_platform.orchestration.development:dev",
        "Dagster's UI, daemon and code server on this machine.",
        "Work",
    ),
    Mounted("alerts", "kobe_platform.alerts.commands:alerts_app", "Show and test the notices to operators.", "Work"),
    Mounted("deliveries", "kobe_platform.reception.commands:deliveries_app", "List and approve deliveries.", "Work"),
    Mounted("demo", "kobe_platform.cli.demo:demo", "The main job on a synthetic city, with a report.", "Work"),
    Mounted("synthesize", "kobe_platform.synthesis.commands:synthesize", "A synthetic city's extracts.", "Work", True),
    Mounted("examples", "kobe_platform.cli.examples:examples_app", "Examples of further core systems.", "Work", True),
    Mounted("protect", "kobe_platform.disclosure.commands:protect", "Protect tables of counts (CSV).", "Disclosure"),
    Mounted("audit", "kobe_platform.disclosure.commands:audit", "Audit protected tables (CSV).", "Disclosure"),
    Mounted("pages", "kobe_platform.lounge.workshop.commands:pages_app", "Write, check and see pages.", "Lounge"),
    Mounted("site", "kobe_platform.lounge.commands:site_app", "Build the site.", "Lounge"),
    Mounted("release", "kobe_platform.lounge.commands:release_app", "List, show and roll back releases.", "Lounge"),
    Mounted("serve", "kobe_platform.web.commands:serve", "Serve the portal.", "Lounge"),
    Mounted("people", "kobe_platform.governance.commands:people_app", "Accounts, roles, audiences.", "Governance"),
    Mounted("apply", "kobe_platform.governance.commands:apply_app", "データ利用申請書: file and decide.", "Governance"),
    Mounted("types", "kobe_platform.typology.commands:types", "Types of school districts, to be named.", "Lounge"),
    Mounted("ask", "kobe_platform.ondemand.commands:ask", "Ask for a statistic on demand.", "Governance"),
    Mounted("audit-report", "kobe_platform.governance.commands:audit_report", "What happened, by days.", "Governance"),
    Mounted("contracts", "kobe_platform.quality.commands:contracts_app", "Check the sources' contracts.", "Work"),
    Mounted(
        "prefecture", "kobe_platform.prefecture.commands:prefecture_app", "Many municipalities' homes.", "Work", True
    ),
    Mounted("keys", "kobe_platform.custody.commands:keys_app", "Make, list, rotate and revoke keys.", "Custody"),
    Mounted("lake", "kobe_platform.custody.commands:lake_app", "Verify and judge the encrypted partitions.", "Custody"),
    Mounted("log", "kobe_platform.custody.commands:log_app", "Verify the log of key use.", "Custody"),
    Mounted("backup", "kobe_platform.backup.commands:backup_app", "Back up while everything runs.", "Custody", True),
    Mounted("restore", "kobe_platform.backup.commands:restore_home", "Make a home from a backup.", "Custody", True),
    Mounted(
        "advisories",
        "kobe_platform.upkeep.commands:advisories",
        "Known faults of what the platform rests on, offline.",
        "Work",
        any_home=True,
    ),
    Mounted("units", "kobe_platform.upkeep.commands:units", "Units of systemd for this installation.", "Work", True),
    Mounted("bench", "kobe_platform.bench.commands:bench_app", "Measure the platform against plain scripts.", "Work"),
    Mounted("dagster-home", "kobe_platform.cli.run:dagster_home", "Prepare Dagster's home and print its path.", "Work"),
)
OPEN_TO_OTHERS = 0o027
"""What no file that a command makes is open to: changes by the group, anything by others."""
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _mount(mounted: Mounted) -> None:
    @app.command(
        mounted.name,
        help=mounted.help,
        rich_help_panel=mounted.panel,
        context_settings=_PASS_ON,
        add_help_option=False,
    )
    def call(context: typer.Context) -> None:
        raise typer.Exit(invoke(mounted, list(context.args)))


def invoke(mounted: Mounted, arguments: list[str]) -> int:
    """Import the room and run its command; what it refuses, or fails at, becomes one line on stderr without values.

    Returns:
        0 done; 1 the platform refused or failed; 2 the city's files or the call are wrong. A
        command's own exit code stands.
    """
    # A core dump would hold rows in the clear: none, whatever the command.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.umask(os.umask(OPEN_TO_OTHERS) | OPEN_TO_OTHERS)
    helps = "--help" in arguments
    try:
        if not helps:
            _check_home(mounted)
        command = typer.main.get_command(_typer_of(mounted))
        command(args=arguments, prog_name=f"kobe {mounted.name}")
    except SystemExit as end:
        if not helps:
            _mark_home()
        return end.code if isinstance(end.code, int) else 1
    except PlatformError as error:
        return _told(mounted, error)
    except Exception as error:
        from kobe_platform.privacy.border import coordinates_only

        return _told(mounted, coordinates_only(error, {"command": mounted.name}))
    return 0


def _check_home(mounted: Mounted) -> None:
    """Refuse another user's home, a later version's, and an earlier version's where the command would work on it."""
    from kobe_platform.home_format import check_version, refuse_foreign, refuse_later
    from kobe_platform.settings import Settings

    if mounted.name in ("advisories", "config", "explain"):  # neither looks into the home
        return
    if mounted.name not in ("doctor", "restore", "synthesize", "units"):  # looked at only, or not at all
        refuse_foreign(Settings().root)
    (refuse_later if mounted.any_home else check_version)(Settings().root)


def _mark_home() -> None:
    """A home that the command made says its version."""
    from kobe_platform.home_format import mark_new
    from kobe_platform.settings import Settings

    with contextlib.suppress(PlatformError, OSError):
        mark_new(Settings().root)


def _told(mounted: Mounted, error: PlatformError) -> int:
    sys.stderr.write(f"kobe {mounted.name}: {error.ja}\n  {error}\n")
    return 2 if isinstance(error, ConfigurationError) else 1


def _typer_of(mounted: Mounted) -> typer.Typer:
    module, name = mounted.target.split(":")
    target = getattr(import_module(module), name)
    if isinstance(target, typer.Typer):
        return target
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(help=target.__doc__)(target)
    return single


for _mounted in COMMANDS:
    _mount(_mounted)


def main() -> None:
    """The command line; with the command's exit code the process ends at once.

    Taking apart what was imported would cost up to a second. What was registered for the end of the process (databases,
    threads, locks) is done before: the first that is registered is the last that runs.
    """
    tell_kinds_only()
    codes: list[int] = []
    atexit.register(_leave, codes)
    try:
        app()
    except SystemExit as end:
        codes.append(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise


def _leave(codes: list[int]) -> None:
    if codes:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(codes[0])


if __name__ == "__main__":
    main()
