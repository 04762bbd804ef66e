"""Writes what a forecast says of itself: a sentence or notice for its page, and its model card.

Everything follows from the facts that a release tells of the forecast's table: its file, and what the back-test of the
newest vintage found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

from kobe_platform.forecasts.definition import earliest_origin
from kobe_platform.lounge.formats import period_label
from kobe_platform.lounge.tables import TableFacts

REFUSED = "検証に不合格のため表示していません"
EARLY = "まだ表示できません"
STATES = {
    "shown": "表示",
    "origins": "検証に使える過去の見込みが足りない",
    "worse": "単純な見込みより誤差が大きい",
    "negative": "負の値になる",
    "not_finite": "値が定まらない",
}
METHODS = {
    "last_value": "直近の値が続くとみる",
    "same_cohort": "だれも移動しない・亡くならないとみて、1年ごとに1歳ずつ上げる",
    "cohort_change": "コーホート変化率法(同じ区・年齢の人が1年でどう増減したかの平均を当てはめる)",
    "cohort_component": "コーホート要因法(出生・死亡・移動に分け、直近の年の割合を当てはめる)",
    "drift": "これまでの1年ごとの平均の増減が続くとみる",
    "seasonal_naive": "前年同月の値がそのまま続くとみる",
    "seasonal_index": "直近12か月の合計に、月ごとの割合を掛ける",
    "ets": "指数平滑法(対数、季節あり)",
    "gradient_boosting": "勾配ブースティング",
    "best": "過去の誤差が最も小さかった手法を、何年(何か月)先かごとに選ぶ",
}
PARAMETERS = {
    "variant": "変化の取り方",
    "pseudo_persons": "市全体の変化に寄せる重み(人)",
    "smoothing": "前後でならす年齢の数",
    "controlled": "市全体の見込みに合わせる",
    "years": "割合を取る年数",
    "among": "候補",
}
VARIANTS = {"difference": "人数の差"}


def forecast_inserts(tags: Collection[str], facts: Mapping[str, TableFacts]) -> dict[str, str]:
    """Ready HTML for the components ``Forecast`` (one for each forecast) and ``ModelCards``, as far as a page has them.

    Args:
        tags: names of the components of the page.
        facts: all tables of the release by name.
    """
    found = {name: one for name, one in facts.items() if "forecast" in one.more}
    inserts = {f"Forecast {name}": state_html(one, facts) for name, one in found.items()} if "Forecast" in tags else {}
    if "ModelCards" in tags:
        inserts["ModelCards"] = "".join(card_html(one, facts) for one in found.values())
    return inserts


def state_html(table: TableFacts, facts: Mapping[str, TableFacts]) -> str:
    """Whether there is a forecast, from when there will be one, or why there is none; on one line."""
    backtest = table.more.get("backtest")
    horizons: Sequence[Mapping[str, Any]] = backtest["horizons"] if backtest else ()
    shown = [one for one in horizons if one["state"] == "shown"]
    refused = [one for one in horizons if one["state"] not in ("shown", "origins")]
    if shown and backtest:
        first = shown[0]
        error = "" if first["wape"] is None else f"{_ahead(first['horizon'])}の誤差(WAPE)は{first['wape']:.1f}%"
        ratio = "" if first["ratio"] is None else f"、単純な見込みの{first['ratio']:.2f}倍"
        told = f"{period_label(backtest['origin'])}までの公表値から見込んだ値です。"
        told += f"過去{first['origins']}回分の検証では、{error}{ratio}でした。" if error else ""
        left = "、".join(_ahead(one["horizon"]) for one in horizons if one not in shown)
        told += f"{left}は、検証の結果、表示していません。" if left else ""
        return f'<p class="lounge-note">{escape(told)}</p>'
    if refused and backtest:
        reasons = "、".join(dict.fromkeys(STATES[one["state"]] for one in refused))
        told = f"{period_label(backtest['origin'])}を起点とする見込みは、過去の月での検証で「{reasons}」となりました。"
        return _notice(REFUSED, told + "合格すると、自動で表示されます。", "caution")
    return _notice(EARLY, _early(table, facts), "info")


def _early(table: TableFacts, facts: Mapping[str, TableFacts]) -> str:
    forecast = table.more["forecast"]
    source = facts.get(forecast["input"]["table"])
    least = forecast["least_history"]
    if source is None or not source.rows:
        return f"もとになる統計表がまだありません。公表が始まって{least}か月分がそろうと、表示できるようになります。"
    origins, breaks = forecast["origins"], [one["month"] for one in forecast["breaks"] if not one.get("areas")]
    month = earliest_origin(source.periods[0], least, origins, breaks)
    if month <= source.periods[1]:
        return (
            f"見込みは、過去の月で当たり外れを確かめてから表示します。{period_label(source.periods[1])}までのデータはありますが、"
            "秘匿した値(X)か抜けた月があるため、確かめられる過去の見込みがまだ足りません。"
        )
    when = "・".join(f"{month}月" for month in origins)
    only = f"見込みを作るのは毎年{when}末のデータからです。" if origins else ""
    return (
        f"見込みは、過去の月で当たり外れを確かめてから表示します。それには{least}か月以上続いたデータが必要です"
        f"(いまは{period_label(source.periods[0])}から{period_label(source.periods[1])}まで)。"
        f"{only}早ければ、{period_label(month)}のデータが公表されたときに表示します。"
    )


def card_html(table: TableFacts, facts: Mapping[str, TableFacts]) -> str:
    """The model card of a forecast."""
    forecast, backtest = table.more["forecast"], table.more.get("backtest")
    entries = [
        ("目的", escape(forecast["purpose"])),
        ("使ってはいけないこと", _list(forecast["not_for"])),
        ("入力", escape(_input(forecast, facts, backtest))),
        ("手法", escape(_method(forecast))),
        ("比べる基準", escape(METHODS[forecast["benchmark"]])),
        ("検証", _tested(backtest) if backtest and _was_tested(backtest) else escape(_early(table, facts))),
        ("区間", "過去の誤差から、8割が入る幅を、何か月先か・規模ごとに取っています(18個に満たないときは「…」)。"),
        ("分かっている弱点", _list(forecast["failures"]) if forecast["failures"] else "なし"),
        ("所管", escape(table.owner)),
        ("次の見直し", escape(forecast["next_review"])),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{told}</dd>" for name, told in entries)
    title = f'<h3 id="card-{escape(table.name)}">{escape(table.title)}</h3>'
    about = f"<p>{escape(table.description)}</p>"
    return (
        f'<section class="lounge-card lounge-model">{title}{about}<dl class="lounge-model__facts">{rows}</dl></section>'
    )


def _was_tested(backtest: Mapping[str, Any]) -> bool:
    """Whether any past forecast was compared with what came."""
    return any(one["origins"] for one in backtest["horizons"])


def _input(forecast: Mapping[str, Any], facts: Mapping[str, TableFacts], backtest: Mapping[str, Any] | None) -> str:
    tables = dict.fromkeys([forecast["input"]["table"], *(flow["table"] for flow in forecast.get("flows", ()))])
    names = "".join(f"「{facts[name].title if name in facts else name}」" for name in tables)
    told = f"公表表{names}。秘匿した値は使わず、補いもしません。"
    if backtest:
        span = f"{period_label(backtest['first'])}〜{period_label(backtest['origin'])}"
        released = backtest["released"]
        before = f"(うち{released['months']}か月分は作成時に公開済み、記録 {released['digest']})"
        told += f"{span}の{backtest['months']}か月分{before if released['months'] else ''}。"
    if years := (backtest or {}).get("years"):
        told += f"年次の表は{years[0]}年から{years[-1]}年まで。" if len(years) > 1 else f"年次の表は{years[0]}年だけ。"
    for one in forecast["breaks"]:
        where = f"一部の地域({'、'.join(one['areas'])})は、" if one.get("areas") else ""
        told += f"{where}{period_label(one['month'])}の前とは比べません({one['because']})。"
    return told


def _method(forecast: Mapping[str, Any]) -> str:
    told = [
        f"{PARAMETERS[name]} {_told(name, value)}".strip()
        for name, value in forecast["parameters"].items()
        if _counts(name, value, forecast)
    ]
    return METHODS[forecast["method"]] + (f"({'、'.join(told)})" if told else "")


def _told(name: str, value: Any) -> str:
    """A parameter's value in words: nothing where it is only switched on, and no decimals that say nothing."""
    if name == "among":
        return "、".join(METHODS[one].split("(")[0] for one in value)
    if value is True:
        return ""
    return VARIANTS.get(value, str(value)) if name == "variant" else f"{value:g}"


def _counts(name: str, value: Any, forecast: Mapping[str, Any]) -> bool:
    """Whether a parameter says anything beside the method's own name."""
    if name == "years":
        return bool({"seasonal_index", "cohort_component"} & {forecast["method"], *forecast["parameters"]["among"]})
    return bool(value) and value != "ratio"


def _tested(backtest: Mapping[str, Any]) -> str:
    chosen = any("method" in one for one in backtest["horizons"])
    columns = (*_COLUMNS, "選んだ手法") if chosen else _COLUMNS
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    rows = "".join(
        f'<tr><th scope="row">{_ahead(one["horizon"])}</th><td>{one["origins"]}</td>'
        + "".join(f"<td>{_number(one[name], digits)}</td>" for name, digits in _FIGURES)
        + f"<td>{escape(STATES[one['state']])}</td>"
        + (f"<td>{escape(_chosen(one))}</td>" if chosen else "")
        + "</tr>"
        for one in backtest["horizons"]
    )
    place = '<div class="lounge-scroll" tabindex="0" role="region" aria-label="検証の結果">'
    return f"{place}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _chosen(horizon: Mapping[str, Any]) -> str:
    """The method that won at a horizon; none where nothing could be compared."""
    return METHODS[horizon["method"]].split("(")[0] if horizon["origins"] and "method" in horizon else "…"


_COLUMNS = (
    "何か月先か",
    "過去の見込み(回)",
    "誤差 WAPE(%)",
    "偏り(%)",
    "80%区間に入った割合(%)",
    "単純な見込みに対する比",
    "判定",
)
_FIGURES = (("wape", 1), ("bias", 1), ("coverage", 0), ("ratio", 2))


def _number(value: float | None, digits: int) -> str:
    return "…" if value is None else f"{value:.{digits}f}"


def _ahead(months: int) -> str:
    return f"{months // 12}年先" if months % 12 == 0 else f"{months}か月先"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"


def _notice(title: str, text: str, kind: str) -> str:
    head = f'<p class="lounge-notice__title">{escape(title)}</p>'
    return f'<div class="lounge-notice lounge-notice--{kind}" role="note">{head}<p>{escape(text)}</p></div>'
