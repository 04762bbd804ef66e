"""From a delivery folder to typed columns: the inbox and its receipts, extracts read by contract, screening for leaks.

Nothing is computed from the rows here (``abstraction``) and nothing is kept (``lake``); ``reception`` drives the steps.
"""
