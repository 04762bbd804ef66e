"""What the portal's endpoints share: settings, the database, who is asking."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from threading import Event, Lock

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from kobe_platform.errors import GovernanceError
from kobe_platform.governance import sessions
from kobe_platform.governance.page_views import ViewCounter
from kobe_platform.governance.people import find_person, normal
from kobe_platform.governance.sessions import Session
from kobe_platform.governance.trail import REFUSED, note
from kobe_platform.settings import Settings
from kobe_platform.web.config import PortalConfig, Proxy
from kobe_platform.web.recall import Recall

MOST_ADDRESSES = 10_000
MOST_ANSWERS = 5
"""Answers to the survey that one person may give in a minute."""
MOST_LINKS = 30
"""Short links that one person may ask for in a minute."""
MOST_CHANGES = 60
"""Changes of favourites and of what was read that one person may make in a minute."""


MOST_CONFIRMATIONS = 3
"""Mails to confirm an address that one address is sent in a day, whoever asks for them."""
POSTPONED_SECONDS = 900
"""How long an address is left alone whose mail server asked to come again later."""


@dataclass
class Throttle:
    """At most ``limit`` events a minute (or ``seconds``) from one address (of IPv6, one network of 64 bits)."""

    limit: int
    seconds: float = 60
    _seen: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def admits(self, address: str, now: float | None = None) -> bool:
        """Count one event; False when the address had its share."""
        with self._lock:
            times, moment = self._recent(address, now)
            if len(times) >= self.limit:
                return False
            times.append(moment)
            return True

    def forgive(self, address: str, now: float | None = None) -> None:
        """Take one event back: it was counted before it was known to be no failure."""
        with self._lock:
            times, _ = self._recent(address, now)
            if times:
                times.pop()

    def _recent(self, address: str, now: float | None) -> tuple[deque[float], float]:
        moment, place = time.monotonic() if now is None else now, network_of(address)
        times = self._seen.setdefault(place, deque())
        self._seen.move_to_end(place)
        while times and times[0] <= moment - self.seconds:
            times.popleft()
        while len(self._seen) > MOST_ADDRESSES:
            self._seen.popitem(last=False)
        return times, moment


@dataclass
class Postponed:
    """Mail addresses that are left alone for a while."""

    _until: dict[str, float] = field(default_factory=dict)

    def put_off(self, address: str, now: float | None = None) -> None:
        """Leave an address alone for :data:`POSTPONED_SECONDS`."""
        moment = time.monotonic() if now is None else now
        self._until = {one: until for one, until in self._until.items() if until > moment}
        self._until[address] = moment + POSTPONED_SECONDS

    def holds(self, address: str, now: float | None = None) -> bool:
        """Whether an address is left alone."""
        return self._until.get(address, 0.0) > (time.monotonic() if now is None else now)


class Portal:
    """One running portal.

    Attributes:
        settings, config: of the installation and of the portal server.
        database: governance.
        throttle: of failed sign-ins; answers: of the survey and questions, by person; links: asked for by a person;
            changes: of a person's favourites; quiet: of what strangers make the trail note.
        views: of pages, counted since they were written last.
        recall: whose a session is, remembered for the files of a page.
        confirmations: mails to confirm an address, by address; postponed: addresses whose server asked to come later.
        mail_due: set where mail to a reader should not wait for the next minute; unswept: whether words that were
            withdrawn may still lie in the database's log.
        loopback: whether it is served to this machine only, without an origin.
        daemon_alive: says whether Dagster's daemon, which starts the runs that are launched here, was heard of lately.
    """

    loopback = False

    def __init__(self, settings: Settings, config: PortalConfig, database: Engine) -> None:
        self.settings, self.config, self.database = settings, config, database
        self.throttle, self.quiet = Throttle(config.sign_in.attempts), Throttle(1)
        self.answers, self.links, self.changes = Throttle(MOST_ANSWERS), Throttle(MOST_LINKS), Throttle(MOST_CHANGES)
        self.confirmations, self.postponed = Throttle(MOST_CONFIRMATIONS, 24 * 60 * 60), Postponed()
        self.views = ViewCounter()
        self.recall = Recall(database)
        self.mail_due, self.unswept = Event(), True
        self.daemon_alive: Callable[[], bool] = lambda: False

    def identify(self, connection: HTTPConnection, *, active: bool = True) -> Session | None:
        """The session of a request; behind a trusted proxy, that of the person whom the proxy names.

        Args:
            active: whether the person did something just now; False does not prolong the session.
        """
        token = connection.cookies.get(self.config.cookie, "")
        found = sessions.find(self.database, token, active=active) if token else None
        proxy = self.config.sign_in.proxy
        if proxy is None:
            return found
        named = self._named(connection, proxy)
        if found is not None and (named is None or found.person.login != named):
            return found if found.method != "proxy" else None
        return found

    async def reader(self, connection: HTTPConnection) -> Session | None:
        """:meth:`identify` for somebody who reads: what was found lately is not asked again."""
        proxy = self.config.sign_in.proxy
        told = (address_of(connection), *connection.headers.getlist(proxy.header)) if proxy else ()
        key = (connection.cookies.get(self.config.cookie, ""), *told)
        found = self.recall.get(key)
        if found is None:
            mark = self.recall.mark()
            found = await run_in_threadpool(self.identify, connection)
            if found is not None:
                self.recall.put(key, found, mark)
        return found

    def proxied(self, connection: HTTPConnection) -> str | None:
        """The login that a trusted proxy names; None without one."""
        proxy = self.config.sign_in.proxy
        return self._named(connection, proxy) if proxy else None

    def address_of(self, connection: HTTPConnection) -> str:
        """Who asks: the connection's peer, or whom a proxy that is listed says it forwards for."""
        peer = address_of(connection)
        proxy = self.config.forwarded
        if proxy is None or not _among(peer, proxy.peers):
            return peer
        told = ",".join(connection.headers.getlist(proxy.header))
        hops = [hop.strip() for hop in told.split(",")]
        seen = next((hop for hop in reversed(hops) if not _among(hop, proxy.peers)), "")
        return seen if _is_address(seen) else peer

    def note_stranger(self, action: str, address: str) -> None:
        """Note a refusal of somebody unknown, once a minute and address: strangers do not fill the trail."""
        if self.quiet.admits(f"{action} {network_of(address)}"):
            note(self.database, "?", action, address, outcome=REFUSED)

    def _named(self, connection: HTTPConnection, proxy: Proxy) -> str | None:
        values = connection.headers.getlist(proxy.header)
        if not values:
            return None
        peer = address_of(connection)
        trusted = _among(peer, proxy.peers)
        if not trusted or len(values) != 1:
            self.note_stranger("sign_in.header", peer)
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


def _among(address: str, networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the 64 bits that one subscriber has."""
    if ":" not in address or not _is_address(address):
        return address
    return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
