"""Which notices each channel has had, on the disk: ``KOBE_HOME/alerts/sent.json``. Callers hold the lock beside it."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from kobe_platform.alerts.notice import Notice
from kobe_platform.custody.durable import clear_asides, write_private
from kobe_platform.vocabulary.clock import JAPAN

FILE = "sent.json"
CHANNELS = ("mail", "webhook")
EVENTS = ("run_failed", "tick_failed")
"""Kinds that happened once and are listed for a while only: remembered by days, not as long as they are listed."""
EVENT_DAYS = 90
MOST_EVENTS = 10_000
LONGEST_REST = timedelta(hours=1)


class Memory:
    """What was sent: for each channel and id, the kind and when (ISO 8601).

    And what may have been: a channel that got it and did not say so in time is tried again after longer and longer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored: bytes | None = None
        self.channels: dict[str, dict[str, tuple[str, str]]] = {channel: {} for channel in CHANNELS}
        self.unsaid: dict[str, dict[str, tuple[int, str]]] = {channel: {} for channel in CHANNELS}
        try:
            self._stored = path.read_bytes()
            told = json.loads(self._stored)
            written, unsaid = told["channels"], told.get("unsaid", {})
            self.channels = {
                channel: {str(id): (str(kind), _moment(at)) for id, (kind, at) in written[channel].items()}
                for channel in CHANNELS
            }
            self.unsaid = {
                channel: {str(id): (int(times), _moment(at)) for id, (times, at) in unsaid.get(channel, {}).items()}
                for channel in CHANNELS
            }
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError, AttributeError):
            # What was sent is unknown: rather twice than not at all.
            self.channels = {channel: {} for channel in CHANNELS}
            self.unsaid = {channel: {} for channel in CHANNELS}

    def forget(self, current: Collection[str], now: datetime) -> None:
        """Forget ids that are no longer current, so that they are sent again when they come back; events by days."""
        oldest = now - timedelta(days=EVENT_DAYS)
        for channel, sent in self.channels.items():
            gone = [id for id in sent if id not in current]
            events = [id for id in gone if sent[id][0] in EVENTS and datetime.fromisoformat(sent[id][1]) >= oldest]
            events.sort(key=lambda id: datetime.fromisoformat(sent[id][1]))
            kept = set(events[-MOST_EVENTS:])
            self.channels[channel] = {id: told for id, told in sent.items() if id in current or id in kept}
            self.unsaid[channel] = {id: told for id, told in self.unsaid[channel].items() if id in current}

    def add(self, channel: str, notices: Collection[Notice], now: datetime) -> None:
        """Remember that ``channel`` has had ``notices``."""
        at = now.astimezone(JAPAN).isoformat(timespec="seconds")
        self.channels[channel] |= {notice.id: (notice.kind, at) for notice in notices}
        self.unsaid[channel] = {
            id: told for id, told in self.unsaid[channel].items() if id not in self.channels[channel]
        }

    def doubt(self, channel: str, notices: Collection[Notice], now: datetime) -> None:
        """Remember that ``channel`` got ``notices`` and did not say in time whether it takes them."""
        at, unsaid = now.astimezone(JAPAN).isoformat(timespec="seconds"), self.unsaid[channel]
        unsaid |= {notice.id: (unsaid.get(notice.id, (0, ""))[0] + 1, at) for notice in notices}

    def rests(self, channel: str, id: str, now: datetime) -> bool:
        """Whether it is too early to send a notice again: after 2, 4, 8 … minutes, an hour at most."""
        times, at = self.unsaid[channel].get(id, (0, ""))
        return times > 0 and now - datetime.fromisoformat(at) < min(timedelta(minutes=2 ** min(times, 6)), LONGEST_REST)

    def store(self, *, always: bool = False) -> None:
        """Put it on the disk, where it differs from what lies there (or ``always``).

        Raises:
            OSError: as files do.
        """
        told = {"channels": self.channels, **({"unsaid": self.unsaid} if any(self.unsaid.values()) else {})}
        data = json.dumps({"version": 1, **told}, indent=1, sort_keys=True).encode()
        if always or data != self._stored:
            clear_asides(self._path.parent)
            write_private(self._path, data)
            self._stored = data


def _moment(at: object) -> str:
    if datetime.fromisoformat(str(at)).tzinfo is None:
        raise ValueError("a time without a zone")
    return str(at)
