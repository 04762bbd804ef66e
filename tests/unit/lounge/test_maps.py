"""Maps: boundaries that stay shared, tiles where there are none, steps and hatching, and what is refused."""

from __future__ import annotations

import json
import re

import pytest

from kobe_platform.errors import LoungeError
from kobe_platform.lounge.boundaries import WIDTH, load_boundaries
from kobe_platform.lounge.classes import classes_of
from kobe_platform.lounge.compile import compile_page
from kobe_platform.lounge.pages import load_pages
from tests.unit.lounge.conftest import PROJECT

WARDS = ["東灘区", "灘区", "中央区", "兵庫区", "北区", "長田区", "須磨区", "垂水区", "西区"]
BODY = """
```sql wards
SELECT area_label AS 区, value AS 人数, status FROM foreigners_nationality_ward
WHERE area_leaf AND nationality = {nationality} AND period = '2025-12' ORDER BY area_sort
```

<Map data={{wards}} x=区 y=人数 title="地図" fmt=人 {more}/>
"""


def square(name: str, west: float, south: float, size: float = 0.1, **more) -> dict:
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"name": name, **more}, "geometry": geometry}


def collection(folder, *features, kind="wards"):
    folder.mkdir(exist_ok=True)
    (folder / f"{kind}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return folder


def corners(path: str) -> set[tuple[float, float]]:
    """Absolute points of a path of relative moves."""
    found = set()
    for start, moves in re.findall(r"M([-\d.,]+)l([-\d., ]+)z", path):
        x, y = map(float, start.split(","))
        found.add((x, y))
        for move in moves.split():
            dx, dy = map(float, move.split(","))
            x, y = x + dx, y + dy
            found.add((x, y))
    return found


def test_neighbours_share_the_very_points_of_their_border(tmp_path):
    folder = collection(tmp_path, square("甲", 135.0, 34.6), square("乙", 135.1, 34.6))
    drawn = load_boundaries(folder, "wards", ["甲", "乙"])
    first, second = (corners(shape.path) for shape in drawn.shapes)
    assert len(first) == len(second) == 4 and len(first & second) == 2
    assert max(x for x, _ in second) == pytest.approx(WIDTH - 2) and min(y for _, y in first) == pytest.approx(2)
    assert not drawn.tiles


def test_tiles_of_one_municipality_are_no_map_of_another(tmp_path):
    """西区 and 中央区 are wards of several cities: only the file says whose tiles they are."""
    tiles = '[tiles]\n"西区" = [0, 0, 1, 1]\n'
    for whose, there in (("", True), ('municipality = "28100"\n', True), ('municipality = "14100"\n', False)):
        (tmp_path / "wards.toml").write_text(whose + tiles, "utf-8")
        assert (load_boundaries(tmp_path, "wards", ["西区"]) is not None) == there
    folder = PROJECT / "dashboards" / "boundaries"
    assert 'municipality = "28100"' in (folder / "wards.toml").read_text("utf-8")


def test_several_features_of_one_area_are_one_shape_and_codes_serve_as_names(tmp_path):
    folder = collection(tmp_path, square("x", 135.0, 34.6, N03="28101"), square("y", 135.2, 34.6, N03="28101"))
    (shape,) = load_boundaries(folder, "wards", ["28101"]).shapes
    assert shape.name == "28101" and shape.path.count("M") == 2


def test_without_boundaries_the_nine_wards_are_tiles_and_districts_have_no_map():
    folder = PROJECT / "dashboards/boundaries"
    drawn = load_boundaries(folder, "wards", WARDS)
    assert drawn.tiles and sorted(shape.name for shape in drawn.shapes) == sorted(WARDS)
    boxes = [shape.path for shape in drawn.shapes]
    assert len(set(boxes)) == 9
    assert load_boundaries(folder, "districts", ["甲小学校区"]) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no GeoJSON"),
        ("[]", "no GeoJSON"),
        ('{"type": "FeatureCollection"}', "no GeoJSON"),
        (json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature"}]}), "no GeoJSON"),
        (json.dumps({"type": "FeatureCollection", "features": [square("丙", 135, 34)]}), "none of its properties"),
        (json.dumps({"type": "FeatureCollection", "features": [square("甲", 500_000, -150_000)]}), "WGS 84"),
        (json.dumps({"type": "FeatureCollection", "features": [square("甲", 135, 34)]}), "no shape for 1 areas"),
        (
            json.dumps(
                {
                    "type": "FeatureCollection",
                    "features": [
                        {
                            "type": "Feature",
                            "properties": {"name": "甲"},
                            "geometry": {"type": "Point", "coordinates": [1, 2]},
                        }
                    ],
                }
            ),
            "a Point, not a polygon",
        ),
    ],
)
def test_boundaries_that_cannot_be_drawn_say_why(tmp_path, text, reason):
    (tmp_path / "wards.geojson").write_text(text, "utf-8")
    with pytest.raises(LoungeError, match=reason) as refusal:
        load_boundaries(tmp_path, "wards", ["甲", "乙"])
    assert refusal.value.at["file"] == "boundaries/wards.geojson"


@pytest.mark.parametrize("tiles", ["", "tiles = 3", "[tiles]\n甲 = 1", "[tiles", '[tiles]\n"甲" = [0, 0, 1]'])
def test_a_broken_list_of_tiles_is_refused_or_no_map(tmp_path, tiles):
    (tmp_path / "wards.toml").write_text(tiles, "utf-8")
    if not tiles:
        assert load_boundaries(tmp_path, "wards", ["甲"]) is None
        return
    with pytest.raises(LoungeError):
        load_boundaries(tmp_path, "wards", ["甲"])


def shades(known, **how):
    classes = classes_of(known, **how)
    return [classes.shade(value) for value in known]


def test_equal_steps_begin_at_zero_unless_asked_or_negative():
    assert classes_of([40, 80]).low == 0 and classes_of([40, 80], free=True).low == 40
    assert classes_of([-5, 80]).low == -5 and classes_of([]).ends == ()
    assert shades([0, 1, 10, 11, 70]) == [0, 1, 1, 2, 7]
    assert shades([40, 46, 80], free=True) == [1, 2, 7] and shades([5], free=True) == [7]


def test_quantiles_hold_as_many_areas_each_and_equal_figures_share_a_class():
    assert shades([10, 20, 30, 40, 1000], quantile=True) == [1, 3, 4, 5, 7]
    assert shades([3, 3, 3, 3, 9], quantile=True) == [2, 2, 2, 2, 6]
    assert shades([7, 7], quantile=True) == [7, 7]


def test_a_legend_tells_the_bounds_of_its_classes(write_page, tables):
    folder, text = made(write_page, tables, "classes=quantile")
    collection(folder / "boundaries", *(square(name, 135 + n / 10, 34.6) for n, name in enumerate(WARDS)))
    scale = text().partition('class="lounge-map__scale"')[2].partition("</ul>")[0]
    ends = re.findall(r"\uff5e([\d,]+)人", scale)
    assert 3 <= len(ends) <= 5 and [int(end.replace(",", "")) for end in ends] == sorted(
        int(end.replace(",", "")) for end in ends
    )


def made(write_page, tables, more="", nationality="'total'"):
    """The dashboards' folder, and a function that compiles its page to text."""
    folder = write_page(BODY.format(more=more, nationality=nationality))

    def text() -> str:
        compile_page(load_pages(folder)["people"], tables, folder / "out")
        return (folder / "out/people.md").read_text("utf-8")

    return folder, text


def test_a_page_carries_the_map_with_suppressed_areas_hatched_and_named(write_page, tables, city):
    import polars as pl

    frame = city[0]["foreigners_nationality_ward"].filter((pl.col("period") == "2025-12") & (pl.col("area") != "28100"))
    hidden = frame.filter(pl.col("status") == "suppressed")["nationality"].value_counts(sort=True)["nationality"][0]
    folder, text = made(write_page, tables, nationality=f"'{hidden}'")
    collection(folder / "boundaries", *(square(name, 135 + n / 10, 34.6) for n, name in enumerate(WARDS)))
    html = text()
    count = frame.filter((pl.col("nationality") == hidden) & (pl.col("status") == "suppressed")).height
    assert html.count('class="lounge-map__area is-x" fill="url(#c1-x)"') == count > 0
    assert html.count("X（秘匿）</title>") == count and html.count("<path ") == 9 + 1


def test_boundaries_that_change_make_the_page_anew(write_page, tables):
    folder, text = made(write_page, tables)
    assert "代わりに表で示します" in text() and "<svg" not in text()
    collection(folder / "boundaries", *(square(name, 135 + n / 10, 34.6) for n, name in enumerate(WARDS)))
    assert "<svg" in text() and "代わりに表で示します" not in text()


def test_names_in_boundaries_cannot_become_markup(write_page, tables):
    folder, text = made(write_page, tables)
    evil = square('"><script>alert(1)</script>', 136.5, 34.6)
    collection(folder / "boundaries", evil, *(square(name, 135 + n / 10, 34.6) for n, name in enumerate(WARDS)))
    assert "<script>alert" not in text() and "&lt;script&gt;alert" in text()


def test_a_map_that_chooses_names_a_filter_of_the_page(write_page, tables):
    _, text = made(write_page, tables, more="select=ward")
    with pytest.raises(LoungeError) as refusal:
        text()
    assert refusal.value.code == "page.attribute"
