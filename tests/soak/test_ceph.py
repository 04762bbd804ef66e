"""What holds between machines that share a store holds over a second S3 server, which nobody wrote for tests."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kobe_platform.settings import PROJECT
from tests.soak import ceph


@pytest.mark.soak
@pytest.mark.skipif(not ceph.is_installed(), reason="needs root and Debian's packages of Ceph")
def test_machines_share_the_gateway_of_ceph(tmp_path_factory):
    with ceph.gateway(tmp_path_factory.mktemp("ceph")) as address:
        environment = {**os.environ, "KOBE_TEST_S3": address}
        command = [sys.executable, "-m", "pytest", "-q", "tests/unit/sharing"]
        done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=3_000)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert " passed" in done.stdout.splitlines()[-1]
