"""Files of wishes: what is wrong is said with file, line and column when it loads; what loads, runs."""

import shutil

import pytest

from kobe_platform.disclosure import audit
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.statistics import compute_group, load_statistics, protect_group
from kobe_platform.statistics.protection import specification
from kobe_platform.statistics.wishes import wished_rows, wishes_input
from tests.unit.statistics.lake_frames import AREAS, register

TABLES = ("households_size_district", "households_size_ward", "mean_age", "population_ward", "population_district")
SIZES = "households_size_ward"
WITHIN = """[[includes]]\nwhole = "residents"\npart = "households"\nbecause = "who stands for one is a resident"\n"""


@pytest.fixture
def folder(tmp_path):
    for name in TABLES:
        shutil.copy(Settings().statistics / f"{name}.sql", tmp_path)
    (tmp_path / "relations.toml").write_text(WITHIN)
    return tmp_path


def loaded(folder, text, name=SIZES):
    (folder / f"{name}.wishes.csv").write_text(text, encoding="utf-8")
    return load_statistics(folder)[name]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("area,size,wish\n28101,1,hide\n28101,2,show\n", {"line": 3, "column": "wish"}),
        ("area,size,wish\n28101,1,\n", {"line": 2, "column": "wish"}),
        ("area,size,wish\n28101,9,hide\n", {"line": 2, "column": "size"}),
        ("area,size,wish\n99999,1,hide\n", {"line": 2, "column": "area"}),
        ("area,size,wish,period\n28101,1,hide,2025\n", {"line": 2, "column": "period"}),
        ("area,size,wish\n28101,1,hide\n\n28101,1,keep\n", {"line": 4}),
        ("area,size,wish\n28101,1\n", {"line": 2}),
        ("area,wish\n28101,hide\n", {"line": 1, "column": "size"}),
        ("area,size,wish,value\n28101,1,hide,7\n", {"line": 1, "column": 4}),
        ("", {"line": 1, "column": "area"}),
    ],
)
def test_what_is_wrong_in_a_file_is_said_by_its_place(folder, text, at):
    with pytest.raises(ConfigurationError) as refused:
        loaded(folder, text)
    assert refused.value.code == "statistics.wishes"
    assert refused.value.at == {"file": f"{SIZES}.wishes.csv", **at}


@pytest.mark.parametrize("name", ["mean_age", "no_such_table"])
def test_a_file_that_belongs_to_no_table_of_counts_is_refused(folder, name):
    (folder / f"{name}.wishes.csv").write_text("area,wish\n")
    with pytest.raises(ConfigurationError, match="belongs to no table of counts"):
        load_statistics(folder)


def test_a_file_in_another_encoding_is_refused(folder):
    (folder / f"{SIZES}.wishes.csv").write_bytes("area,size,wish\n28101,単身,hide\n".encode("cp932"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_statistics(folder)


def test_wishes_change_what_is_protected_and_not_what_is_counted(folder):
    plain = load_statistics(folder)[SIZES]
    wished = loaded(folder, "\ufeffarea,size,wish,period\n28101,1,keep,\n28101,1,hide,2025-07\n28102,2,yield,2025-08\n")
    assert wished.digest == plain.digest and wishes_input([plain], "2025-07") == {}
    assert len({wishes_input([wished], month)["wishes"] for month in ("2025-06", "2025-07", "2025-08")}) == 3
    of_july = wished_rows(wished, "2025-07", AREAS)[0]
    assert of_july.rows() == [("28101", "1", "hide")], "a wish of the period stands before the one of all periods"
    assert wished_rows(wished, "2025-06", AREAS)[0].rows() == [("28101", "1", "keep")]


@pytest.mark.slow
def test_wishes_of_tables_that_meet_in_a_cell_and_of_districts_that_are_gone_run(folder):
    """One cell that one table hides and another keeps; one district that the month does not have."""
    (folder / f"{SIZES}.wishes.csv").write_text("area,size,wish\n28101,1,keep\n28102,2,hide\n")
    lines = "area,size,wish\n28101,1,hide\n28101-gone,1,hide\n"
    (folder / "households_size_district.wishes.csv").write_text(lines)
    statistics = load_statistics(folder)
    members = [statistics[name] for name in (SIZES, "households_size_district")]
    cells = compute_group(members, {"resident_register": register(40_000)}, AREAS).cells
    result = protect_group(members, cells, AREAS, period="2025-07")
    hidden = result.tables[SIZES].filter(status="suppressed").select("area", "size").rows()
    assert {("28101", "1"), ("28102", "2")} <= {*hidden}
    assert result.facts[SIZES]["wishes"] == {"kept_in_vain": 1, "without_row": 0}
    assert result.facts["households_size_district"]["wishes"] == {"kept_in_vain": 1, "without_row": 1}
    tables = {name: table.drop("period") for name, table in result.tables.items()}
    assert audit(specification(members, AREAS), tables).publishable
