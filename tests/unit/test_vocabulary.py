"""The vocabulary promises trees without loose ends, and a finest code for every row, whatever it holds."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobe_platform.errors import ConfigurationError
from kobe_platform.vocabulary import codes as vocabulary
from kobe_platform.vocabulary import rules as intake_rules
from kobe_platform.vocabulary.codes import UNKNOWN, hierarchies

NAMES = sorted(hierarchies())


@pytest.mark.parametrize("name", NAMES)
def test_every_hierarchy_is_one_tree_with_parents_before_children(name):
    seen: set[str] = set()
    for code in hierarchies()[name].codes:
        assert (code.parent is None) == (not seen)
        assert code.parent is None or code.parent in seen
        seen.add(code.code)


@pytest.mark.parametrize("name", NAMES)
def test_a_shown_frame_never_lists_a_residual_code(name):
    hierarchy = hierarchies()[name]
    frame = hierarchy.frame()
    assert not set(frame["code"]) & set(hierarchy.residual)
    assert frame["code"].n_unique() == frame.height
    assert frame["level"].to_list()[0] == 0


@given(st.lists(st.one_of(st.none(), st.integers(0, 90)), max_size=60))
def test_every_age_falls_into_one_band_that_holds_it(ages):
    hierarchy = hierarchies()["age5"]
    bands = pl.DataFrame({"age": pl.Series(ages, dtype=pl.Int16)}).select(hierarchy.expression()).to_series().to_list()
    for age, band in zip(ages, bands, strict=True):
        if age is None:
            assert band == UNKNOWN
        elif band.endswith("+"):
            assert age >= int(band[:-1])
        else:
            low, high = band.split("-")
            assert int(low) <= age <= int(high)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("nationality", ["KOR", "PER", None, "CHN"]),
        ("status", ["student", "artist", None, "permanent"]),
        ("counterpart", ["28203", "27", "13", "asia_east", "unknown", None]),
        ("household_size", [1, 2, 9]),  # never null: abstraction counts the members of each household
    ],
)
def test_every_row_gets_a_finest_or_residual_code(name, codes):
    hierarchy = hierarchies()[name]
    frame = pl.DataFrame({hierarchy.source: codes})
    derived = frame.select(hierarchy.expression()).to_series()
    assert derived.null_count() == 0
    assert set(derived) <= {*hierarchy.leaves, *hierarchy.residual}


def test_yearly_and_monthly_flows_share_no_age_boundary():
    """Otherwise the last month of a year would follow from the year less its other months."""
    yearly, monthly = hierarchies()["age_year"].breaks, hierarchies()["age_month"].breaks
    assert set(yearly) & set(monthly) == {0}


def test_districts_follow_the_dated_table():
    reference = pl.DataFrame(
        {
            "ward_code": ["28101", "28101", "28102"],
            "district_code": ["0101", "0102", "0201"],
            "district_name": ["甲", "乙", "丙"],
            "valid_from": ["2000-04-01", "2000-04-01", "2000-04-01"],
            "valid_to": ["", "2024-04-01", None],
        }
    )
    before, after = (vocabulary.districts(reference, month) for month in ("2024-03", "2024-04"))
    assert {"0101", "0102", "0201"} == set(before.leaves)
    assert "0102" not in after.leaves
    assert before.residual[0] == "28101-unknown"
    assert "28101-unknown" not in set(before.frame()["code"])


HEAD = '[size]\ntitle = "規模"\nroot = { code = "total", label = "総数" }\nsource = "size"\n'


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ("", "one of codes"),
        ('codes = { a = "甲" }\nbreaks = [0, 5]', "one of codes"),
        ("breaks = []", "breaks"),
        ('breaks = [0, "five"]', "breaks.1"),
        ('codes = { a = "甲" }\nlabels = { a = "甲" }', "labels"),
        ('codes = { a = "甲" }\ngroups = [0]', "groups does not go with codes"),
        ('breaks = [0, 5]\npatterns = { a = "." }', "patterns does not go with breaks"),
        ('keep = ["KOR"]', "keep needs the list"),
        ('keep = ["nowhere"]\nlist = "countries.csv"', "list"),
        ('keep = ["KOR"]\nlist = "nowhere.csv"', "list"),
        ('codes = { a = "甲" }\nother = { code = "b" }', "other"),
    ],
)
def test_a_hierarchy_that_lacks_something_or_has_a_key_that_nothing_reads_is_refused(
    tmp_path, monkeypatch, keys, place
):
    (tmp_path / "hierarchies.toml").write_text(HEAD + keys + "\n", "utf-8")
    (tmp_path / "countries.csv").write_text("code,label,region\nKOR,韓国,asia\n", "utf-8")
    monkeypatch.setattr(vocabulary, "LISTS", tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        hierarchies.__wrapped__()
    assert caught.value.code == "vocabulary.incomplete" and caught.value.at["hierarchy"] == "size"
    assert place in caught.value.at["place"]


@pytest.mark.parametrize(
    "other", ['severity = "E"', 'severity = "R"\nwhy = "because"', 'severity = "R"\nid = "other"', ""]
)
def test_a_rule_of_intake_that_lacks_something_or_has_another_key_is_refused(tmp_path, monkeypatch, other):
    text = '["a.rule"]\nen = "e"\nja = "j"\nremedy = "r"\nremedy_ja = "rj"\n'
    monkeypatch.setattr(intake_rules, "RULES", tmp_path / "rules.toml")
    (tmp_path / "rules.toml").write_text(text + 'severity = "hold"\n', "utf-8")
    assert intake_rules.rules.__wrapped__()["a.rule"].severity == "hold"
    (tmp_path / "rules.toml").write_text(text + other + "\n", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        intake_rules.rules.__wrapped__()
    assert (caught.value.code, caught.value.at["rule"]) == ("rules.incomplete", "a.rule")
