"""Turns the raw columns of a delivery into lake columns that do not directly identify a person (抽象化), by contract.

``steps`` applies the rules in order; ``versions`` decides which rows count; ``codes``, ``ages``, ``areas``,
``movements`` and ``households`` derive columns; ``protection`` hides the places of protected persons;
``worktable`` is the table that they share.

Which rule a column has is said in its contract. Files are read in ``intake.extracts``; rows are stored in ``lake``.
"""

from kobe_platform.abstraction.protection import companion_columns
from kobe_platform.abstraction.steps import STEPS, Abstracted, abstract, validate

__all__ = ["STEPS", "Abstracted", "abstract", "companion_columns", "validate"]
