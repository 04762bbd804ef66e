"""Lists what a month of usual ranges is made from, by name and content, for the step and the plan.

The month's published figures, and what the table itself says of the months before: a correction of the past is followed
month by month, until one comes out as it was.
"""

from __future__ import annotations

from kobe_platform.code_version import engine_version
from kobe_platform.lake.partitions import ENGINE, PartitionId
from kobe_platform.lake.shelf import Shelf
from kobe_platform.unusual.months import HISTORY
from kobe_platform.unusual.tables import UsualRanges
from kobe_platform.vocabulary.months import shifted

_ROOMS = ("unusual", "vocabulary")


def watched_partitions(shelf: Shelf, table: UsualRanges, month: str) -> list[PartitionId]:
    """The published partitions of the month that are watched, as far as they are there."""
    ids = [PartitionId("published", name, month) for name in table.inputs]
    return [id for id in ids if shelf.current(id) is not None]


def past_partitions(shelf: Shelf, table: UsualRanges, month: str) -> list[PartitionId]:
    """The table's own partitions of the months before that are looked at."""
    earliest = shifted(month, -HISTORY)
    held = [one for one in shelf.months("published", table.name) if earliest <= one < month]
    return [PartitionId("published", table.name, one) for one in held]


def usual_inputs(shelf: Shelf, table: UsualRanges, month: str) -> dict[str, str]:
    """Inputs of a month: watched partitions, the table's own past, the definition."""
    ids = [*watched_partitions(shelf, table, month), *past_partitions(shelf, table, month)]
    held = {str(id): one.content for id in ids if (one := shelf.current(id)) is not None}
    return {**held, "definition": table.digest, ENGINE: engine_version(*_ROOMS)}
