"""Helps an author to write a page (``kobe pages``): starts a new one, checks it, and shows it again after each save.

:mod:`new` writes a page and its manual; :mod:`site` compiles what changed; :mod:`server` shows it, faults included;
:mod:`tables` finds the published tables to work with; :mod:`commands` is ``kobe pages``.
"""
