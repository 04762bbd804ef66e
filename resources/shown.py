"""What the Dagster UI shows of a resource: it takes the docstring of the class, and readers of the UI read Japanese."""

from __future__ import annotations

from collections.abc import Callable


def shown_as(words: str) -> Callable[[type], type]:
    """Replace the docstring of a resource, which is for readers of the code, by what the UI shows."""

    def replaced(resource: type) -> type:
        resource.__doc__ = words
        return resource

    return replaced
