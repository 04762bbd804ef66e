"""Sign-in by OpenID Connect: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636)."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobe_platform.errors import GovernanceError
from kobe_platform.governance.identities import person_of
from kobe_platform.governance.people import Person, normal
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.web.access import local_path
from kobe_platform.web.config import Oidc
from kobe_platform.web.signin import admitted
from kobe_platform.web.state import Portal
from kobe_platform.web.templates import page

COOKIE = "kobe-oidc"
PATIENCE = 600
MOST_WAITING = 5_000
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
FAILED = "共通認証でサインインできませんでした。登録のない場合は管理者に連絡してください。"


@dataclass(frozen=True)
class Waiting:
    """Somebody who was sent to the provider: what must come back with them, and where they wanted to go."""

    state: str
    nonce: str
    verifier: str
    target: str
    until: float


@dataclass(frozen=True)
class Vouched:
    """Who came back: issuer and subject say who it is, the claim how an account is named; where they wanted to go."""

    issuer: str
    subject: str
    login: str
    target: str


class Provider:
    """One provider and those who are on their way to it."""

    def __init__(self, config: Oidc, origin: str) -> None:
        self.config, self.origin = config, origin
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self._metadata: dict = {}

    async def start(self, target: str) -> tuple[str, str]:
        """Where to send the browser, and what its cookie is to hold."""
        metadata = await self._discovered()
        ticket = secrets.token_urlsafe(24)
        waiting = Waiting(
            secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), target,
            time.monotonic() + PATIENCE,
        )  # fmt: skip
        while len(self._waiting) >= MOST_WAITING:
            self._waiting.popitem(last=False)
        self._waiting[ticket] = waiting
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=waiting.state, nonce=waiting.nonce,
                code_verifier=waiting.verifier,
            )  # fmt: skip
        return address, ticket

    async def finish(self, ticket: str, address: str) -> Vouched | None:
        """Whom the provider vouches for; None when anything is amiss."""
        waiting = self._waiting.pop(ticket, None)
        if waiting is None or waiting.until < time.monotonic():
            return None
        try:
            metadata = await self._discovered()
            async with self._client() as client:
                tokens = await client.fetch_token(
                    metadata["token_endpoint"], authorization_response=address, state=waiting.state,
                    code_verifier=waiting.verifier,
                )  # fmt: skip
            keys = KeySet.import_key_set(await _fetched(metadata["jwks_uri"]))
            token = jwt.decode(tokens["id_token"], keys, algorithms=ALGORITHMS)
            self._claims(waiting).validate(token.claims)
            login = normal(str(token.claims[self.config.claim]))
        except (AuthlibBaseError, JoseError, GovernanceError, httpx.HTTPError, KeyError, ValueError):
            return None
        return Vouched(self._metadata["issuer"], str(token.claims["sub"]), login, waiting.target)

    def _claims(self, waiting: Waiting) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": self._metadata["issuer"]},
            aud={"essential": True, "value": self.config.client_id},
            nonce={"essential": True, "value": waiting.nonce},
            exp={"essential": True},
            sub={"essential": True},
        )

    def _client(self) -> AsyncOAuth2Client:
        secret = self.config.client_secret_file.read_text("utf-8").splitlines()[0]
        return AsyncOAuth2Client(
            self.config.client_id, secret, scope="openid profile", code_challenge_method="S256",
            redirect_uri=f"{self.origin}/sign-in/oidc/callback", timeout=10,
        )  # fmt: skip

    async def _discovered(self) -> dict:
        if not self._metadata:
            metadata = await _fetched(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
            if metadata.get("issuer", "").rstrip("/") != self.config.issuer.rstrip("/"):
                raise ValueError("another issuer")
            self._metadata = metadata
        return self._metadata


async def _fetched(address: str) -> Any:
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.get(address)
        answer.raise_for_status()
        return answer.json()


async def oidc_start(request: Request) -> Response:
    """Send the browser to the provider."""
    provider: Provider | None = request.app.state.provider
    if provider is None:
        return page(request, "sign_in.html", status=404, next="/", message=FAILED)
    try:
        address, ticket = await provider.start(local_path(request.query_params.get("next", "/")))
    except (httpx.HTTPError, ValueError, KeyError):
        return page(request, "sign_in.html", status=502, next="/", message="共通認証につながりません。")
    answer = RedirectResponse(address, status_code=303)
    secure = request.app.state.portal.config.secure
    answer.set_cookie(
        COOKIE, ticket, max_age=PATIENCE, path="/sign-in/oidc", httponly=True, secure=secure, samesite="lax"
    )
    return answer


async def oidc_callback(request: Request) -> Response:
    """Take the browser back from the provider."""
    portal: Portal = request.app.state.portal
    provider: Provider | None = request.app.state.provider
    if provider is None:
        return page(request, "sign_in.html", status=404, next="/", message=FAILED)
    found = await provider.finish(request.cookies.get(COOKIE, ""), str(request.url))
    person: Person | None = None
    if found is not None:
        person = await run_in_threadpool(person_of, portal.database, found.issuer, found.subject, found.login)
    if found is None or person is None:
        if found is None:
            await run_in_threadpool(portal.note_stranger, "sign_in.oidc", portal.address_of(request))
        else:
            await run_in_threadpool(note, portal.database, found.login, "sign_in.oidc", outcome=REFUSED)
        return page(request, "sign_in.html", status=403, next="/", message=FAILED)
    answer = await admitted(request, person, "oidc", found.target)
    answer.delete_cookie(COOKIE, path="/sign-in/oidc")
    return answer
