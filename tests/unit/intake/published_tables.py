"""Small made-up tables in the forms in which cities publish their registers, each with the contract that reads it.

The forms are those of real files (docs/field_reports.md names them); towns and figures are invented.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from kobe_platform.contracts import Contract
from kobe_platform.contracts.loading import contract_of

HEAD = """
name = "town_population"
title = "町別人口"
sensitivity = "public"
use = "reference"
kinds = ["public"]
[legal]
basis = "public"
other_law = []
owner_section = "企画調整局政策課"
[thresholds]
set_aside = 0
"""


def column(id: str, header: str, rule: str = "keep", more: str = "") -> str:
    """One public column of a contract."""
    to = "" if rule == "drop" else f'to = "{id}"\n'
    return f'[[columns]]\nid = "{id}"\nheader = "{header}"\nclass = "P"\nrule = "{rule}"\n{to}{more}\n'


def layout(leading: int = 0, **table: object) -> str:
    """The layout of a contract, with what its published table says."""
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
    return f'[[layouts]]\nform = "delimited"\nsuffix = [".csv"]\nleading = {leading}\n' + (
        "[layouts.table]\n" + "\n".join(lines) + "\n" if table else ""
    )


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


def contract(text: str) -> Contract:
    """A contract from its TOML, without the parts that all share; keys of the head come first."""
    head, _, rest = text.partition("---")
    return contract_of(tomllib.loads(head + HEAD + rest), Path("town_population.toml"))


@dataclass(frozen=True)
class Form:
    """A form of a table: what reads it, its files by name, and some of the rows that come of it."""

    contract: str
    files: dict[str, str]
    records: dict[str, int]
    rows: int
    some: tuple[dict[str, object], ...]
    encoding: str = "utf-8"


SEXES = 'codes = { "男" = "1", "女" = "2", "男性" = "1", "女性" = "2" }'
TOWN, PERSONS = column("town", "町名"), column("persons", "人口", "number", "least = 0")
SEX, AGE = column("sex", "性別", more=SEXES), column("age", "年齢")
MONTH = 'within = "month"\n'

STANDARD = Form(
    """key = ["as_of", "city", "sex", "age"]---"""
    + layout(spread=r"(?P<age>\d+-\d+|\d+)歳(以上)?の(?P<sex>男性|女性)", figures="persons",
             skip="^(総人口|男性|女性)$")
    + column("city", "都道府県コード又は市区町村コード", more='system = "local-government"\npattern = "^13[0-9]{3}$"')
    + column("place", "地域名", "drop")
    + column("as_of", "調査年月日", "day", MONTH)
    + SEX + AGE + PERSONS
    + column("note", "備考", "drop"),
    {
        "a.csv": "都道府県コード又は市区町村コード,調査年月日,地域名,総人口,男性,女性,"
        "0-4歳の男性,0-4歳の女性,100歳以上の男性,100歳以上の女性,備考\n"
        "132071,2025/7/1,,13,6,7,4,5,2,2,\n"
    },
    {"a.csv": 1},
    4,
    ({"as_of": "2025-07-01", "city": "13207", "sex": "2", "age": "0-4", "persons": 5},),
)  # fmt: skip
"""自治体標準オープンデータセット: six-digit codes, days with slashes, sexes and ages as columns."""

FILE_A_WARD = Form(
    """key = ["ward", "town", "sex", "age"]---"""
    + layout(file_name="(?P<ward>.+区)[(](?P<sex>男|女)[)]", spread=r"(?P<age>\d+[+]?)", figures="persons",
             skip=r"^\d+-\d+$|^90\+$")
    + column("number", "#1", "drop") + column("ward", "区") + column("town", "town_name") + SEX + AGE + PERSONS,
    {
        "青葉区（男）.csv": ",town_name,0,1,100+,0-4,90+\n0,甲町,4,2,0,6,0\n26,乙町,3,0,1,3,1\n",
        "青葉区（女）.csv": ",town_name,0,1,100+,0-4,90+\n0,甲町,1,2,3,3,3\n",
    },
    {"青葉区（男）.csv": 2, "青葉区（女）.csv": 1},
    9,
    (
        {"ward": "青葉区", "town": "乙町", "sex": "1", "age": "100+", "persons": 1},
        {"sex": "2", "age": "100+", "persons": 3},
    ),
)  # fmt: skip
"""One sheet a ward and sex, single years of age and their bands as columns, a column of numbers without a name."""

SEXES_AS_COLUMNS = Form(
    """key = ["town", "sex"]---"""
    + layout(spread="(?P<sex>男|女)", figures="persons")
    + column("town", "町丁名") + column("households", "世帯数", "number") + SEX + PERSONS,
    {"2025-07-01_all.csv": "町丁名,世帯数,男,女\n四丁目,244,209,271\n河岸,0,0,0\n"},
    {"2025-07-01_all.csv": 2},
    4,
    ({"town": "四丁目", "sex": "2", "persons": 271, "households": 244},),
)  # fmt: skip
"""Towns with households, men and women."""

PADDED = Form(
    """key = ["town"]---"""
    + layout(notes=["※"])
    + column("town", "住所") + column("persons", "人口数", "number") + column("households", "世帯数", "number"),
    {
        "b.csv": "住所,人口数,世帯数,,,\r\n飛田　　　                ,3253,1969,,,\r\n"
        "石原　　　                ,2871,1690,,,　\r\n"
        "野水　　　                ,      ,      ,,,\r\n,,,,,\r\n※ 外国人を含む\r\n"
    },
    {"b.csv": 3},
    3,
    ({"town": "飛田", "persons": 3253}, {"town": "野水", "persons": None}),
    "cp932",
)  # fmt: skip
"""Names padded to a width, columns without a name, blanks for figures, a note of one field."""

HIDDEN = Form(
    """key = ["as_of", "town", "sex", "age"]---"""
    + layout(3, title=r"\((?P<as_of>令和\d+年\d+月\d+日)現在\)", spread=r"(?P<sex>男|女)(?P<age>\d+-\d*)",
             figures="persons", skip="^(総数|男総数|女総数)$")
    + column("as_of", "時点", "day", 'day = "last"')
    + column("town", "町丁字名", more='codes = { "" = "計" }')
    + column("households", "世帯数", "number", 'missing = ["X"]')
    + column("mark", "秘匿区分", "drop")
    + SEX + AGE + column("persons", "人口", "number", 'missing = ["X"]\nzero = ["-"]'),
    {
        "c.csv": "町丁字別5歳階級別人口（令和7年7月31日現在）,,,,,,\n注1）小さい町は秘匿,,,,,,\n注2）合算,,,,,,\n"
        '町丁字名,世帯数,総数,秘匿区分,男0-4,女100-,男総数\n,"132,664","285,398",,"6,025",126,1\n'
        "大字安,X,X,*11,X,X,X\n安一丁目,204,372,#11,－,１,171\n"
    },
    {"c.csv": 3},
    6,
    (
        {"as_of": "2025-07-31", "town": "計", "sex": "1", "age": "0-4", "persons": 6025, "households": 132664},
        {"town": "大字安", "persons": None},
        {"town": "安一丁目", "sex": "1", "persons": 0},
        {"town": "安一丁目", "sex": "2", "age": "100-", "persons": 1},
    ),
)  # fmt: skip
"""A title that tells the day, notes above, a total without a name, X for hidden, － for none."""

TOWNS_AS_COLUMNS = Form(
    """key = ["district", "town", "age"]---"""
    + layout(1, header_lines=2, spread="(?P<district>[^ ]+) (?P<town>.+)", figures="persons", skip="小計$|^合計",
             notes=["資料"])
    + column("district", "校区") + column("town", "町名") + column("age", "年齢")
    + column("persons", "人口", "number"),
    {
        "d.csv": "町別年齢別（5歳刻み）人口表,,平成21年1月1日,,,,\n"
        "年齢,岸城,,,野村,,合計\n,本町,堺町,小計,上野町,沼町,\n"
        "0～4歳,11,12,23,5,6,34\n100歳以上,0,1,1,△2,0,2\n資料：住民基本台帳\n"
    },
    {"d.csv": 2},
    8,
    (
        {"district": "岸城", "town": "堺町", "age": "0~4歳", "persons": 12},
        {"district": "野村", "town": "上野町", "persons": -2},
    ),
)  # fmt: skip
"""Towns under their districts as columns, ages as rows, subtotals between them."""

AGES_AND_SEX_ROWS = Form(
    """key = ["town", "sex", "age"]---"""
    + layout(spread=r"(?P<age>\d+)歳(以上)?", figures="persons", skip="^総数$")
    + column("town", "町丁目名") + column("sex", "男女別", more='codes = { "男" = "1", "女" = "2", "計" = "T" }')
    + AGE + PERSONS,
    {
        "02-20_jyu-ki(suminoe).csv": "町丁目名,男女別,総数,０歳,１歳,１００歳以上\n"
        '一丁目,計,"1,234","1,230",3,1\n一丁目,男,617,"1,000",1,0\n'
    },
    {"02-20_jyu-ki(suminoe).csv": 2},
    6,
    ({"town": "一丁目", "sex": "T", "age": "0", "persons": 1230}, {"sex": "1", "age": "100", "persons": 0}),
    "cp932",
)  # fmt: skip
"""Single years of age as columns in full-width digits, sexes and their total as rows, thousands in commas."""

MONTHS = Form(
    """key = ["as_of", "ward"]---"""
    + layout(2, header_lines=2, spread=r"(?P<as_of>令和\d+年 \d+月)", figures="persons", notes=["注", "(注"])
    + column("as_of", "時点", "day", 'day = "first"\nwithin = "year"') + column("ward", "区名")
    + column("persons", "人口", "number", 'missing = ["…"]'),
    {
        "e.csv": "区別人口の推移,,,\n単位：人,,,\n,令和7年,,\n区名,4月,5月,6月\n東灘区,211000.0,211005,…\n"
        '灘区,136000,136001,"136,002"\n（注）推計,,,\n'
    },
    {"e.csv": 2},
    6,
    ({"as_of": "2025-06-01", "ward": "東灘区", "persons": None}, {"as_of": "2025-04-01", "persons": 211000}),
)  # fmt: skip
"""Months under their year as columns, a title and a unit above, a note below."""

MERGED_ROWS = Form(
    """key = ["district", "town"]---"""
    + layout(fill_down=["district"])
    + column("district", "地区") + TOWN + PERSONS,
    {"f.csv": "地区,町名,人口\n第一,甲町,5\n,乙町,6\n　,丙町,7\n第二,甲町,8\n"},
    {"f.csv": 4},
    4,
    ({"district": "第一", "town": "丙町", "persons": 7}, {"district": "第二", "town": "甲町", "persons": 8}),
)  # fmt: skip
"""A district that is merged over its towns: it stands beside the first of them only."""

FORMS = {
    "the standard data set": STANDARD,
    "a file a ward and sex": FILE_A_WARD,
    "sexes as columns": SEXES_AS_COLUMNS,
    "padded names and unnamed columns": PADDED,
    "hidden figures": HIDDEN,
    "towns as columns": TOWNS_AS_COLUMNS,
    "ages as columns, sexes as rows": AGES_AND_SEX_ROWS,
    "months as columns": MONTHS,
    "a district merged over rows": MERGED_ROWS,
}
