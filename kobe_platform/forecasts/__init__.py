"""Forecasts published series (見込み) and measures how far each method was wrong before.

Here belongs what looks ahead: ``panel`` (a series of published rows as an array with gaps), ``seasonal``, ``cohorts``
and ``learned`` (the methods), ``methods`` (their names, the choice of the best), ``options`` (what a method is and may
be told), ``backtest`` (rolling-origin errors: WAPE, bias, coverage), ``intervals`` (split conformal) and ``judging``
(whether a forecast is fit to be shown). Only published figures come in: a hidden one is a gap, and no method fills it.
"""
