"""A graph of two jobs, for the door to Dagster."""

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def on_demand_statistics() -> None:
    """What analysts may launch."""
    nothing()


@dg.job
def everything_else() -> None:
    """What they may not."""
    nothing()


defs = dg.Definitions(jobs=[on_demand_statistics, everything_else])
