"""Counts statistics over the lake, each defined by one SQL file, and protects them together by group.

``loading`` reads and tries the files (``definition`` is their model, ``select`` the reader of SQL), ``compute`` counts,
``residual_floor`` raises the people of unknown district, age or sex in each line of a table to at least k, or leaves
none, ``relations`` reads which equations hold between tables, ``protection`` protects and audits a group.

The statistics themselves are data (``assets/statistics``). Partitions are read and written in ``tabulation``; the
engine that hides cells is ``disclosure``.
"""

from typing import TYPE_CHECKING

from kobe_platform.lazily import attribute

if TYPE_CHECKING:
    from kobe_platform.statistics.compute import Computed, compute_group, compute_public, numbered
    from kobe_platform.statistics.definition import Statistic, columns_needed, groups
    from kobe_platform.statistics.loading import load_statistics
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
    "numbered",
    "protect_group",
]

_ROOMS = {
    "compute": ("Computed", "compute_group", "compute_public", "numbered"),
    "definition": ("Statistic", "columns_needed", "groups"),
    "loading": ("load_statistics",),
    "protection": ("GroupResult", "TiedMonth", "protect_group"),
}
"""What there is, by module: loaded when it is used. Definitions are read without what counts and protects, and pages
parse and judge their SQL without either."""


def __getattr__(name: str) -> object:
    return attribute(__name__, _ROOMS, name)
