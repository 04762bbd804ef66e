"""Where pages are written: a new page to start from, and a site that follows what its author saves.

:mod:`new` writes a page and its manual; :mod:`site` compiles what changed; :mod:`server` shows it, faults included;
:mod:`tables` finds the published tables to work with; :mod:`commands` is ``kobe pages``.
"""
