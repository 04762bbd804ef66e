"""Data engineers see in Dagster what every column of every table is, in Japanese, and what it is made of."""

import re

import dagster as dg
import pytest

from assets.columns import (
    LINEAGE,
    SCHEMA,
    contract_columns,
    definition_metadata,
    described,
    lineage,
    page_reads,
    statistic_columns,
)
from kobe_platform.contracts import load_contracts
from kobe_platform.contracts.columns import Keep, MappedCodes, Reason
from kobe_platform.custody.keys import LocalKeyStore
from kobe_platform.forecasts.tables import ForecastTable, Scoreboard
from kobe_platform.intake.deliveries import find
from kobe_platform.lake import PartitionStore
from kobe_platform.lounge.pages import load_pages
from kobe_platform.published import load_published
from kobe_platform.reception.steps import abstract_month, admit_month, take_in_delivery
from kobe_platform.release.collect import collect
from kobe_platform.settings import Settings
from kobe_platform.statistics import Statistic, groups
from kobe_platform.synthesis.deliveries import CityPlan, synthesize
from kobe_platform.tabulation.steps import count_group, publish_public, take_in_public
from kobe_platform.unusual.tables import UsualRanges

CONTRACTS = load_contracts(Settings().contracts)
STATISTICS = load_published(Settings().statistics, Settings().forecast_files)
FORECASTS = {name for name, one in STATISTICS.items() if isinstance(one, ForecastTable | Scoreboard | UsualRanges)}
MONTH = "2025-12"
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


def source_of(key):
    """What an asset with a table is derived from."""
    stage, name = key.path
    if stage == "published" or (stage == "statistics" and name not in CONTRACTS):
        return STATISTICS[name]
    return CONTRACTS[name]


def columns_of(key):
    source = source_of(key)
    if isinstance(source, Statistic):
        return statistic_columns(source, key.path[0], CONTRACTS)
    return contract_columns(source, key.path[0])


def types(columns):
    return {column.name: column.type for column in columns}


@pytest.fixture(scope="module")
def graph(definitions):
    return definitions.resolve_asset_graph()


@pytest.fixture(scope="module")
def tables(graph):
    return [key for key in graph.get_all_asset_keys() if key.path[0] != "dashboards"]


@pytest.fixture(scope="module")
def partitions(tmp_path_factory):
    """Partitions of a small synthetic city by ``stage/name``, and the store that holds them."""
    root = tmp_path_factory.mktemp("columns")
    place = Settings(home=root / "var", inbox=root / "inbox")
    LocalKeyStore.create(place.keys, log=place.key_log)
    keys = LocalKeyStore.open(place.keys, log=place.key_log)
    store = PartitionStore(place.store, keys, municipality=place.municipality, principal="test")
    synthesize(CityPlan(place.inbox, 3_000, MONTH, MONTH, 0), lambda step: None)
    deliveries = {delivery.source: delivery for delivery in find(place.inbox, CONTRACTS, place.municipality)}
    made = []
    for name in ("town_districts", "resident_register", "resident_movements"):
        contract = CONTRACTS[name]
        made.append(take_in_delivery(deliveries[name], contract, store, place.root))
        if contract.sensitivity == "personal":
            made.append(abstract_month(contract, MONTH, store, keys, CONTRACTS))
            made.append(admit_month(contract, MONTH, store))
    made.append(
        take_in_public(deliveries["estimated_population"], CONTRACTS["estimated_population"], store, place.root)
    )
    made.append(publish_public(store, STATISTICS["estimated_population"], MONTH))
    held = {partition.id.source for partition in made if partition.id.stage == "lake"}  # a city may have more sources
    for members in groups(one for one in STATISTICS.values() if held.issuperset(one.sources)).values():
        made += count_group(store, members, MONTH)
    return {f"{partition.id.stage}/{partition.id.source}": partition for partition in made}, store


def test_every_column_of_every_table_has_a_japanese_description(tables):
    for key in tables:
        columns = columns_of(key)
        assert columns, key
        for column in columns:
            assert column.description and JAPANESE.search(column.description), (key, column.name)


def test_a_description_holds_nobodys_number(tables):
    for key in tables:
        for column in columns_of(key):
            assert not re.search(r"\d{10,}", column.description), (key, column.name)


def test_lineage_names_columns_that_stand_in_assets_right_above(tables, graph):
    for key in tables:
        source, own = source_of(key), {column.name for column in columns_of(key)}
        deps = lineage(source, key.path[0], CONTRACTS).deps_by_column
        assert set(deps) <= own, key
        for column, above in deps.items():
            for dep in above:
                assert dep.asset_key in graph.get(key).parent_keys, (key, column, dep.asset_key)
                assert dep.column_name in {c.name for c in columns_of(dep.asset_key)}, (key, column, dep)


def test_from_abstraction_on_every_column_comes_from_another_one(tables):
    """Except what is one and the same in all rows: the period, and the city where nothing but the city is counted."""
    for key in tables:
        source, stage = source_of(key), key.path[0]
        found = lineage(source, stage, CONTRACTS).deps_by_column
        public = "public" in (getattr(source, "kind", ""), getattr(source, "sensitivity", ""))
        if stage == "raw" or public:
            assert bool(found) == (stage == "published"), key
            continue
        if key.path[1] in FORECASTS:  # what is forecast, and which figure of it a row holds, the step says itself
            assert {"value", *(["area"] if key.path[1] != "forecast_scores" else [])} <= set(found), key
            continue
        city = {column for column, name in getattr(source, "dimensions", {}).items() if name == "city"}
        assert {column.name for column in columns_of(key)} - set(found) <= {"period"} | city, key


def test_lineage_follows_the_select():
    def above(name, stage="statistics"):
        deps = lineage(STATISTICS[name], stage, CONTRACTS).deps_by_column
        return {column: {dep.column_name for dep in found} for column, found in deps.items()}

    assert above("households_family_ward") == {
        "area": {"ward"},
        "family": {"family_type"},
        "households": {"ward", "family_type", "is_representative"},
    }
    assert above("population_district")["area"] == {"district", "ward"}, "the unknown of a ward has the ward's code"
    assert above("ward_moves_od_year")["origin"] == {"ward_before"}
    assert above("mean_age", "published")["value"] == {"total", "persons"}
    assert above("estimated_population", "published") == {
        "area": {"ward_code"},
        "value": {"population", "households", "male", "female"},
    }


@pytest.mark.parametrize(
    "sql, value",
    [
        ("SELECT a.ward_code AS area, a.male AS value FROM e AS a", {"male"}),
        ("SELECT ward_code AS area, value FROM (SELECT *, male + female AS value FROM e) x", {"male", "female"}),
        ("WITH t AS (SELECT * EXCLUDE (basis) FROM e) SELECT ward_code AS area, male AS value FROM t", {"male"}),
        ("SELECT ward_code AS area, (SELECT max(female) FROM e) AS value FROM e", {"female"}),
        ("SELECT l.ward_code AS area, r.male AS value FROM e l JOIN e r ON l.ward_code = r.ward_code", {"male"}),
        ("SELECT ward_code AS area, CASE basis WHEN 'revised' THEN male END AS value FROM e", {"basis", "male"}),
        ("SELECT ward_code AS area, 'male' AS value FROM e UNION SELECT ward_code, female FROM e", {"female"}),
    ],
)
def test_a_select_is_read_by_its_grammar(sql, value):
    given = STATISTICS["estimated_population"].model_dump() | {"dimensions": {"area": "ward"}}
    given["sql"] = re.sub(r"\be\b", "estimated_population", sql)
    deps = lineage(Statistic(**given), "published", CONTRACTS).deps_by_column
    assert {dep.column_name for dep in deps["area"]} == {"ward_code"}
    assert {dep.column_name for dep in deps["value"]} == value


def test_what_hides_protected_persons_is_part_of_a_columns_lineage():
    deps = lineage(CONTRACTS["resident_movements"], "abstracted").deps_by_column["town_before"]
    named = {(dep.asset_key.path[-1], dep.column_name) for dep in deps}
    assert {("resident_movements", "protection"), ("resident_register", "protection")} < named


@pytest.mark.slow
def test_the_described_columns_are_those_of_the_partitions(partitions):
    for name, partition in partitions[0].items():
        assert types(columns_of(dg.AssetKey(name.split("/")))) == dict(partition.columns), name


def test_the_described_columns_of_published_tables_are_those_that_a_release_collects(partitions):
    for name, table in collect(partitions[1], STATISTICS).tables.items():
        told = types(statistic_columns(STATISTICS[name], "published", CONTRACTS))
        assert told == {column: str(kind) for column, kind in table.schema.items()}, name


def test_a_description_ends_with_what_the_column_is_made_of():
    columns = {c.name: c.description for c in contract_columns(CONTRACTS["resident_register"], "abstracted")}
    assert columns["age"].endswith("もと:raw/resident_register の birth_date・birth_unknown")
    assert "単位:歳" in columns["age"] and "female=女" in columns["sex"]


def test_definition_metadata_is_what_dagster_takes_for_columns_and_lineage():
    metadata = definition_metadata(STATISTICS["population_ward"], "published", CONTRACTS)
    spec = dg.AssetSpec("x", metadata=metadata)
    assert isinstance(spec.metadata[SCHEMA], dg.TableSchema) and isinstance(
        spec.metadata[LINEAGE], dg.TableColumnLineage
    )
    assert set(definition_metadata(CONTRACTS["town_districts"], "raw")) == {SCHEMA}


def test_a_partition_is_described_with_its_real_types():
    columns = contract_columns(CONTRACTS["town_districts"], "raw")
    value = described({"town_code": "Categorical", "surprise": "Int8"}, columns)
    first, second = value.schema.columns
    assert (first.type, first.description) == ("Categorical", columns[0].description)
    assert (second.name, second.description) == ("surprise", None)


def test_a_page_tells_which_published_columns_it_reads(settings):
    for page in load_pages(settings.dashboards).values():
        records = page_reads(page, STATISTICS)["reads"].records
        assert {record.data["公表表"] for record in records} == {f"published/{name}" for name in page.tables}
        for record in records:
            name = record.data["公表表"].removeprefix("published/")
            own = {column.name for column in statistic_columns(STATISTICS[name], "published", CONTRACTS)}
            assert set(record.data["読む列"].split("・")) <= own, page.slug


def test_labels_name_every_code_that_a_rule_may_give():
    for contract in CONTRACTS.values():
        for column in contract.columns:
            if isinstance(column, MappedCodes) and column.labels:
                codes = {*column.mapping.values(), *filter(None, (column.blank, column.other))}
            elif isinstance(column, Reason):
                codes = {code.removeprefix("cancels:") for code in column.codes.values()} - {"move"}
                codes |= {"ward_move", "within_ward", "non_demographic"}
            elif isinstance(column, Keep) and column.labels:
                codes = {code for code in column.labels if re.search(column.pattern or "", code)}
            else:
                continue
            assert set(column.labels) == codes, (contract.name, column.id)


def test_words_for_screens_are_no_part_of_what_a_contract_is():
    contract = CONTRACTS["estimated_population"]
    reworded = contract.column("male").model_copy(update={"title": "x", "unit": "y", "labels": {"a": "b"}})
    columns = tuple(reworded if column.id == "male" else column for column in contract.columns)
    assert contract.model_copy(update={"columns": columns}).model_dump_json() == contract.model_dump_json()


def test_assets_checks_jobs_schedules_and_sensors_are_described_in_japanese(definitions):
    repository = definitions.get_repository_def()
    told = {f"asset {spec.key}": spec.description for spec in definitions.resolve_all_asset_specs()}
    told |= {
        f"check {spec.key}": spec.description
        for checks in repository.asset_checks_defs_by_key.values()
        for spec in checks.check_specs
    }
    named = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    for kind, things in (("job", named), ("schedule", repository.schedule_defs), ("sensor", repository.sensor_defs)):
        told |= {f"{kind} {thing.name}": thing.description for thing in things}
    for name, resource in (definitions.resources or {}).items():
        if isinstance(resource, dg.ResourceDefinition):
            told[f"resource {name}"] = resource.description
    told |= {f"op {node.name}": node.description for job in repository.get_all_jobs() for node in job.all_node_defs}
    assert any(name.startswith("resource ") for name in told)
    assert not [name for name, words in told.items() if not words or not JAPANESE.search(words)]
