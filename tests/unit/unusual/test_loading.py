"""A watched series is one file; a wrong one is refused with its place and the nearest right word."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.published import load_published
from kobe_platform.settings import Settings
from kobe_platform.unusual.loading import load_watches
from kobe_platform.unusual.months import month_of

GOOD = {"title": "転入", "unit": "件", "method": "season", "table": "moves_in_month", "area": "area"}
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "unusual.md"


@pytest.fixture
def counted(tables):
    """The tables that may be watched."""
    return {name: one for name, one in tables.items() if name != "usual_ranges"}


def written(folder: Path, more: str = "", **changed: str) -> Path:
    told = {**GOOD, **changed}
    top = "".join(f'{name} = "{told[name]}"\n' for name in ("title", "unit", "method") if told[name])
    within = "".join(f'{name} = "{told[name]}"\n' for name in ("table", "area") if told[name])
    (folder / "one.toml").write_text(f"{top}[input]\n{within}{more}", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("changed", "place", "remedy"),
    [
        ({"table": "moves_in_mont"}, "input.table", "moves_in_month"),
        ({"table": "zzz"}, "input.table", "there are"),
        ({"table": "moves_in_origin_year"}, "input.table", ""),
        ({"area": "areas"}, "input.area", "area"),
        ({"table": "moves_in_district_month"}, "input.area", "wards"),
        ({"table": "population_ward"}, "input.at.age", "total"),
        ({"method": "sesaon"}, "method", "unusual.md"),
        ({"unit": ""}, "unit", "unusual.md"),
        ({"more": "aria = 'area'\n"}, "input.aria", "area"),
        ({"more": "by = 'age'\n"}, "input.by", "area"),
        ({"more": "at = { area = '28100' }\n[parameters]\nyear = 2\n"}, "parameters.year", "years"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(counted, tmp_path, changed, place, remedy):
    with pytest.raises(ConfigurationError) as refused:
        load_watches(written(tmp_path, **changed), counted)
    assert refused.value.code == "watch.definition"
    assert refused.value.at == {"file": "one.toml", "place": place} and remedy in refused.value.remedy


def test_without_files_there_is_no_table(counted, tmp_path):
    assert load_watches(tmp_path, counted) == {}


def test_the_file_of_the_document_adds_a_series(tmp_path):
    text = DOCUMENT.read_text("utf-8")
    file = re.search(r"```toml\n( +# assets/unusual/(\w+)\.toml\n.*?)```", text, re.S)
    assert file is not None
    shutil.copytree(Settings().watch_files, tmp_path / "unusual")
    lines = [line.removeprefix("   ") for line in file[1].splitlines()]
    (tmp_path / "unusual" / f"{file[2]}.toml").write_text("\n".join(lines), "utf-8")
    table = load_published(Settings().statistics, unusual=tmp_path / "unusual")["usual_ranges"]
    assert table.label(file[2]) == "出入国在留管理庁の通知による消除" and table.owner_of(file[2])
    rows = pl.DataFrame({"period": ["2025-07"], "area": ["28100"], "value": [44], "status": ["published"]})
    made = month_of(table, "2025-07", {"immigration_notice_month": rows}, {})
    assert made.rows() == [("2025-07", file[2], "28100", "actual", 44, "published")]


def test_a_series_by_age_is_named_in_words(usual):
    assert usual.label("moves_in_age__20-29") == "転入（20〜29歳）"
    assert usual.label("gone__x") == "gone__x" and usual.owner_of("gone") == ""
