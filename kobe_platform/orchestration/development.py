"""Runs ``kobe dev``: starts Dagster's code server, daemon and UI on this machine, and ends them together.

The three processes are those of a production installation; docs/decisions/0022-development-server.md says why
``dagster dev`` and ``dg dev`` are not used. All of them are in one process group with a guard, a process that ends the
group as soon as this one has ended for whatever reason, so that nothing goes on running unseen.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import yaml

from kobe_platform.custody.durable import locked
from kobe_platform.errors import ConfigurationError, PlatformError
from kobe_platform.settings import PROJECT, Settings
from kobe_platform.web.commands import LOOPBACK

GUARD = Path(__file__).with_name("guard.py")
WORKSPACE = PROJECT / "workspace.yaml"
TICK = 0.1
"""Seconds between two looks at the processes."""
START_LIMIT = 180.0
"""Seconds that the code server and then the UI may take to answer."""
STOP_LIMIT = 2.5
"""Seconds that the daemon and the UI have to end before the guard ends the rest (in 4 more, see ``guard.PATIENCE``)."""
HEARTBEAT = 10
"""Seconds after which the server of the definitions ends by itself when the code server that began it is gone."""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class CodeLocation:
    """What Dagster loads: its name in the UI, and the attribute of a module that holds the definitions."""

    name: str
    module: str
    attribute: str = "defs"


def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
) -> None:
    """Start Dagster's UI, daemon and code server on this machine; Ctrl-C ends them all."""
    develop(Settings(), code_location(), prepare, host, port)


def develop(
    settings: Settings, location: CodeLocation, prepared: Callable[[Settings], dict[str, str]], host: str, port: int
) -> None:
    """Serve one code location until a signal ends it.

    Args:
        settings: of the home that it works on, which has one such server at a time.
        prepared: makes what the home lacks; the environment of the processes.
    """
    if "MAKELEVEL" in os.environ:
        end_with_parent()  # under `make dev` a signal to make is meant for this process
    with _ending_by_signal() as ending, _only_one(settings):
        check_address(host, port)
        environment = prepared(settings)
        folder = Path(tempfile.mkdtemp(prefix="kobe-dev-"))
        services = Services({**environment, "TMPDIR": str(folder)}, folder)
        try:
            serve(services, folder, location, host, port, ending)
        finally:
            services.stop()
    say("終了しました。stopped")


# -- before the start ---------------------------------------------------------------------------------------------


def check_address(host: str, port: int) -> None:
    """Refuse an address that others could reach (this UI has no sign-in), or a port that is taken.

    Raises:
        ConfigurationError: ``dev.host``.
        PlatformError: ``dev.port``.
    """
    if host not in LOOPBACK:
        raise ConfigurationError(
            "the development server has no sign-in and is for this machine only",
            code="dev.host",
            at={"host": host},
            remedy="leave --host out; for others, `kobe serve` offers Dagster behind the portal (docs/security.md)",
            ja="開発用サーバーはサインインがないため、この端末に対してだけ開けます",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            raise PlatformError(
                "the port cannot be used: another program listens on it, or it is reserved",
                code="dev.port",
                at={"host": host, "port": port},
                remedy="end that program, or name another port: `kobe dev --port 3001`",
                ja=f"ポート{port}は使えません(ほかのプログラムが使用中か、予約されています)",
            ) from None


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    try:
        lock = locked(settings.root / "development.lock", wait=False)
        lock.__enter__()
    except BlockingIOError:
        raise PlatformError(
            "a development server is running on this KOBE_HOME",
            code="dev.running",
            at={"home": settings.root.name},
            remedy="use it, end it, or set another KOBE_HOME",
            ja="この KOBE_HOME では開発用サーバーがすでに動いています",
        ) from None
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def prepare(settings: Settings) -> dict[str, str]:
    """Make what an empty installation lacks: a local key store, an inbox, and Dagster's home with its tables.

    What else may be missing (a share that ``KOBE_INBOX`` names, keys of AWS KMS) is told by the sensors at each tick.

    Returns:
        The environment of the processes.
    """
    from kobe_platform.custody.opening import KeyPlace, create_key_service, passphrase_of
    from kobe_platform.privacy.instance import open_instance

    if settings.key_service == "local" and not (settings.keys / "root.json").exists():
        create_key_service(KeyPlace.of(settings), passphrase_of(settings.passphrase_file))
        say(f"鍵を作りました。made a key store in {settings.keys}")
    # A share that is named, or linked to, and is gone is never made anew.
    if "inbox" not in settings.model_fields_set and not os.path.lexists(settings.inbox):
        settings.inbox.mkdir(mode=0o700, parents=True)
        say(
            f"受信箱を作りました(空です)。made an empty inbox, {settings.inbox.resolve()}; "
            f"a made-up city for it: kobe synthesize --out {settings.inbox}"
        )
    # One process opens the home first: three that create its tables at the same time would fail.
    open_instance(settings).dispose()
    # `open_instance` has set this environment: redaction on, telemetry off, and DAGSTER_HOME
    return settings.environment()


# -- the processes ------------------------------------------------------------------------------------------------


class Services:
    """The processes of one start, in the process group of a guard.

    Args:
        environment: of all of them.
        folder: of their sockets; the guard removes it at the end.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.running: dict[str, subprocess.Popen] = {}
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), str(folder)], stdin=subprocess.PIPE, process_group=0
        )

    def start(self, name: str, *module: str) -> None:
        """Start ``python -m MODULE …`` under a name; the kernel sends it TERM when this process dies."""
        parent = os.getpid()
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", *module],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            process_group=self.guard.pid,
            preexec_fn=lambda: end_with_parent(parent),
        )

    def check(self) -> None:
        """Raise ``dev.ended`` (a :class:`PlatformError`) if one of the processes has ended."""
        for name, process in {**self.running, "guard": self.guard}.items():
            status = process.poll()
            if status is not None:
                raise PlatformError(
                    "a process of the development server has ended; the others are stopped",
                    code="dev.ended",
                    at={"process": name, "status": status},
                    remedy="its last lines above say why",
                    ja=f"{name} が終了したため、開発用サーバーを止めます",
                )

    def stop(self) -> None:
        """End all processes within seconds: first the daemon and the UI, then the code server with its runs."""
        first = [process for name, process in self.running.items() if name != "code server"]
        for process in first:
            process.terminate()
        deadline = time.monotonic() + STOP_LIMIT
        while time.monotonic() < deadline and any(process.poll() is None for process in first):
            time.sleep(TICK)
        if self.guard.poll() is not None:  # the guard was killed: this process does its work
            self._without_guard()
        with suppress(OSError):
            if self.guard.stdin is not None:
                self.guard.stdin.close()
        while self.guard.poll() is None:
            for process in self.running.values():
                process.poll()  # a child that is not waited for would stay as a zombie
            time.sleep(TICK)
        for process in self.running.values():
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)  # in case the guard could not

    def _without_guard(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(OSError):
                os.killpg(self.guard.pid, sign)
            deadline = time.monotonic() + STOP_LIMIT
            while time.monotonic() < deadline and any(process.poll() is None for process in self.running.values()):
                time.sleep(TICK)


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel send TERM to this process when its parent dies (Linux; elsewhere the guard alone does it)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def serve(
    services: Services, folder: Path, location: CodeLocation, host: str, port: int, ending: Callable[[], bool]
) -> None:
    """Start code server, daemon and UI, say where the UI is, and watch them until ``ending``.

    Raises:
        PlatformError: ``dev.ended`` or ``dev.slow``.
    """
    began = time.monotonic()
    place = folder / "code.sock"
    workspace = folder / "workspace.yaml"
    server = {"host": "localhost", "socket": str(place), "location_name": location.name}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8")
    logs = ("--log-level", "warning")

    def answering(ready: Callable[[], bool], name: str) -> bool:
        limit = time.monotonic() + START_LIMIT
        while not ending():
            services.check()
            if ready():
                return True
            if time.monotonic() > limit:
                raise PlatformError(
                    "a process of the development server does not answer",
                    code="dev.slow",
                    at={"process": name, "seconds": int(START_LIMIT)},
                    remedy="its last lines above may say why; then run it again",
                    ja=f"{name} が応答しません",
                )
            time.sleep(TICK)
        return False

    say("コードサーバーを起動しています… starting the code server")
    # The servers under the code server need no option of their own to end with it: see the guard, and HEARTBEAT.
    services.start(
        "code server", "dagster", "code-server", "start", "--socket", str(place), "--heartbeat-ttl", str(HEARTBEAT),
        "--module-name", location.module, "--attribute", location.attribute,
        "--location-name", location.name, "--working-directory", str(PROJECT), *logs,
    )  # fmt: skip
    if not answering(lambda: accepts(str(place)), "code server"):
        return
    say(f"デーモンと画面を起動しています… starting the daemon and the UI ({time.monotonic() - began:.0f} s)")
    services.start("daemon", "dagster._daemon", "run", "--workspace", str(workspace))
    services.start(
        "UI", "dagster_webserver", "--workspace", str(workspace), "--host", host, "--port", str(port),
        "--dagster-log-level", "warning", *logs,
    )  # fmt: skip
    if not answering(lambda: answers(host, port), "UI"):
        return
    shown = f"[{host}]" if ":" in host else host
    say(f"Dagsterの画面 Dagster UI: http://{shown}:{port}/  ({time.monotonic() - began:.0f} s; 終了 end: Ctrl-C)")
    while not ending():
        services.check()
        time.sleep(TICK)


def code_location() -> CodeLocation:
    """The platform's code location, as ``workspace.yaml`` gives it."""
    told = yaml.safe_load(WORKSPACE.read_text("utf-8"))["load_from"][0]["python_module"]
    return CodeLocation(told["location_name"], told["module_name"], told["attribute"])


def accepts(place: str) -> bool:
    """Whether a process listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(place)
        except OSError:
            return False
        return True


def answers(host: str, port: int) -> bool:
    """Whether the UI answers (asked without any proxy that the environment names)."""
    with closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/server_info")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@contextmanager
def _ending_by_signal() -> Iterator[Callable[[], bool]]:
    """Let INT, TERM and HUP set a flag instead of ending this process; HUP is left alone under ``nohup``.

    INT is handled even where a shell has set it to be ignored (``kobe dev &`` in a script): Dagster's processes would
    inherit that, and they treat TERM as they treat INT.
    """
    got: list[int] = []
    former = {}
    for name in ENDINGS:
        if name is not signal.SIGHUP or signal.getsignal(name) is not signal.SIG_IGN:
            former[name] = signal.signal(name, lambda number, _frame: got.append(number))
    try:
        yield lambda: bool(got)
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)


def say(text: str) -> None:
    """Print a line; a terminal that was closed meanwhile is no error."""
    with suppress(OSError):
        print(text, flush=True)
