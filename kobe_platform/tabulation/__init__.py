"""Makes the protected tables of a month from the lake, in steps that the assets call, and checks sums between figures.

How a table is counted and protected is the work of ``statistics`` and ``disclosure``.
"""
