"""Finds figures that stand out in a month (いつもと違う動き): published series against what they usually are.

A watched series is one file, ``definition`` (read by ``loading``); the published table that all of them share is
``tables``. ``expecting`` says what a figure was to be, ``judging`` how unlikely it is and which of a month's series are
listed, ``months`` makes the table of one month, ``inputs`` says from what, ``codes`` names its series. Only published
figures come in, and what is said is a fact, its size and its usual range, never a cause. Partitions are read and
written in ``tabulation``.
"""
