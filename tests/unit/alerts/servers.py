"""Real servers on this machine: a mail server, a receiver of webhooks, and ones that misbehave."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "swordfish-in-the-harbour"
SECRET = "a-secret-of-the-receiver"


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of ``name`` that vouches for itself: the file to trust, and the server's side of TLS."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    try:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    trusted, secret = folder / f"{name}.pem", folder / f"{name}.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return trusted, context


@dataclass
class Mailbox:
    """A mail server's state: what it took over which kind of line, whom it refuses, and after how long it answers.

    ``answers`` says what mail to one address is answered, in place of ``answer`` or of the refusal.
    """

    taken: list[EmailMessage] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    greeted_as: list[str] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    answer: str = "250 taken"
    answers: dict[str, str] = field(default_factory=dict)
    late: float = 0
    port: int = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return self.answers.get(address, "550 nobody of this name: canary-of-the-server")
        envelope.rcpt_tos.append(address)
        return "250 yes"

    async def handle_DATA(self, server, session, envelope):
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        self.over_tls.append(server.transport.get_extra_info("ssl_object") is not None)
        self.signed_in.append(bool(session.authenticated))
        self.greeted_as.append(session.host_name)
        await asyncio.sleep(self.late)
        return next((said for to, said in self.answers.items() if to in envelope.rcpt_tos), self.answer)


@contextmanager
def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, account: str = ""
) -> Iterator[Mailbox]:
    """A mail server; with an ``account`` it takes nothing without :data:`PASSWORD`."""
    box = Mailbox()

    def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
        known = data.login == account.encode() and data.password == PASSWORD.encode()
        return AuthResult(success=known, handled=False, message=None if known else "535 canary-of-the-server")

    options = {"authenticator": authenticate, "auth_required": True} if account else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        box.port = free.getsockname()[1]
    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, ssl_context=tls, tls_context=starttls,
        auth_require_tls=tls is None, require_starttls=starttls is not None, ready_timeout=10, **options,
    )  # fmt: skip
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Hook:
    """A receiver of webhooks: what it got, what it answers."""

    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    location: str = ""
    body: bytes = b""
    slow: float = 0
    port: int = 0

    @property
    def notices(self) -> list[list[dict]]:
        """The notices of each request."""
        return [json.loads(body)["notices"] for _, _, body in self.got]


@contextmanager
def hook_server(context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """A receiver in a thread, over TLS where there is a context."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.got.append((self.path, dict(self.headers.items()), body))
            time.sleep(hook.slow)
            with suppress(OSError):
                self.send_response(hook.status)
                if hook.location:
                    self.send_header("Location", hook.location)
                self.end_headers()
                self.wfile.write(hook.body)

        def log_message(self, *_) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_) -> None:
            pass  # a client that refuses the certificate or goes away

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def odd_server(say: bytes, *, every: float) -> Iterator[int]:
    """A server that says ``say`` every so many seconds, for ever, whatever it is asked: its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        stop = threading.Event()

        def serve() -> None:
            lines: list[socket.socket] = []
            while not stop.wait(0 if not lines else every):
                with suppress(TimeoutError):
                    lines.append(listening.accept()[0])
                for line in lines:
                    with suppress(OSError):
                        line.sendall(say)
            for line in lines:
                line.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
