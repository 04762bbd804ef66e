"""Faults of what the platform stands on: disks that turn read-only, slow shares, clocks that jump, a key service
that is slow or down, a PostgreSQL that restarts, rotation beside runs, readers while a release is switched.

Each ends with a home that is whole, by the judges of the other trials, and without an orphan in its store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.lake import PartitionStore
from kobe_platform.lake.orphans import orphans
from tests.soak.aims import COMMITTED, PROTECTED, SITE, WRITING
from tests.soak.homes import CITY, ESTIMATES, LIMIT, MONTH, NEXT, Homes, Place
from tests.soak.judging import problems
from tests.soak.test_faults import finished, reach, small_disk
from tests.soak.watching import Watch, wait_for

pytestmark = [pytest.mark.soak, pytest.mark.skipif(sys.platform != "linux", reason="Linux's own tools")]
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


class PublicHomes(Homes):
    """Homes with public figures alone: all stages of a month, in seconds."""

    def _synthesize(self, folder: Path) -> None:
        from kobe_platform.synthesis.deliveries import CityPlan, synthesize

        synthesize(CityPlan(folder, 3000, MONTH, NEXT, 0))

    def _deliver_first(self, place: Place) -> None:
        place.deliver(self.city, ESTIMATES, MONTH)


@pytest.fixture(scope="session")
def homes(kept) -> Homes:
    """The prepared homes, kept beside those of the other trials."""
    return PublicHomes(kept / "public-homes")


def no_orphan(place: Place) -> list[str]:
    """What interrupted commits left in the store."""
    settings = place.settings
    store = PartitionStore(settings.store, open_key_service(KeyPlace.of(settings)), municipality=settings.municipality)
    return [f"{orphan.id} {orphan.name}" for orphan in orphans(store)]


def whole(place: Place, homes: Homes, name: str) -> list[str]:
    """Problems after the next `kobe run`, orphans among them."""
    return [*finished(place, homes, name), *no_orphan(place)]


# ── disks and shares ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "pattern"), [("public", WRITING), ("first", COMMITTED), ("taken", PROTECTED), ("tabulated", SITE)]
)
def test_a_disk_that_turns_read_only_is_said_and_the_run_goes_on_when_it_is_writable(name, pattern, homes, tmp_path):
    place = homes.copy(name, tmp_path / "place")
    log = tmp_path / "told"
    with small_disk(place.home):
        process = reach(place, pattern, 1, log)
        subprocess.run(["mount", "-o", "remount,ro", str(place.home)], capture_output=True)
        while process.poll() is None and "ro," not in _mounted(place.home):  # files that are open for writing keep it
            subprocess.run(["mount", "-o", "remount,ro", str(place.home)], capture_output=True)
            time.sleep(0.05)
        code = process.wait(timeout=LIMIT)
        subprocess.run(["mount", "-o", "remount,rw", str(place.home)], check=True)
        told = log.read_text("utf-8", errors="replace")
        assert code in (0, 1) and "Traceback" not in told, told
        assert whole(place, homes, name) == []


def _mounted(folder: Path) -> str:
    lines = Path("/proc/mounts").read_text().splitlines()
    return next((f"{line.split()[3]}," for line in lines if line.split()[1] == str(folder)), "")


@pytest.mark.parametrize("part", ["store", "staging", "releases"])
def test_a_folder_that_may_not_be_written_is_named_and_nothing_is_lost(part, homes, tmp_path):
    """Without the right to pass over modes, which root has and the platform's account has not."""
    place = homes.copy("public", tmp_path / "place")
    folder = place.home / part
    folder.mkdir(exist_ok=True)
    folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir() and not path.is_symlink()]
    modes = {path: path.stat().st_mode & 0o777 for path in folders}
    for path in folders:
        path.chmod(0o500)
    bare = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    command = [*bare, sys.executable, "-m", "kobe_platform.cli", "run"]
    done = subprocess.run(command, env=place.environment(), cwd=place.folder, capture_output=True, text=True)
    told = done.stdout + done.stderr
    for path, mode in modes.items():
        path.chmod(mode)
    assert done.returncode == 1 and "[custody.permission]" in told and "Traceback" not in told, told
    assert whole(place, homes, "public") == []


def test_a_slow_share_delays_a_run_and_changes_nothing(homes, tmp_path):
    """Each file of the inbox takes a second and a half to be opened."""
    if not shutil.which("strace"):
        pytest.skip("strace makes the share slow")
    place = homes.copy("public", tmp_path / "place")
    files = [path for path in (place.inbox / CITY / ESTIMATES).rglob("*") if path.is_file()]
    slow = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=openat", "-e", "inject=openat:delay_enter=1500000"]
    slow += [argument for path in files for argument in ("-P", str(path))]
    command = [*slow, sys.executable, "-m", "kobe_platform.cli", "run"]
    done = subprocess.run(
        command, env=place.environment(), cwd=place.folder, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert whole(place, homes, "public") == []


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime moves the clock")
@pytest.mark.parametrize(("first", "second"), [("+0", "+3d"), ("+0", "-3d"), ("-400d", "+0"), ("+400d", "+0")])
def test_a_clock_that_jumps_in_the_middle_of_a_run_loses_nothing(first, second, homes, tmp_path):
    place = homes.copy("public", tmp_path / "place")
    clock = tmp_path / "clock"
    clock.write_text(first)
    more = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    more |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    process = place.start("run", more=more, log=place.folder / "log")
    deadline = time.monotonic() + LIMIT
    while process.poll() is None and not list((place.home / "staging").glob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    clock.write_text(second)
    code = process.wait(timeout=LIMIT)
    told = (place.folder / "log").read_text("utf-8", errors="replace")
    assert code in (0, 1) and "Traceback" not in told, told
    assert whole(place, homes, "public") == []


# ── the key service ──────────────────────────────────────────────────────────────────────────────────────────────────


class Gate:
    """A way to a server that can be slow, or closed."""

    def __init__(self, port: int) -> None:
        self.to, self.delay, self.open = port, 0.0, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if not self.open:
                client.close()
                continue
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.to))
        threading.Thread(target=self._pump, args=(server, client, 0.0), daemon=True).start()
        self._pump(client, server, None)

    def _pump(self, source: socket.socket, target: socket.socket, delay: float | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if delay is None:
                    time.sleep(self.delay)
                    if not self.open:
                        break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.close()


@pytest.fixture
def kms():
    """A key service of another process's kind, behind a gate."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield Gate(server.get_host_and_port()[1])
    server.stop()


@pytest.mark.parametrize("fault", ["slow", "down", "down in the middle"])
def test_a_key_service_that_is_slow_or_down_delays_and_loses_nothing(fault, kms, homes, tmp_path):
    place = Place(tmp_path / "place")
    place.folder.mkdir()
    more = {
        "KOBE_KEY_SERVICE": "aws-kms", "KOBE_KMS_REGION": "ap-northeast-1", "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up", "NO_PROXY": "127.0.0.1",
        "KOBE_KMS_ENDPOINT": f"http://127.0.0.1:{kms.port}",
    }  # fmt: skip
    place.deliver(homes.city, ESTIMATES, MONTH)
    assert place.kobe("keys", "init", more=more).returncode == 0
    kms.delay, kms.open = (0.7 if fault == "slow" else 0.0), fault != "down"
    process = place.start("run", more=more, log=place.folder / "log")
    if fault == "down in the middle":
        while process.poll() is None and not list(place.home.glob("store/*/*/*/g*")):
            time.sleep(0.02)
        kms.open = False
    code = process.wait(timeout=LIMIT)
    told = (place.folder / "log").read_text("utf-8", errors="replace")
    assert "Traceback" not in told, told
    assert code == (0 if fault == "slow" else 1), told
    if code:
        assert "[custody.unreachable]" in told, told
    kms.delay, kms.open = 0.0, True
    again = place.kobe("run", more=more)
    assert again.returncode == 0, again.stdout + again.stderr
    for command in (["lake", "verify"], ["log", "verify"], ["status"]):
        assert place.kobe(*command, more=more).returncode == 0
    left = place.kobe("lake", "gc", "--dry-run", more=more)
    assert left.stdout.startswith("0 orphans"), left.stdout


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def postgres(tmp_path) -> Iterator[tuple[str, str]]:
    """A server of its own: its address, and the command that restarts it; run by the account of Debian's package."""
    if POSTGRES is None or os.geteuid() != 0:
        pytest.skip("a PostgreSQL of its own is begun by root only")
    folder = Path("/tmp") / f"kobe-soak-pg-{os.getpid()}"
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "HOME=/tmp"]
    folder.mkdir(mode=0o700)
    shutil.chown(folder, "postgres", "postgres")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def control(*words: str) -> None:
        # no pipe: the server that pg_ctl leaves behind would keep it open
        subprocess.run([*as_postgres, *words], check=True, stdout=subprocess.DEVNULL, cwd="/tmp")

    control(str(POSTGRES / "initdb"), "-D", str(folder / "data"), "--auth=trust", "-U", "kobe")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control(
        str(POSTGRES / "pg_ctl"), "-D", str(folder / "data"), "-w", "-o", options, "-l", str(folder / "log"), "start"
    )
    for name in ("kobe", "dagster"):
        control(str(POSTGRES / "createdb"), "-h", str(folder), "-p", str(port), "-U", "kobe", name)
    pg = folder / "data"
    try:
        yield f"postgresql://kobe@127.0.0.1:{port}/kobe", str(pg)
    finally:
        control(str(POSTGRES / "pg_ctl"), "-D", str(pg), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.parametrize(("name", "pattern"), [("public", WRITING), ("public", PROTECTED), ("tabulated", SITE)])
def test_a_postgresql_that_restarts_in_the_middle_of_a_run_loses_nothing(name, pattern, postgres, homes, tmp_path):
    url, data = postgres
    place = homes.copy(name, tmp_path / "place")
    more = {"KOBE_POSTGRES_URL": f"{url[: -len('kobe')]}dagster", "KOBE_DATABASE_URL": url}
    watch_log = tmp_path / "told"
    process = place.start("run", more=more, log=watch_log)
    watch = Watch(place.home)
    try:
        wait_for(watch, process, pattern, 1, LIMIT)
    finally:
        watch.close()
    command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", str(POSTGRES / "pg_ctl")]
    restart = [*command, "-D", data, "-m", "immediate", "-w", "restart"]
    subprocess.run(restart, check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
    code = process.wait(timeout=LIMIT)
    told = watch_log.read_text("utf-8", errors="replace")
    assert code in (0, 1), told
    again = place.kobe("run", more=more)
    assert again.returncode == 0, f"{told}\n{again.stdout}{again.stderr}"
    assert place.kobe("status", more=more).returncode == 0
    found = [p for p in problems(place, homes.undisturbed(name).figures) if not p.startswith("run ")]
    assert found == [] and no_orphan(place) == []


# ── several at once ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_runs_and_a_rotation_at_once_end_with_one_release_and_new_keys(homes, tmp_path):
    place = homes.copy("public", tmp_path / "place")
    before = set((place.home / "releases").glob("[0-9]*"))
    runs = [place.start("run", log=place.folder / f"log-{number}") for number in range(2)]
    rotation = place.start("keys", "rotate", log=place.folder / "log-rotation")
    codes = [process.wait(timeout=LIMIT) for process in (*runs, rotation)]
    told = [(place.folder / f"log-{name}").read_text("utf-8") for name in (0, 1, "rotation")]
    assert codes[:2] == [0, 0], told
    if codes[2]:
        assert "Traceback" not in told[2] and place.kobe("keys", "rotate").returncode == 0, told[2]
    assert len(set((place.home / "releases").glob("[0-9]*")) - before) == 1
    assert whole(place, homes, "public") == []


def test_runs_in_two_containers_exclude_each_other_and_what_a_dead_one_left_is_taken_over(homes, tmp_path):
    """Each in a namespace of processes of its own, over one home: neither sees the other's process ids."""
    place = homes.copy("public", tmp_path / "place")
    before = set((place.home / "releases").glob("[0-9]*"))
    container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m"]

    def run(log: str) -> subprocess.Popen:
        with (place.folder / log).open("wb") as output:
            command = [*container, "kobe_platform.cli", "run"]
            return subprocess.Popen(command, env=place.environment(), cwd=place.folder, stdout=output, stderr=output)

    first = run("log-killed")
    watch = Watch(place.home)
    try:
        wait_for(watch, first, SITE, 1, LIMIT)
        _stop(first.pid)  # it is at work for as long as this trial likes
    finally:
        watch.close()
    second = run("log-second")
    deadline = time.monotonic() + LIMIT
    while not (place.folder / "log-second").read_text("utf-8") and time.monotonic() < deadline:
        time.sleep(0.5)  # until it has said for whom it waits
    time.sleep(3)
    assert first.poll() is None and second.poll() is None
    assert len(list((place.home / "releases").glob(".building-*"))) == 1, "the second waits for the first"
    first.kill()
    assert second.wait(timeout=LIMIT) == 0, (place.folder / "log-second").read_text("utf-8")
    assert len(set((place.home / "releases").glob("[0-9]*")) - before) == 1
    assert whole(place, homes, "public") == []


def _stop(process: int) -> None:
    """Stop a process and all that it started, without ending them."""
    os.kill(process, signal.SIGSTOP)
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        _stop(int(child))


def test_readers_are_served_the_former_release_or_the_new_one_while_it_is_switched(homes, tmp_path):
    place = homes.copy("public", tmp_path / "place")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    portal = place.start("serve", "--open", "staff", "--port", str(port), log=place.folder / "log-portal")
    asked, failed, done = [0], [], threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=30) as answer:
                    assert answer.status == 200 and len(answer.read()) > 1000
                asked[0] += 1
            except Exception as error:
                failed.append(repr(error))

    try:
        _until_served(port)
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        assert finished(place, homes, "public") == []
        done.set()
        for reader in readers:
            reader.join()
    finally:
        portal.terminate()
        portal.wait(timeout=30)
    assert failed == [] and asked[0] > 20 and no_orphan(place) == []


def _until_served(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return
        time.sleep(0.2)
    raise AssertionError("the portal never answered")
