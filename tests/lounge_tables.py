"""The made-up published tables that the lounge's tests read."""

from kobe_platform.synthesis.published import DISTRICTS_PER_WARD, MONTHS, published

__all__ = ["DISTRICTS_PER_WARD", "MONTHS", "published"]
