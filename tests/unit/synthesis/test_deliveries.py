"""Deliveries have the inbox's shape, say the same in every form, and agree with the independent counts."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import PROJECT
from kobe_platform.synthesis import CityPlan, Form, live, truth
from kobe_platform.synthesis.layout import ITEMS, headers, widths

from .reading import of, read


def _files(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_inbox_has_a_folder_a_source_and_month_with_a_manifest_that_describes_its_file(deliver, tmp_path):
    written = deliver(last="2025-08")
    found = {(w.source, w.month) for w in written}
    personal = {(s, m) for s in ("resident_register", "resident_movements") for m in ("2025-07", "2025-08")}
    public = {("estimated_population", "2025-07"), ("estimated_population", "2025-08"), ("town_districts", "2025-07")}
    assert found == personal | public
    for delivery in written:
        assert delivery.path == tmp_path / "inbox" / "28100" / delivery.source / delivery.month
        manifest = json.loads((delivery.path / "manifest.json").read_text("utf-8"))
        assert (manifest["municipality"], manifest["source"], manifest["month"]) == (
            "28100",
            delivery.source,
            delivery.month,
        )
        (entry,) = manifest["files"]
        data = (delivery.path / entry["name"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["bytes"] == len(data)
        assert entry["rows"] == delivery.rows == data.count(b"\r\n") - 1


def test_the_same_seed_gives_the_same_bytes_dirt_and_all(deliver, tmp_path):
    for folder, seed in (("one", 5), ("two", 5), ("three", 6)):
        deliver(folder, dirt=1.0, seed=seed)
    one, two, three = (_files(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_a_second_run_replaces_the_delivery(deliver, tmp_path):
    deliver()
    stray = tmp_path / "inbox" / "28100" / "resident_register" / "2025-07" / "former.csv"
    stray.write_text("x")
    deliver()
    assert not stray.exists()


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig"])
def test_every_encoding_says_the_same(deliver, encoding):
    plain, coded = deliver(dirt=0.0), deliver("other", form=(encoding, "delimited"), dirt=0.0)
    for source in ("resident_register", "resident_movements"):
        file = f"{source}.csv"
        raw = (of(coded, source).path / file).read_bytes()
        assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
        assert raw.decode(encoding) == (of(plain, source).path / file).read_bytes().decode("utf-8")


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_fixed_width_says_the_same_as_delimited(deliver, encoding):
    plain, fixed = deliver(), deliver("fixed", form=(encoding, "fixed"))
    for source, items in ITEMS.items():
        expected = read(of(plain, source)).fill_null("")
        lines = (of(fixed, source).path / f"{source}.dat").read_bytes().split(b"\r\n")
        assert lines.pop() == b""
        assert len(lines) == expected.height
        assert {len(line) for line in lines} == {sum(width for *_, width in items)}
        for line, row in list(zip(lines, expected.iter_rows(), strict=True))[:200]:
            position, values = 0, []
            for *_, width in items:
                values.append(line[position : position + width].decode(encoding).rstrip(" "))
                position += width
            assert tuple(values) == row


@pytest.mark.parametrize("source", list(ITEMS))
def test_the_contract_describes_what_is_delivered(source):
    contract = tomllib.loads((PROJECT / "assets" / "contracts" / f"{source}.toml").read_text("utf-8"))
    columns = contract["columns"]
    assert {c["id"]: c["header"] for c in columns} == headers(source)
    assert [c["id"] for c in columns] == list(headers(source))
    assert {c["id"]: c["width"] for c in columns} == widths(source)


def test_blank_districts_follow_from_the_reference_table(deliver):
    written = deliver(residents=30_000)
    rows = read(of(written, "resident_register"))
    towns = pl.read_csv(of(written, "town_districts").path / "town_districts.csv", infer_schema=False)
    towns = towns.filter(pl.col("valid_to").is_null()).with_columns(
        low=pl.col("lot_from").fill_null("0").cast(int), high=pl.col("lot_to").fill_null("9999").cast(int)
    )
    number = rows["lot"].str.extract(r"^(\d+)").cast(int)
    joined = rows.with_columns(number.alias("number")).join(
        towns, left_on="address_code", right_on="town_code", how="left"
    )
    joined = joined.filter(pl.col("number").is_between("low", "high") | pl.col("low").is_null())
    assert joined.height == rows.height
    derived = joined.filter(pl.col("school_district").is_not_null() & pl.col("district_code").is_not_null())
    assert (derived["school_district"] == derived["district_code"]).all()
    assert 0.25 < rows["school_district"].null_count() / rows.height < 0.35
    assert joined["district_code"].null_count() / rows.height < 0.01


def test_the_truth_counts_what_the_clean_extract_says(deliver):
    written = deliver(last="2025-09")
    for city, events in live(3_000, "2025-07", "2025-09", 5):
        counted, month = truth(city, events), str(city.month)
        rows = read(of(written, "resident_register", month))
        assert counted["residents"] == rows.height
        by_ward_and_sex = Counter()
        for ward, sex, _, _, n in counted["population"]:
            by_ward_and_sex[ward, {"male": "1", "female": "2"}[sex]] += n
        groups = rows.group_by(pl.col("address_code").str.slice(0, 5), "sex").len()
        assert by_ward_and_sex == Counter({(ward, sex): n for ward, sex, n in groups.iter_rows()})
        assert sum(n for *_, n in counted["households"]) == rows["household_no"].n_unique()
        assert sum(n for *_, n in counted["foreigners"]) == rows.filter(pl.col("resident_type") == "2").height
        assert sum(n for *_, n in counted["families"]) == rows["household_no"].n_unique()


def test_flows_of_the_truth_tie_its_stocks_and_the_estimates(deliver, tmp_path):
    written = deliver(last="2025-10", truth=tmp_path / "truth")
    entering = {"birth", "in_domestic", "in_abroad", "admin_in", "ward_move_in"}
    leaving = {"death", "out_domestic", "out_abroad", "admin_out", "ward_move_out"}
    stock: dict[str, Counter] = {}
    change: dict[str, Counter] = {}
    for month in ("2025-07", "2025-08", "2025-09", "2025-10"):
        counts = json.loads((tmp_path / "truth" / f"{month}.json").read_text("utf-8"))
        stock[month], change[month] = Counter(), Counter()
        for ward, *_, n in counts["population"]:
            stock[month][ward] += n
        for ward, reason, _, n in counts["flows"]:
            change[month][ward] += n * ((reason in entering) - (reason in leaving))
    months = list(stock)
    estimate = {
        m: pl.read_csv(of(written, "estimated_population", m).path / "estimated_population.csv") for m in months
    }
    for former, month in pairwise(months):
        for ward in stock[month]:
            assert stock[former][ward] + change[month][ward] == stock[month][ward]
        population = [
            dict(zip(e["ward_code"], e["population"], strict=True)) for e in (estimate[former], estimate[month])
        ]
        assert population[1][28100] - population[0][28100] == sum(change[former].values())
        for ward in stock[former]:
            assert population[1][int(ward)] - population[0][int(ward)] == change[former][ward]
    for frame in estimate.values():
        assert (frame["male"] + frame["female"] == frame["population"]).all()
        assert frame["population"][0] == frame["population"][1:].sum()
        assert frame["households"][0] == frame["households"][1:].sum()


def test_protected_persons_stand_in_the_extract_with_their_households(deliver):
    rows = read(of(deliver(residents=20_000), "resident_register"))
    protected = rows.filter(pl.col("protection").is_in(["1", "2"]))
    assert protected.height > 5
    housed = rows.filter(pl.col("household_no").is_in(protected["household_no"].implode()))
    assert housed.height > protected.height


@pytest.mark.parametrize(
    "options",
    [
        {"residents": 10},
        {"first": "2025-08", "last": "2025-07"},
        {"first": "soon"},
        {"first": "2012-01"},
        {"seed": -1},
        {"dirt": 2.0},
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(tmp_path, options):
    with pytest.raises(ConfigurationError):
        CityPlan(**{"out": tmp_path, "residents": 2_000, "first": "2025-07", "last": "2025-07", **options})


def test_truth_is_never_written_into_the_inbox(tmp_path):
    with pytest.raises(ConfigurationError):
        CityPlan(tmp_path, 2_000, "2025-07", "2025-07", truth=tmp_path / "28100")


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigurationError):
        Form("ebcdic", "delimited")


def test_ages_are_attained_on_the_day_before_the_birthday():
    city, _ = next(live(1_000, "2025-03", "2025-03"))
    city.residents.birth[:4] = (
        np.array(["2007-04-01", "2007-04-02", "2004-02-29", "2024-02-29"]).astype("datetime64[D]").astype(int)
    )
    reference = int(np.datetime64("2025-03-31").astype(int))
    assert city.residents.age_on(reference, np.arange(2)).tolist() == [18, 17]
    last_of_february = int(np.datetime64("2025-02-28").astype(int))
    assert city.residents.age_on(last_of_february, np.arange(2, 4)).tolist() == [21, 1]
