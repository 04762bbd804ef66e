"""Defines Dagster's assets from contracts, statistics and pages, with one module for each stage."""
