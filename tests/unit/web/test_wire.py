"""What a stranger may do to the portal's connections, over real sockets."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import socket
import ssl
import time

import pytest

from kobe_platform.errors import CustodyError
from kobe_platform.governance.trail import events
from kobe_platform.home_format import refuse_loose
from kobe_platform.web.commands import tls
from kobe_platform.web.config import Connections, Tls
from kobe_platform.web.dagster_gate import PREFIX
from kobe_platform.web.graphql_policy import Refused, examined
from kobe_platform.web.wire import limited
from tests.serving import serving_app
from tests.unit.web.conftest import ORIGIN, post, registered, visitor


def served(app, limits: Connections | None = None, **more):
    """The portal on a port of this machine, as ``kobe serve`` runs it."""
    return serving_app(app, proxy_headers=False, **limited(limits or Connections()), **more)


def said(port: int, data: bytes, seconds: float = 5) -> bytes:
    """What comes back until the other side ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)


def asked(port: int, path: str = "/healthz") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": "lounge.test"})
    return connection.getresponse().status


HEAD = b"GET /healthz HTTP/1.1\r\nHost: lounge.test\r\n"


@pytest.mark.slow
def test_half_sent_requests_end_and_readers_are_served_meanwhile(app):
    with served(app, Connections(most=100, header_seconds=1.5)) as port:
        half = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(400)]
        for one in half:
            with contextlib.suppress(OSError):
                one.sendall(b"GET / HTTP/1.1\r\nHost: lounge")
        assert asked(port) == 200, "a reader takes the place of who waited longest"
        began = time.monotonic()
        for one in half:
            with contextlib.suppress(OSError):
                assert one.recv(1) == b""
            one.close()
        assert time.monotonic() - began < 5
        assert asked(port) == 200


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        (b"GET / HTTP/1.1\r\n", b"X-Slow: 1\r\n"),
        (b"POST /sign-in HTTP/1.1\r\nHost: lounge.test\r\nContent-Length: 5000\r\n\r\n", b"x"),
    ],
)
def test_bytes_that_drip_do_not_move_the_deadline(app, sent, more):
    with (
        served(app, Connections(header_seconds=0.6, body_seconds=0.6)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as slow,
    ):
        slow.sendall(sent)
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < 5:
                slow.sendall(more)
                time.sleep(0.1)
        assert time.monotonic() - began < 3


def test_a_connection_that_is_kept_ends_when_it_is_idle(app):
    with served(app, Connections(idle_seconds=1)) as port:
        began = time.monotonic()
        assert said(port, HEAD + b"\r\n").startswith(b"HTTP/1.1 200")
        assert 0.5 < time.monotonic() - began < 4


@pytest.mark.parametrize("ended", [b"\r\n\r\n", b""])
def test_headers_are_sixteen_kilobytes_at_most(app, ended):
    with served(app) as port:
        assert said(port, HEAD + b"X-Long: " + b"a" * 12_000 + b"\r\nConnection: close\r\n\r\n")[9:12] == b"200"
        assert said(port, HEAD + b"X-Long: " + b"a" * 17_000 + ended)[9:12] in (b"400", b"431")


def test_a_request_names_one_host(app):
    with served(app) as port:
        told = said(port, b"GET /sign-in HTTP/1.1\r\nHost: lounge.test\r\nHost: evil.test\r\nConnection: close\r\n\r\n")
        assert told[9:12] in (b"400", b"421")
        told = said(port, b"GET /sign-in HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert told[9:12] in (b"400", b"421")


@pytest.fixture
def certificate(tmp_path) -> Tls:
    """A certificate of its own for this machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lounge.test")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    signed = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("lounge.test")]), False).sign(
        key, hashes.SHA256()
    )
    told = Tls(certificate=tmp_path / "chain.pem", key=tmp_path / "key.pem")
    told.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    told.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    told.key.chmod(0o600)
    return told


def test_the_portal_speaks_tls_by_its_settings_and_tells_browsers_to_stay(settings, certificate):
    from kobe_platform.web.config import PortalConfig
    from kobe_platform.web.portal import build_portal

    app = build_portal(settings, PortalConfig(origin="https://lounge.test", tls=certificate.model_dump()))
    context = ssl.create_default_context(cafile=str(certificate.certificate))
    with (
        served(app, **tls(certificate)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="lounge.test") as secure,
    ):
        secure.sendall(b"GET /sign-in HTTP/1.1\r\nHost: lounge.test\r\nConnection: close\r\n\r\n")
        told = secure.recv(65536).lower()
        assert secure.version() in ("TLSv1.2", "TLSv1.3") and told.startswith(b"http/1.1 200")
        assert b"strict-transport-security: max-age=31536000" in told
    certificate.key.chmod(0o644)
    with pytest.raises(CustodyError):
        tls(certificate)


def test_tls_needs_an_https_origin(certificate):
    from kobe_platform.web.config import PortalConfig

    with pytest.raises(ValueError, match="https"):
        PortalConfig(origin=ORIGIN, tls=certificate.model_dump())


def test_one_person_does_not_fill_the_survey(app):
    browser = visitor(app, "clerk")
    told = [post(app, browser, "/survey", {"rating": "5"}).status_code for _ in range(6)]
    assert told == [200] * 5 + [429]
    assert post(app, visitor(app, "member"), "/survey", {"rating": "5"}).status_code == 200


@pytest.mark.parametrize("place", ["keys", "store", "keys/root.key"])
def test_loose_keys_and_stores_are_refused_by_run_and_serve(place, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from kobe_platform.cli.main import app as commands

    monkeypatch.setenv("KOBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KOBE_INBOX", str(tmp_path / "inbox"))
    assert CliRunner().invoke(commands, ["keys", "init"]).exit_code == 0
    (tmp_path / "home" / "store").mkdir(mode=0o700)
    refuse_loose(tmp_path / "home" / "keys", tmp_path / "home" / "store")
    (tmp_path / "home" / place).chmod(0o744)
    for command in ("run", "serve"):
        called = CliRunner().invoke(commands, [command])
        assert called.exit_code == 1 and "[custody.permissions]" in called.stderr


# -- Dagster ----------------------------------------------------------------------------------------------------------


def question(text: str):
    from kobe_platform.governance.people import Person

    person = Person("op", "op", "s", True, frozenset({"operator"}), frozenset({"staff"}))
    return examined({"query": text}, person, kinds=("query",))


BOMB = "query { ...a0 } " + " ".join(f"fragment a{n} on Q {{ ...a{n + 1} ...a{n + 1} }}" for n in range(30))


@pytest.mark.parametrize(
    "text",
    [
        "{ " + " ".join(f"a{n}: version" for n in range(200)) + " }",
        "{ a " * 60 + "{ b }" + " }" * 60,
        BOMB + " fragment a30 on Q { version }",
        "query { ...a } fragment a on Q { b { ...a } }",
    ],
    ids=["aliases", "depth", "fragments that double", "a fragment within itself"],
)
def test_a_question_that_grows_is_refused(text):
    with pytest.raises(Refused):
        question(text)
    assert question("{ version other: version }").kind == "query"


def test_dagster_without_a_slash_leads_on_and_what_holds_more_is_noted(build, dagster):
    app = registered(build(dagster=dagster))
    operator = visitor(app, "operator")
    answer = operator.get(PREFIX)
    assert (answer.status_code, answer.headers["location"].rpartition("lounge.test")[2]) == (307, f"{PREFIX}/")
    assert visitor(app).get(PREFIX).status_code == 401 and visitor(app, "clerk").get(PREFIX).status_code == 403
    with contextlib.suppress(Exception):  # there is no such run
        operator.get(f"{PREFIX}/download_debug/0000")
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    noted = [event for event in events(app.state.portal.database, now - hour, now + hour) if event.who == "operator"]
    assert any("download_debug" in event.object for event in noted)
