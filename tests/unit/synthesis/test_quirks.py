"""Every quirk of extracts.md §3 can be planted by name, does what it says, and is counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from kobe_platform.errors import ConfigurationError
from kobe_platform.synthesis import CityPlan, Form, WrittenDelivery, synthesize
from kobe_platform.synthesis.quirks import TREATMENTS, Quirk, registry

from .reading import of, read

QUIRKS = registry()
BY_CHANGE = [q for q in QUIRKS.values() if q.effect.change is not None]
BY_APPENDING = [q for q in QUIRKS.values() if q.effect.append is not None]
OF_FILES = [q for q in QUIRKS.values() if q.effect.table or q.effect.data]
OF_MANIFESTS = [q for q in QUIRKS.values() if q.effect.manifest and not q.of_rows]
RESIDENTS, MONTH, SEED = 8_000, "2025-07", 5


def _form(quirk: Quirk) -> tuple[str, str]:
    return ("utf-8" if "utf-8" in quirk.encodings else quirk.encodings[0]), quirk.layouts[0]


def _data(delivery: WrittenDelivery) -> bytes:
    (file,) = (p for p in delivery.path.iterdir() if p.name != "manifest.json")
    return file.read_bytes()


def _manifest(delivery: WrittenDelivery) -> dict:
    return json.loads((delivery.path / "manifest.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, str]], list[WrittenDelivery]]:
    """The clean deliveries in one form, made once."""
    folder = tmp_path_factory.mktemp("clean")

    @cache
    def run(form: tuple[str, str]) -> list[WrittenDelivery]:
        return synthesize(CityPlan(folder / "-".join(form), RESIDENTS, MONTH, MONTH, SEED, Form(*form), dirt=0.0))

    return run


@pytest.fixture
def planted(clean: Callable, tmp_path: Path) -> Callable[[Quirk], tuple[WrittenDelivery, WrittenDelivery, list]]:
    """The clean delivery, the one with the quirk, and the truth's account of what was planted."""

    def run(quirk: Quirk) -> tuple[WrittenDelivery, WrittenDelivery, list]:
        form, source, truth = _form(quirk), quirk.sources[0], tmp_path / "truth"
        plan = CityPlan(tmp_path / quirk.name, RESIDENTS, MONTH, MONTH, SEED, Form(*form), 0.0, (quirk.name,), truth)
        dirty = of(synthesize(plan), source)
        account = json.loads((truth / f"{MONTH}.json").read_text("utf-8"))["planted"]
        return of(clean(form), source), dirty, account[source]

    return run


def test_every_number_of_the_list_has_its_quirks_and_each_an_expected_treatment():
    assert {q.number for q in QUIRKS.values()} == set(range(28))
    assert {q.treatment for q in QUIRKS.values()} == set(TREATMENTS)


def test_the_everyday_mix_never_rejects_or_holds_a_delivery():
    assert {q.treatment for q in QUIRKS.values() if q.share} == {"N", "W", "Q", "filter", "net"}


@pytest.mark.slow
@pytest.mark.parametrize("quirk", BY_CHANGE, ids=lambda q: q.name)
def test_a_quirk_of_rows_changes_exactly_the_rows_that_are_counted(planted, quirk):
    clean, dirty, account = planted(quirk)
    before, after = read(clean), read(dirty)
    assert before.height == after.height
    changed = (
        before.with_row_index()
        .join(after.with_row_index(), on="index")
        .filter(pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_right")) for c in before.columns))
    )
    assert changed.height == sum(rows for *_, rows in account) == dirty.planted[quirk.name]
    assert changed.height > 0
    touched = {c for c in before.columns if changed[c].ne_missing(changed[f"{c}_right"]).any()}
    assert touched <= set(quirk.effect.change)
    assert {(name, treatment) for name, treatment, *_ in account} == {(quirk.name, quirk.treatment)}


@pytest.mark.slow
@pytest.mark.parametrize("quirk", BY_APPENDING, ids=lambda q: q.name)
def test_a_quirk_that_adds_rows_leaves_the_others_alone(planted, quirk):
    clean, dirty, account = planted(quirk)
    before, after = read(clean), read(dirty)
    assert after.head(before.height).equals(before)
    assert after.height - before.height == sum(rows for *_, rows in account) > 0


@pytest.mark.slow
@pytest.mark.parametrize("quirk", OF_FILES, ids=lambda q: q.name)
def test_a_quirk_of_the_file_changes_its_bytes_and_the_manifest_describes_them(planted, quirk):
    clean, dirty, _ = planted(quirk)
    data, manifest = _data(dirty), _manifest(dirty)
    assert data != _data(clean)
    assert manifest["files"][0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["files"][0]["bytes"] == len(data)


@pytest.mark.slow
@pytest.mark.parametrize("quirk", OF_MANIFESTS, ids=lambda q: q.name)
def test_a_quirk_of_the_manifest_leaves_the_file_alone(planted, quirk):
    clean, dirty, _ = planted(quirk)
    assert _data(dirty) == _data(clean)
    assert _manifest(dirty) != _manifest(clean)


def test_a_partial_upload_has_no_manifest_and_a_lost_file_only_one(planted):
    _, waiting, _ = planted(QUIRKS["no_manifest"])
    assert [p.name for p in waiting.path.iterdir()] == ["resident_register.csv"]
    _, lost, _ = planted(QUIRKS["file_missing"])
    assert [p.name for p in lost.path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("name", ["undecodable", "two_encodings"])
@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_bytes_that_are_no_characters(deliver, name, encoding):
    data = _data(of(deliver(form=(encoding, "delimited"), quirks=(name,)), QUIRKS[name].sources[0]))
    with pytest.raises(UnicodeDecodeError):
        data.decode(encoding)


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_a_fixed_field_is_cut_inside_a_character(deliver, encoding):
    data = _data(of(deliver(form=(encoding, "fixed"), quirks=("cut_character",)), "resident_register"))
    lines = data.split(b"\r\n")[:-1]
    assert len({len(line) for line in lines}) == 1
    broken = [line[67:127] for line in lines if not _decodes(line[67:127], encoding)]
    assert len(broken) == 1


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pattern", "day"),
    [
        ("date_slashes", r"^(\d{4})/(\d\d)/(\d\d)$", lambda y, m, d: date(y, m, d)),
        ("date_hyphens", r"^(\d{4})-(\d\d)-(\d\d)$", lambda y, m, d: date(y, m, d)),
        ("date_era_letter", r"^S(\d\d)\.(\d\d)\.(\d\d)$", lambda y, m, d: date(1925 + y, m, d)),
        ("date_era_kanji", r"^昭和(\d+)年(\d+)月(\d+)日$", lambda y, m, d: date(1925 + y, m, d)),
        ("era_overrun", r"^3(\d\d)(\d\d)(\d\d)$", lambda y, m, d: date(1925 + y, m, d)),
        ("heisei_overrun", r"^4(\d\d)(\d\d)(\d\d)$", lambda y, m, d: date(1988 + y, m, d)),
        ("date_serial", r"^(\d{5})()()$", lambda n, m, d: date.fromordinal(date(1899, 12, 30).toordinal() + n)),
    ],
)
def test_birth_dates_in_other_forms_mean_the_same_day(planted, name, pattern, day):
    clean, dirty, _ = planted(QUIRKS[name])
    before, after = read(clean)["birth_date"], read(dirty)["birth_date"]
    changed = [(b, a) for b, a in zip(before, after, strict=True) if a != b]
    first_year = {"3": 1925, "4": 1988, "5": 2018}
    for plain, other in changed:
        parts = pl.Series([other]).str.extract_groups(pattern).struct.unnest().row(0)
        meant = day(*(int(part or 0) for part in parts))
        assert meant == date(first_year[plain[0]] + int(plain[1:3]), int(plain[3:5]), int(plain[5:]))


def test_identical_repetition_is_identical_and_a_conflict_is_not(planted):
    _, repeated, _ = planted(QUIRKS["row_repeated"])
    assert read(repeated).is_duplicated().sum() == 2 * repeated.planted["row_repeated"]
    _, conflict, _ = planted(QUIRKS["history_conflict"])
    rows = read(conflict)
    assert not rows.is_duplicated().any()
    assert rows.select("atena_no", "history_no").is_duplicated().sum() == 6


def test_a_my_number_that_leaks_is_the_persons_own(planted):
    _, dirty, _ = planted(QUIRKS["my_number_in_notes"])
    rows = read(dirty).filter(pl.col("notes").str.contains("個人番号"))
    assert (rows["notes"].str.replace_all(r"\D", "") == rows["my_number"]).all()


def test_planned_departures_lie_after_the_month(planted):
    clean, dirty, _ = planted(QUIRKS["planned_departure"])
    more = read(dirty).tail(dirty.rows - clean.rows)
    assert (more["event_on"] > "20250731").all()
    assert (more["processed_on"] <= "20250731").all()
    assert more["destination_confirmed"].null_count() == more.height
    assert more["destination_planned"].null_count() == 0


def test_who_passes_through_enters_and_leaves_on_one_day(planted):
    clean, dirty, _ = planted(QUIRKS["in_and_out"])
    more = read(dirty).tail(dirty.rows - clean.rows)
    by_person = more.group_by("atena_no").agg(pl.col("reason").sort(), pl.col("event_on").n_unique())
    assert by_person["reason"].to_list() == [["01", "21"]] * by_person.height
    assert (by_person["event_on"] == 1).all()


def test_a_second_head_stands_in_a_household_that_has_one(planted):
    _, dirty, _ = planted(QUIRKS["two_heads"])
    heads = read(dirty).filter(pl.col("relationship") == "02").group_by("household_no").len()
    assert (heads["len"] == 2).sum() == dirty.planted["two_heads"]


def test_requests_name_month_and_source(deliver):
    written = deliver(last="2025-08", quirks=("wrong_city@2025-07:resident_movements",))
    cities = {(w.source, w.month): _manifest(w)["municipality"] for w in written}
    wrong = [key for key, city in cities.items() if city != "28100"]
    assert wrong == [("resident_movements", "2025-07")]


def test_a_request_without_a_month_befalls_the_last(deliver):
    written = deliver(last="2025-08", quirks=("19",))
    assert "count_differs" in of(written, "resident_register", "2025-08").planted
    assert not of(written, "resident_register", "2025-07").planted


@pytest.mark.parametrize(
    "request_", ["nonsense", "truncated@2024-01", "two_heads@2025-07:resident_movements", "cut_character"]
)
def test_what_cannot_be_planted_is_refused(deliver, request_):
    with pytest.raises(ConfigurationError):
        deliver(quirks=(request_,))


def test_the_mix_changes_as_many_rows_as_it_counts(clean, tmp_path):
    form = ("utf-8", "delimited")
    before = read(of(clean(form), "resident_register"))
    plan = CityPlan(tmp_path, RESIDENTS, MONTH, MONTH, SEED, Form(*form), dirt=1.0)
    dirty = of(synthesize(plan), "resident_register")
    after = read(dirty)
    own = after.head(before.height)
    changed = sum(before[c].ne_missing(own[c]).to_numpy() for c in before.columns) > 0
    by_change = sum(n for name, n in dirty.planted.items() if QUIRKS[name].effect.change is not None)
    assert changed.sum() == by_change
    assert after.height - before.height == sum(dirty.planted.values()) - by_change


def test_everyday_dirt_grows_with_its_share(deliver):
    some, much = (of(deliver(f"d{dirt}", residents=RESIDENTS, dirt=dirt), "resident_register") for dirt in (0.2, 1.0))
    assert 0 < sum(some.planted.values()) < sum(much.planted.values()) < RESIDENTS / 4
    assert len(much.planted) > 15
