"""Reads the list of functions that a query over published figures may call (``functions.toml``).

A list of what is allowed, not of what is forbidden: DuckDB has some nine hundred functions, and more with each version,
among them ones that add up (``list_sum``), tell about the machine (``getenv``), write (``write_log``), wait
(``sleep_ms``) or differ from run to run (``uuidv7``).
"""

from __future__ import annotations

import tomllib
from pathlib import Path

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

ALLOWED = frozenset(name for names in _LISTS["allowed"].values() for name in names.split())
"""Functions and operators that a query may use."""
TABLE_FUNCTIONS = frozenset(_LISTS["allowed"]["tables"].split())
"""Functions that it may use in FROM."""
SUMMING = frozenset(_LISTS["refused"]["summing"].split())
"""Functions that would pass over suppressed cells."""
SPECIAL_COLUMNS = frozenset(_LISTS["refused"]["columns"].split())
"""Names that look like columns and read the clock or the session."""
