"""抽象化: turns the raw columns of a delivery into lake columns that identify nobody at a glance, as its contract says.

``steps`` applies the rules in order; ``versions`` decides which rows count; ``codes``, ``ages``, ``areas``,
``movements`` and ``households`` derive columns; ``protection`` hides what must not be known of protected persons;
``worktable`` is the table that they share.

Which rule a column has stands in ``contracts``. Reading files is the matter of ``extracts``, keeping rows of ``lake``.
"""

from kobe_platform.abstraction.steps import STEPS, Abstracted, abstract, validate

__all__ = ["STEPS", "Abstracted", "abstract", "validate"]
