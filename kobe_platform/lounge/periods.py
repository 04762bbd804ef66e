"""Computes the months that a period of a published table covers, and its label.

A yearly table counts the months of the lake that are there. Where months of its year are missing, every place that
prints the year says so: 2025年（7〜12月）, 2025年（3月を除く）. The browser is given the words ready (``remarks``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kobe_platform.lounge.eras import era_label
from kobe_platform.lounge.formats import is_period, period_label
from kobe_platform.lounge.tables import AREAS_CHANGED, TableFacts

DIFFERS = "収録月は表により異なる"
"""Where the tables of one figure cover different months of a year."""
UNLIKE = "収録月が違うため比べません"
"""In place of a difference between years that do not cover the same months."""
MOST_CHANGES = 4
"""Changes of districts that a figure tells, the newest."""
_YEAR = 12


@dataclass(frozen=True)
class Periods:
    """The years of some tables that lack months.

    Attributes:
        incomplete: year → numbers of the months that it covers, ascending; empty where the tables differ.
        changes: month → what became of school districts then, in words, oldest first.
    """

    incomplete: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    changes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, facts: Iterable[TableFacts]) -> Periods:
        """The years of several tables that are read together; a year of which no table tells months is complete."""
        covered: dict[str, set[tuple[int, ...]]] = {}
        changes: set[tuple[str, str]] = set()
        for table in facts:
            changes |= {(str(month), str(words)) for month, words in table.more.get(AREAS_CHANGED, ())}
            for year, months in table.months.items():
                covered.setdefault(year, set()).add(tuple(sorted({int(month[5:7]) for month in months})))
        one = {year: next(iter(sets)) if len(sets) == 1 else () for year, sets in covered.items()}
        lacking = {year: months for year, months in sorted(one.items()) if len(months) < _YEAR}
        return cls(lacking, tuple(sorted(changes)))

    def remark(self, code: str) -> str:
        """The months in words: ``7〜12月``, ``3月を除く``; empty for a complete period."""
        if code not in self.incomplete:
            return ""
        months = self.incomplete[code]
        if not months:
            return DIFFERS
        lacking = tuple(month for month in range(1, _YEAR + 1) if month not in months)
        inside = lacking[0] > 1 and lacking[-1] < _YEAR
        return f"{_runs(lacking)}を除く" if inside and len(lacking) <= _YEAR // 2 else _runs(months)

    @property
    def remarks(self) -> dict[str, str]:
        """Year → its months in words, as the browser adds them to the year."""
        return {code: self.remark(code) for code in self.incomplete}

    def label(self, code: str, *, era: bool = False) -> str:
        """A period as readers see it: ``2025年（7〜12月）``, in eras ``令和7年（7〜12月）``; else as it is."""
        return self.beside(code, (era_label if era else period_label)(code))

    def beside(self, code: str, text: str) -> str:
        """A text that stands for a period, with the months that it covers."""
        remark = self.remark(code)
        return f"{text}（{remark}）" if remark else text

    def alike(self, one: str, other: str) -> bool:
        """Whether two periods cover the same months, so that their counts may be compared."""
        whole = tuple(range(1, _YEAR + 1))
        months = self.incomplete.get(one, whole)
        return bool(months) and months == self.incomplete.get(other, whole)

    def sentence(self, codes: Iterable[str]) -> str:
        """What stands below a figure that shows incomplete years; empty where there are none."""
        told = "、".join(self.label(code) for code in sorted(set(codes)) if code in self.incomplete)
        return f"月がそろっていない年があります：{told}。ほかの年とそのまま比べられません。" if told else ""

    def crossed(self, codes: Iterable[str]) -> str:
        """What stands below a figure over months between which school districts changed; empty where none did."""
        shown = sorted(code for code in set(codes) if is_period(code))
        passed = [
            (month, words)
            for month, words in self.changes
            if shown and shown[0] < month[: len(shown[0])] and shown[-1] >= month[: len(shown[-1])]
        ]
        if not passed:
            return ""
        told = "、".join(f"{period_label(month)}に{words}" for month, words in passed[-MOST_CHANGES:])
        more = f"（ほか{len(passed) - MOST_CHANGES}件）" if len(passed) > MOST_CHANGES else ""
        return f"小学校区の変更：{told}{more}。変更の前と後では区域が違うため、数はつながりません。"


def latest_label(facts: Iterable[TableFacts]) -> str:
    """The last period of some tables as text; empty without rows."""
    known = [table for table in facts if table.rows]
    return Periods.of(known).label(max(table.periods[1] for table in known)) if known else ""


def span_label(table: TableFacts) -> str:
    """From when to when a table goes, and which years of it lack months."""
    periods, (first, last) = Periods.of([table]), table.periods
    ends = [periods.label(code) for code in dict.fromkeys((first, last)) if code]
    between = [periods.label(code) for code in periods.incomplete if code not in (first, last)]
    return "〜".join(ends) + (f"（{'、'.join(between)}）" if between else "")


def _runs(months: tuple[int, ...]) -> str:
    """``(1, 2, 3, 7)`` → ``1〜3・7月``."""
    runs: list[list[int]] = []
    for month in months:
        if runs and runs[-1][-1] == month - 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return "・".join(f"{run[0]}〜{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs) + "月"
