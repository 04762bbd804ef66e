"""The one reader of SQL: what a statistic, the menu of on-demand questions and a page may say, and what it means.

What belongs here: DuckDB's syntax tree of a statement (``syntax``), the lists of functions (``functions``), the
judgement of a query over published figures (``judging``), and of a count over people's rows: its shape (``counts``),
its columns and conditions (``conditions``) against what the contracts say of a source (``sources``).
What does not: running anything. Rows are counted in ``statistics.compute``, pages' queries run in ``lounge.database``.
"""
