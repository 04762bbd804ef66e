"""Every command of the operators' handbook does its work: run in the handbook's order on one home, as operators do.

Names of a delivery and folders stand for the handbook's own; a mail server of this machine takes the test notice.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import socket
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from kobe_platform.settings import PROJECT
from kobe_platform.vocabulary.clock import JAPAN
from tests.soak.homes import CITY, ESTIMATES, NEXT, Place
from tests.soak.test_surroundings import PublicHomes

pytestmark = pytest.mark.soak
TEXT = (PROJECT / "docs" / "運用.md").read_text("utf-8").partition("\n## 付録")[0]
BLOCKS = [
    command
    for block in re.findall(r"^```\n(.*?)^```", TEXT, re.M | re.S)
    for line in block.splitlines()
    if (command := line.partition("#")[0].strip())
]
INLINE = sorted(set(re.findall(r"`(kobe [^`]+)`", TEXT)) - set(BLOCKS))
LOOKS = {"kobe doctor"}
"""Reports that may find something to do (exit 1) on a home whose backups and daemon are a trial's."""
TOLD_ELSEWHERE = {"kobe backup", "kobe restore", "kobe audit-report"}
"""Named in a sentence without their options: the blocks, or the test below, call them with them."""


@pytest.fixture(scope="session")
def homes(kept):
    """Homes with public figures alone, those of the other trials."""
    return PublicHomes(kept / "public-homes")


class Reader:
    """Does what the handbook says on one home.

    Args:
        place: the home.
        folder: stands for the root of the server's file system.
    """

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder, self.done = place, folder, set()
        self.home = place.home
        (folder / "backup").mkdir(parents=True)
        (folder / "srv").mkdir()

    def run(self, command: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command as it is written; fails where it ends otherwise than with one of ``codes``."""
        self.done.add(command)
        words = shlex.split(command.replace("名前", ESTIMATES).replace("月", NEXT))[1:]
        words = [re.sub(r"^/(?=backup|srv)", f"{self.folder}/", word) for word in words]
        called = self.place.kobe(*words, more={"KOBE_HOME": str(self.home)})
        told = called.stdout + called.stderr
        assert called.returncode in codes and "Traceback" not in told, f"{command}: {called.returncode}\n{told}"
        return told


def test_every_command_of_the_handbook_does_its_work(homes, tmp_path):
    place = homes.copy("public", tmp_path / "place")
    reader = Reader(place, tmp_path / "server")
    reader.run("kobe run")
    _held_deliveries(reader, place)
    with _mail_server() as port:
        _alerts(place, port)
        for command in BLOCKS:
            reader.run(command, (0, 1) if command in LOOKS else (0,))
            if command.startswith("kobe restore"):  # what follows looks at the restored home
                reader.home = tmp_path / "server" / "srv" / "kobe-new"
    reader.run("kobe retry")
    reader.run("kobe units --to units")
    assert (place.folder / "units" / "kobe-daemon.service").is_file()
    today = datetime.now(JAPAN).date().isoformat()
    told = reader.run(f"kobe audit-report --from {today} --to {today}")
    assert "鍵の使用: " in told and "鍵の使用: 0" not in told
    assert set(BLOCKS) | set(INLINE) <= reader.done | TOLD_ELSEWHERE


def _held_deliveries(reader: Reader, place: Place) -> None:
    """A month that is delivered again is held: looked at, approved; again and refused; tried again; withdrawn."""
    folder = next((place.inbox / CITY / ESTIMATES).glob(f"{NEXT}*"))
    for decision in ("approve", "refuse"):
        _restate(folder)
        reader.run("kobe run", (0, 1))
        assert ESTIMATES in reader.run("kobe deliveries show 名前 月")
        reader.run(f"kobe deliveries {decision} 名前 月")
        reader.run("kobe run", (0, 1))
    reader.run("kobe deliveries retry 名前 月")
    reader.run("kobe run", (0, 1))
    reader.run("kobe deliveries approve 名前 月", (0, 1))
    reader.run("kobe run", (0, 1))
    reader.run("kobe deliveries withdraw 名前 月")
    _restate(folder)  # what the source delivers instead
    reader.run("kobe run", (0, 1))
    reader.run("kobe deliveries approve 名前 月", (0, 1))
    reader.run("kobe run")


def _restate(folder: Path) -> None:
    """Deliver public estimates again with one household more, in a ward and in the city; the manifest comes last."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (file,) = manifest["files"]
    head, city, *wards = (folder / file["name"]).read_text("utf-8").splitlines()
    lines = [head, _one_more(city), *wards[:-1], _one_more(wards[-1])]
    data = ("\n".join(lines) + "\n").encode()
    file |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").unlink()
    (folder / file["name"]).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def _one_more(line: str) -> str:
    day, ward, households, *rest = line.split(",")
    return ",".join([day, ward, str(int(households) + 1), *rest])


def _alerts(place: Place, port: int) -> None:
    told = {"host": "127.0.0.1", "port": port, "security": "none", "from": "a@kobe.example", "to": ["b@kobe.example"]}
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    (place.home / "alerts.toml").write_text("\n".join(["[mail]", *lines]) + "\n")


class _mail_server:
    """A mail server of this machine, which prints what it takes."""

    def __enter__(self) -> int:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        command = [Path(sys.executable).with_name("aiosmtpd"), "-n", "-l", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return port
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the mail server never answered")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
