"""Gives Dagster's assets, checks and sensors the inbox, the lake with its keys, the releases and governance."""

from resources.governance import Governance
from resources.inbox import Inbox
from resources.lake import Lake
from resources.releases import Releases

__all__ = ["Governance", "Inbox", "Lake", "Releases"]
