"""Forecasts published series (見込み), measures how far each method was wrong before, and keeps what was forecast.

A forecast's file is ``definition`` (read and tried by ``loading``), the published tables that follow from it are
``tables``. What looks ahead: ``panel`` (a series as an array with gaps), ``series`` (published rows as a panel, single
ages as what is shown), ``seasonal``, ``cohorts`` and ``learned`` (the methods), ``methods`` (their names, the choice of
the best), ``options``. What judges: ``backtest`` (rolling-origin errors), ``intervals`` (split conformal), ``judging``
(whether a forecast is fit to be shown). What is kept: ``vintages`` (one origin's forecast), ``scoreboard`` (against
what came), ``inputs`` (what both are made from), ``codes`` (months and names as dimensions). Only published figures
come in: a hidden one is a gap, and no method fills it. Partitions are read and written in ``tabulation``.
"""
