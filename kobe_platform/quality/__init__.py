"""Checks the quality of the lake's partitions against expectations that are derived from the contracts.

``suite`` derives the expectations from a contract, written as Great Expectations writes them; ``tally`` counts a
partition once, by distinct value; ``judging`` decides from the counts; ``partitions`` does all of it for a month of the
lake; ``second_opinion`` has Great Expectations judge the same suite (importing it takes seconds and 270 MB, so nothing
else imports it).

Rules that refuse a row or a delivery on arrival are in ``intake.extracts``, identities of figures in ``tabulation``.
"""

from kobe_platform.quality.judging import judge, names, settled
from kobe_platform.quality.partitions import Month, suite_of, validate_month
from kobe_platform.quality.suite import Expectation, Known, as_suite, expectations
from kobe_platform.quality.tally import Tally

__all__ = [
    "Expectation",
    "Known",
    "Month",
    "Tally",
    "as_suite",
    "expectations",
    "judge",
    "names",
    "settled",
    "suite_of",
    "validate_month",
]
