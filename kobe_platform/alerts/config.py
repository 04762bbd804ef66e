"""Reads the settings of the notices from ``alerts.toml``; without the file nothing is sent."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from kobe_platform.alerts.notice import KINDS, Kind
from kobe_platform.errors import ConfigurationError

FILE = "alerts.toml"
PORTS = {"none": 25, "starttls": 587, "tls": 465}
DOCUMENT = "docs/alerts.md"

WANTED: Mapping[str, str] = {
    "mail": 'a table [mail] with host, from and to = ["…"]',
    "mail.host": "the mail server's name or address",
    "mail.port": "a number from 1 to 65535, without quotes",
    "mail.security": '"starttls", "tls" or "none"',
    "mail.user": 'the account as text; only with security "starttls" or "tls", since a password follows',
    "mail.password_file": "the path of a file (chmod 600) with the password on its first line; together with user",
    "mail.from": 'one plain address, "platform@city.example"',
    "mail.to": 'a list of one to twenty plain addresses, ["operator@city.example"]',
    "mail.ca_file": 'the path of a PEM file with the city\'s authorities; only with security "starttls" or "tls"',
    "webhook": "a table [webhook] with url and secret_file",
    "webhook.url": 'an address in ASCII, "https://host/path" or "http://host/path", without account or fragment',
    "webhook.secret_file": "the path of a file (chmod 600) with the shared secret on its first line",
    "webhook.ca_file": "the path of a PEM file with the city's authorities; only with an https address",
    "kinds": f"a list of some of {', '.join(KINDS)}; leave it out for all",
    "timeout_seconds": "a whole number of seconds from 1 to 60, without quotes",
}
"""What to write at each place of the file."""


def _beside_the_file(value: Path, info: ValidationInfo) -> Path:
    return (info.context or {}).get("folder", Path()) / value


class _StrictlyTyped(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Address = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$")]
File = Annotated[Path, Field(strict=False), AfterValidator(_beside_the_file)]


class Mail(_StrictlyTyped):
    """A mail server inside the city's network.

    Attributes:
        host, port: where it listens; the port follows from ``security`` (25, 587, 465) where it is left out.
        security: ``starttls`` (default) and ``tls`` check the server's certificate; ``none`` is for a relay without
            accounts.
        user, password_file: the account, where the server wants one; the password is the first line of a private file.
        sender: the address that mails come from (``from`` in the file).
        to: who gets them.
        ca_file: authorities that vouch for the server, instead of those of the machine.
    """

    host: str = Field(max_length=253, pattern=r"^[A-Za-z0-9.:-]+$")
    port: int | None = Field(None, ge=1, le=65535)
    security: Literal["none", "starttls", "tls"] = "starttls"
    user: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}$")] | None = None
    password_file: File | None = Field(None, validate_default=True)
    sender: Address = Field(alias="from")
    to: tuple[Address, ...] = Field(min_length=1, max_length=20, strict=False)
    ca_file: File | None = None

    @field_validator("user", "ca_file")
    @classmethod
    def _only_over_tls(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("security") == "none":
            raise ValueError("needs TLS")
        return value

    @field_validator("password_file")
    @classmethod
    def _with_an_account(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "user" in info.data and (value is None) != (info.data["user"] is None):
            raise ValueError("user and password_file go together")
        return value

    @property
    def listens(self) -> int:
        """The port that is called."""
        return self.port or PORTS[self.security]


class Webhook(_StrictlyTyped):
    """An address inside the city's network that takes notices as JSON.

    Attributes:
        url: where they are posted to; redirects are not followed.
        secret_file: private file whose first line signs each body (HMAC-SHA256).
        ca_file: authorities that vouch for the server, instead of those of the machine.
    """

    url: str = Field(max_length=1000, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+([/?][\x21\x22\x24-\x7e]*)?$")
    secret_file: File
    ca_file: File | None = None

    @field_validator("url")
    @classmethod
    def _callable(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or parts.port == 0:  # a port that is none raises ValueError
            raise ValueError("no host")
        return value

    @field_validator("ca_file")
    @classmethod
    def _only_over_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("url", "").startswith("http:"):
            raise ValueError("needs TLS")
        return value

    @property
    def origin(self) -> str:
        """Scheme, host and port: the path may be a secret of the receiver's, and is not shown."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.url))


class AlertSettings(_StrictlyTyped):
    """The whole file.

    Attributes:
        mail, webhook: the channels; none without a file.
        kinds: the kinds of notices that are sent; all where it is left out.
        timeout_seconds: how long the conversation with one channel may last.
    """

    mail: Mail | None = None
    webhook: Webhook | None = None
    kinds: Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)] | None = None
    timeout_seconds: int = Field(10, ge=1, le=60)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that are configured: ``mail``, ``webhook``."""
        return tuple(name for name in ("mail", "webhook") if getattr(self, name) is not None)

    @property
    def silent(self) -> bool:
        """Whether nothing is sent at all."""
        return not self.channels

    def as_record(self) -> dict[str, object]:
        """What is configured, for reports: no secret, no path of the webhook."""
        mail = self.mail and {
            "host": self.mail.host,
            "port": self.mail.listens,
            "security": self.mail.security,
            "account": self.mail.user is not None,
            "from": self.mail.sender,
            "to": list(self.mail.to),
        }
        return {
            "silent": self.silent,
            "mail": mail,
            "webhook": self.webhook and {"origin": self.webhook.origin},
            "kinds": list(self.kinds or KINDS),
            "timeout_seconds": self.timeout_seconds,
        }


def alerts_file(home: Path) -> Path:
    """Where an installation has its settings of notices."""
    return home / FILE


def load_alerts(path: Path) -> AlertSettings:
    """Read the file; silence where there is none. Paths in it are relative to its folder.

    Raises:
        ConfigurationError: ``alerts.settings`` (coordinates: file, and key or line), with what to write there.
    """
    try:
        written = tomllib.loads(path.read_text("utf-8"))
        settings = AlertSettings.model_validate(written, context={"folder": path.resolve().parent})
    except FileNotFoundError:
        return AlertSettings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place, remedy = _place(first["loc"], first["type"])
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = {"line": int(line[1])} if line else {}
        remedy = f"mend the TOML, see {DOCUMENT}"
    except UnicodeDecodeError:
        place, remedy = {}, "save the file as UTF-8"
    except OSError:
        place, remedy = {}, "let the platform's account read the file, or remove it to be silent"
    else:
        if not settings.silent:
            return settings
        place = {"key": "mail"}
        remedy = f"write {WANTED['mail']}, or {WANTED['webhook']}, or remove the file to be silent"
    raise ConfigurationError(
        "the settings of notices are not as they must be",
        code="alerts.settings",
        at={"file": path.name, **place},
        remedy=remedy,
        ja="通知の設定ファイルに誤りがあります",
    )


def _place(loc: tuple[int | str, ...], kind: str) -> tuple[dict[str, str | int], str]:
    parts = [part for part in loc if isinstance(part, str)]
    key = ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", part) else "?" for part in parts)
    if kind == "extra_forbidden":
        above = ".".join(parts[:-1])
        known = [k.rpartition(".")[2] for k in WANTED if k.rpartition(".")[0] == above]
        return {"key": key}, f"remove it; known here: {', '.join(known)} ({DOCUMENT})"
    return {"key": key}, f"write {WANTED.get(key, 'what is in the example')} ({DOCUMENT})"


def describe(path: Path) -> str:
    """One line for ``kobe status``: silent, which channels, or that the file is wrong."""
    try:
        settings = load_alerts(path)
    except ConfigurationError as error:
        where = error.at.get("key") or (f"line {error.at['line']}" if "line" in error.at else path.name)
        return f"通知: 設定に誤りがあります ({where}) / alerts: not sent, {path.name} is wrong ({where})"
    if settings.silent:
        return f"通知: なし ({path.name} がありません) / alerts: silent, there is no {path.name}"
    named = []
    if settings.mail:
        named.append(f"mail {settings.mail.host}:{settings.mail.listens} for {len(settings.mail.to)} recipients")
    if settings.webhook:
        named.append(f"webhook {settings.webhook.origin}")
    only = f"; {', '.join(settings.kinds)}" if settings.kinds else ""
    return f"通知: あり / alerts: {', '.join(named)}{only}"
