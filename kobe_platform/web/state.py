"""What the portal's endpoints share: settings, the database, who is asking."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from threading import Lock

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from kobe_platform.errors import GovernanceError
from kobe_platform.governance import sessions
from kobe_platform.governance.people import find_person, normal
from kobe_platform.governance.sessions import Session
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.settings import Settings
from kobe_platform.web.config import PortalConfig, Proxy

MOST_ADDRESSES = 10_000


@dataclass
class Throttle:
    """At most ``limit`` events a minute from one address."""

    limit: int
    _seen: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def admits(self, address: str, now: float | None = None) -> bool:
        """Count one event; False when the address had its share."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            times = self._seen.setdefault(address, deque())
            self._seen.move_to_end(address)
            while times and times[0] <= moment - 60:
                times.popleft()
            while len(self._seen) > MOST_ADDRESSES:
                self._seen.popitem(last=False)
            if len(times) >= self.limit:
                return False
            times.append(moment)
            return True


class Portal:
    """One running portal.

    Attributes:
        settings, config: of the installation and of the portal server.
        database: governance.
        throttle: of sign-in attempts.
    """

    def __init__(self, settings: Settings, config: PortalConfig, database: Engine) -> None:
        self.settings, self.config, self.database = settings, config, database
        self.throttle = Throttle(config.sign_in.attempts)

    def identify(self, connection: HTTPConnection) -> Session | None:
        """The session of a request; behind a trusted proxy, that of the person whom the proxy names."""
        token = connection.cookies.get(self.config.cookie, "")
        found = sessions.find(self.database, token) if token else None
        proxy = self.config.sign_in.proxy
        if proxy is None:
            return found
        named = self._named(connection, proxy)
        if found is not None and (named is None or found.person.login != named):
            return found if found.method != "proxy" else None
        return found

    def proxied(self, connection: HTTPConnection) -> str | None:
        """The login that a trusted proxy names; None without one."""
        proxy = self.config.sign_in.proxy
        return self._named(connection, proxy) if proxy else None

    def _named(self, connection: HTTPConnection, proxy: Proxy) -> str | None:
        values = connection.headers.getlist(proxy.header)
        if not values:
            return None
        peer = address_of(connection)
        trusted = _is_address(peer) and any(ip_address(peer) in network for network in proxy.peers)
        if not trusted or len(values) != 1:
            note(self.database, "?", "sign_in.header", peer, outcome=REFUSED)
            return None
        try:
            login = normal(values[0])
        except GovernanceError:
            return None
        person = find_person(self.database, login)
        return login if person and person.active else None


def address_of(connection: HTTPConnection) -> str:
    """The address of whoever opened the connection; no header is asked."""
    return connection.client.host if connection.client else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
