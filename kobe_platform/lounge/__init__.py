"""Compiles the dashboard pages over published tables into static sites, and puts sites and tables in force together.

Pages (:mod:`pages`, :mod:`tags`) are Markdown with SQL fences and component tags. Their queries (:mod:`queries`) read
the published tables of a release (:mod:`tables`) and nothing else. Components (:mod:`components`, :mod:`charts`) turn
rows into a readable table and hashed JSON slices (:mod:`slices`); :mod:`compile` writes both; :mod:`site` renders one
site per audience; :mod:`release` switches to the whole at once; :mod:`serve` hands it out.

Which tables a release has is decided in ``release``. Nothing here opens a key or reads a row about a person.
"""
