"""What a release says beside its figures tells nothing that the figures do not: two cities with the same published
rows give the same bytes, and no number of any file of a release narrows a hidden count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.lake import PartitionId, PartitionStore
from kobe_platform.lounge import tables as room
from kobe_platform.lounge.release import assemble
from kobe_platform.release.collect import collect
from kobe_platform.settings import Settings
from kobe_platform.statistics import load_statistics
from kobe_platform.tabulation.steps import protect_counts
from kobe_platform.vocabulary.codes import hierarchies, wards
from tests.unit.lounge.conftest import dashboards, write_page  # noqa: F401

MONTH, NAME = "2025-07", "foreigners_stay_ward"
STATISTICS = {NAME: load_statistics(Settings().statistics)[NAME]}
STAYS = tuple(hierarchies()["stay"].leaves)
PAGE = f"""
```sql held
SELECT period, area, stay, value, status FROM {NAME}
```

<DataTable data={{held}} title=表/>
"""


FEW = (3, 6, 7)
"""Persons of three stays that there are in one ward each."""


def city(shift: int = 0) -> dict[tuple[str, str], int]:
    """Finest counts: three stays of few persons in one ward each, where of some more nobody knows how long they stay.

    ``shift`` moves persons of unknown stay to the few: what the hidden cells hold together is another sum then.
    """
    cells = {(w, s): 40 + 7 * i + 3 * j for i, w in enumerate(wards()) for j, s in enumerate(STAYS)}
    for number, few in enumerate(FEW):
        cells |= {(ward, STAYS[number]): 0 for ward in wards()}
        cells |= {(wards()[number], STAYS[number]): few + shift, (wards()[number], "unknown"): 31 - shift}
    return cells


@dataclass(frozen=True)
class Built:
    """A release, the published rows that it shows, and the counts behind them."""

    path: Path
    published: pl.DataFrame
    truth: dict[tuple[str, str], int]


@pytest.fixture
def build(tmp_path, write_page):  # noqa: F811
    """Build a release from finest counts; the operator's own numbers go along as far as the release takes them."""
    pages = write_page(PAGE)

    def release(truth: dict[tuple[str, str], int], name: str) -> Built:
        home = tmp_path / name
        keys = LocalKeyStore.create(home / "keys", log=home / "log" / "key_use.jsonl")
        store = PartitionStore(home / "store", keys, municipality="28100")
        rows = [(area, stay, count) for (area, stay), count in sorted(truth.items())]
        cells = pl.DataFrame(rows, schema=["area", "stay", "persons"], orient="row")
        store.write(PartitionId("statistics", NAME, MONTH), cells)
        protect_counts(store, list(STATISTICS.values()), MONTH, STATISTICS)
        collected = collect(store, STATISTICS)
        published = collected.tables[NAME]
        facts = {**collected.facts, "tables": {NAME: {**collected.facts["tables"][NAME], **shares(truth, published)}}}
        made = assemble(
            collected.tables, collected.dims, facts, pages, home / "releases", now=datetime(2025, 8, 1, tzinfo=UTC)
        )
        return Built(made.path, published, truth)

    return release


def hidden_finest(published: pl.DataFrame) -> set[tuple[str, str]]:
    """Finest cells without a figure."""
    chosen = published.filter(pl.col("status") == "suppressed", pl.col("area") != "28100", pl.col("stay") != "total")
    return set(chosen.select("area", "stay").rows())


def shares(truth: dict[tuple[str, str], int], published: pl.DataFrame) -> dict[str, float]:
    """What an operator may know and a release may not tell: the share of persons in hidden cells."""
    away = sum(truth[cell] for cell in hidden_finest(published))
    return {"share_of_total": round(1 - away / sum(truth.values()), 4)}


def files(built: Built) -> dict[str, bytes]:
    return {str(p.relative_to(built.path)): p.read_bytes() for p in sorted(built.path.rglob("*")) if p.is_file()}


# -- two cities that nobody can tell apart by their published rows -----------------------------------------------------


def test_two_cities_with_the_same_published_rows_give_the_same_release(build):
    one, other = build(city(), "one"), build(city(shift=2), "other")
    assert shares(one.truth, one.published) != shares(other.truth, other.published)
    assert one.published.equals(other.published), "the two cities were to be alike in all that is published"
    assert files(one) == files(other)


def test_a_share_of_hidden_persons_would_tell_two_cities_apart(build, monkeypatch):
    """The plant: what the operator knows is told after all."""
    monkeypatch.setattr(room, "BESIDE", (*room.BESIDE, "share_of_total"))
    one, other = build(city(), "one"), build(city(shift=2), "other")
    assert one.published.equals(other.published)
    assert files(one)["tables/tables.json"] != files(other)["tables/tables.json"]


# -- every number of a release, as an outsider would use it ------------------------------------------------------------


class Outsider:
    """Finest cells as unknowns (≥ 1 where hidden), published rows as equations, and one number beside them."""

    def __init__(self, built: Built) -> None:
        self.cells = [(w, s) for w in wards() for s in (*STAYS, "unknown")]
        self.built, away = built, hidden_finest(built.published)
        self.hidden = np.array([cell in away for cell in self.cells], dtype=float)
        rows = built.published.filter(status="published").select("area", "stay", "value").rows()
        self.left = np.array([[self._counts(cell, area, stay) for cell in self.cells] for area, stay, _ in rows])
        self.right = np.array([value for *_, value in rows], dtype=float)
        self.bounds = [(float(hidden), None) for hidden in self.hidden]
        self.total = float(built.published.filter(area="28100", stay="total")["value"].item())
        self.true = sum(built.truth.get(cell, 0) for cell in away)

    @staticmethod
    def _counts(cell: tuple[str, str], area: str, stay: str) -> float:
        return float(area in ("28100", cell[0]) and stay in ("total", cell[1]))

    def interval(self, at: np.ndarray, between: tuple[float, float] | None = None) -> tuple[float, float]:
        """Least and most of a sum of cells, given that the hidden persons are so many."""
        ends = (0.0, 1e9) if between is None else between
        more = {"A_ub": np.array([self.hidden, -self.hidden]), "b_ub": [ends[1], -ends[0]]}
        found = [linprog(s * at, A_eq=self.left, b_eq=self.right, bounds=self.bounds, **more) for s in (1, -1)]
        assert all(one.status == 0 for one in found), "no city fits"
        return found[0].fun, -found[1].fun

    def readings(self, text: str) -> list[tuple[float, float]]:
        """Ranges for the persons in hidden cells that a number says, as far as they are true: a count, a share of the
        total in hundredths or not, hidden or shown."""
        number = float(text.rstrip("%"))
        if "." not in text and "%" not in text:
            ranges = [(number, number)]
        else:
            half = 0.5 * 10.0 ** -len(text.rstrip("%").partition(".")[2])
            spans = [((number - half) / unit, (number + half) / unit) for unit in (1, 100)]
            spans += [(1 - most, 1 - least) for least, most in spans]
            ranges = [(least * self.total, most * self.total) for least, most in spans]
        return [(least, most) for least, most in ranges if least - 1e-6 <= self.true <= most + 1e-6]

    def narrowed(self, texts: set[str]) -> set[str]:
        """Those numbers that make the interval of some hidden cell, or of the unknown of a ward, shorter."""
        wanted = [i for i, (_, stay) in enumerate(self.cells) if self.hidden[i] or stay == "unknown"]
        axes = [np.eye(len(self.cells))[i] for i in wanted]
        before = [self.interval(at) for at in axes]
        found = set()
        for text in sorted(texts):
            for least, most in self.readings(text):
                after = [self.interval(at, (least - 1e-6, most + 1e-6)) for at in axes]
                if any(b[1] - b[0] > a[1] - a[0] + 1e-3 for b, a in zip(before, after, strict=True)):
                    found.add(text)
        return found


def numbers(built: Built) -> set[str]:
    """Every number that a reader of a release's pages and records sees; digests and the pages' own markup are none."""
    read = [(name, data.decode()) for name, data in files(built).items() if name.endswith((".json", ".html", ".xml"))]
    texts = [re.sub(r"<[^>]*>", " ", text) if name.endswith(".html") else text for name, text in read]
    found = [number for text in texts for number in re.findall(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?%?(?![\w-])", text)]
    return {number.replace(",", "") for number in found if not number.endswith(",")}


def test_no_number_of_a_release_narrows_a_hidden_count(build):
    outsider = Outsider(build(city(), "one"))
    least, most = outsider.interval(outsider.hidden)
    assert most - least > 1, "that the hidden persons are so many would follow anyway: nothing is tried here"
    assert len(numbers(outsider.built)) > 40
    assert outsider.narrowed(numbers(outsider.built)) == set()


def test_a_number_of_hidden_persons_in_any_form_would_be_found(build):
    outsider = Outsider(build(city(), "one"))
    away = outsider.true / outsider.total
    for plant in (
        f"{outsider.true}",
        f"{away:.6f}",
        f"{away:.4f}",
        f"{1 - away:.4f}",
        f"{away:.1%}",
        f"{1 - away:.1%}",
    ):
        assert outsider.narrowed({plant}) == {plant}


def test_a_share_of_hidden_persons_that_a_release_told_would_be_found(build, monkeypatch):
    """The plant: four decimals in ``tables.json``, as they once stood there."""
    monkeypatch.setattr(room, "BESIDE", (*room.BESIDE, "share_of_total"))
    built = build(city(), "one")
    told = str(shares(built.truth, built.published)["share_of_total"])
    assert Outsider(built).narrowed(numbers(built)) == {told}
