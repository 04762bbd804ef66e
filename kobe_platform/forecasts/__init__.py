"""Forecasts published series (見込み) and measures how far each method was wrong before.

Here belongs what looks ahead: ``panel`` (a series of published rows as an array with gaps), ``seasonal``, ``cohorts``
and ``learned`` (the methods), ``methods`` (their names, options and the one way to call them), ``backtest``
(rolling-origin errors: WAPE, bias, coverage) and ``intervals`` (split conformal). Only published figures come in: a
hidden figure is a gap, and no method fills one.
"""
