"""Says how an installation is: to the operator who asks, and as figures for a monitoring system.

- ``doctor``: everything that an operator would look at by hand, each with what to do.
- ``metrics``: counts, ages and lags in the text format of Prometheus.

What is outstanding is decided by planning, who is told by alerts; nothing here changes anything.
"""
