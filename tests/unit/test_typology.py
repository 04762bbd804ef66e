"""Types of districts follow from published figures alone, and are the same whenever they are computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from kobe_platform.cli.main import app
from kobe_platform.errors import ConfigurationError
from kobe_platform.settings import Settings
from kobe_platform.synthesis.published import published
from kobe_platform.typology.medoids import distances, medoids_of, silhouette, typed
from kobe_platform.typology.profiles import as_delivery, load_typology, profiles, separation, types_of
from kobe_platform.vocabulary.codes import hierarchies

FILE = Settings().statistics.parent / "typology.toml"


def groups(sizes=(20, 25, 30)) -> np.ndarray:
    """Places in groups that lie far apart."""
    rng = np.random.default_rng(2)
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    return np.concatenate([centre + rng.normal(size=(size, 2)) for centre, size in zip(centres, sizes, strict=True)])


def cost(apart: np.ndarray, chosen) -> float:
    return float(apart[:, list(chosen)].min(axis=1).sum())


def test_types_that_lie_apart_are_found_and_stable():
    found = typed(distances(groups()), 3)
    assert sorted(np.bincount(found.member)) == [20, 25, 30]
    assert (found.stability > 0.95).all() and (found.together > 0.95).all() and found.silhouette > 0.6


def test_what_has_no_types_is_told_by_its_stability():
    shapeless = np.random.default_rng(3).uniform(size=(60, 4))
    assert typed(distances(shapeless), 4).stability.min() < 0.75


def test_no_exchange_of_one_medoid_brings_places_nearer():
    apart = distances(np.random.default_rng(4).normal(size=(40, 3)))
    chosen = medoids_of(apart, 4).tolist()
    others = [[*chosen[:i], new, *chosen[i + 1 :]] for i in range(4) for new in range(40)]
    assert min(cost(apart, other) for other in others) >= cost(apart, chosen) - 1e-9


def test_a_place_alone_in_its_type_has_no_silhouette():
    apart = distances(np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0]]))
    assert silhouette(apart, np.array([0, 0, 1])) == pytest.approx(2 / 3, abs=0.02)


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """The tables of a made-up release that the project's own file reads."""
    folder = tmp_path_factory.mktemp("tables")
    tables, dims, _ = published(seed=7)
    for name in ("population_district", "foreigners_district", "households_family_district"):
        tables[name].write_parquet(folder / f"{name}.parquet")
    dims["district"].write_parquet(folder / "dim_district.parquet")
    return folder


def hide(release: Path, tmp_path: Path, district: str) -> Path:
    """The same tables with one figure of a district hidden."""
    for path in release.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "foreigners_district.parquet"
    frame = pl.read_parquet(path)
    one = (pl.col("area") == district) & (pl.col("sex") == "total")
    frame = frame.with_columns(
        value=pl.when(~one).then("value"), status=pl.when(one).then(pl.lit("suppressed")).otherwise("status")
    )
    frame.write_parquet(path)
    return tmp_path


def test_a_district_with_a_hidden_figure_has_no_type(release, tmp_path):
    typology = load_typology(FILE)
    whole = profiles(typology, release)
    district = whole.districts[0]
    part = profiles(typology, hide(release, tmp_path, district))
    assert part.hidden == (*whole.hidden, district) or set(part.hidden) == {*whole.hidden, district}
    assert f"\r\n{district}," not in as_delivery(part, types_of(part, 3))


def test_the_same_figures_give_the_same_bytes_and_one_medoid_a_type(release):
    typology = load_typology(FILE)
    first, again = (as_delivery(one, types_of(one, 4)) for one in (profiles(typology, release) for _ in range(2)))
    assert first == again
    rows = [line.split(",") for line in first.split("\r\n")[1:-1]]
    assert sorted(kind for _, kind, figure, _ in rows if figure == "medoid") == ["1", "2", "3", "4"]
    assert all(0 <= int(value) <= 100 for *_, value in rows)
    assert list(separation(profiles(typology, release))) == list(range(2, 8))


def test_types_are_numbered_by_the_first_feature(release):
    profile = profiles(load_typology(FILE), release)
    found = types_of(profile, 4)
    first = profile.shares[found.medoids, 0].tolist()
    assert first == sorted(first, reverse=True)


def test_every_number_of_types_can_be_named():
    assert hierarchies()["district_type"].leaves == tuple(str(number) for number in range(1, 9))


def test_too_many_types_and_a_table_that_is_not_there_are_refused(release, tmp_path):
    profile = profiles(load_typology(FILE), release)
    with pytest.raises(ConfigurationError) as caught:
        types_of(profile, 8)
    assert caught.value.code == "typology.few"
    path = tmp_path / "typology.toml"
    path.write_text(FILE.read_text("utf-8").replace("foreigners_district", "foreigners_town"), "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        profiles(load_typology(path), release)
    assert (caught.value.code, caught.value.at["place"]) == ("typology.file", "table foreigners_town")


@pytest.mark.parametrize("number", ["1", "9"])
def test_the_command_takes_as_many_types_as_the_file_may_name(number):
    told = CliRunner().invoke(app, ["types", "--types", number])
    assert told.exit_code == 2 and "or equal to" in told.output
