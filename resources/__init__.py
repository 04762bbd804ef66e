"""Dagster resources: typed handles on the inbox, the lake with its keys, the releases, governance."""

from resources.governance import Governance
from resources.inbox import Inbox
from resources.lake import Lake
from resources.releases import Releases

__all__ = ["Governance", "Inbox", "Lake", "Releases"]
