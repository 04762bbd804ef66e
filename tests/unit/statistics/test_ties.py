"""What one table says of another (a year of its months, arrivals of moves) is told to the engine and to the auditor."""

import re

import polars as pl
import pytest

from kobe_platform.settings import Settings
from kobe_platform.statistics import TiedMonth, compute_group, groups, load_statistics, protect_group
from kobe_platform.statistics.protection import specification
from kobe_platform.statistics.relations import load_relations
from tests.unit.statistics.lake_frames import AREAS, movements

STATISTICS = load_statistics(Settings().statistics)
GROUPS = groups(STATISTICS.values())
HYOGO = pl.col("counterpart").is_in(["28203", "28202"])


def counted(group, frame):
    return compute_group(GROUPS[group], {"resident_movements": frame}, AREAS).cells


@pytest.mark.slow
def test_a_year_by_origin_does_not_give_away_the_hidden_month_of_the_prefecture():
    quiet = movements(seed=5)
    came = pl.col("reason").is_in(["in_domestic", "in_abroad"]) & HYOGO
    frames = {"2025-11": movements(seed=4), "2025-12": pl.concat([quiet.filter(~came), quiet.filter(came).head(5)])}
    months = []
    for month, frame in frames.items():
        cells = counted("flows/month", frame)
        tables = protect_group(GROUPS["flows/month"], cells, AREAS, period=month).tables
        months += [TiedMonth(STATISTICS[name], month, cells[name], tables[name]) for name in cells]
    hidden = next(m for m in months if (m.statistic.name, m.month) == ("moves_in_hyogo_month", "2025-12")).published
    assert hidden.filter(pl.col("counterpart") == "total")["status"].item() == "suppressed"
    cells = counted("flows/year", pl.concat(frames.values()))
    year = protect_group(GROUPS["flows/year"], cells, AREAS, period="2025", months=months)
    table = year.tables["moves_in_origin_ward_year"]
    total = table.filter((pl.col("area") == "28100") & (pl.col("counterpart") == "hyogo"))
    assert total["status"].item() == "suppressed"


def test_every_statement_says_something_of_the_tables_of_some_group():
    """But those that a check of the lake reads, or that explain why there is none."""
    told = load_relations(Settings().statistics)
    assert len(told) > 10
    for statement in told:
        if statement.kind in ("stock_and_flow", "apart"):
            continue
        only = [s.model_copy(update={"relations": (statement,)}) for s in STATISTICS.values()]
        specs = [specification(members, AREAS) for members in groups(only).values()]
        assert any((*s.relations, *s.includes, *s.combinations, *s.members) for s in specs), statement


def test_inclusions_hold_over_the_counted_cells():
    """The engine refuses a relation that the cells break: an untrue one would stop every release."""
    for seed in range(3):
        protect_group(GROUPS["flows/month"], counted("flows/month", movements(seed=seed)), AREAS, period="2025-07")


def test_no_period_publishes_every_term_of_stock_and_flow():
    """Else stocks of two months and the flows between them must be tied in the audit (docs/statistics.md)."""
    told = next(statement for statement in load_relations(Settings().statistics) if statement.kind == "stock_and_flow")
    needed = {*told.entering, *told.leaving}
    for key in ("flows/month", "flows/year"):
        all_of_a_reason = [s for s in GROUPS[key] if "immigration_notice" not in s.sql]
        named = {word for s in all_of_a_reason for word in re.findall(r"'([a-z_]+)'", s.sql)}
        assert named & needed, key
        assert {"admin_in", "admin_out"} <= needed - named, key
        whole = [s.name for s in all_of_a_reason if "reason" not in s.sql]
        assert not whole, f"{whole} count movements of every reason"


def test_a_statistic_says_whether_a_lone_member_is_asked_about_in_its_table():
    (first, *others), wanted = GROUPS["stocks/month"][:3], {"member": True}
    assert specification([first, *others], AREAS).attack.member is False
    assert specification([first.model_copy(update=wanted), *others], AREAS).attack.member == (first.name,)
