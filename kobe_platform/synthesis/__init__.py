"""A synthetic city: residents and movements over months, with real-world dirt, delivered as core systems deliver.

``live`` yields the city month by month; ``synthesize`` writes deliveries; ``truth`` counts independently of both.

For demos, trials and tests only: nothing that handles a real delivery imports this room.
"""

from kobe_platform.synthesis.deliveries import CityPlan, WrittenDelivery, live, synthesize
from kobe_platform.synthesis.truth import truth
from kobe_platform.synthesis.writer import Form

__all__ = ["CityPlan", "Form", "WrittenDelivery", "live", "synthesize", "truth"]
