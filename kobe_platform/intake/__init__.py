"""Finds deliveries in the inbox, reads their extracts by contract, screens them for faults and leaks, writes receipts.

Columns are derived in ``abstraction`` and stored in ``lake``; ``reception`` calls the steps in order.
"""
