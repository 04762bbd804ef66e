"""Statistics: one SQL file each, counted over the lake, protected by group, published with every margin."""

from kobe_platform.statistics.compute import Computed, compute_group, compute_public
from kobe_platform.statistics.definition import Statistic, columns_needed, groups, load_statistics
from kobe_platform.statistics.protection import GroupResult, TiedMonth, protect_group

__all__ = [
    "Computed",
    "GroupResult",
    "Statistic",
    "TiedMonth",
    "columns_needed",
    "compute_group",
    "compute_public",
    "groups",
    "load_statistics",
    "protect_group",
]
