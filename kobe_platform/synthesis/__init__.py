"""Simulates a made-up city month by month and writes its extracts as core systems deliver them, faults included.

``live`` yields the city month by month; ``synthesize`` writes deliveries; ``truth`` counts the city independently of
both, for tests to compare with.

It is for demos, trials and tests: no code that handles a real delivery imports this package.
"""

from kobe_platform.synthesis.deliveries import CityPlan, WrittenDelivery, live, synthesize
from kobe_platform.synthesis.truth import truth
from kobe_platform.synthesis.writer import Form

__all__ = ["CityPlan", "Form", "WrittenDelivery", "live", "synthesize", "truth"]
