"""The steps from the lake to protected tables, as the graph's assets call them, and the identities between figures.

How a table is counted and protected stands in ``statistics`` and ``disclosure``.
"""
