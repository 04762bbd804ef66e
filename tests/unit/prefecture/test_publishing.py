"""What a prefecture keeps of what was handed over, when a month has totals, and what is in no file of it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import polars as pl
import pytest

from kobe_platform.bench.prefecture import prefecture
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.disclosure.scenarios import Scenarios
from kobe_platform.errors import DisclosureError
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.prefecture import publishing
from kobe_platform.prefecture.handed import COUNT, Handed
from kobe_platform.prefecture.publishing import (
    COMPLETE,
    INCOMPLETE,
    OTHERS,
    Prefecture,
    receipt_path,
    received,
    unreleased,
)
from kobe_platform.settings import Settings

MONTH, GROUP = "2025-06", "stocks/month"


@pytest.fixture(scope="module")
def towns() -> list[Handed]:
    return [replace(one, content=f"{one.municipality}published") for one in prefecture(3, seed=2)]


@pytest.fixture
def above(tmp_path, monkeypatch) -> Prefecture:
    monkeypatch.setenv("KOBE_HOME", str(tmp_path))
    monkeypatch.setenv("KOBE_MUNICIPALITY", "28000")
    keys = LocalKeyStore.create(tmp_path / "keys", log=tmp_path / "log" / "key_use.jsonl")
    made = Prefecture(Settings(), PartitionStore(tmp_path / "store", keys, municipality="28000"))
    made.__dict__["defined"] = {
        name: SimpleNamespace(
            name=name,
            above="prefecture",
            ward_column="area",
            is_protected=True,
            key=GROUP,
            period="month",
            population=name,
            ties=(),
        )
        for name in ("residents", "foreigners")
    }
    return made


def receive(above: Prefecture, towns, missing=()):
    """What was handed over is received, and each municipality takes what it is told of the totals."""
    made = above.receive(MONTH, GROUP, [one.as_record() for one in towns], list(missing))
    told = [(one["municipality"], Scenarios.of(one["scenarios"]).digest) for one in made.statements]
    above.taken([(MONTH, GROUP, code, digest) for code, digest in told])
    return made


def areas(above: Prefecture) -> set[str]:
    return set(above.store.read(PartitionId("published", "prefecture_residents", MONTH))["area"])


def test_a_month_has_totals_where_every_municipality_handed_over(above, towns):
    told = receive(above, towns)
    assert told.totals == COMPLETE and told.shown > 0
    assert areas(above) == {"28000", "00001", "00002", "00003"}
    receipt = received(above.settings.root, MONTH, GROUP)
    assert {code: entry["content"] for code, entry in receipt["received"].items()} == {
        one.municipality: one.content for one in towns
    }


def test_a_table_that_years_are_sums_of_has_only_totals_of_published_figures(above, towns):
    """A year's table is one more equation for its months, and stands in another group than these."""
    for kind in ({"population": "residents"}, {"population": "x", "ties": (SimpleNamespace(table="residents"),)}):
        year = SimpleNamespace(
            **{
                "name": "year",
                "above": "",
                "is_protected": True,
                "key": "stocks/year",
                "period": "year",
                "ties": (),
                **kind,
            }
        )
        above.__dict__["defined"]["year"] = year
        assert {one.statistic: one.plain for one in map(above.summed, above.statistics.values())} == {
            "residents": True,
            "foreigners": False,
        }


def test_without_one_of_them_there_is_no_total_and_the_missing_one_is_named(above, towns):
    told = receive(above, towns[:2], missing=["00003"])
    assert told.totals == INCOMPLETE and told.shown == 0
    assert areas(above) == {"00001", "00002"}
    assert received(above.settings.root, MONTH, GROUP)["missing"] == ["00003"]
    assert receive(above, towns).totals == COMPLETE


def release(above: Prefecture) -> None:
    """What a release enters into the record before anybody sees it."""
    names = ["prefecture_residents", "prefecture_foreigners"]
    above._enter_all({name: [MONTH] for name in names})


def test_totals_of_others_than_those_that_are_out_are_not_made(above, towns):
    """The difference of a total over three and one over two would be the third one's cells, hidden ones too."""
    receive(above, towns)
    release(above)
    told = receive(above, towns[:2])
    assert told.totals == OTHERS and areas(above) == {"00001", "00002"}
    assert receive(above, towns).totals == COMPLETE


def test_half_a_year_stands_beside_no_whole_one(above, towns):
    """One town came in July: its year is in no table, and the year has no total; the next correction is even."""
    months = tuple(f"2025-{month:02}" for month in range(1, 13))
    years = [replace(one, covers=months) for one in towns]
    late = [replace(years[0], content="00001later", covers=months[6:]), *years[1:]]
    told = receive(above, late)
    assert (told.totals, told.uneven) == (INCOMPLETE, ("00001",)) and areas(above) == {"00002", "00003"}
    assert above.store.present(PartitionId("published", "prefecture_residents", MONTH)).facts["covers"] == list(months)
    assert receive(above, years).totals == COMPLETE and areas(above) == {"28000", "00001", "00002", "00003"}


def test_totals_that_nobody_saw_bind_nothing(above, towns):
    receive(above, towns)
    assert receive(above, towns[:2]).totals == COMPLETE


def test_a_correction_is_protected_beside_the_release_before(above, towns, monkeypatch):
    receive(above, towns)
    release(above)
    release(above)
    seen = []
    real = publishing.protect_totals
    monkeypatch.setattr(publishing, "protect_totals", lambda *a, **k: seen.append(a[2]) or real(*a, **k))
    receive(above, [replace(towns[0], content="00001again"), *towns[1:]])
    ((former,),) = seen
    assert [one.content for one in former.handed] == [one.content for one in towns]


def test_totals_are_not_made_again_where_what_the_former_ones_were_made_of_is_lost(above, towns, monkeypatch):
    receive(above, towns)
    release(above)
    real, lost = Prefecture._keep, (towns[0].municipality, towns[0].content)

    def keep(*told):
        receipts, kept = real(*told)
        return receipts, {key: record for key, record in kept.items() if key != lost}

    monkeypatch.setattr(Prefecture, "_keep", keep)
    with pytest.raises(DisclosureError) as caught:
        receive(above, [replace(towns[0], content="00001again"), *towns[1:]])
    assert (caught.value.code, caught.value.at["records"]) == ("prefecture.handed", 1)


def test_counts_behind_the_same_published_tables_stay_as_they_were_first_handed_over(above, towns, monkeypatch):
    receive(above, towns)
    before = above.store.read(PartitionId("published", "prefecture_residents", MONTH))
    hidden = towns[0].tables["foreigners"].filter(pl.col("status") == "suppressed")["nation"].to_list()
    changed = towns[0].cells["foreigners"].with_columns(pl.col(COUNT) + pl.col("nation").is_in(hidden).cast(pl.Int64))
    assert not changed.equals(towns[0].cells["foreigners"])
    seen, real = [], publishing.protect_totals
    monkeypatch.setattr(publishing, "protect_totals", lambda *a, **k: seen.append(a[0]) or real(*a, **k))
    receive(above, [replace(towns[0], cells={**towns[0].cells, "foreigners": changed}), *towns[1:]])
    assert seen[0][0].cells["foreigners"].equals(towns[0].cells["foreigners"])
    assert above.store.read(PartitionId("published", "prefecture_residents", MONTH)).equals(before)


def test_pages_with_a_registers_figures_need_an_application(above, towns, tmp_path, monkeypatch):
    """One register among made-up municipalities is enough; the page of words alone needs none."""
    from kobe_platform.settings import PROJECT

    monkeypatch.setenv("KOBE_DASHBOARDS", str(PROJECT / "dashboards" / "prefecture"))
    above.settings = Settings()
    asked = []
    monkeypatch.setattr(publishing, "assemble", lambda *a, withheld, **k: asked.append(withheld) or released_as(above))
    for name in ("residents", "foreigners"):
        facts = {"title": name, "dimensions": {"area": "municipality"}}
        above.defined[name].sources = ("resident_register",)
        monkeypatch.setattr(publishing, "_facts", lambda _, told=facts: told)
    above.__dict__["contracts"] = {"resident_register": SimpleNamespace(sensitivity="personal")}
    monkeypatch.setattr(
        publishing,
        "table_of",
        lambda one: "prefecture_population_ward" if one.name == "residents" else "prefecture_foreigners",
    )
    receive(above, towns)
    above.release()
    receive(above, [replace(towns[0], basis="register", content="00001register"), *towns[1:]])
    above.release()
    assert asked == [{}, {"municipalities": "application.none"}]


def test_what_was_received_is_outstanding_until_a_release_was_made_of_it(above, towns, monkeypatch):
    """A release that failed is made the next time, also where no month is due; before the first one, too."""

    def failing(*told, **more):
        raise DisclosureError("a page does not compile", code="page.query", remedy="mend it")

    facts = {"title": "", "dimensions": {"area": "municipality"}}
    monkeypatch.setattr(publishing, "_facts", lambda _: facts)
    monkeypatch.setattr(Prefecture, "_withheld", lambda self, basis: {})
    monkeypatch.setattr(publishing, "assemble", failing)
    receive(above, towns)
    with pytest.raises(DisclosureError):
        above.release()
    assert unreleased(above.settings.root) == [f"{MONTH} {GROUP}"]
    monkeypatch.setattr(publishing, "assemble", lambda *told, **more: released_as(above))
    above.release()
    assert unreleased(above.settings.root) == []
    receive(above, [replace(towns[0], content="00001again"), *towns[1:]])
    assert unreleased(above.settings.root) == [f"{MONTH} {GROUP}"]


def released_as(above: Prefecture) -> SimpleNamespace:
    """A release in force, of which only the name matters."""
    folder = above.settings.releases / "0001-000000000000"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "release.json").write_text("{}")
    (above.settings.releases / "current").unlink(missing_ok=True)
    (above.settings.releases / "current").symlink_to(folder.name)
    return SimpleNamespace(id=folder.name)


def test_keys_do_not_grow_with_municipalities_months_and_corrections(above, towns):
    """Each would be a key of AWS KMS of its own, and a line of a ring that is written anew for each."""
    receive(above, towns)
    receive(above, [replace(towns[0], content="00001again"), *towns[1:]])
    purposes = [key.purpose for key in above.store.keys.versions() if key.purpose.startswith("data/statistics")]
    assert purposes == ["data/statistics/handed_stocks_month"]


def test_what_was_handed_over_is_in_no_file_in_the_clear(above, towns):
    receive(above, towns)
    release(above)
    told = [one.as_record() for one in towns]
    canaries = {text.encode() for record in told for text in record["cells"].values()}
    canaries |= {text.encode() for record in told for text in record["tables"].values()}
    files = [path for path in above.settings.root.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        assert not [canary for canary in canaries if canary[:200] in content], path.name


def test_a_receipt_tells_nothing_that_a_guess_at_a_count_could_be_tried_by(above, towns):
    """It names the published tables' digest and that of the sealed file; the record's own digest would tell a guess."""
    import hashlib

    receive(above, towns)
    text = receipt_path(above.settings.root, MONTH, GROUP).read_text("utf-8")
    for one in towns:
        for told in (json.dumps(one.as_record()), json.dumps(one.as_record(), sort_keys=True)):
            assert hashlib.sha256(told.encode()).hexdigest() not in text
    assert set(json.loads(text)["received"]["00001"]) == {"content", "sealed", "received_at"}


def test_what_cannot_be_read_is_refused_without_a_value(above, towns):
    record = {**towns[0].as_record(), "spec": '{"canary": 987654}'}
    with pytest.raises(DisclosureError) as caught:
        Handed.of(record)
    assert caught.value.code == "prefecture.handed" and "987654" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_statistic_may_be_summed_above_later_than_others_of_its_group(above, towns, monkeypatch):
    """What was released before has no cells of it; months that are not received again are released as they are."""
    foreigners = above.__dict__["defined"].pop("foreigners")
    fewer = [
        replace(one, cells={"residents": one.cells["residents"]}, content=f"{one.content} of one") for one in towns
    ]
    receive(above, fewer)
    above._enter_all({"prefecture_residents": [MONTH]})
    above.__dict__["defined"]["foreigners"] = foreigners
    above.__dict__.pop("statistics", None)
    above._enter_all({"prefecture_residents": [MONTH], "prefecture_foreigners": []})
    told = receive(above, towns)
    assert told.totals == COMPLETE
    release(above)
    assert receive(above, [replace(towns[0], content="00001again"), *towns[1:]]).totals == COMPLETE
