"""The catalogue finds what staff type, as the browser compares it too."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.catalogue import entry, fold, load_notices, notices_html
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.formats import Format
from kobe_platform.lounge.pages import load_pages
from tests.unit.lounge.conftest import PROJECT

WORDS = (
    "人口ピラミッド",
    "区別の人口",
    "転入・転出",
    "５歳階級",
    "ぴらみっど",
    "ＡＢＣ　abc",
    "ﾋﾟﾗﾐｯﾄﾞ",
    "ヶ月・ヵ所",
    "（年次）",
)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("人口ピラミッド", "ward_population"),
        ("区別の人口", "ward_population"),
        ("転入・転出", "ward_moves"),
        ("転入転出", "district_moves"),
        ("５歳階級", "ward_population"),
        ("ぴらみっど", "ward_population"),
        ("ﾋﾟﾗﾐｯﾄﾞ", "district_population"),
        ("在留資格", "district_foreigners"),
        ("県内", "monthly_moves"),
    ],
)
def test_free_words_find_their_page(tables, tmp_path, typed, found):
    page = load_pages(PROJECT / "dashboards")[found]
    text = entry(page, compile_page(page, tables, tmp_path), [])["text"]
    assert fold(typed) in text


def test_words_do_not_run_together_over_items(tables, tmp_path):
    page = load_pages(PROJECT / "dashboards")["ward_population"]
    text = entry(page, compile_page(page, tables, tmp_path), [])["text"]
    assert fold("天気予報") not in text
    assert "\n" in text


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_browser_folds_and_formats_as_the_server_does():
    cases = [["人", 1234], ["±人", 0], ["±0.0歳", -0.04], ["0.0歳", 46.05], ["人", -1593], ["人", None], ["人", "X"]]
    formats = [Format.parse(code) for code, _ in cases]
    told = [
        [{"unit": f.unit, "digits": f.digits, "signed": f.signed}, v] for f, (_, v) in zip(formats, cases, strict=True)
    ]
    script = (
        f"import {{ fold }} from '{PROJECT}/dashboards/theme/src/folding.js';"
        f"import {{ figure }} from '{PROJECT}/dashboards/theme/src/formats.js';"
        f"const figures = {json.dumps(told)}.map(([f, v]) => figure(v, f));"
        f"console.log(JSON.stringify([{json.dumps(WORDS)}.map(fold), figures]))"
    )
    run = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    folded, figures = json.loads(run.stdout)
    assert folded == [fold(word) for word in WORDS]
    assert figures == [f.text(v) for f, (_, v) in zip(formats, cases, strict=True)]


def test_notices_are_dated_newest_first_and_escaped(tmp_path):
    (tmp_path / "notices.toml").write_text(
        '[[notice]]\ndate = 2026-01-01\nkind = "news"\ntitle = "<b>"\ntext = "a"\n'
        '[[notice]]\ndate = 2026-02-01\nkind = "defect"\ntitle = "c"\ntext = "d"\n'
    )
    notices = load_notices(tmp_path)
    assert [n.date.month for n in notices] == [2, 1]
    html = notices_html(notices)
    assert "&lt;b&gt;" in html
    assert "2026年2月1日" in html
    assert "既知の不具合" in html


def test_an_incomplete_notice_is_named_by_its_number(tmp_path):
    (tmp_path / "notices.toml").write_text(
        '[[notice]]\ndate = 2026-01-01\nkind = "news"\ntitle = "a"\ntext = "b"\n[[notice]]\nkind = "news"\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        load_notices(tmp_path)
    assert caught.value.at["notice"] == 2
