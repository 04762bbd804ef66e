"""Starts, watches and ends Dagster's processes and runs on an installation.

Assets, checks and resources have folders of their own beside this package; what is outstanding is computed in
``planning``.
"""
