from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kobe_platform.synthesis import CityPlan, Form, WrittenDelivery, synthesize

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def real_data() -> Path:
    """The folder of real figures beside the repository; tests that compare with them skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("no ../shared/data")
    return REAL


@pytest.fixture
def deliver(tmp_path: Path) -> Callable[..., list[WrittenDelivery]]:
    """Synthesize a small city of one month; keywords as of ``Plan``, ``form`` as (encoding, layout)."""

    def run(folder: str = "inbox", form: tuple[str, str] = ("utf-8", "delimited"), **options) -> list[WrittenDelivery]:
        settings = {"residents": 3_000, "first": "2025-07", "last": "2025-07", "seed": 5, "dirt": 0.0, **options}
        return synthesize(CityPlan(out=tmp_path / folder, form=Form(*form), **settings))

    return run
