"""Defines the published table that all watched series share: one partition a month."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from kobe_platform.statistics import Statistic
from kobe_platform.unusual.definition import Watch
from kobe_platform.unusual.expecting import FEWEST_MONTHS
from kobe_platform.unusual.judging import FEWEST_ERRORS
from kobe_platform.vocabulary.codes import hierarchies

SERIES, AREA, FIGURE = "series", "area", "figure"
"""Dimensions of the table."""
NAMES = "watched_series"
UNLISTED = (NAMES,)
"""Hierarchies of watched series that no file lists."""
USUAL_RANGES = "usual_ranges"
"""The table's name."""
WATCHED = "watched"
"""The fact of a month's partition that counts its series, those judged and those listed."""
APART = "__"
"""Between a file's name and a code of its further dimension, in the code of a series."""
ACTUAL, EXPECTED, LOWER, UPPER, RANK = "actual", "expected", "lower", "upper", "rank"
FIGURES = (ACTUAL, EXPECTED, LOWER, UPPER, RANK)


class UsualRanges(Statistic):
    """The published table of what figures were, what they usually are, and which of them stand out.

    Attributes:
        watches: the files by name, each with its owner.
        read_from: sources of the tables that are watched.
        input_groups: watched table → what the plan calls the tables that it is made with.
        hierarchies_by: watch → hierarchy of its further dimension.
    """

    UNLISTED: ClassVar[tuple[str, ...]] = UNLISTED
    kind: Literal["usual"] = "usual"  # type: ignore[assignment]
    watches: dict[str, Watch]
    read_from: tuple[str, ...]
    input_groups: dict[str, str]
    hierarchies_by: dict[str, str]

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Sources that its figures come from in the end."""
        return self.read_from

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the published tables that are watched, sorted."""
        return tuple(sorted({watch.input.table for watch in self.watches.values()}))

    def label(self, series: str) -> str:
        """A series in words: 転入（20～29歳）."""
        name, _, code = series.partition(APART)
        watch = self.watches.get(name)
        if watch is None:
            return series
        if not code:
            return watch.title
        labels = {one.code: one.label for one in hierarchies()[self.hierarchies_by[name]].codes}
        return f"{watch.title}（{labels.get(code, code)}）"

    def owner_of(self, series: str) -> str:
        """The section that answers for a series; empty where no file has it any more."""
        watch = self.watches.get(series.partition(APART)[0])
        return watch.owner if watch else ""

    @property
    def least_history(self) -> int:
        """Months without a gap, the judged one included, before anything can be judged."""
        return min(FEWEST_MONTHS[watch.method] for watch in self.watches.values()) + FEWEST_ERRORS + 3

    def facts(self) -> dict[str, Any]:
        """What a release tells of the table beside its figures."""
        owners = {name: watch.owner for name, watch in self.watches.items()}
        return {**super().facts(), "watches": owners, "least_history": self.least_history}


def usual_ranges(watches: Mapping[str, Watch], statistics: Mapping[str, Statistic]) -> UsualRanges:
    """The table of some watched series.

    Args:
        statistics: by name, those among them that the watches name.
    """
    tables = [statistics[watch.input.table] for watch in watches.values()]
    owned = {
        name: watch.model_copy(update={"owner": watch.owner or statistics[watch.input.table].owner})
        for name, watch in watches.items()
    }
    return UsualRanges(
        name=USUAL_RANGES,
        sql="",
        title="いつもの範囲",
        description="毎月の値と、過去の同じ月などから見込まれる値、いつもの範囲。範囲を大きく外れた系列には順位が付く。",
        owner=next(iter(tables)).owner,
        period="month",
        unit="・".join(dict.fromkeys(watch.unit for watch in watches.values())),
        measure="value",
        dimensions={SERIES: NAMES, AREA: "ward", FIGURE: "usual_figure"},
        watches=owned,
        read_from=tuple(sorted({source for table in tables for source in table.sources})),
        input_groups={watch.input.table: statistics[watch.input.table].key for watch in watches.values()},
        hierarchies_by={
            name: statistics[watch.input.table].dimensions[watch.input.by]
            for name, watch in watches.items()
            if watch.input.by
        },
    )
