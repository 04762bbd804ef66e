"""Settings of the portal server: one TOML file that the operator writes; without it, local accounts only."""

from __future__ import annotations

import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kobe_platform.errors import ConfigurationError
from kobe_platform.ondemand.jobs import Limits


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Oidc(_Strict):
    """An OpenID Connect provider.

    Attributes:
        issuer: its issuer URL, whose discovery document is read.
        client_id, client_secret_file: what the provider registered; the secret's file has it on its first line.
        claim: claim of the ID token that names the login.
        label: text of the button.
    """

    issuer: str = Field(pattern=r"^https?://")
    client_id: str
    client_secret_file: Path
    claim: str = "preferred_username"
    label: str = "市の共通認証でサインイン"


class Proxy(_Strict):
    """A proxy that authenticates and names the person in a header; believed from these peers only."""

    header: str = Field("X-Remote-User", pattern=r"^[A-Za-z0-9-]+$")
    peers: tuple[IPv4Network | IPv6Network, ...] = Field(min_length=1)


class Forwarded(_Strict):
    """A proxy that tells whom it forwards for, in a header that grows to the right; believed from these peers only."""

    header: str = Field("X-Forwarded-For", pattern=r"^[A-Za-z0-9-]+$")
    peers: tuple[IPv4Network | IPv6Network, ...] = Field(min_length=1)


class SignIn(_Strict):
    """Ways in: local accounts, OIDC, a trusted proxy. ``attempts``: failures a minute from one address."""

    local: bool = True
    oidc: Oidc | None = None
    proxy: Proxy | None = None
    attempts: int = Field(20, ge=1)


class DagsterDoor(_Strict):
    """Whether Dagster's UI is offered at ``/dagster``, and from which workspace file."""

    enabled: bool = False
    workspace: Path = Path("workspace.yaml")


class Questions(_Strict):
    """How many questions on demand may be under way, and for how long (docs/ondemand.md, Settings).

    Attributes:
        at_once, per_person, longest_seconds, kept_days: see :class:`~kobe_platform.ondemand.jobs.Limits`.
        straight_seconds: an answer that is there by then is shown at once, without a page of its progress.
    """

    at_once: int = Field(Limits.at_once, ge=1)
    per_person: int = Field(Limits.per_person, ge=1)
    longest_seconds: int = Field(Limits.longest_seconds, ge=10)
    kept_days: int = Field(Limits.kept_days, ge=1)
    straight_seconds: float = Field(3, ge=0, le=30)

    @property
    def limits(self) -> Limits:
        """What a job is given."""
        return Limits(**self.model_dump(exclude={"straight_seconds"}))


class Metrics(_Strict):
    """Who may read ``/metrics``: whoever bears the token on the first line of this file; nobody without one."""

    token_file: Path | None = None


class Notices(_Strict):
    """Mail to readers when their favourites change: to addresses at these domains, by the server of ``alerts.toml``."""

    domains: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")], ...] = ()


class Tls(_Strict):
    """The portal's own TLS, where no proxy ends it: PEM files of the certificate with its chain, and of the key."""

    certificate: Path
    key: Path


class Connections(_Strict):
    """What one connection may take, and how many there may be (docs/security.md).

    Attributes:
        most: connections at a time. One more takes the place of the one that has kept the server waiting longest.
        header_seconds, body_seconds: in which a request's headers, and then its body, must have come.
        idle_seconds: that a connection stays open between requests.
    """

    most: int = Field(1000, ge=10)
    header_seconds: float = Field(10, gt=0)
    body_seconds: float = Field(30, gt=0)
    idle_seconds: int = Field(15, ge=1)


class PortalConfig(_Strict):
    """The whole file.

    Attributes:
        origin: the address that readers type, ``https://lounge.example``; cookies are Secure when it is https, and
            requests for another host are refused. Empty: whatever host is asked for, for a workstation.
        forwarded: the proxy before the portal, so that limits are of readers' addresses and not of the proxy's.
        contact: mail address for questions, shown on screens.
        tls: the portal's own TLS; needs an https origin.
    """

    origin: Annotated[str, Field(pattern=r"^(https?://[^/\s]+)?$")] = ""
    contact: str = ""
    sign_in: SignIn = SignIn()
    forwarded: Forwarded | None = None
    dagster: DagsterDoor = DagsterDoor()
    questions: Questions = Questions()
    metrics: Metrics = Metrics()
    notices: Notices = Notices()
    tls: Tls | None = None
    connections: Connections = Connections()

    @field_validator("origin")
    @classmethod
    def _plain(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.username or parts.password:
            raise ValueError("an origin holds no account")
        return value

    @model_validator(mode="after")
    def _told_alike(self) -> PortalConfig:
        if self.tls is not None and not self.secure:
            raise ValueError("tls needs an origin that begins with https://")
        if self.notices.domains and not self.origin:
            raise ValueError("notices need an origin, for the links in mails")
        return self

    @property
    def secure(self) -> bool:
        """Whether readers come by TLS."""
        return self.origin.startswith("https://")

    @property
    def host(self) -> str:
        """Host (and port) of the origin; empty when any is taken."""
        return urlsplit(self.origin).netloc

    @property
    def device_cookie(self) -> str:
        """Name of the cookie by which a device that signed in is known again; no session."""
        return f"{self.cookie}-device"

    @property
    def cookie(self) -> str:
        """Name of the session cookie; the prefix makes browsers insist on Secure, no Domain and path /."""
        return "__Host-kobe" if self.secure else "kobe"


def load_config(path: Path) -> PortalConfig:
    """Read the file; defaults where there is none.

    Raises:
        ConfigurationError: it is no TOML or says something unknown (coordinates: file, key).
    """
    try:
        return PortalConfig.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return PortalConfig()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        problem: dict[str, str] = {}
    except ValidationError as error:
        problem = {"key": ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])}
    raise ConfigurationError(
        "the portal's settings are not as they must be",
        code="portal.settings",
        at={"file": path.name, **problem},
        remedy="see docs/security.md, Settings of the portal",
        ja="ポータルの設定に誤りがあります",
    )
