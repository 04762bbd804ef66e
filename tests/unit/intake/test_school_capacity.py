"""What schools have room for comes as CSV of public figures, and gives the page its classes."""

import hashlib
import json

import polars as pl
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


def bring(inbox, rows):
    """A delivery of these rows, taken in."""
    folder = inbox / "28100/school_capacity" / MONTH
    folder.mkdir(parents=True)
    content = "\r\n".join(["ward_code,figure,value", *(f"{w},{f},{v}" for w, f, v in rows), ""]).encode("utf-8-sig")
    (folder / "schools.csv").write_bytes(content)
    file = {"name": "schools.csv", "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {
        "municipality": "28100", "source": "school_capacity", "month": MONTH, "kind": "public", "sequence": 1,
        "created_at": "2026-01-01T00:00:00+09:00", "encoding": "utf-8-sig", "files": [{**file, "bytes": len(content)}],
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    [delivery] = find(inbox, CONTRACTS, "28100")
    return take_in(delivery, CONTRACTS["school_capacity"])


def test_rooms_and_class_sizes_give_the_classes_of_each_ward(tmp_path):
    taken = bring(tmp_path / "inbox", [("28101", "limit", 35), ("28101", "classrooms", 40), ("28102", "limit", 0)])
    statistic = load_statistics(Settings().statistics)["school_capacity_ward"]
    rows = compute_public(statistic, {"school_capacity": taken.frame}, MONTH)
    made, dims, facts = published()
    made["school_capacity_ward"] = rows.select(made["school_capacity_ward"].columns)
    write_tables(tmp_path / "tables", made, dims, facts["tables"])
    page = load_page(Settings().dashboards / "pages/school_entry.md", Settings().dashboards)
    with ReleaseDatabase(tmp_path / "tables") as database:
        found = database.run(page.queries)["table"]
    vintage = made["school_entry"].filter((pl.col("area") == "28101") & (pl.col("target") == "2026-12"))
    children = dict(vintage.select("figure", "value").iter_rows())
    here = found.filter((pl.col("区") == "東灘区") & (pl.col("入学") == "2026年4月")).row(0, named=True)
    assert here["学級（見込み）"] == -(-children["forecast"] // 35)
    assert (here["学級（下限）"], here["学級（上限）"]) == (
        -(-children["lower80"] // 35),
        -(-children["upper80"] // 35),
    )
    assert here["教室"] == 40
    assert found.filter(pl.col("区") == "灘区")["学級（見込み）"].drop_nulls().is_empty(), "no class has a size of none"


@pytest.mark.parametrize("wrong", [("28199", "limit", 35), ("28101", "rooms", 35), ("28101", "limit", -1)])
def test_what_cannot_be_placed_rejects_the_delivery(tmp_path, wrong):
    with pytest.raises(DeliveryRejected):
        bring(tmp_path, [("28102", "limit", 35), wrong])
