"""What adapts Dagster to an installation: how its processes and runs are started, watched and ended.

Assets, checks and sensors stand in the graph's own folders; what is outstanding is computed in ``planning``.
"""
