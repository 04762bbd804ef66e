"""One node of Ceph in memory with its S3 gateway: a second implementation of S3, stricter than moto's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph-authtool", "monmaptool", "radosgw", "radosgw-admin")
"""Of Debian's packages ``ceph-mon``, ``ceph-mgr``, ``ceph-osd`` and ``radosgw``."""
ACCESS, SECRET = "a", "b"
LIMIT = 120
"""Seconds that a step of its start may take on a busy machine."""
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{old}]
public addr = 127.0.0.1
keyring = {folder}/keyring
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}/run
admin socket = {folder}/run/$name.asok
pid file = {folder}/run/$name.pid
log file = {folder}/run/$name.log
osd data = {folder}/osd
mon data = {folder}/mon
mgr data = {folder}/mgr
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
"""


def is_installed() -> bool:
    """Whether all programs are there; a cluster of one node also wants root."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Address of an S3 gateway that accepts :data:`ACCESS` and :data:`SECRET`."""
    for part in ("mon", "mgr", "osd", "rgw", "run"):
        (folder / part).mkdir(parents=True)
    mon, old, port = _free_ports(3)
    fsid, disk, conf, keys = uuid.uuid4(), str(uuid.uuid4()), folder / "ceph.conf", folder / "keyring"
    conf.write_text(_CONFIGURATION.format(fsid=fsid, folder=folder, mon=mon, old=old, port=port), "utf-8")
    everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
    _run("ceph-authtool", "--create-keyring", keys, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    for who in ("client.admin", "client.rgw", "mgr.x", "osd.0"):
        _run("ceph-authtool", keys, "--gen-key", "-n", who, *everything)
    where = f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{old}]"
    _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", where, folder / "monmap")
    _run("ceph-mon", "-c", conf, "--mkfs", "-i", "a", "--monmap", folder / "monmap", "--keyring", keys)
    try:
        _run("ceph-mon", "-c", conf, "-i", "a")
        _run("ceph-mgr", "-c", conf, "-i", "x")
        _run("ceph", "-c", conf, "osd", "new", disk)
        _run("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", disk, "--keyring", keys)
        _run("ceph-osd", "-c", conf, "-i", "0")
        who = ("--uid=kobe", "--display-name=kobe", f"--access-key={ACCESS}", f"--secret-key={SECRET}")
        _run("radosgw-admin", "-c", conf, "user", "create", *who)
        _run("radosgw", "-c", conf, "-n", "client.rgw", "--keyring", keys)
        _until_it_listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        for file in (folder / "run").glob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                continue


def _run(*command: object) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-800:]


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _until_it_listens(port: int) -> None:
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        with socket.socket() as there:
            if there.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the gateway does not listen")
