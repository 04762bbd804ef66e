"""An answer of the S3 server that is lost on its way, after the object was written: the write counts as done."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from kobe_platform.objects.s3 import BucketObjects

OWN = {"transfer-encoding", "connection", "content-length", "date", "server"}


class Between(http.server.ThreadingHTTPServer):
    """Hands requests on to a server, and loses the answers of the next ``losing`` writes."""

    def __init__(self, server: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server, self.losing, self.by = urlsplit(server).netloc, 0, "close"
        self.writes: list[int] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def log_message(self, *told: object) -> None:
        """Say nothing."""

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        inner = http.client.HTTPConnection(self.server.server)
        inner.request(self.command, self.path, body, dict(self.headers.items()))
        answer = inner.getresponse()
        data = answer.read()
        if self.command == "PUT":
            self.server.writes.append(answer.status)
            if self.server.losing:
                self.server.losing -= 1
                self.close_connection = True
                if self.server.by == "close":
                    return
                self.send_error(503)
                return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_DELETE = do_POST = _hand_on


@pytest.fixture
def between(s3_server, bucket, monkeypatch) -> Iterator[tuple[Between, BucketObjects]]:
    """What lies between, and the bucket as it is seen through it."""
    proxy = Between(s3_server)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_port}")
    place = BucketObjects(bucket)
    place.check_conditions()  # knows from then on in which form the server takes tags
    proxy.writes.clear()
    yield proxy, place
    proxy.shutdown()
    proxy.server_close()


@pytest.mark.parametrize("by", ["close", "503"])
def test_a_conditional_write_whose_answer_is_lost_counts_as_done(between, by):
    proxy, place = between
    proxy.by, proxy.losing = by, 1
    assert place.put_new("a", b"one")
    assert proxy.writes == [200, 412]  # made twice, and refused the second time
    proxy.losing = 1
    assert place.exchange("a", b"two", place.get("a").tag) is not None
    assert proxy.writes == [200, 412, 200, 412] and place.get("a").data == b"two"


@pytest.mark.parametrize("by", ["close", "503"])
def test_where_another_writer_was_first_a_lost_answer_makes_nobody_win(between, by):
    proxy, place = between
    assert place.put_new("a", b"theirs")
    proxy.by, proxy.losing = by, 1
    assert not place.put_new("a", b"mine")
    assert place.get("a").data == b"theirs"
