"""Lists the core systems beside the register that a made-up city can have; none is delivered unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import polars as pl

from kobe_platform.errors import ConfigurationError
from kobe_platform.synthesis import further, training
from kobe_platform.synthesis.city import City

Delivered = Iterator[tuple[str, str, pl.DataFrame]]
"""Source, kind and rows (text, under the sender's headers) of each delivery of a month."""


def _training(city: City, residents: int) -> Delivered:
    return training.deliveries(residents, city.seed, city.month)


SYSTEMS: Mapping[str, Callable[[City, int], Delivered]] = {
    "training": _training,
    "care": further.care,
    "schooling": further.schooling,
    "insurance": further.insurance,
}
"""Name of a system → what it delivers for the city's present month; the number is that of residents at the start."""


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order of the list.

    Raises:
        ConfigurationError: there is no such system.
    """
    asked = set(names)
    if unknown := sorted(asked - set(SYSTEMS)):
        raise ConfigurationError(
            "the synthetic city has no such core system",
            code="synthesis.system",
            at={"system": unknown[0]},
            remedy="choose of " + ", ".join(SYSTEMS),
        )
    return tuple(name for name in SYSTEMS if name in asked)
