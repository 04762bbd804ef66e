"""Extracts: bytes → columns, without writing what no rule reads.

``taking`` is the way in; ``delimited`` and ``fixed`` cut files, ``encodings``, ``texts`` and ``dates`` read what
distinct values say, ``screening`` and ``leak_check`` refuse what must not come in.

Which delivery is read, and what becomes of it, is the matter of ``reception``; what a column means, of ``abstraction``.
"""

from kobe_platform.intake.extracts.taking import ENCODING, Taken, overlay, take_in

__all__ = ["ENCODING", "Taken", "overlay", "take_in"]
