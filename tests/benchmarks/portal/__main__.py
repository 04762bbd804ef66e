"""``python -m tests.benchmarks.portal``: many readers (``--readers 200``) for a while (``--seconds 60``).

Each reader is signed in by a session of their own and opens, one after another, a page, its data and its scripts, as a
browser without a cache does, with ``--pause`` seconds of reading in between (0: as fast as they are served). Server and
readers share the machine's cores; the baseline is Starlette's own static files with neither sign-in nor audiences nor
compression, asked in the same way in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from kobe_platform.governance import sessions
from kobe_platform.governance.database import open_database
from kobe_platform.governance.people import add_person
from kobe_platform.lounge.release import assemble, current
from kobe_platform.settings import Settings
from kobe_platform.synthesis.published import published

PORT = 8765
SERVERS = {
    "portal": "from kobe_platform.web.portal import build_portal\n"
    "from kobe_platform.web.config import PortalConfig\n"
    "app = build_portal(settings, PortalConfig())",
    "plain files": "from starlette.staticfiles import StaticFiles\n"
    "from starlette.applications import Starlette\nfrom starlette.routing import Mount\n"
    "app = Starlette(routes=[Mount('/', StaticFiles(directory=settings.releases / 'current/sites/staff', html=True))])",
}


def main() -> None:
    """Print requests, errors and waiting times of both servers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(home=Path(place) / "var", inbox=Path(place) / "inbox")
        assemble(*published(), settings.dashboards, settings.releases)
        tokens = _tokens(settings, arguments.readers)
        results = {name: _measured(name, settings, tokens, arguments) for name in SERVERS}
    if arguments.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))
        return
    for name, result in results.items():
        print(f"{name:12} " + ", ".join(f"{key} {value}" for key, value in result.items()))
    ratio = results["portal"]["median_ms"] / results["plain files"]["median_ms"]
    print(f"ratio of median waiting times: {ratio:.2f}")


def _tokens(settings: Settings, readers: int) -> list[str]:
    database = open_database(settings.governance)
    people = [add_person(database, f"reader{n}", "読者", "課", by="benchmark") for n in range(readers)]
    return [sessions.begin(database, person, "password") for person in people]


def _measured(name: str, settings: Settings, tokens: list[str], arguments: argparse.Namespace) -> dict[str, float]:
    code = (
        "from pathlib import Path\nimport uvicorn\nfrom kobe_platform.settings import Settings\n"
        f"settings = Settings(home=Path({str(settings.home)!r}), inbox=Path({str(settings.inbox)!r}))\n"
        f"{SERVERS[name]}\nuvicorn.run(app, port={PORT}, log_level='error', proxy_headers=False)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code])
    try:
        _wait()
        return asyncio.run(_load(_paths(settings), tokens, arguments.seconds, arguments.pause))
    finally:
        server.terminate()
        server.wait()


def _wait() -> None:
    for _ in range(300):
        try:
            httpx2.get(f"http://127.0.0.1:{PORT}/")
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise TimeoutError("the server does not answer")


def _paths(settings: Settings) -> list[list[str]]:
    """For each page: itself, what it names in its own site."""
    site = current(settings.releases).path / "sites" / "staff"
    visits = []
    for page in sorted(site.glob("*.html")):
        named = re.findall(r'(?:src|href)="([^"#?:]+\.(?:css|js|json))"', page.read_text("utf-8"))
        visits.append([page.name, *sorted({path.removeprefix("./") for path in named if (site / path).is_file()})])
    return visits


async def _load(visits: list[list[str]], tokens: list[str], seconds: int, pause: float) -> dict[str, float]:
    waited: list[float] = []
    errors = 0
    until = time.monotonic() + seconds

    async def reader(number: int, token: str) -> None:
        nonlocal errors
        await asyncio.sleep(number / len(tokens))
        streams = await asyncio.open_connection("127.0.0.1", PORT)
        turn = number
        while time.monotonic() < until:
            for path in visits[turn % len(visits)]:
                began = time.perf_counter()
                errors += await _status(*streams, path, token) != 200
                waited.append(time.perf_counter() - began)
            turn += 1
            await asyncio.sleep(pause)
        streams[1].close()

    await asyncio.gather(*(reader(number, token) for number, token in enumerate(tokens)))
    ordered = sorted(waited)
    return {
        "readers": len(tokens),
        "requests": len(waited),
        "errors": errors,
        "per_second": round(len(waited) / seconds, 1),
        "median_ms": round(1000 * statistics.median(ordered), 1),
        "p95_ms": round(1000 * ordered[int(0.95 * len(ordered))], 1),
    }


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str) -> int:
    """One request on a kept connection, its answer read whole; as little work as a client can do."""
    asks = (f"GET /{path} HTTP/1.1", f"Host: 127.0.0.1:{PORT}", f"Cookie: kobe={token}", "Accept-Encoding: gzip")
    writer.write("\r\n".join([*asks, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    if length:
        await reader.readexactly(int(length[1]))
    else:  # in chunks
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return int(head.split(b" ", 2)[1])


if __name__ == "__main__":
    main()
