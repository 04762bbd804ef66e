"""Assembles the body of a page from choices: a published table, the area that it opens with, kinds of figures.

The table's own hierarchies say what a figure needs: a dimension with a total is shown at its total where a figure does
not break it down; one without a total becomes a choice of the reader. So no figure adds anything up.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.formats import known_units
from kobe_platform.lounge.tables import TableFacts
from kobe_platform.vocabulary.codes import hierarchies
from kobe_platform.vocabulary.nearest import did_you_mean

if TYPE_CHECKING:
    import polars as pl

FIGURES = ("value", "line", "bar", "table")
"""Kinds of figures: the newest figure, its course, one bar chart for each breakdown, and all as a table."""
AREA = "area"
_NO_TOTAL = "none"
_DISTRICTS = """SELECT a.code AS area, a.label,
  CASE WHEN a.level = {{district.level}} THEN w.label ELSE '市{{#wards}}・区{{/wards}}' END AS 区
FROM dim_district a LEFT JOIN dim_district w ON w.code = a.parent AND a.level = {{district.level}}
ORDER BY a.level = {{district.level}}, w.sort, a.sort"""
"""Districts below their wards, as a list of many reads best."""
_TITLES: Mapping[str, str] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))["dimensions"]


def dimension_title(table: TableFacts, name: str) -> str:
    """The name of a table's dimension in Japanese; its own name where there is none."""
    return _TITLES.get(f"{name}/{table.dimensions[name]}") or _TITLES.get(name, name)


@dataclass(frozen=True)
class PagePlan:
    """What a page is made of: the table, its dimensions with a total and without, where it opens, its figures."""

    table: TableFacts
    closed: tuple[str, ...]
    open: tuple[str, ...]
    area: str
    figures: tuple[str, ...]

    @property
    def is_forecast(self) -> bool:
        """Whether the table's rows are vintages of a forecast."""
        return "forecast" in self.table.more

    @property
    def has_area(self) -> bool:
        """Whether readers choose an area."""
        return AREA in self.table.dimensions

    @property
    def filters(self) -> tuple[str, ...]:
        """The readers' choices but the period."""
        return ((AREA,) if self.has_area else ()) + self.open

    def word(self, dimension: str) -> str:
        """What a dimension is called on the page."""
        return dimension_title(self.table, dimension)

    @property
    def measure(self) -> str:
        """The column of figures: 人数, 世帯数 or 値."""
        return {"人": "人数", "世帯": "世帯数", "件": "件数"}.get(self.table.unit, "値")

    @property
    def is_protected(self) -> bool:
        """Whether the table counts people, so that a page over it needs an application."""
        return self.table.minimum_frequency is not None

    @property
    def is_monthly(self) -> bool:
        """Whether its periods are months."""
        return self.table.period == "month"

    @property
    def format(self) -> str:
        """``fmt=…``, where the table has one unit that pages know."""
        unit = self.table.unit
        return f" fmt={'0.0' if self.table.kind == 'mean' else ''}{unit}" if unit in known_units() else ""


def planned(
    name: str,
    facts: Mapping[str, TableFacts],
    dims: Mapping[str, pl.DataFrame],
    *,
    area: str = "",
    figures: Sequence[str] = FIGURES,
) -> PagePlan:
    """Choose what the page is made of.

    Args:
        name: a published table.
        facts, dims: of all tables and hierarchies at hand.
        area: code or label of the area that the page opens with; the whole by default.
        figures: of :data:`FIGURES`.

    Raises:
        ConfigurationError: there is no such table, area or kind of figure, with those that there are.
    """
    if name not in facts:
        raise _unknown("table", name, did_you_mean(name, facts), f"公表表「{name}」はありません")
    for kind in figures:
        if kind not in FIGURES:
            raise _unknown("charts", kind, did_you_mean(kind, FIGURES), f"「{kind}」という種類の図はありません")
    table = facts[name]
    others = [dimension for dimension in table.dimensions if dimension != AREA]
    closed = tuple(one for one in others if _has_total(dims[table.dimensions[one]]))
    free = tuple(one for one in others if one not in closed)
    return PagePlan(table, closed, free, _area(area, table, dims), tuple(figures))


def body_of(plan: PagePlan) -> str:
    """The page's queries, filters and figures as an author would write them."""
    if plan.is_forecast:
        return _forecast(plan)
    makers = {"value": _value, "line": _line, "bar": _bars, "table": _table}
    heads = {"value": "現在の値", "line": "推移", "bar": "内訳", "table": "表"}
    parts = [_choices(plan)]
    for kind in plan.figures:
        if text := makers[kind](plan):
            parts += [f"## {heads[kind]}\n", text]
    return "\n".join(part for part in parts if part)


def contents_of(plan: PagePlan) -> list[str]:
    """What the catalogue says of the page: its figures."""
    if plan.is_forecast:
        return [plan.table.title or plan.table.name]
    broken = [f"{plan.word(one)}の内訳" for one in plan.closed] if "bar" in plan.figures else []
    course = [f"{plan.measure}の推移"] if "line" in plan.figures else []
    return [*course, *broken] or [plan.table.title or plan.table.name]


def manual_of(plan: PagePlan) -> str:
    """The page's manual, of what the table says of itself: what is counted, how often, and the rule of 「X」."""
    table = plan.table
    what = f"{table.description or table.title or table.name}（単位：{table.unit or 'なし'}）"
    parts = [
        ("定義", [f"**{table.title or table.name}**: {what}"]),
        ("更新日", [_updated(plan)]),
        ("「X」の決まり", _rule(plan)),
        ("読み方", _reading(plan)),
    ]
    return "\n".join(f"### {head}\n\n" + "".join(f"- {line}\n" for line in lines) for head, lines in parts)


_UPDATED = {
    "month": "毎月、新しい月のデータが届いた後に更新します。",
    "year": "毎月、その年の届いた月までを数え直します。",
}


def _updated(plan: PagePlan) -> str:
    if plan.is_forecast:
        return "見込みのもとになる月のデータが届いた後に作り、あとから直しません。"
    return _UPDATED.get(plan.table.period, "新しいデータが届いたときに更新します。")


def _rule(plan: PagePlan) -> list[str]:
    if plan.is_forecast:
        return ["いまの値が「X」（秘匿）の区分は、見込みも「X」です。伏せられた値を推し量って見込むことはありません。"]
    if not plan.is_protected:
        return ["この画面の値に、秘匿したもの（X）はありません。公表されている値です。"]
    least, unit = plan.table.minimum_frequency, plan.table.unit
    if plan.table.kind == "mean":
        return [f"対象が{least}人に満たない区分の値は示しません。"]
    return [f"{least}{unit}未満の値と、そこから逆算されないよう併せて秘匿した値を「X」とします。0ではありません。"]


def _reading(plan: PagePlan) -> list[str]:
    if plan.is_forecast:
        return [
            "色の帯は、過去の誤差から求めた、8割が入るとみる幅です。過去の誤差が18個に満たないときは帯がありません。"
        ]
    choices = [*(["地域"] if plan.has_area else []), *map(plan.word, plan.open), "期間"]
    return [
        f"上の「{'」「'.join(choices)}」を変えると、図と表が変わります。選択はアドレスに残ります。",
        "合計は公表した値です。秘匿や不明があるため、内訳を足しても合計にならないことがあります。",
    ]


def _forecast(plan: PagePlan) -> str:
    """The newest vintage of a forecast by the month that is forecast, inside its band, and of all areas as a table.

    What a forecast says of itself stands above; where it is withheld, that is all there is.
    """
    name, measure = plan.table.name, plan.measure
    title = plan.table.title or name
    labels = hierarchies()["forecast_figure"]
    totals = "".join(f" AND {one}_level = 0" for one in plan.closed)
    newest = f"FROM {name}\nWHERE period = (SELECT max(period) FROM {name}){totals}"
    columns = "target_label AS 対象年月, target, area, area_label AS 地域, area_sort"
    course = f"""SELECT {columns}, figure_label AS 区分, figure_sort, value AS {measure}, status {newest}
AND figure IN ('forecast', 'lower80', 'upper80') ORDER BY target, figure_sort"""
    ahead = f"""SELECT {columns}, value AS {measure}, status {newest}
AND figure = 'forecast' ORDER BY area_sort, target"""
    start = f" default={plan.area}" if plan.area else ""
    ends = f'lower="{labels.label("lower80")}" upper="{labels.label("upper80")}" dashed="{labels.label("forecast")}"'
    unit = plan.format.removeprefix(" fmt=")
    form = f' fmt="{measure}:{unit}"' if unit else ""
    drawn = f'x=対象年月 y={measure} series=区分 {ends} filter="area" title="{title}"{plan.format}'
    figures = (
        f"<LineChart data={{course}} {drawn}/>",
        f'<DataTable data={{ahead}} columns="地域 対象年月 {measure}" title="{title}の表"{form} search/>',
    )
    areas = f"SELECT DISTINCT area, area_label AS label, area_sort FROM {name} ORDER BY area_sort"
    choice = f'<Dropdown name=area data={{areas}} value=area label=label title="地域"{start}/>'
    return "\n".join(
        [
            _fence("areas", areas),
            f"<Forecast table={name}/>\n",
            f"<Filters>\n{choice}\n</Filters>\n",
            f"## {title}\n",
            _fence("course", course),
            _fence("ahead", ahead),
            "<When data={course}>\n\n" + "\n\n".join(figures) + "\n\n</When>\n",
        ]
    )


def _has_total(hierarchy: pl.DataFrame) -> bool:
    roots = hierarchy.filter(hierarchy["level"] == 0)["code"].to_list()
    return len(roots) == 1 and roots[0] != _NO_TOTAL


def _area(wanted: str, table: TableFacts, dims: Mapping[str, pl.DataFrame]) -> str:
    if not wanted:
        return ""
    hierarchy = dims[table.dimensions[AREA]] if AREA in table.dimensions else None
    names = dict(hierarchy.select("label", "code").iter_rows()) if hierarchy is not None else {}
    if wanted in names.values():
        return wanted
    if wanted not in names:
        raise _unknown("area", wanted, did_you_mean(wanted, names), f"地域「{wanted}」はこの表にありません")
    return str(names[wanted])


def _unknown(what: str, given: str, remedy: str, ja: str) -> ConfigurationError:
    return ConfigurationError(
        f"a page cannot be assembled of this {what}", code=f"page.{what}", at={what: given}, remedy=remedy, ja=ja
    )


def _fence(name: str, sql: str) -> str:
    return f"```sql {name}\n{sql}\n```\n"


def _choices(plan: PagePlan) -> str:
    table = plan.table.name
    fences, tags = [], []
    if plan.has_area:
        hierarchy = plan.table.dimensions[AREA]
        fences.append(_fence("areas", _DISTRICTS if hierarchy == "district" else _areas(hierarchy)))
        look = " group=区" if hierarchy == "district" else " look=buttons"
        start = f" default={plan.area}" if plan.area else ""
        tags.append(f'<Dropdown name=area data={{areas}} value=area label=label title="地域"{look}{start}/>')
    for one in plan.open:
        columns = f"{one}, {one}_label AS label, {one}_sort AS place"
        fences.append(_fence(f"choices_{one}", f"SELECT DISTINCT {columns} FROM {table} ORDER BY place"))
        title = plan.word(one)
        tags.append(f'<Dropdown name={one} data={{choices_{one}}} value={one} label=label title="{title}"/>')
    fences.append(_fence("periods", f"SELECT DISTINCT period FROM {table} ORDER BY period"))
    tags.append('<Period name=period data={periods} value=period title="期間"/>')
    return "\n".join([*fences, "<Filters>", *tags, "</Filters>\n"])


def _areas(hierarchy: str) -> str:
    return f"SELECT code AS area, label FROM dim_{hierarchy} ORDER BY sort"


def _query(plan: PagePlan, name: str, broken: Sequence[str] = ()) -> str:
    """A fence with the breakdowns ``broken`` at their finest, all others at their totals."""
    labels = [f"{one}_label AS {plan.word(one)}" for one in broken]
    columns = ["period", *plan.filters, *labels, f"value AS {plan.measure}", "status"]
    conditions = [f"{one}_leaf" if one in broken else f"{one}_level = 0" for one in plan.closed]
    where = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(["period", *(f"{one}_sort" for one in broken)])
    return _fence(name, f"SELECT {', '.join(columns)} FROM {plan.table.name}{where}\nORDER BY {order}")


def _attributes(plan: PagePlan, title: str, *, period: bool) -> str:
    names = " ".join([*plan.filters, *(["period"] if period else [])])
    return (f' filter="{names}"' if names else "") + f' title="{title}"{plan.format}'


def _value(plan: PagePlan) -> str:
    """The figure of the period; the query of the course serves it too."""
    told = _attributes(plan, plan.table.title, period=True)
    before = ' compare="month"' if plan.is_monthly and plan.format else ""
    return f"{_query(plan, 'course')}\n<BigValue data={{course}} value={plan.measure} date=period{told}{before}/>\n"


def _line(plan: PagePlan) -> str:
    query = "" if "value" in plan.figures else _query(plan, "course") + "\n"
    title = _attributes(plan, f"{plan.measure}の推移", period=False)
    return f"{query}<LineChart data={{course}} x=period y={plan.measure}{title}/>\n"


def _bars(plan: PagePlan) -> str:
    parts = []
    for one in plan.closed:
        word = plan.word(one)
        title = _attributes(plan, f"{word}の内訳", period=True)
        parts.append(_query(plan, f"by_{one}", [one]))
        parts.append(f"<BarChart data={{by_{one}}} x={word} y={plan.measure}{title} horizontal/>\n")
    return "\n".join(parts)


def _table(plan: PagePlan) -> str:
    words = [*(plan.word(one) for one in plan.closed), plan.measure]
    title = _attributes(plan, f"{plan.measure}の一覧", period=True).removesuffix(plan.format)
    form = f' fmt="{plan.measure}:{plan.format.removeprefix(" fmt=")}"' if plan.format else ""
    if len(plan.closed) == 1 and "bar" in plan.figures:  # the query of its bars has the same rows
        name, query = f"by_{plan.closed[0]}", ""
    else:
        name, query = "listed", f"{_query(plan, 'listed', plan.closed)}\n"
    return f'{query}<DataTable data={{{name}}} columns="{" ".join(words)}"{title}{form}/>\n'
