"""Reports counts, schema, digest and generation of a partition to Dagster, through the allow-list of metadata."""

from __future__ import annotations

import dagster as dg

from kobe_platform.lake import Partition
from kobe_platform.privacy.metadata import allowed, schema
from kobe_platform.release.collect import BACKTEST, COVERS
from kobe_platform.unusual.tables import WATCHED

ROWS = "dagster/row_count"
COLUMNS = "dagster/column_schema"


def partition_result(partition: Partition, **facts: object) -> dg.MaterializeResult:
    """The result of a step that committed ``partition``; its data version is the partition's digest."""
    told = {
        name: fact for name, fact in partition.facts.items() if name not in (COVERS, BACKTEST, WATCHED)
    }  # a list; its length is a fact too
    metadata = allowed({"generation": partition.generation, **told, **facts})
    metadata[ROWS] = dg.MetadataValue.int(partition.rows)
    metadata[COLUMNS] = schema(partition.columns)
    return dg.MaterializeResult(
        asset_key=[partition.id.stage, partition.id.source],
        metadata=metadata,
        data_version=dg.DataVersion(partition.digest),
    )
