"""Collects the faults of a page: a build stops at the first, an author sees all of them."""

from __future__ import annotations

from kobe_platform.errors import PlatformError


class Faults:
    """Where a check reports what it finds: raises at once, or collects."""

    def __init__(self, *, collect: bool = False) -> None:
        """Collect, or (the default) raise the first."""
        self._collect = collect
        self.found: list[PlatformError] = []

    def add(self, error: PlatformError) -> None:
        """Report one fault.

        Raises:
            PlatformError: the fault itself, unless faults are collected.
        """
        if not self._collect:
            raise error from None
        self.found.append(error)
