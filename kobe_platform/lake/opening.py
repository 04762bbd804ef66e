"""Opens the partitions of an installation, as its settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kobe_platform.custody.opening import KeyPlace, open_key_service
from kobe_platform.lake.store import PartitionStore

if TYPE_CHECKING:
    from kobe_platform.settings import Settings


def open_partitions(settings: Settings) -> PartitionStore:
    """The partitions of the settings' installation, with the keys that open them.

    Raises:
        CustodyError: see :func:`~kobe_platform.custody.opening.open_key_service`.
    """
    place = KeyPlace.of(settings)
    return PartitionStore(
        settings.store,
        open_key_service(place),
        municipality=settings.municipality,
        principal=settings.principal,
        objects=place.shared,
    )
