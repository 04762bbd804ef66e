"""Defines Dagster's asset checks, with one module for each subject; :mod:`checks.factory` makes them."""
