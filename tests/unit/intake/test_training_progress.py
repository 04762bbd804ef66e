"""Totals of trained staff come as CSV of the city alone, and give the page its figures."""

import hashlib
import json

import pytest

from kobe_platform.contracts import load_contracts
from kobe_platform.errors import DeliveryRejected
from kobe_platform.intake.deliveries import find
from kobe_platform.intake.extracts.taking import take_in
from kobe_platform.lounge.database import ReleaseDatabase
from kobe_platform.lounge.pages import load_page
from kobe_platform.lounge.tables import write_tables
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_public, load_statistics
from kobe_platform.synthesis.published import published

CONTRACTS = load_contracts(Settings().contracts)
MONTH = "2025-12"
ROWS = [
    ("2024", "B", "reached", 20), ("2024", "B", "planned", 25), ("2025", "B", "reached", 54),
    ("2025", "B", "planned", 45), ("2025", "A", "reached", 6), ("2025", "A", "planned", 11),
    ("2025", "A", "digital", 40), ("2030", "A", "target", 120),
]  # fmt: skip


def bring(inbox, rows, header="year,level,figure,value"):
    """A delivery of these rows, taken in."""
    folder = inbox / "28100/training_progress" / MONTH
    folder.mkdir(parents=True)
    content = "\r\n".join([header, *(",".join(map(str, row)) for row in rows), ""]).encode("utf-8-sig")
    (folder / "training.csv").write_bytes(content)
    file = {"name": "training.csv", "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {
        "municipality": "28100", "source": "training_progress", "month": MONTH, "kind": "public", "sequence": 1,
        "created_at": "2026-01-01T00:00:00+09:00", "encoding": "utf-8-sig", "files": [{**file, "bytes": len(content)}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    [delivery] = find(inbox, CONTRACTS, "28100")
    return take_in(delivery, CONTRACTS["training_progress"])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Results of the page's queries over these rows."""
    folder = tmp_path_factory.mktemp("training")
    taken = bring(folder / "inbox", ROWS)
    statistic = load_statistics(Settings().statistics)["training_progress_year"]
    made, dims, facts = published()
    rows = compute_public(statistic, {"training_progress": taken.frame}, MONTH)
    made["training_progress_year"] = rows.select(made["training_progress_year"].columns)
    made["training_level"] = made["training_level"].clear()  # a city without records of training
    write_tables(folder / "tables", made, dims, facts["tables"])
    page = load_page(Settings().dashboards / "pages/staff_training.md", Settings().dashboards)
    with ReleaseDatabase(folder / "tables") as database:
        return database.run(page.queries)


def test_each_level_is_compared_with_the_plan_of_its_newest_year(found):
    told = found["gauge"].sort("level").select("level", "年度", "到達", "計画").rows()
    assert told == [("A", "令和7年度", 6, 11), ("B", "令和7年度", 54, 45)]


def test_plan_and_target_are_of_different_staff_and_never_in_one_chart(found):
    assert set(found["progress"]["区分"]) == {"到達", "計画"}
    assert set(found["ahead"]["区分"]) == {"実績", "目標"}


WRONG = [
    ("2019", "A", "reached", 1),
    ("2025", "D", "reached", 1),
    ("2025", "A", "names", 1),
    ("2025", "C", "reached", -1),
]


@pytest.mark.parametrize("row", WRONG)
def test_what_the_contract_does_not_know_is_refused(tmp_path, row):
    with pytest.raises(DeliveryRejected):
        bring(tmp_path / "inbox", [*ROWS, row])


def test_a_column_for_a_section_or_a_person_is_refused(tmp_path):
    with pytest.raises(DeliveryRejected):
        bring(tmp_path / "inbox", [("2025", "A", "reached", 1, "0012345")], "year,level,figure,value,職員番号")
