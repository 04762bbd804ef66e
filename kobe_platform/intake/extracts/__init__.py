"""Reads the bytes of an extract into columns, and drops columns that no rule reads before anything is written.

``taking`` is the entry point; ``delimited`` and ``fixed`` cut files into fields, ``encodings``, ``texts`` and ``dates``
read distinct values, ``screening`` and ``leak_check`` refuse faulty deliveries and leaked codes.

Which delivery is read and where its rows go is decided in ``reception``; columns are derived in ``abstraction``.
"""

from kobe_platform.intake.extracts.taking import ENCODING, Taken, take_in

__all__ = ["ENCODING", "Taken", "take_in"]
