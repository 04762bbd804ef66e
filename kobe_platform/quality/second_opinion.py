"""Has Great Expectations judge the same suite: for tests that both agree, and on request.

Its import takes seconds and 270 MB, so it stands inside the function. What it reports is cut down to counts: samples
of values and the text of errors, which may hold some, are left out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from kobe_platform.errors import PlatformError
from kobe_platform.quality.judging import names, result_of, validation
from kobe_platform.quality.suite import Expectation, as_suite

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts, and no sample of the values that failed."""
_SAMPLES = ("partial_unexpected_list", "details")
_PLACE = "place"
"""The library reports in an order of its own: each expectation carries its place in the suite."""


def great_expectations(suite_name: str, expected: Sequence[Expectation], frame: pl.DataFrame) -> dict[str, Any]:
    """The validation of the library itself, in the form of :func:`kobe_platform.quality.judging.judge`.

    Args:
        frame: all columns of the partition.

    Raises:
        PlatformError: ``quality.second_opinion``: the library failed; what it says may hold values and is left out.
    """
    try:
        return _validated(suite_name, expected, frame)
    except Exception as error:
        raise PlatformError(
            "Great Expectations could not judge the partition",
            code="quality.second_opinion",
            at={"suite": suite_name, "error": type(error).__name__},
            remedy="judge it without --great-expectations, and report the version of the library",
            ja="Great Expectationsによる検査ができませんでした",
        ) from None


def _validated(suite_name: str, expected: Sequence[Expectation], frame: pl.DataFrame) -> dict[str, Any]:
    gx, context = _library()
    batch = (
        context.data_sources.add_or_update_pandas("lake")
        .add_dataframe_asset("partition")
        .add_batch_definition_whole_dataframe("month")
        .get_batch({"dataframe": _pandas(frame)})
    )
    suite = as_suite(suite_name, expected)
    placed = [{**one, "meta": {_PLACE: place}} for place, one in enumerate(suite["expectations"])]
    outcome = batch.validate(gx.ExpectationSuite(**{**suite, "expectations": placed}), result_format=RESULT_FORMAT)
    told = {result.expectation_config.meta[_PLACE]: result for result in outcome.results}
    return validation(suite_name, [_counts_of(one, told[place]) for place, one in enumerate(expected)])


@cache
def _library():
    """Great Expectations and a context that keeps nothing on disk."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return gx, context


def disagreements(expected: Sequence[Expectation], first: Mapping, second: Mapping) -> Iterator[str]:
    """Names of the expectations on which two validations differ, in verdict or in count."""
    for name, one, other in zip(names(expected), first["results"], second["results"], strict=True):
        counts = [result["result"].get("unexpected_count") for result in (one, other)]
        if one["success"] != other["success"] or counts[0] != counts[1]:
            yield name


def _pandas(frame: pl.DataFrame):
    """Numbers as Arrow keeps them (pandas would make floats of a null's neighbours), all else as pandas does."""
    whole = [name for name, kind in frame.schema.items() if kind.is_integer()]
    made = frame.to_pandas()
    exact = frame.select(whole).to_pandas(use_pyarrow_extension_array=True)
    return made.assign(**{name: exact[name] for name in whole})


def _counts_of(expectation: Expectation, told) -> dict:
    counts = {name: value for name, value in told.result.items() if name not in _SAMPLES}
    raised = None if told.result else "the library could not judge it"
    return result_of(expectation, bool(told.success), counts, raised=raised)
