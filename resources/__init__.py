"""Dagster resources: typed handles on the inbox, the lake with its keys, and the releases."""

from resources.inbox import Inbox
from resources.lake import Lake
from resources.releases import Releases

__all__ = ["Inbox", "Lake", "Releases"]
