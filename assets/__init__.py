"""The asset graph: one module a stage, derived from contracts, statistics and pages."""
