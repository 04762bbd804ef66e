"""Gives a resource the Japanese text that the Dagster UI shows, which would otherwise be the docstring of its class."""

from __future__ import annotations

from collections.abc import Callable


def shown_as(words: str) -> Callable[[type], type]:
    """Replace the docstring of a resource, which is for readers of the code, by what the UI shows."""

    def replaced(resource: type) -> type:
        resource.__doc__ = words
        return resource

    return replaced
