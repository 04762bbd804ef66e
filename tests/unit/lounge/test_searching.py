"""The index of the portal's search: words and readings of an audience's own pages, and no figure."""

from __future__ import annotations

import json
import re

import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.lounge.catalogue import fold
from kobe_platform.lounge.readings import reading
from kobe_platform.lounge.release import assemble
from kobe_platform.lounge.searching import INDEX, SearchWords, load_words
from tests.unit.lounge.conftest import FRONT

QUERY = """
```sql wards
SELECT DISTINCT area, area_label AS label FROM population_ward
```

```sql people
SELECT period, area, sex_label AS 性別, value AS 人口, status FROM population_ward WHERE age = 'total'
```

<Dropdown name=area data={wards} value=area label=label title="区"/>

"""
CHART = '<LineChart data={people} x=period y=人口 series=性別 filter="area" title="山羊座の推移"/>\n'


@pytest.fixture
def indexes(city, dashboards, tmp_path):
    """Audience → its index; the page of the policy section has a title, a chart, an option and words of its own."""
    (dashboards / "pages/people.md").write_text(
        FRONT.format(title="人口の画面", audience="staff") + QUERY + CHART.replace("山羊座", "男女別")
    )
    (dashboards / "manuals/secret.md").write_text("- **双子座**: 月末の数です。\n")
    secret = QUERY.replace(
        "SELECT DISTINCT area, area_label AS label", "SELECT DISTINCT area, area_label || '蟹座' AS label"
    )
    secret = secret.replace("sex_label AS", "sex_label || '魚座' AS")
    front = FRONT.format(title="秘の獅子座", audience="policy").replace("manual.md", "secret.md")
    (dashboards / "pages/secretive.md").write_text(front + secret + CHART)
    release = assemble(*city, dashboards, tmp_path / "releases")
    return {
        name: json.loads((release.path / "sites" / release.audiences[name] / INDEX).read_text())
        for name in ("staff", "policy")
    }


def test_the_index_of_an_audience_holds_no_word_of_a_page_that_it_may_not_see(indexes):
    canaries = ["獅子座", "山羊座", "蟹座", "魚座", "双子座", "secretive"]
    canaries += [fold(reading(word)) for word in canaries[:-1]]
    staff, policy = (json.dumps(indexes[name], ensure_ascii=False) for name in ("staff", "policy"))
    assert [word for word in canaries if word not in policy] == []
    assert [word for word in canaries if word in staff] == []


def test_areas_and_labels_stand_with_their_readings_once(indexes):
    index = indexes["policy"]
    terms = dict(index["terms"])
    assert terms["垂水区"] == "垂水区\nタルミク"
    texts = [text for text, _ in index["terms"]]
    assert len(texts) == len(set(texts)) and {"男", "女"} <= set(texts)
    (page,) = (page for page in index["pages"] if page["slug"] == "people")
    options = index["lists"][page["filters"][0]["options"]]
    assert {"28108"} == {value for value, term in options if index["terms"][term][0] == "垂水区"}
    (chart,) = page["charts"]
    assert (chart["title"], chart["filters"]) == ("男女別の推移", ["area"])


@pytest.mark.slow
def test_the_index_holds_words_and_numbers_of_words_but_no_figure(indexes, city):
    figures = {str(value) for value in city[0]["population_ward"]["value"].drop_nulls() if value > 999}
    codes = {code for dim in city[1].values() for code in dim["code"]}
    told = set(re.findall(r"\d+", json.dumps(indexes["policy"], ensure_ascii=False)))
    assert figures and not figures & (told - codes)


@pytest.mark.slow
def test_synonyms_that_no_page_has_are_left_out(indexes):
    words = load_words()
    assert len(indexes["staff"]["synonyms"]) < len(words.groups)


@pytest.mark.parametrize(
    ("text", "read"),
    [("垂水区", "タルミク"), ("転入", "テンニュウ"), ("高齢化", "コウレイカ"), ("外国人", "ガイコクジン")],
)
def test_words_are_found_by_how_they_are_read(text, read):
    assert fold(read) in load_words().key_of(text).split("\n")


@pytest.mark.parametrize("text", ["groups = 1", "groups = [['a']]", "groups = [['a', 1]]", "groups = [", "gruops = []",
                                  "groups = []\nreadings = 1", "[readings]\n'a' = 1", "[reading]\n'a' = 'b'",
                                  "groups = [['\udcff', 'b']]", None])  # fmt: skip
def test_a_list_of_synonyms_that_is_none_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "synonyms.toml").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(ConfigurationError) as wrong:
        load_words(tmp_path / "synonyms.toml")
    assert wrong.value.code == "search.synonyms"


def test_without_words_of_its_own_a_key_is_text_and_reading():
    assert SearchWords().key_of("須磨区", "須磨区") == "須磨区\nスマク"
