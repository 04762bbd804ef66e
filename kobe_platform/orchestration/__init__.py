"""What adapts Dagster to an installation lives here: how its processes are started, watched and ended."""
