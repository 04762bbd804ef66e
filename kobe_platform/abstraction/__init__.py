"""抽象化: from raw bytes to lake columns that identify nobody at a glance, as the contract's rules say.

``steps`` applies the rules in order; ``versions`` decides which rows count, ``codes``, ``ages``, ``areas``,
``movements`` and
``households`` derive columns, ``protection`` hides what must not be known of protected persons, ``working`` is the
table they share.
"""

from kobe_platform.abstraction.steps import STEPS, Abstracted, abstract, validate

__all__ = ["STEPS", "Abstracted", "abstract", "validate"]
