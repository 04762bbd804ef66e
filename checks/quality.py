"""Quality of the lake's partitions with Great Expectations, imported inside the check (9 seconds and 270 MB)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from checks.factory import CheckedAsset, Verdict, monthly_check
from kobe_platform.contracts import Contract
from kobe_platform.lake import PartitionId
from kobe_platform.vocabulary import OLDEST_AGE, UNKNOWN, wards
from resources import Lake

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts, and no sample of the values that failed."""


@dataclass(frozen=True)
class Expectation:
    """One expectation on a lake column: ``kind`` is ``unique``, ``present``, ``one_of`` or ``between``."""

    column: str
    kind: str
    values: tuple = ()


_CODED = {
    "ward": wards(),
    "ward_before": wards(),
    "ward_after": wards(),
    "sex": ("male", "female", UNKNOWN),
    "resident_type": ("japanese", "foreign"),
    "relationship": ("head", "spouse", "child", "parent", "other"),
    "age_precision": ("day", "month", "year", UNKNOWN),
}
_PRESENT = ("ward", "sex", "resident_type", "reason", "event_month")
_UNIQUE = ("person_id", "event_id")


def expectations(contract: Contract) -> list[Expectation]:
    """What is expected of a source's lake columns: derived from its contract, so that a new source has a suite too."""
    outputs = set(contract.outputs)
    snapshot = "snapshot" in contract.kinds
    expected = [Expectation(name, "one_of", values) for name, values in _CODED.items() if name in outputs]
    expected += [Expectation(name, "present") for name in _PRESENT if name in outputs]
    expected += [
        Expectation(name, "unique") for name in _UNIQUE if name in outputs and (snapshot or name == "event_id")
    ]
    if "age" in outputs:
        expected.append(Expectation("age", "between", (0, OLDEST_AGE)))
    return expected


def quality_checks(
    contracts: Mapping[str, Contract], months: dg.PartitionsDefinition
) -> list[dg.AssetChecksDefinition]:
    """``expectations`` on the lake asset of each personal source; it reports, and does not block."""
    return [
        monthly_check(
            "expectations",
            contract.name,
            [CheckedAsset("lake", contract.name)],
            _judge(contract),
            months=months,
            description="Great Expectationsによる品質検査(件数のみを記録)",
            blocking=False,
        )
        for contract in contracts.values()
        if contract.sensitivity == "personal"
    ]


def _judge(contract: Contract):
    asset = CheckedAsset("lake", contract.name)

    def judge(lake: Lake, month: str) -> dict[CheckedAsset, Verdict]:
        identity = PartitionId("lake", contract.name, month)
        partition = lake.store.current(identity)
        if partition is None:
            return {asset: Verdict(False, {"present": False})}
        expected = [e for e in expectations(contract) if e.column in partition.columns]
        columns = sorted({e.column for e in expected})
        return {asset: validated(lake.store.read(identity, columns), expected)}

    return judge


def validated(frame, expected: list[Expectation]) -> Verdict:
    """Run the expectations on a pandas batch; facts are counts by column and kind, never values.

    Args:
        frame: Polars frame of the columns that the expectations name.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("lake")
        .add_dataframe_asset("partition")
        .add_batch_definition_whole_dataframe("month")
        .get_batch({"dataframe": frame.to_pandas()})
    )
    suite = gx.ExpectationSuite(name="contract", expectations=[_of_gx(expectation) for expectation in expected])
    outcome = batch.validate(suite, result_format=RESULT_FORMAT)
    failed = {}
    for expectation, result in zip(expected, outcome.results, strict=True):
        if not result.success:
            failed[f"{expectation.column}.{expectation.kind}"] = int(result.result.get("unexpected_count", -1))
    return Verdict(bool(outcome.success), {"expectations": len(expected), "failed": failed})


def _of_gx(expectation: Expectation):
    import great_expectations.expectations as of

    column = expectation.column
    if expectation.kind == "one_of":
        return of.ExpectColumnValuesToBeInSet(column=column, value_set=list(expectation.values))
    if expectation.kind == "between":
        return of.ExpectColumnValuesToBeBetween(
            column=column, min_value=expectation.values[0], max_value=expectation.values[1]
        )
    if expectation.kind == "unique":
        return of.ExpectColumnValuesToBeUnique(column=column)
    return of.ExpectColumnValuesToNotBeNull(column=column)
