"""``kobe dev`` starts Dagster's processes together and leaves none of them behind, however it ends.

Runs and ticks are not looked at: this is about processes.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kobe_platform.errors import PlatformError
from kobe_platform.orchestration.development import check_address, prepare
from kobe_platform.settings import PROJECT, Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc"),
]
STARTED = 240
"""Seconds that a start may take on a busy machine."""


class Server:
    """A development server over a home of its own, and the processes that belong to this home."""

    def __init__(self, base: Path) -> None:
        self.home, self.log = base / "var", base / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = self.call(self.log.open("ab"))

    def call(self, output) -> subprocess.Popen:
        """Start ``kobe dev`` on this home, its output to a file."""
        return subprocess.Popen(
            [sys.executable, "-m", "kobe_platform.cli", "dev", "--port", str(self.port)],
            env={**os.environ, "KOBE_HOME": str(self.home), "KOBE_INBOX": str(self.home.with_name("inbox"))},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def told(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def status(self) -> int:
        """What the UI answers to a browser; 0 where nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_until_started(self) -> None:
        assert within(STARTED, lambda: "Dagster UI: http" in self.told() or self.process.poll() is not None)
        assert self.process.poll() is None, self.told()

    def processes(self) -> dict[int, str]:
        """Living processes of this home (by session or environment), with their commands."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                number = int(entry.name)
                state, _parent, _group, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (ValueError, OSError):
                continue
            ours = int(session) == self.process.pid or f"KOBE_HOME={self.home}".encode() in environment
            if ours and state not in "ZX":
                found[number] = command
        return found

    def named(self, part: str) -> int:
        """The one process whose command has a part."""
        (number,) = (number for number, command in self.processes().items() if part in command)
        return number


def within(seconds: float, condition) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())


@pytest.fixture
def server(tmp_path):
    started = Server(tmp_path)
    yield started
    for number in started.processes():
        os.kill(number, signal.SIGKILL)
    started.process.wait()


def test_an_empty_machine_gets_a_key_store_and_a_ui_and_term_ends_every_process(server):
    server.wait_until_started()
    assert server.status() == 200
    assert "made a key store" in server.told() and (server.home / "keys" / "root.json").exists()
    assert "superseded" not in server.told() and "Deprecat" not in server.told()
    assert len(server.processes()) >= 6  # this one, guard, code server, its server of definitions, daemon, UI

    second = server.call(subprocess.PIPE)
    refused, _ = second.communicate(timeout=60)
    assert second.returncode == 1 and b"[dev.running]" in refused
    assert server.status() == 200

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=15) == 0
    assert server.processes() == {}
    assert server.status() == 0


def test_a_killed_server_leaves_no_process(server):
    server.wait_until_started()
    folder = Path(server.processes()[server.named("guard.py")].split()[-1])
    assert folder.is_dir() and folder.stat().st_mode & 0o077 == 0
    server.process.kill()
    assert within(20, lambda: not server.processes()), server.processes()
    assert not folder.exists()


def test_when_one_process_dies_it_is_named_and_the_others_are_stopped(server):
    server.wait_until_started()
    os.kill(server.named("dagster._daemon"), signal.SIGKILL)
    assert server.process.wait(timeout=20) == 1
    assert "[dev.ended]" in server.told() and "(process daemon, status -9)" in server.told()
    assert server.processes() == {}


def test_the_end_of_the_guard_ends_the_server_too(server):
    server.wait_until_started()
    os.kill(server.named("guard.py"), signal.SIGKILL)
    assert server.process.wait(timeout=20) == 1
    assert within(15, lambda: not server.processes()), server.processes()


def test_a_port_in_use_and_an_address_that_others_reach_are_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PlatformError, match=r"dev\.port"):
            check_address("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(PlatformError, match=r"dev\.host"):
        check_address("0.0.0.0", 3000)


def test_an_empty_machine_gets_an_inbox_and_is_told_how_to_fill_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOBE_INBOX", raising=False)
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "var"))
    prepare(Settings())
    assert (tmp_path / "inbox").stat().st_mode & 0o777 == 0o700
    assert "kobe synthesize --out inbox" in capsys.readouterr().out
    prepare(Settings())
    assert "inbox" not in capsys.readouterr().out


def test_a_share_that_is_named_and_gone_is_not_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "share"))
    prepare(Settings())
    assert not (tmp_path / "share").exists()


def test_a_link_to_a_share_that_is_gone_is_left_to_the_sensors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOBE_INBOX", raising=False)
    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "var"))
    (tmp_path / "inbox").symlink_to(tmp_path / "share")
    prepare(Settings())
    assert not (tmp_path / "share").exists()
