"""A question: a month, a measure, dimensions, and codes as filters; everything else is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import polars as pl

from kobe_platform.errors import QuestionError
from kobe_platform.ondemand.menu import Measure, Menu, column_of, whole_table
from kobe_platform.statistics import Statistic
from kobe_platform.statistics.trees import tree
from kobe_platform.vocabulary.codes import Hierarchy
from kobe_platform.vocabulary.months import is_month
from kobe_platform.vocabulary.nearest import did_you_mean


@dataclass(frozen=True)
class Question:
    """An understood question.

    Attributes:
        month: reference month; measure: name in the menu.
        dimensions: names in the menu, those of filters included, in the menu's order.
        filters: dimension → codes that are shown; other dimensions show all.
        statistic: the table that is counted, protected and recorded: all of its codes, whatever the filters.
    """

    month: str
    measure: str
    dimensions: tuple[str, ...]
    filters: Mapping[str, tuple[str, ...]]
    statistic: Statistic

    def shown(self, table: pl.DataFrame, menu: Menu) -> pl.DataFrame:
        """The rows of the whole table that were asked for."""
        for name, codes in self.filters.items():
            table = table.filter(pl.col(column_of(menu, name)).is_in(list(codes)))
        return table

    def as_record(self) -> dict[str, object]:
        """JSON-ready: codes of public lists only."""
        filters = {name: list(codes) for name, codes in self.filters.items()}
        return {
            "month": self.month, "measure": self.measure, "dimensions": list(self.dimensions), "filters": filters,
        }  # fmt: skip


def understood(menu: Menu, asked: Mapping[str, object], areas: Hierarchy | None, months: Sequence[str]) -> Question:
    """Check a question against the menu.

    Args:
        asked: ``month``, ``measure``, ``dimensions`` (list), ``filters`` (dimension → list of codes).
        areas: the month's districts; None where they are not known.
        months: months that can be asked for.

    Raises:
        QuestionError: which part is wrong, and what there is instead.
    """
    strange = set(asked) - {"month", "measure", "dimensions", "filters"}
    if strange:
        raise _refused("part", sorted(strange)[0], "質問に使えない項目があります")
    month, name = str(asked.get("month", "")), str(asked.get("measure", ""))
    if not is_month(month) or month not in months:
        raise _refused("month", "month", "その月のデータはありません", among=months)
    if name not in menu.measures:
        raise _refused("measure", "measure", "集計するものを選んでください", given=name, among=menu.measures)
    measure = menu.measures[name]
    chosen, filters = _strings(asked.get("dimensions", ()), "dimensions"), asked.get("filters") or {}
    if not isinstance(filters, Mapping):
        raise _refused("filters", "filters", "絞り込みの形が正しくありません")
    dimensions = _dimensions(menu, measure, chosen, list(map(str, filters)))
    codes = {
        str(key): _codes(menu, str(key), _strings(value, f"filters.{key}"), areas) for key, value in filters.items()
    }
    trees = [tree(menu.dimensions[one].hierarchy, areas) for one in dimensions]
    cells = prod(len(one.codes) - len(one.residual) for one in trees)
    if cells > menu.most_cells:
        raise _refused(
            "size", "dimensions", f"表が大きすぎます（{cells:,}行、上限{menu.most_cells:,}行）。区分を減らしてください"
        )
    return Question(month, name, dimensions, codes, whole_table(menu, name, dimensions))


def _dimensions(menu: Menu, measure: Measure, chosen: Sequence[str], filtered: Sequence[str]) -> tuple[str, ...]:
    if not chosen:
        raise _refused("dimensions", "dimensions", "区分を1つ以上選んでください", among=measure.dimensions)
    for name in (*chosen, *filtered):
        if name not in measure.dimensions:
            raise _refused(
                "dimension", "dimensions", "この集計では使えない区分です", given=name, among=measure.dimensions
            )
    wanted = {*chosen, *filtered}
    if len(set(chosen)) > menu.most_dimensions or len(wanted) > menu.most_dimensions + 1:
        raise _refused(
            "many", "dimensions", f"区分は{menu.most_dimensions}つまでです（絞り込みだけの区分は、ほかに1つ）"
        )
    columns = [column_of(menu, name) for name in wanted]
    if len(set(columns)) < len(columns):
        raise _refused("same", "dimensions", "同じ種類の区分（区と小学校区、年齢の刻みなど）は一緒に選べません")
    return tuple(name for name in menu.dimensions if name in wanted)


def _codes(menu: Menu, name: str, asked: Sequence[str], areas: Hierarchy | None) -> tuple[str, ...]:
    hierarchy = tree(menu.dimensions[name].hierarchy, areas)
    known = [code.code for code in hierarchy.codes if code.code not in hierarchy.residual]
    strange = [code for code in asked if code not in known]
    if strange or not asked:
        raise _refused(
            "code", f"filters.{name}", "絞り込みに使えないコードです", given=(strange or [""])[0], among=known
        )
    return tuple(code for code in known if code in set(asked))


def _strings(value: object, place: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _refused("list", place, '区分とコードは、["…"] のように一覧で書いてください')
    return tuple(str(one) for one in value)


def _refused(code: str, place: str, ja: str, *, given: str = "", among: Sequence[str] | Mapping = ()) -> QuestionError:
    return QuestionError(
        "the question cannot be asked",
        code=f"ondemand.{code}",
        at={"place": place},
        remedy=did_you_mean(given, among, "" if among else "see docs/ondemand.md"),
        ja=ja,
    )
