"""What an operator brings of other cities: taken in as it is, or rejected as a whole."""

import hashlib
import json

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts.taking import take_in
from kobe_platform.settings import Settings

CONTRACTS = load_contracts(Settings().contracts)
FIGURES = ("population", "households", "elderly", "births", "area")
ROWS = [(city, figure, 1000) for city in ("28100", "01100") for figure in FIGURES] * 15


def bring(inbox, rows):
    """A delivery of these rows, taken in."""
    folder = inbox / "28100/city_comparison/2025-10"
    folder.mkdir(parents=True)
    lines = [
        "as_of,city_code,figure,value,source",
        *(f"2025-10-01,{c},{f},{v},各都市の公表資料" for c, f, v in rows),
    ]
    content = ("\r\n".join(lines) + "\r\n").encode("utf-8-sig")
    (folder / "cities.csv").write_bytes(content)
    file = {"name": "cities.csv", "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {
        "municipality": "28100",
        "source": "city_comparison",
        "month": "2025-10",
        "kind": "public",
        "sequence": 1,
        "created_at": "2025-11-01T00:00:00+09:00",
        "encoding": "utf-8-sig",
        "files": [{**file, "bytes": len(content)}],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    [delivery] = find(inbox, CONTRACTS, "28100")
    return take_in(delivery, CONTRACTS["city_comparison"])


def test_figures_of_listed_cities_are_taken_in_as_whole_numbers(tmp_path):
    taken = bring(tmp_path, [("28100", "population", 1_490_000), ("28202", "area", 5_072)])
    assert taken.frame.select("city_code", "figure", "value").rows() == [
        ("28100", "population", 1_490_000),
        ("28202", "area", 5_072),
    ]


@pytest.mark.parametrize(
    ("wrong", "code", "column"),
    [
        (("99999", "population", 1), "code.unlisted", "city_code"),
        (("28100", "peopel", 1), "code.unlisted", "figure"),
        (("28201", "area", "1.5"), "value.form", "value"),
        (("28201", "births", "-5"), "value.range", "value"),
    ],
)
def test_one_wrong_row_among_many_rejects_the_delivery_and_is_named(tmp_path, wrong, code, column):
    with pytest.raises(DeliveryRejected) as caught:
        bring(tmp_path, [*ROWS, wrong])
    assert (caught.value.code, caught.value.at["column"], caught.value.at["line"]) == (code, column, len(ROWS) + 2)


def test_a_comparison_without_the_city_itself_is_refused(tmp_path):
    with pytest.raises(DeliveryRejected) as caught:
        bring(tmp_path, [("01100", "population", 1)])
    assert (caught.value.code, caught.value.at["code"]) == ("key.absent", "28100")


def test_a_figure_that_comes_twice_rejects_the_delivery(tmp_path):
    with pytest.raises(DeliveryRejected) as caught:
        bring(tmp_path, [("28100", "population", 1), ("28100", "population", 2)])
    assert caught.value.code == "key.conflict"
