"""Describes in Japanese, for each rule of a contract, the columns of raw and of the lake and what they are made of.

One function a rule, as in the registry of abstraction (``STEPS``): a rule that is new there is new here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from kobe_platform.contracts import Column, Contract
from kobe_platform.contracts import columns as rules
from kobe_platform.statistics.select.sources import sources_of
from kobe_platform.vocabulary.codes import UNKNOWN, code_list, hierarchies
from kobe_platform.vocabulary.courses import load_courses
from kobe_platform.vocabulary.municipality import own

FEW = 12
"""Code lists of at most so many codes are written out; of longer ones their number is told, and where they stand."""
ENCODING = "delivery_encoding"
REFERENCE_COLUMNS = ("district_code", "ward_code", "town_code", "lot_from", "lot_to", "valid_from", "valid_to")
"""Columns of the reference table that a school district is derived from."""

CLASSES = {
    "I": "識別子",
    "L": "結合用の番号",
    "Q": "準識別子",
    "S": "機微情報",
    "X": "保護のための情報",
    "T": "処理用の項目",
}
READ_FOR = {
    "history": "同じ人の記録のうち最新の版を選ぶために読む。",
    "netting": "取り消された異動を取消しと相殺するために読む。",
    "filter": "対象とする状態の行を選ぶために読む。",
    "protection": "支援措置の対象者とその世帯員を伏せるために読み、以後の段階には残さない。",
}
PRECISION = {"day": "年月日", "month": "年月まで", "year": "年まで", UNKNOWN: "不明"}
RELATIONSHIP = {"head": "世帯主", "spouse": "配偶者", "child": "子", "parent": "父母", "other": "その他"}

Origin = tuple[str, str, str]
"""Stage, asset and column that a column is made of."""


@dataclass(frozen=True)
class Made:
    """A column of an asset: name, Polars type, what it is in Japanese, and what it is made of."""

    name: str
    type: str
    words: str
    origins: tuple[Origin, ...] = ()

    def column(self) -> dg.TableColumn:
        """As Dagster shows it, its origins in words."""
        found: dict[str, list[str]] = {}
        for stage, asset, name in self.origins:
            found.setdefault(f"{stage}/{asset}", []).append(name)
        told = "、".join(f"{asset} の {'・'.join(names)}" for asset, names in found.items())
        return dg.TableColumn(self.name, type=self.type, description=self.words + (f" もと:{told}" if told else ""))


def contract_made(contract: Contract, stage: str) -> list[Made]:
    """The columns of a source at a stage (raw, abstracted, lake; of public sources wherever they are taken in)."""
    if stage == "raw" and contract.sensitivity == "personal":
        encodings = "・".join(contract.encodings)
        encoding = Made(ENCODING, "Binary", f"この行のバイト列の文字コード。値:{encodings} のいずれか。")
        return [*(_delivered(contract, column) for column in contract.read), encoding]
    made = [one for column in contract.columns for one in MAKES.get(type(column), _nothing)(contract, column)]
    if contract.sensitivity == "public":
        return [replace(one, origins=()) for one in made]
    withheld = sources_of({contract.name: contract})[contract.name].withheld
    made = [
        replace(one, words=f"{one.words}統計の SELECT では使えない。") if one.name in withheld else one for one in made
    ]
    if stage == "lake":
        return [replace(one, origins=(("abstracted", contract.name, one.name),)) for one in made]
    return made


def listed(labels: Mapping[str, str], where: str) -> str:
    """Codes with their labels; of many the first, how many there are and where they stand."""
    told = [f"{code}={label}" if label else code for code, label in labels.items()]
    return f"値:{'、'.join(told)}。" if len(told) <= FEW else f"値:{told[0]} など {len(told)} 種のコード({where})。"


def _delivered(contract: Contract, column: rules.AnyColumn) -> Made:
    """A column of raw: its bytes, and what they are read for."""
    use = READ_FOR.get(column.rule) or f"{'・'.join(column.outputs)} を求めるために読む。"
    if isinstance(column, rules.Read):
        use = f"「{_title(contract, column.by)}」を処理するために読み、次の段階には残さない。"
    kind = CLASSES[column.class_]
    words = f"{_title(contract, column.id)}。届いたままのバイト列。{use}分類:{column.class_}({kind})。"
    return Made(column.id, "Binary", words)


def _title(contract: Contract, name: str) -> str:
    column = contract.column(name)
    return column.title or column.header


def _raw(contract: Contract, *names: str | None) -> tuple[Origin, ...]:
    return tuple(("raw", contract.name, name) for name in dict.fromkeys(names) if name)


def _hidden(contract: Contract, column: Column) -> tuple[Origin, ...]:
    """The flags that take a value away from protected persons and their households."""
    flag = contract.protection
    if flag is None or not getattr(column, "hide_protected", False):
        return ()
    own = _raw(contract, flag.id)
    return (*own, ("raw", flag.companion, flag.companion_columns["protection"])) if flag.companion else own


def _only_for(contract: Contract, column: Any) -> tuple[str, tuple[str, ...]]:
    """To whom alone a value belongs, and the column that says so."""
    if not column.only_for:
        return "", ()
    other = contract.column(column.only_for["column"])
    value = other.labels.get(column.only_for["value"], column.only_for["value"])
    return f"{value}だけにあり、ほかは空。", (other.id,)


def _nothing(contract: Contract, column: Column) -> Iterator[Made]:
    yield from ()


def _pseudonym(contract: Contract, column: rules.Pseudonym) -> Iterator[Made]:
    titles = "と".join(f"「{_title(contract, name)}」" for name in (column.id, *column.with_))
    words = f"{titles}を鍵で仮名に置き換えた番号。同じ用途({column.purpose})の仮名どうしでだけ結合できる。"
    words += "支援措置の世帯では空。" if column.hide_protected else ""
    words += "届いた値が空なら空。" if column.optional else ""
    yield Made(column.to, "UInt64", words, _raw(contract, column.id, *column.with_) + _hidden(contract, column))


def _codes(contract: Contract, column: rules.MappedCodes) -> Iterator[Made]:
    belongs, needed = _only_for(contract, column)
    values = dict.fromkeys([*column.mapping.values(), *(v for v in (column.blank, column.other) if v)], "")
    known = hierarchies().get(column.to)
    named = {**(code_list(column.list) if column.list else {}), **column.labels}
    labels = {value: named.get(value) or (known.label(value) if known else "") for value in values}
    where = f"符号表 {column.list}.csv" if column.list else f"契約 {contract.name}.toml の codes"
    words = f"{_title(contract, column.id)}。{listed(labels, where)}{belongs}"
    words += f"一覧にないコードは {column.other}。" if column.other and len(values) > FEW else ""
    yield Made(column.to, "Boolean" if column.boolean else "String", words, _raw(contract, column.id, *needed))


def _keep(contract: Contract, column: rules.Keep) -> Iterator[Made]:
    tree = next((tree for tree in hierarchies().values() if tree.source == column.to), None)
    labels = column.labels or ({code: tree.label(code) for code in tree.leaves} if tree else {})
    told = listed(labels, f"語彙 hierarchies.toml の {tree.name if tree else column.to}") if labels else ""
    yield Made(column.to, "String", f"{_title(contract, column.id)}。{told}", _raw(contract, column.id))


def _day(contract: Contract, column: rules.Day) -> Iterator[Made]:
    yield Made(column.to, "String", f"{_title(contract, column.id)}。YYYY-MM-DD。", _raw(contract, column.id))


def _number(contract: Contract, column: rules.Number) -> Iterator[Made]:
    unit = f"単位:{column.unit}。" if column.unit else ""
    bands = f"下限 {'・'.join(map(str, column.breaks))} の階級。" if column.breaks else ""
    words = f"{_title(contract, column.id)}。{unit}{bands}"
    yield Made(column.to, "String" if column.breaks else "Int64", words, _raw(contract, column.id))


def _age(contract: Contract, column: rules.Age) -> Iterator[Made]:
    day = f"「{_title(contract, column.on)}」" if column.on else "月末"
    until = "年齢計算に関する法律による" if contract.attained == "day_before" else "誕生日に達する"
    words = f"{day}時点の満年齢({until})。単位:歳。{column.oldest} は {column.oldest} 歳以上。"
    words += "生年月日から決まらなければ空。"
    birth = _raw(contract, column.id, column.unknown)
    yield Made(column.to, "Int16", words, birth + _raw(contract, column.on))
    if column.to_precision:
        yield Made(column.to_precision, "String", f"生年月日のどこまでが分かるか。{listed(PRECISION, '')}", birth)


def _duration(contract: Contract, column: rules.Duration) -> Iterator[Made]:
    belongs, needed = _only_for(contract, column)
    bands = f"下限 {'・'.join(map(str, column.breaks))} 年の階級、分からなければ {UNKNOWN}。"
    words = f"「{_title(contract, column.id)}」から月末までの満年数。単位:年。{bands}{belongs}"
    yield Made(column.to, "String", words, _raw(contract, column.id, *needed))


def _event_month(contract: Contract, column: rules.EventMonth) -> Iterator[Made]:
    words = f"異動を計上する月(YYYY-MM)。「{_title(contract, column.id)}」の月で、対象月のほかの行は除いてある。"
    yield Made(column.to, "String", words, _raw(contract, column.id))


def _area(contract: Contract, column: rules.Area) -> Iterator[Made]:
    title, ward = _title(contract, column.id), hierarchies()["ward"]
    absent = "市内でなければ空。" if column.optional else ""
    labels = {code: ward.label(code) for code in ward.leaves}
    own = _raw(contract, column.id)
    yield Made(column.to_ward, "String", f"「{title}」の区(5桁)。{listed(labels, '')}{absent}", own)
    if column.to_town:
        hidden = f"支援措置の対象世帯は {UNKNOWN}。" if column.hide_protected else ""
        words = f"「{title}」の町(先頭{column.town_digits}桁)。{hidden}{absent}"
        yield Made(column.to_town, "String", words, own + _hidden(contract, column))


def _district(contract: Contract, column: rules.District) -> Iterator[Made]:
    way = "住所と番地" if column.lot else "住所"
    words = (
        f"{_title(contract, column.id)}のコード({column.reference} の district_code)。"
        f"届いた値がその区になければ{way}から求める。求められない行と支援措置の対象世帯は {UNKNOWN}、住所のない行は空。"
    )
    reference = tuple(("raw", column.reference, name) for name in REFERENCE_COLUMNS)
    own = _raw(contract, column.id, column.address, column.lot)
    yield Made(column.to, "String", words, own + reference + _hidden(contract, column))


def _coarse_area(contract: Contract, column: rules.CoarseArea) -> Iterator[Made]:
    city = hierarchies()["ward"].root
    first = "".join(f"「{_title(contract, name)}」、" for name in column.prefer)
    order = f"{first}「{_title(contract, column.id)}」の順に、埋まっている最初の値による。" if first else ""
    words = (
        f"{_title(contract, column.id)}を粗くしたもの。{order}"
        f"値:{own().name}内は {city}、県内は市町(5桁、municipalities.csv)、県外は都道府県(2桁、prefectures.csv)、"
        f"国外は世界の地域(countries.csv の region)、分からなければ {UNKNOWN}。"
        f"支援措置の対象世帯も {UNKNOWN}。届いた値が空なら空。"
    )
    yield Made(column.to, "String", words, _raw(contract, *column.prefer, column.id) + _hidden(contract, column))


def _relationship(contract: Contract, column: rules.Relationship) -> Iterator[Made]:
    own, home = _raw(contract, column.id), _raw(contract, column.id, column.household)
    family = hierarchies()["family"]
    labels = {code: family.label(code) for code in family.leaves}
    once = "代表者の行だけにあり、ほかは空。"
    head = "世帯を代表する行か。世帯主、いなければ最初の世帯員が true。true の行を数えると世帯数になる。"
    yield Made(column.to, "String", f"{_title(contract, column.id)}の区分。{listed(RELATIONSHIP, '')}", own)
    yield Made(column.to_representative, "Boolean", head, home)
    yield Made(column.to_size, "Int16", f"世帯人員。単位:人。{once}", home)
    yield Made(column.to_family, "String", f"続柄から判定した家族類型。{listed(labels, '')}{once}", home)


def _reason(contract: Contract, column: rules.Reason) -> Iterator[Made]:
    words = f"{_title(contract, column.id)}。{listed(column.labels, f'契約 {contract.name}.toml の labels')}"
    inputs = (column.id, column.before, column.after, *(column.lots or ()))
    yield Made(column.to, "String", words, _raw(contract, *inputs))


def _attainment(contract: Contract, column: rules.Attainment) -> Iterator[Made]:
    own, all_ = _raw(contract, column.id), _raw(contract, column.id, column.person, column.section)
    trees = (hierarchies()[name] for name in ("training_field", "bureau"))
    fields, bureaus = ({code: tree.label(code) for code in tree.leaves} for tree in trees)
    once = "数える行だけにあり、ほかは空。"
    levels = "・".join(load_courses().levels)
    small = f"{column.smallest}人に満たない局と一覧にない所属は {UNKNOWN}。"
    yield Made(column.to_field, "String", f"研修の分野。{listed(fields, 'hierarchies.toml')}", own)
    yield Made(column.to_course_level, "String", f"研修の段階。値:{levels}、{UNKNOWN}。", own)
    yield Made(column.to_best, "Boolean", "分野ごとに一人一行、いちばん高い段階の研修の行で true。", all_)
    yield Made(column.to_counted, "Boolean", "一人一行で true。true の行を数えると職員の数になる。", all_)
    yield Made(column.to_level, "String", f"研修による到達(courses.toml の levels)。値:none・{levels}。{once}", all_)
    yield Made(column.to_bureau, "String", f"局。{listed(bureaus, 'hierarchies.toml')}{small}{once}", all_)
    leads = f"{column.section_level} 以上の職員がいる課ごとに一行で true。true の行を数えるとその課の数になる。"
    yield Made(column.to_leads, "Boolean", leads, all_)


MAKES: Mapping[type[Column], Callable[[Contract, Any], Iterator[Made]]] = {
    rules.Pseudonym: _pseudonym,
    rules.MappedCodes: _codes,
    rules.Keep: _keep,
    rules.Day: _day,
    rules.Number: _number,
    rules.Age: _age,
    rules.Duration: _duration,
    rules.EventMonth: _event_month,
    rules.Area: _area,
    rules.District: _district,
    rules.CoarseArea: _coarse_area,
    rules.Relationship: _relationship,
    rules.Reason: _reason,
    rules.Attainment: _attainment,
}
"""Rule → its columns; the other rules make none."""
