"""Parses the SQL of statistics, of the on-demand menu and of pages, and refuses what each of them must not contain.

What belongs here: DuckDB's syntax tree of a statement (``syntax``), the lists of functions (``functions``), the
judgement of a query over published figures (``judging``), and of a count over people's rows: its shape (``counts``),
its columns and conditions (``conditions``) against what the contracts say of a source (``sources``).
No query runs here: rows are counted in ``statistics.compute``, pages' queries run in ``lounge.database``.
"""
